"""Reads of the isoforms of one miRNA add up to its own."""

import pytest
from traps import write

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
