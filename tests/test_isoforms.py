"""Reads of the isoforms of one miRNA add up to its own."""

import numpy as np
import pytest
from miniatures import GSM, genes_in_rows, values
from traps import refusal, write

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect
from jaxssl.types import InputError

HEADER = "miRNA_ID\tisoform_coords\tread_count\treads_per_million_miRNA_mapped\tcross-mapped\t"
ROWS = [("hsa-let-7a-1", 5), ("hsa-let-7a-1", 7), ("hsa-mir-21", 100), ("hsa-mir-21", 11)]


def isoforms(path, rows=ROWS):
    lines = [
        f"{n}\thg38:chr9:{i}-{i}2:+\t{x}\t{x / 2}\tN\tmature,MI" for i, (n, x) in enumerate(rows)
    ]
    return write(path, "\n".join([HEADER + "miRNA_region", *lines]) + "\n")


def test_isoforms_of_a_mirna_are_proposed_to_be_summed(tmp_path):
    path = isoforms(tmp_path / "a.isoforms.quantification.txt")
    with pytest.raises(InputError, match=r"2 gene ids .*; add them up with `duplicates=sum`"):
        read(path)
    report = inspect(path)
    assert report.options["duplicates"] == "sum"
    assert (
        "rows are isoforms of miRNAs: `duplicates=sum` adds up those of each" in report.notes[0:3]
    )
    adata = read(path, duplicates=report.options["duplicates"])
    assert adata.to_df().iloc[0].to_dict() == {"hsa-let-7a-1": 12, "hsa-mir-21": 111}
    tpm = read(path, duplicates="sum", layer="reads_per_million_miRNA_mapped")
    assert tpm.to_df().iloc[0].to_dict() == {"hsa-let-7a-1": 6, "hsa-mir-21": 55.5}


def test_files_of_isoforms_of_several_samples_are_refused_for_those_of_mirnas(tmp_path):
    isoforms(tmp_path / "a.isoforms.quantification.txt")
    isoforms(tmp_path / "b.isoforms.quantification.txt", ROWS[:3])
    with pytest.raises(
        InputError, match=r"different genes .*use the files \*\.mirnas\.quantification"
    ):
        read(tmp_path)


@pytest.mark.parametrize("scale", ["linear", "log2"])
def test_transcripts_of_a_merged_table_are_summed_to_the_genes_of_a_map(tmp_path, scale):
    ids = [f"ENST{i:011d}.1" for i in range(1, 9)]
    x = values(scale)
    path = write(tmp_path / "x.tsv", genes_in_rows("transcript_id", GSM, ids, x))
    rows = "".join(f"{i}\tgene{n // 2}\n" for n, i in enumerate(ids))
    gene_map = write(tmp_path / "tx2gene.tsv", f"transcript_id\tgene_name\n{rows}")
    alone = "".join(f"{i}\tgene{n}\n" for n, i in enumerate(ids))
    one = write(tmp_path / "one.tsv", f"transcript_id\tgene_name\n{alone}")
    np.testing.assert_array_equal(read(path, gene_map=one, scale=scale).X, x)
    if scale == "log2":
        said = refusal(path, gene_map=gene_map, scale=scale)
        assert "sum them before the logarithm is taken, or pass `duplicates=mean`" in said
        return
    adata = read(path, gene_map=gene_map, scale=scale)
    np.testing.assert_allclose(adata.X, x[:, ::2] + x[:, 1::2], rtol=1e-6)
    assert list(adata.var_names) == [f"gene{i}" for i in range(4)]
