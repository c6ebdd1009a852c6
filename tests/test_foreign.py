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
    "diff": ("test_id\tgene_id\tgene\tlocus\tsample_1\tsample_2\tstatus\tvalue_1\tvalue_2\t"
             "log2(fold_change)\ttest_stat\tp_value\tq_value\tsignificant\n"
             "X1\tX1\tTP53\tchr1:1-9\tWT\tKO\tOK\t1\t2\t1\t0.5\t0.1\t0.2\tno\n",
             "results of a comparison"),
    "markers": ('"","p_val","avg_log2FC","pct.1","pct.2","p_val_adj"\n"TP53",0.1,2,0.3,0.2,1\n',
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


def as_r_writes(path, x, rows, columns):
    """What R's `write.csv` makes of a matrix: quoted names, nothing above those of the rows."""
    lines = [",".join(f'"{name}"' for name in ["", *columns])]
    lines += [
        ",".join([f'"{row}"', *(f"{v:g}" for v in cells)])
        for row, cells in zip(rows, x, strict=True)
    ]
    return write(path, "\n".join(lines) + "\n")


def test_classes_for_gsea_are_labels_once_they_stand_beside_the_ids(tmp_path):
    path = write(tmp_path / "x.cls", TEXTS["cls"][0])
    assert "write them beside the sample ids, as a csv with a header, and pass it as `labels`" in (
        refusal(path)
    )
    classes = path.read_text().splitlines()[2].split()
    rows = [f"{sample},{name}" for sample, name in zip(GSM, classes, strict=True)]
    labels = write(tmp_path / "labels.csv", "\n".join(["sample,class", *rows]) + "\n")
    matrix = as_r_writes(tmp_path / "x.csv", COUNTS.T, GENES, GSM)
    assert list(read(matrix, labels=labels).obs["class"]) == classes


@pytest.mark.parametrize(
    ("ending", "rows", "columns"),
    [
        ("RCC", [*GENES[:6], "POS_A(128)", "NEG_A(0)"], [f"{s}_A.RCC" for s in GSM]),
        ("txt", [f"A_23_P{100001 + i}" for i in range(8)], GSM),
        ("qs2", GENES, GSM),
    ],
)
def test_what_r_writes_by_the_advice_has_the_right_values(tmp_path, ending, rows, columns):
    path = tmp_path / f"x.{ending}"
    path.write_bytes(b"\x0b\x0e\x0a\xc1rest" if ending == "qs2" else TEXTS[ending][0].encode())
    assert "csv" in refusal(path)
    adata = read(as_r_writes(tmp_path / "x.csv", COUNTS.T, rows, columns))
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert list(adata.var_names) == rows
    assert list(adata.obs_names) == columns
