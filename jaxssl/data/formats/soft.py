"""SOFT families of GEO: a table for each sample of a series."""

import io
import itertools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float32

from jaxssl.data.formats import geo
from jaxssl.data.formats.cells import MISSING
from jaxssl.data.formats.encodings import decoded
from jaxssl.data.formats.gds import BEGIN, is_of_genes, lines, read_dataset
from jaxssl.data.formats.head import Head, opened
from jaxssl.data.formats.matrix import Collector, RawTable, Reading, blank, by_name
from jaxssl.types import InputError

_ENTITY = re.compile(
    r"(?i)\^(DATABASE|SERIES|SAMPLE|PLATFORM|DATASET|SUBSET|ANNOTATION)\s*=\s*(.*)"
)
_END = re.compile(rb"!\w+_table_end")
_ID, _VALUE = "ID_REF", "VALUE"
_FILES = ("!Sample_supplementary_file", "!Series_supplementary_file")


class Entity(NamedTuple):
    """A platform, sample, series, data set or subset of it."""

    kind: str  # in capitals
    name: str
    about: dict[str, list[str]]  # of its lines, by their names
    header: list[str]  # of its table; [] for none
    rows: list[bytes]  # of its table
    n_bytes: int  # of the file up to here


def recognises(head: Head) -> bool:
    """Whether the text starts with an entity of GEO."""
    return bool(_ENTITY.match(head.lines[0]))


def read(head: Head, reading: Reading) -> RawTable:
    """Read VALUE of every sample of a family, or the table of a data set."""
    tables = (BEGIN.match(line) for line in lines(head))
    first = next((found[1].lower() for found in tables if found), "")
    return read_dataset(head, reading) if first == "dataset" else _read_family(head, reading)


def sample_table(head: Head) -> pd.DataFrame:
    """What a family says of its samples; the first column holds their accessions."""
    samples = [entity for entity in _entities(head) if entity.kind == "SAMPLE"]
    if not samples:
        raise InputError(f"{head.path} tells of no sample", "pass another `labels`")
    return _describe(samples).rename_axis("geo_accession").reset_index()


def _read_family(head: Head, reading: Reading) -> RawTable:
    """A row a sample that has a table, of one platform."""
    platforms: dict[str, pd.DataFrame] = {}
    files: list[str] = []
    samples: list[Entity] = []
    ids, collector = pd.Index([]), None
    for sample in _measured(head, reading, platforms, files):
        values, platform = _values(head, sample), _platform_of(sample)
        if collector is None:
            ids = platforms[platform].index if platform in platforms else values.index
            collector = Collector(len(ids), reading.scratch)
        elif platform != _platform_of(samples[0]):
            raise InputError(
                f"{head.path} has samples of several platforms, such as {_platform_of(samples[0])} "
                f"and {platform}",
                f"say which with `layer={platform}`",
            )
        collector.append(_in_order(head, sample, values, ids)[None])
        samples.append(sample._replace(rows=[]))
        if reading.cuts(head.path) and sample.n_bytes >= reading.limit:
            break
    if collector is None:
        raise _no_table(head, reading, files)
    others = sorted({name for sample in samples for name in sample.header} - {_ID, _VALUE})
    genes = platforms.get(_platform_of(samples[0]), by_name(ids))
    notes = [f"column {_VALUE} of each sample; left out: {', '.join(others)}"] if others else []
    form = "GEO SOFT family" + (f" ({head.packing})" if head.packing else "")
    x = collector.finish()
    return RawTable(form, x, _describe(samples), genes, "samples_in_rows", notes=notes)


def _measured(
    head: Head, reading: Reading, platforms: dict[str, pd.DataFrame], files: list[str]
) -> Iterator[Entity]:
    """Samples with a table, of the platform that is wanted; notes platforms and further files."""
    for entity in _entities(head):
        reading.advance(head.path, entity.n_bytes)
        files += [v for name in _FILES for v in entity.about.get(name, []) if v != "NONE"]
        if entity.kind == "PLATFORM" and entity.rows:
            platforms[entity.name] = _platform(head, entity)
        is_wanted = reading.layer in ("", _platform_of(entity))
        if entity.kind == "SAMPLE" and entity.rows and is_wanted:
            yield entity


def _platform_of(sample: Entity) -> str:
    return sample.about.get("!Sample_platform_id", [""])[0]


def _no_table(head: Head, reading: Reading, files: list[str]) -> InputError:
    """What is said of a file without a table of a sample."""
    if reading.layer:
        return InputError(
            f"{head.path} has no sample of {reading.layer}", "name a platform, or drop `layer`"
        )
    if not any(line.startswith(("^SAMPLE", "^SERIES")) for line in lines(head)):
        return InputError(f"{head.path} is a platform of GEO", "pass it as `gene_map`")
    where = f"its values are in {files[0]}" if files else "its values are elsewhere"
    return InputError(
        f"{head.path} has no table of values, as series of RNA-seq do: {where}",
        "import that file, with this one as `labels`",
    )


def _entities(head: Head) -> Iterator[Entity]:
    """One after the other, with the rows of its table."""
    entity = None
    with opened(head.path, head.member) as (raw, file):
        for line in file:
            text = decoded(line, head.encoding).rstrip("\r\n")
            found = _ENTITY.match(text)
            if found:
                if entity:
                    yield entity._replace(n_bytes=raw.tell())
                entity = Entity(found[1].upper(), found[2].strip(), {}, [], [], 0)
            elif entity and BEGIN.match(text):
                header = decoded(file.readline(), head.encoding).rstrip("\r\n").split("\t")
                entity = entity._replace(header=header, rows=_rows(head, file, len(header) - 1))
            elif entity and text.startswith("!"):
                name, _, value = text.partition(" = ")
                entity.about.setdefault(name, []).append(value.strip())
        if entity:
            yield entity._replace(n_bytes=raw.tell())


def _rows(head: Head, file: Any, n_tabs: int) -> list[bytes]:
    """Lines of a table, of so many tabs at most, up to the mark below it."""
    rows = []
    for line in file:
        if _END.match(line):
            return rows
        if line.count(b"\t") > n_tabs:
            raise InputError(
                f"{head.path}: the row {decoded(line[:40], head.encoding)!r} has more cells than "
                "names stand above",
                "fetch it again",
            )
        rows.append(line)
    raise InputError(f"{head.path} ends early, within a table", "fetch it again")


def _frame(head: Head, entity: Entity, names: list[str]) -> pd.DataFrame:
    """Some columns of a table, as text."""
    text = io.BytesIO(b"".join(entity.rows))
    wanted = [entity.header.index(name) for name in names]
    try:
        frame = pd.read_csv(
            text, sep="\t", header=None, names=range(len(entity.header)), usecols=wanted, dtype=str,
            quoting=3, keep_default_na=False, encoding="utf-8", encoding_errors="replace",
        )  # fmt: skip
    except (pd.errors.ParserError, ValueError) as error:
        raise InputError(
            f"{head.path}: the table of {entity.name} is damaged ({str(error).strip()})",
            "fetch it again",
        ) from error
    frame = frame.fillna("")
    return frame.rename(columns=dict(zip(wanted, names, strict=True)))[names]


def _platform(head: Head, entity: Entity) -> pd.DataFrame:
    """Ids of a platform, with the columns that say of which genes they are."""
    first, *rest = entity.header
    kept = [name for name in dict.fromkeys(rest) if is_of_genes(name)]
    frame = _frame(head, entity, [first, *kept])
    return blank(by_name(frame[first], {name: frame[name].to_numpy() for name in kept}))


def _values(head: Head, entity: Entity) -> pd.Series:
    """Numbers of a sample by their ids."""
    if _ID not in entity.header or _VALUE not in entity.header:
        raise InputError(
            f"{head.path}: the table of {entity.name} has {', '.join(entity.header[:6])}",
            f"expected {_ID} and {_VALUE}: import the supplementary files of the series",
        )
    frame = _frame(head, entity, [_ID, _VALUE])
    cells = frame[_VALUE].str.strip()
    is_missing = cells.isin(MISSING)
    numbers = pd.to_numeric(cells.mask(is_missing), errors="coerce")
    wrong = np.flatnonzero(numbers.isna() & ~is_missing)
    if len(wrong):
        raise InputError(
            f"{head.path}: {frame[_ID][wrong[0]]} of sample {entity.name} is {cells[wrong[0]]!r}",
            "correct it, or fetch the file again",
        )
    return pd.Series(numbers.to_numpy(np.float32), index=pd.Index(frame[_ID], dtype=object))


def _in_order(
    head: Head, entity: Entity, values: pd.Series, ids: pd.Index
) -> Float32[np.ndarray, " ids"]:
    """Values by the ids of the platform, else of the first sample; NaN where a sample has none."""
    if values.index.equals(ids):
        return values.to_numpy()
    is_known = values.index.isin(ids)
    if not values.index.is_unique or not is_known.all() or not ids.is_unique:
        odd = values.index[~is_known] if not is_known.all() else values.index
        raise InputError(
            f"{head.path}: the ids of sample {entity.name} are not those of the others, or occur "
            f"twice (such as {odd[0]})",
            "fetch the series matrix of the same series, GSE*_series_matrix.txt.gz",
        )
    return values.reindex(ids).to_numpy(np.float32)


def _describe(samples: list[Entity]) -> pd.DataFrame:
    """What is said of the samples, as a series matrix has it: a line with a cell a sample."""
    names = dict.fromkeys(name for sample in samples for name in sample.about)
    about: dict[str, list[list[str]]] = {}
    for name in names:
        cells = [sample.about.get(name, []) for sample in samples]
        about[name] = [list(line) for line in itertools.zip_longest(*cells, fillvalue="")]
    return geo.describe(about, [sample.name for sample in samples])
