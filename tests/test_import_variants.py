"""Any table as tools write it is read as it was meant, or refused: nothing is silently wrong.

A variant draws how the table lies, what its genes and samples are called, its header, what stands
beside the values, and how a table of labels spells the samples.
"""

import random
import re
from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxssl.data.expression import read
from jaxssl.data.symbols import human_symbols
from jaxssl.types import InputError

N_VARIANTS = 200
SYMBOLS = sorted(name for name in human_symbols() if name.isupper())
GENES = {
    "human": lambda i: SYMBOLS[i * 37],
    "mouse": lambda i: SYMBOLS[i * 37].capitalize() if i else "0610007P14Rik",
    "Entrez": lambda i: str(2 + i * 73),
    "Entrez.0": lambda i: f"{2 + i * 73}.0",
    "Ensembl": lambda i: f"ENSG{i * 7 + 3:011d}",
    "versions": lambda i: f"ENSG{i * 7 + 3:011d}.{i % 17 + 1}",
    "lifted": lambda i: f"ENSG{i * 7 + 3:011d}.{i % 17 + 1}_{i % 5 + 1}",
    "mouse Ensembl": lambda i: f"ENSMUSG{i * 7 + 3:011d}.{i % 17 + 1}",
    "probes": lambda i: f"{1007 + i}_{'s_' * (i % 2)}at",
    "symbol|Entrez": lambda i: f"{SYMBOLS[i * 37]}|{2 + i * 73}",
}
LINES = ["MCF7", "A549", "HCT116", "K562", "HEPG2", "HT29", "U2OS", "PC3"]
SAMPLES = {
    "S": lambda i: f"S{i + 1}",
    "TCGA": lambda i: f"TCGA-A1-A{i:03d}-01A",
    "numbers": lambda i: str(1001 + i),
    "knockouts": lambda i: f"{('WT', 'KO')[i % 2]}{i // 2 + 1}",
    "lines": lambda i: LINES[i] if i < 8 else f"{LINES[i % 8]}_r{i // 8}",
    "patients": lambda i: f"P-{i // 2 + 1} {'TN'[i % 2]}",
    "GEO": lambda i: f"GSM{1200 + i}_a{i}.CEL.gz",
    "plate": lambda i: f"{'ABCDEFGH'[i % 8]}{i // 8 + 1}",
    "numbered": lambda i: f"{i + 1}-x",
}
OF_GENES = ["gene", "gene_id", "Gene.symbol", "Hugo_Symbol", "ID_REF", "Geneid", "#gene", "probe"]
OF_SAMPLES = ["samples", "sample_id", "patient", "cell_line", "SAMPID", "Run"]
OF_NEITHER = ["", "id", "ID", "Unnamed: 0", "X", "index"]
HEADERS = ["plain"] * 3 + ["none", "no corner", "tab after rows", "tab after all", "title"]
HEADERS += ["padded title", "words below", "codes below", "measure below"]
BESIDE = ["nothing", "nothing", "counters", "p values", "length", "words", "length at the end"]
COUNTERS = [
    ["__no_feature", "__ambiguous", "__too_low_aQual", "__not_aligned", "__alignment_not_unique"],
    ["N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous"],
]
SPELLINGS = [
    str,
    str.lower,
    str.upper,
    lambda name: re.sub(r"[^A-Za-z0-9._]", ".", re.sub(r"^(?=\d)", "X", name)),  # R's make.names
    lambda name: name.removesuffix(".CEL.gz") + ".CEL.gz",
    lambda name: f"{name}.0" if name.isdigit() else name,
]


class Variant(NamedTuple):
    """The text of a table, and what it means."""

    text: str
    samples: list[str]
    genes: list[str]
    x: np.ndarray
    orientation: str
    header: str
    labels: str  # a table of its samples, or ""
    scale: str


def beside(rows, kind, rng, are_genes):
    """What is no gene or no sample, in rows or columns of its own."""
    at = len(rows[0]) if kind == "length at the end" and are_genes else 1
    if kind == "counters":
        names, n = rng.choice(COUNTERS), len(rows[0] if are_genes else rows) - 1
        counts = [[name, *(str(rng.randrange(10**6)) for _ in range(n))] for name in names]
        if not are_genes:
            return [
                [*row, *cells] for row, cells in zip(rows, zip(*counts, strict=True), strict=True)
            ]
        return [rows[0], *counts, *rows[1:]] if rng.random() < 0.5 else [*rows, *counts]
    if kind == "p values" and are_genes:
        names = [cell for s in rows[0][1:] for cell in (s, f"{s}.Detection Pval")]
        cells = [
            [row[0], *(c for v in row[1:] for c in (v, f"{rng.random():.3f}"))] for row in rows
        ]
        return [[rows[0][0], *names], *cells[1:]]
    if kind == "words":
        name = "description" if are_genes else "tissue"
        cells = [name, *[f"a {name}"] * (len(rows) - 1)]
    elif kind.startswith("length"):
        name = "gene_length" if are_genes else "age"
        cells = [name, *(str(rng.randrange(20, 90)) for _ in rows[1:])]
    else:
        return rows
    return [[*row[:at], cell, *row[at:]] for row, cell in zip(rows, cells, strict=True)]


def headed(rows, kind, rng):
    """The rows with their header as some tool writes it."""
    below = {
        "words below": ["condition", *(rng.choice(["tumor", "normal"]) for _ in rows[0][1:])],
        "codes below": ["group", *(rng.choice("12") for _ in rows[0][1:])],
        "measure below": ["Composite Element REF", *["RMA"] * (len(rows[0]) - 1)],
    }
    if kind in below:
        return [rows[0], below[kind], *rows[1:]]
    if kind in ("title", "padded title"):
        pad = [""] * (len(rows[0]) - 1) if kind == "padded title" else []
        return [["Supplementary Table 2. Normalised values", *pad], *rows]
    if kind == "no corner":
        return [rows[0][1:], *rows[1:]]
    if kind.startswith("tab after"):
        return [[*row, ""] if i or kind.endswith("all") else row for i, row in enumerate(rows)]
    return rows[1:] if kind == "none" else rows


def table_of(draw, genes, samples, corner, are_genes):
    """The cells of a table, its values, their scale and its kind of header."""
    header = draw(st.sampled_from(HEADERS if are_genes else HEADERS[:8]))
    around = draw(st.sampled_from(BESIDE[:2] if header == "none" else BESIDE))
    rng = random.Random(draw(st.integers(0, 2**16)))
    scale, numbers = rng.choice(["counts", "log2"]), np.random.default_rng(rng.randrange(2**16))
    shape = len(samples), len(genes)
    log2 = numbers.uniform(0.5, 15, shape).round(3)
    x = numbers.poisson(300, shape) if scale == "counts" else log2
    down, across, cells = (genes, samples, x.T) if are_genes else (samples, genes, x)
    rows = [[corner, *across], *([n, *map(str, row)] for n, row in zip(down, cells, strict=True))]
    return headed(beside(rows, around, rng, are_genes), header, rng), x, scale, header, rng


@st.composite
def variants(draw):
    """A table, and perhaps one of its labels, in which the samples are spelt otherwise."""
    n_genes, n_samples = draw(st.sampled_from([(8, 24), (30, 3), (12, 6), (20, 1), (5, 5)]))
    genes = [*map(draw(st.sampled_from([*GENES.values()])), range(n_genes))]
    samples = [*map(draw(st.sampled_from([*SAMPLES.values()])), range(n_samples))]
    known = [*map(draw(st.sampled_from(SPELLINGS)), samples)]
    if draw(st.booleans()):
        samples, known = known, samples
    are_genes = draw(st.sampled_from([True, True, False]))
    corner = draw(st.sampled_from([*(OF_GENES if are_genes else OF_SAMPLES), *OF_NEITHER]))
    rows, x, scale, header, rng = table_of(draw, genes, samples, corner, are_genes)
    mark = "\t" if header.startswith("tab") else rng.choice("\t,")
    labels = [f"{name}\tof {i}\n" for i, name in enumerate(known)]
    rng.shuffle(labels)
    if header == "none":
        samples = [f"x_{i + 1}" for i in range(n_samples)] if n_samples > 1 else ["x"]
    has_labels = header != "none" and draw(st.booleans())
    return Variant(
        "\n".join(map(mark.join, rows)) + "\n",
        samples,
        [name.removesuffix(".0") for name in genes],  # of Entrez numbers alone
        x.astype(np.float32),
        "genes_in_rows" if are_genes else "samples_in_rows",
        header,
        "name\tkind\n" + "".join(labels) if has_labels else "",
        scale,
    )


def attempt(path, variant, **options):
    """What is read, or None; what is asked is answered, and advice is followed, once each."""
    path.write_text(variant.text)
    try:
        return read(path, scale=variant.scale, **options)
    except InputError as error:
        said = str(error)
    if "pass `orientation=" in said and "orientation" not in options:
        return attempt(path, variant, orientation=variant.orientation, **options)
    if "pass `no_header`" in said and variant.header == "none" and "no_header" not in options:
        return attempt(path, variant, no_header=True, **options)
    if "has a title above its header" in said and variant.header.endswith("title"):
        below = variant.text.split("\n", 1)[1]
        return attempt(path, variant._replace(text=below, header="plain"), **options)
    return None


@pytest.mark.filterwarnings("ignore")
def test_any_table_is_read_right_or_refused(tmp_path):
    outcomes, path = Counter(), tmp_path / "x.txt"

    @settings(max_examples=N_VARIANTS, derandomize=True, deadline=None, database=None)
    @given(variants())
    def check(variant):
        labels = tmp_path / "labels.tsv"
        labels.write_text(variant.labels)
        adata = attempt(
            path, variant, **{"labels": labels, "label": "kind"} if variant.labels else {}
        )
        outcomes["refused" if adata is None else "read"] += 1
        if adata is None:
            return
        assert list(adata.obs_names) == variant.samples
        assert list(adata.var_names) == variant.genes
        np.testing.assert_array_equal(adata.X, variant.x)
        if variant.labels:
            assert list(adata.obs["kind"]) == [f"of {i}" for i in range(len(variant.samples))]

    check()
    assert outcomes.total() >= N_VARIANTS
    assert outcomes["read"] >= 0.9 * N_VARIANTS
