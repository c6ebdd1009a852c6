"""Files of this field that are no matrix are named, with what to do, and the advice works."""

import h5py
import numpy as np
import pytest
from miniatures import GENES, GSM, SYMBOLS
from traps import COUNTS, agree, refusal, write

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect
from jaxssl.types import InputError

TEXTS = {
    "cls": ("6 2 1\n# WT KO\nWT WT WT KO KO KO\n", "holds classes of samples for GSEA (cls)"),
    "gmt": ("A\turl\tTP53\tEGFR\nB\tna\tKRAS\tNRAS\tHRAS\nC\tna\tMYC\n", "sets of genes (gmt)"),
    "RCC": ("<Header>\nFileVersion,1.7\n</Header>\n<Code_Summary>\n", "of NanoString (RCC)"),
    "txt": ("TYPE\ttext\ttext\nFEPARAMS\ta\tb\nDATA\t1\t2\n", "Agilent Feature Extraction"),
    "csv": ('"","logFC","AveExpr","t","P.Value","adj.P.Val","B"\n"TP53",1,2,3,0.1,0.2,4\n',
            "results of a comparison"),
    "tsv": ("baseMean\tlog2FoldChange\tlfcSE\tstat\tpvalue\tpadj\nTP53\t9\t1\t2\t3\t0.1\t0.2\n",
            "results of a comparison"),
}  # fmt: skip


@pytest.mark.parametrize("ending", TEXTS)
def test_what_is_no_matrix_is_named_with_what_to_do(tmp_path, ending):
    text, said = TEXTS[ending]
    path = write(tmp_path / f"x.{ending}", text)
    message = refusal(path)
    assert f"{path} holds" in message
    assert said in message
    with pytest.raises(InputError, match=r".") as seen:
        inspect(path)
    assert str(seen.value) == message


def test_clustered_data_is_read_once_the_advice_is_followed(tmp_path):
    head = ["GID\tYORF\tNAME\tGWEIGHT\t" + "\t".join(GSM), "AID\t\t\t\t" + "\t".join("abcdef")]
    head.append("EWEIGHT\t\t\t\t" + "\t".join("111111"))
    rows = [[f"GENE{i}X", g, g, "1", *map(str, COUNTS[:, i])] for i, g in enumerate(GENES)]
    lines = [*head, *("\t".join(row) for row in rows)]
    path = write(tmp_path / "x.cdt", "\n".join(lines) + "\n")
    assert "remove the column GID and the rows AID and EWEIGHT" in refusal(path)
    mended = [line.split("\t", 1)[1] for line in (lines[0], *lines[3:])]
    path = write(tmp_path / "x.tsv", "\n".join(mended) + "\n")
    adata = read(path, **{k: v for k, v in inspect(path).options.items() if k == "text_columns"})
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert list(adata.obs_names) == GSM


def test_gctx_is_read_with_what_it_tells_of_samples_and_genes(tmp_path):
    with h5py.File(tmp_path / "x.gctx", "w") as file:
        file["0/DATA/0/matrix"] = COUNTS
        file["0/META/ROW/id"], file["0/META/COL/id"] = np.array(GENES, "S"), np.array(GSM, "S")
        file["0/META/ROW/pr_gene_symbol"] = np.array(SYMBOLS, "S")
        file["0/META/COL/cell_id"] = np.array(list("aabbcc"), "S")
    adata = agree(tmp_path / "x.gctx")
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert list(adata.obs_names) == GSM
    assert list(adata.var_names) == GENES
    assert list(adata.var["pr_gene_symbol"]) == SYMBOLS
    assert list(adata.obs["cell_id"]) == list("aabbcc")
