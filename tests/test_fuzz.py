"""Damaged files: a clean error or right numbers, never a crash, a hang or a silent falsehood.

`JAXSSL_FUZZ=100000 pytest tests/test_fuzz.py` tries as many mutations; few by default.
"""

import gzip
import os
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import miniatures
import numpy as np
import pytest

from jaxssl.data.expression import read
from jaxssl.types import InputError

N_MUTATIONS = int(os.environ.get("JAXSSL_FUZZ", "1000"))


class Source(NamedTuple):
    """A miniature, how it is read, and which line holds what."""

    write: Callable[[Path], Path]
    options: dict
    labels: Callable[[Path], Path] | None = None
    lines_are_samples: bool = False


SOURCES = {
    "toil": Source(
        miniatures.xena_toil, {"label_rule": "tcga20"}, labels=miniatures.xena_toil_phenotype
    ),
    "pancan": Source(
        miniatures.xena_pancan,
        {"duplicates": "first", "impute": "zero", "label": "cancer type abbreviation"},
        labels=miniatures.xena_survival,
    ),
    "gdc hub": Source(
        miniatures.xena_gdc, {"label": "project_id"}, labels=miniatures.xena_gdc_phenotype
    ),
    "recount3": Source(miniatures.recount3, {"read_length": "50"}),
    "geo": Source(miniatures.series_matrix, {"impute": "zero", "label": "tissue"}),
    "arrayexpress": Source(
        miniatures.array_express, {"label_rule": "cancer"}, labels=miniatures.sdrf
    ),
    "gtex": Source(miniatures.gtex, {"label": "SMTS"}, labels=miniatures.gtex_attributes),
    "depmap": Source(
        miniatures.depmap,
        {"label": "OncotreeLineage"},
        labels=miniatures.depmap_models,
        lines_are_samples=True,
    ),
}


def cut_file(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def cut_line(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    i = rng.randrange(len(lines))
    lines[i] = lines[i][: rng.randrange(len(lines[i]) + 1)]
    return b"\n".join(lines)


def drop_line(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    del lines[rng.randrange(len(lines))]
    return b"\n".join(lines)


def repeat_line(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    i = rng.randrange(len(lines))
    return b"\n".join([*lines[:i], lines[i], *lines[i:]])


def swap_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def swap_delimiters(data: bytes, rng: random.Random) -> bytes:
    old, new = rng.sample([b"\t", b",", b";", b" "], 2)
    return data.replace(old, new, rng.choice([1, 3, -1]))


def insert_junk(data: bytes, rng: random.Random) -> bytes:
    i = rng.randrange(len(data))
    return data[:i] + rng.randbytes(rng.randrange(1, 9)) + data[i:]


def flip_byte(data: bytes, rng: random.Random) -> bytes:
    i = rng.randrange(len(data))
    return data[:i] + rng.randbytes(1) + data[i + 1 :]


def insert_mark(data: bytes, rng: random.Random) -> bytes:
    i = rng.randrange(len(data))
    return data[:i] + rng.choice([b'"', b"\t", b"\n", b"\r", b",", b"#", b"!", b"\0"]) + data[i:]


def delete_bytes(data: bytes, rng: random.Random) -> bytes:
    i = rng.randrange(len(data))
    return data[:i] + data[i + rng.randrange(1, 12) :]


def delete_field(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    i = rng.randrange(len(lines))
    fields = lines[i].split(b"\t")
    del fields[rng.randrange(len(fields))]
    lines[i] = b"\t".join(fields)
    return b"\n".join(lines)


def windows_line_ends(data: bytes, rng: random.Random) -> bytes:
    del rng
    return data.replace(b"\n", b"\r\n")


def byte_order_mark(data: bytes, rng: random.Random) -> bytes:
    del rng
    return b"\xef\xbb\xbf" + data


HARMLESS = (windows_line_ends, byte_order_mark)
MUTATIONS = (
    cut_file, cut_line, drop_line, repeat_line, swap_lines, swap_delimiters, insert_junk,
    flip_byte, insert_mark, delete_bytes, delete_field, *HARMLESS,
)  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.filterwarnings("ignore")
def test_a_mutated_file_is_refused_or_read_right(tmp_path, name):
    source = SOURCES[name]
    rng = random.Random(name)
    path = source.write(tmp_path)
    labels = source.labels(tmp_path) if source.labels else None
    options = source.options | ({"labels": labels} if labels else {})
    truth = read(path, **options)
    label = truth.uns["jaxssl"]["label"]
    outcomes = {"refused": 0, "read": 0}
    for _ in range(N_MUTATIONS // len(SOURCES)):
        victim = labels if labels and rng.random() < 0.3 else path
        mutate = rng.choice(MUTATIONS)
        broken = tmp_path / "broken"
        shutil.rmtree(broken, ignore_errors=True)
        broken.mkdir()
        whole = victim.read_bytes()
        is_gzip = whole[:2] == b"\x1f\x8b"
        original = gzip.decompress(whole) if is_gzip else whole
        is_archive_hit = is_gzip and rng.random() < 0.2
        data = mutate(whole if is_archive_hit else original, rng)
        file = broken / victim.name
        file.write_bytes(data if is_archive_hit or not is_gzip else gzip.compress(data, 1, mtime=0))
        used = options | ({"labels": file} if victim is labels else {})
        found, refusal = attempt(file if victim is path else path, used)
        if found is None:
            assert "\n" not in refusal
            assert mutate not in HARMLESS or is_archive_hit, (mutate, refusal)
            outcomes["refused"] += 1
            continue
        outcomes["read"] += 1
        lines = set() if is_archive_hit else set(data.replace(b"\r\n", b"\n").split(b"\n"))
        compare(truth, found, lines, source, victim is labels, label, (mutate.__name__, data))
    assert min(outcomes.values()) > 0


def attempt(path: Path, options: dict):
    """What was read, or why it was refused."""
    try:
        return read(path, **options), ""
    except InputError as error:
        return None, str(error)


def compare(truth, found, lines, source, in_labels, label, context):
    """What stands in untouched lines must be as it was."""
    sample_rows = {name: i for i, name in enumerate(truth.obs_names)}
    gene_columns = {name: j for j, name in enumerate(truth.var_names)}
    samples = [(i, sample_rows[n]) for i, n in enumerate(found.obs_names) if n in sample_rows]
    genes = [(j, gene_columns[n]) for j, n in enumerate(found.var_names) if n in gene_columns]
    same = (
        found.X[np.ix_([i for i, _ in samples], [j for j, _ in genes])]
        == truth.X[np.ix_([i for _, i in samples], [j for _, j in genes])]
    )
    if in_labels:
        assert same.all(), context
        untouched = [n for n in truth.obs_names if is_whole(n, lines, context)]
        if label in found.obs:
            for name in untouched:
                assert found.obs.loc[name, label] in (truth.obs.loc[name, label], ""), context
        return
    rows = [n for n, _ in ((found.obs_names[i], 0) for i, _ in samples)]
    columns = [found.var_names[j] for j, _ in genes]
    for axis, names in ((0, rows),) if source.lines_are_samples else ((1, columns),):
        for position, name in enumerate(names):
            wrong = ~np.take(same, position, axis=axis)
            if wrong.any() and name not in AMBIGUOUS:
                assert not is_whole(name, lines, context), (name, context)


def is_whole(name: str, lines: set[bytes], context) -> bool:
    """Whether the original line of that name is still there."""
    return any(name.encode() in line and line in ORIGINAL for line in lines)


ORIGINAL: set[bytes] = set()
AMBIGUOUS = ("CFH", "ACH-000003")  # stand in two lines


@pytest.fixture(autouse=True)
def originals(tmp_path):
    """All lines of all miniatures."""
    ORIGINAL.clear()
    folder = tmp_path / "originals"
    for source in SOURCES.values():
        for write in filter(None, (source.write, source.labels)):
            data = write(folder).read_bytes()
            data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
            ORIGINAL.update(data.replace(b"\r", b"").split(b"\n"))


@pytest.mark.parametrize("name", ["x.npz", "x.parquet", "x.h5ad"])
def test_binary_files_cut_anywhere_are_refused(tmp_path, name):
    import anndata
    import pandas as pd

    frame = pd.DataFrame(miniatures.values(), index=miniatures.GSM, columns=miniatures.GENES)
    path = tmp_path / name
    if name == "x.npz":
        ids = {
            "sample_ids": np.array(frame.index, str),
            "feature_ids": np.array(frame.columns, str),
        }
        np.savez(path, X=frame.to_numpy(), **ids)
    elif name == "x.parquet":
        frame.to_parquet(path)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            anndata.AnnData(frame).write_h5ad(path)
    data = path.read_bytes()
    for size in np.linspace(1, len(data) - 1, 60).astype(int):
        path.write_bytes(data[:size])
        with pytest.raises(InputError):
            read(path)
