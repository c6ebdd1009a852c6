"""Ids that two tools write otherwise find each other, by rules that are told; none is two."""

import numpy as np
import pandas as pd
import pytest
from miniatures import GENES, genes_in_rows, values
from traps import refusal, table, write

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect

LABELS = list("abcabc")


def joined(folder, data, known, label="label", **options):
    """Labels that samples called as in `data` get of a table that calls them as in `known`."""
    path = write(folder / "x.tsv", genes_in_rows("gene_id", data, GENES, values()))
    rows = "".join(f"{k}\t{v}\n" for k, v in zip(known, LABELS, strict=True))
    labels = table(folder, f"name\tlabel\n{rows}other\tz\n")
    adata = read(path, labels=labels, label=label, **options)
    assert list(adata.obs_names) == data, "samples keep the names of the data"
    np.testing.assert_array_equal(adata.X, values())
    assert "6 of 6 samples" in inspect(path, labels).join
    return list(adata.obs["label"]), adata.uns["jaxssl"]["notes"]


TITLES = ["4-A (1)", "b_2", "C 3", "-d", "5e", "f"]
MADE = ["X4.A..1.", "b_2", "C.3", "X.d", "X5e", "f"]  # R's make.names of them
PLAIN = [f"s{i}" for i in range(6)]
NUMBERS = [str(1001 + i) for i in range(6)]


@pytest.mark.parametrize(
    ("data", "known", "rule"),
    [
        (MADE, TITLES, "with R's dots for other marks and without R's X"),
        (TITLES, MADE, "with R's dots for other marks and without R's X"),
        ([f"X{n}" for n in NUMBERS], NUMBERS, "without R's X"),
        ([f"GTEX.1117F.02{i}" for i in range(6)], [f"GTEX-1117F-02{i}" for i in range(6)], "dots"),
        ([f"S_{i}" for i in range(6)], [f"S-{i}" for i in range(6)], "dots"),
        (NUMBERS, [f"{n}.0" for n in NUMBERS], "without .0 of whole numbers"),
        ([f"{n}.0" for n in NUMBERS], NUMBERS, "without .0 of whole numbers"),
        ([f"00{n}" for n in NUMBERS], NUMBERS, "without leading zeros"),
        ([s.upper() for s in PLAIN], PLAIN, "in whatever case"),
        ([f"{s}.CEL" for s in PLAIN], PLAIN, "without the endings of files"),
        ([f"{s}.CEL.gz" for s in PLAIN], [s.upper() for s in PLAIN], "files and in whatever case"),
        ([f"{s}.sorted.bam" for s in PLAIN], PLAIN, "endings of files"),
        (PLAIN, [f"{s}_R1.fastq.gz".replace("_R1", "") for s in PLAIN], "endings of files"),
        ([f"{s}_counts.txt" for s in PLAIN], PLAIN, "endings of files"),
        ([f"{s}Aligned.sortedByCoord.out.bam" for s in PLAIN], PLAIN, "endings of files"),
        ([f"/data/run 1/{s}.bam" for s in PLAIN], PLAIN, "without folders and"),
        ([f"C:\\bam\\{s}" for s in PLAIN], PLAIN, "without folders"),
        ([f"GSM{i}_a_{i}.CEL.gz" for i in range(6)], [f"GSM{i}" for i in range(6)], "accessions"),
        ([f"GSM10{i}_{s}.txt" for i, s in enumerate(PLAIN)], PLAIN, "GSM accessions before them"),
    ],
)  # fmt: skip
def test_ids_find_each_other_whatever_tool_wrote_them(tmp_path, data, known, rule):
    labels, notes = joined(tmp_path, data, known)
    assert labels == LABELS
    line = next(note for note in notes.splitlines() if "found in column name" in note)
    assert line.startswith("6 of 6 samples")
    assert rule in line


def test_rules_that_are_not_needed_are_not_named(tmp_path):
    notes = joined(tmp_path, [s.upper() for s in PLAIN], PLAIN)[1]
    assert "of the labels, by their ids in whatever case\n" in f"{notes}\n"
    assert "by their ids" not in joined(tmp_path, PLAIN, PLAIN)[1]


def test_ids_that_are_the_same_stay_beside_one_that_is_spelt_alike(tmp_path):
    path = write(
        tmp_path / "x.tsv", genes_in_rows("gene_id", ["s1", "S1", *"abcd"], GENES, values())
    )
    labels = table(tmp_path, "name\tlabel\nS1\tu\na\tv\nb\tv\nc\tw\nd\tw\n")
    assert list(read(path, labels=labels, label="label").obs["label"]) == ["", "u", *"vvww"]


@pytest.mark.parametrize(
    ("data", "known"),
    [
        (["a-1", "a.1", "T2", "T3", "T4", "T5"], ["A_1", "t2", "t3", "t4", "t5", "t6"]),
        (["1/x.bam", "2/x.bam", *(f"{s}.bam" for s in "abcd")], ["x", *"abcd", "e"]),
    ],
)
def test_two_samples_that_would_become_one_are_refused(tmp_path, data, known):
    path = write(tmp_path / "x.tsv", genes_in_rows("gene_id", data, GENES, values()))
    rows = "".join(f"{k}\t{v}\n" for k, v in zip(known, LABELS, strict=True))
    labels = table(tmp_path, f"name\tlabel\n{rows}")
    message = refusal(path, labels=labels, label="label")
    assert "would both be" in message
    assert "write the ids in column name of the labels as the data have them" in message


def test_two_rows_that_would_tell_of_one_sample_are_refused(tmp_path):
    data = [f"s.{i}" for i in range(6)]
    path = write(tmp_path / "x.tsv", genes_in_rows("gene_id", data, GENES, values()))
    rows = "".join(f"s-{i}\t{v}\n" for i, v in enumerate(LABELS))
    labels = table(tmp_path, f"name\tlabel\n{rows}s_1\tz\n")
    assert "have several, different rows" in refusal(path, labels=labels, label="label")


def test_barcodes_are_joined_in_lower_case_and_with_underscores(tmp_path):
    full = [f"TCGA-A1-A0S{c}-01A" for c in "BCDEFG"]
    for known in ([b[:12].lower() for b in full], [b[:15].replace("-", "_") for b in full]):
        labels, notes = joined(tmp_path, full, known)
        assert labels == LABELS
        assert "of their TCGA barcodes" in notes


def transposed(folder, ids):
    rows = ["Hybridization REF\t" + "\t".join(ids), "label\t" + "\t".join(LABELS)]
    return table(folder, "\n".join([*rows, "age\t1\t2\t3\t4\t5\t6"]) + "\n", "clin.txt")


@pytest.mark.parametrize("is_barcode", [True, False])
def test_a_table_with_its_samples_in_the_header_is_called_transposed(tmp_path, is_barcode):
    data = [f"TCGA-A1-A0S{c}-01A" for c in "BCDEFG"] if is_barcode else PLAIN
    ids = [name[:12].lower() for name in data]
    path = write(tmp_path / "x.tsv", genes_in_rows("gene_id", data, GENES, values()))
    clinical = transposed(tmp_path, ids)
    case = ", in lower case" if is_barcode else ""
    for options in ({"label": "label"}, {}):
        message = refusal(path, labels=clinical, **options)
        assert f"the table is transposed, its samples (such as {ids[0]}{case}) are" in message
    assert "6 of 6 samples stand in the header of the labels" in inspect(path, clinical).join
    pd.read_csv(clinical, sep="\t", index_col=0).T.to_csv(tmp_path / "new.csv")
    adata = read(path, labels=tmp_path / "new.csv", label="label")
    assert list(adata.obs["label"]) == LABELS


def test_files_of_other_ensembl_versions_are_joined_without_them(tmp_path):
    genes = [f"ENSG{i:011d}" for i in range(7)] + ["ENSG00000000006.1_PAR_Y"]
    files = [
        write(tmp_path / f"{v}.tsv", genes_in_rows("id", [f"{v}{i}" for i in range(6)], [
            g if "_" in g else f"{g}.{(v == 'b') * (i % 4) + 1}" for i, g in enumerate(genes)
        ], values()))
        for v in "ab"
    ]  # fmt: skip
    adata = read(files)
    stems = [g.replace(".1_", "_") for g in genes]
    assert list(adata.var_names) == stems
    np.testing.assert_array_equal(adata.X, np.tile(values(), (2, 1)))
    note = "genes named without their Ensembl versions, in which the files differ: 3 would be"
    assert note in adata.uns["jaxssl"]["notes"]
    bare = write(tmp_path / "c.tsv", genes_in_rows("id", list("uvwxyz"), stems, values()))
    assert list(read([files[1], bare]).var_names) == stems
    alike = [files[0], write(tmp_path / "d.tsv", files[0].read_text().replace("\ta", "\td"))]
    assert list(read(alike).var_names) == [*(f"{g}.1" for g in genes[:7]), genes[7]]
