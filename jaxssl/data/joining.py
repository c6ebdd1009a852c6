"""A table of samples and a matrix brought together by the ids of their samples."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxssl.data import barcodes
from jaxssl.data.doubts import RIVAL, missing_by_name, refuse_loose_rivals, refuse_twins
from jaxssl.data.formats.cells import MISSING_TEXT
from jaxssl.data.formats.matrix import RawTable, blank
from jaxssl.data.genes import duplicates
from jaxssl.data.samples import require_column, some
from jaxssl.data.spelling import Spelling, respelt, translated
from jaxssl.types import InputError


class Match(NamedTuple):
    """Which row of a table tells of a sample."""

    column: str  # of the table
    keys: np.ndarray  # of the table, cut to the level
    names: np.ndarray  # of the samples, cut to the level
    level: str  # of TCGA barcodes; "" where ids are the same as they are
    spelling: Spelling | None = None  # how keys became names that they were not

    @property
    def known(self) -> np.ndarray:
        """Which samples the table knows."""
        return pd.Index(self.names).isin(self.keys)

    @property
    def filled(self) -> np.ndarray:
        """The keys without those that exports write where there is none."""
        return self.keys[~pd.Index(self.keys).isin(("", *MISSING_TEXT))]


def match_samples(table: pd.DataFrame, sample_ids: np.ndarray, column: str = "") -> Match:
    """The column of ids, unless named, and how its ids and the samples' are brought together.

    As they are; where few fit, TCGA barcodes by vial, sample or patient, dotted or not: the
    finest level at which most samples of the best level are found; else but for their spelling.
    """
    columns = [column] if column else [str(name) for name in table.columns]
    matches = [Match(name, table[name].to_numpy(dtype=object), sample_ids, "") for name in columns]
    counts = [int(match.known.sum()) for match in matches]
    best = matches[int(np.argmax(counts))]
    if best.known.all():
        return best
    if max(counts) > 0.5 * len(sample_ids) or not barcodes.are_barcodes(sample_ids):
        return _respell(matches, best)
    barcoded = [m for m in matches if barcodes.are_barcodes(m.filled)]
    candidates = [best]
    for level in barcodes.LEVELS:
        cut = barcodes.at_level(sample_ids, level)
        for match in barcoded:
            keys = barcodes.at_level(match.keys, level)
            finer = Match(match.column, keys, cut, level)
            if level != "patient" or not _has_samples(match, candidates):
                candidates.append(finer)
    counts = [int(match.known.sum()) for match in candidates]
    chosen = next(
        m for m, count in zip(candidates, counts, strict=True) if count >= 0.9 * max(counts)
    )
    return chosen if chosen.level else _respell(matches, best)


def _respell(matches: Sequence[Match], best: Match) -> Match:
    """The column that knows most samples when ids may be spelt another way."""
    for match in sorted(matches, key=lambda match: -int(match.known.sum())):
        n_known = int(match.known.sum())
        if n_known + len(set(match.keys) - {""}) <= best.known.sum():
            continue
        spelling = respelt(match.filled, match.names)
        if spelling and n_known + len(set(spelling.names.values())) > best.known.sum():
            best = match._replace(keys=spelling.apply(match.keys), spelling=spelling)
    return best


def _has_samples(match: Match, finer: Sequence[Match]) -> bool:
    """Whether a column of barcodes tells of samples, and so of no others of a patient."""
    are_samples = [bool(barcodes.sample_type(barcodes.dashed(str(key)))) for key in match.filled]
    n_known = sum(m.known.sum() for m in finer if m.column == match.column and m.level)
    return sum(are_samples) > 0.5 * len(are_samples) and bool(n_known > 0)


def known_ids(table: pd.DataFrame, raw: RawTable, column: str) -> np.ndarray | None:
    """Ids of the matrix that the table knows; None if it knows none."""
    name = column if column in table.columns else ""
    known = np.concatenate([ids[match_samples(table, ids, name).known] for ids in raw.ids])
    return known if len(known) else None


def join_samples(
    table: pd.DataFrame, sample_ids: np.ndarray, column: str, min_match: float
) -> tuple[pd.DataFrame, str]:
    """What a table tells of the samples, in their order, "" where it has none; and a note.

    `column` "" finds the column of ids itself. By TCGA barcodes that were cut, the first of several
    rows counts. Words that stood for no value are in `attrs["missing"]`, by column, and that
    of ids in `attrs["column"]`.
    """
    if column:
        require_column(table.columns, column, "sample_column")
    match = match_samples(table, sample_ids, column)
    known = match.known
    _refuse_headless(table, match)
    found = f"{int(known.sum())} of {len(sample_ids)} samples found"
    note = f"{found} in column {match.column} of the labels"
    if match.spelling and match.spelling.clash:
        raise InputError(
            f"two samples are one of the labels, as ids {' and '.join(match.spelling.rules)} tell: "
            f"{match.spelling.clash}",
            f"write the ids in column {match.column} of the labels as the data have them",
        )
    if known.mean() < min_match:
        _refuse_transposed(table, match)
        raise InputError(
            f"only {note}; {_unmatched(match)}",
            "pass `sample_column`, the right `labels`, or a lower `min_match`",
        )
    if not match.level:
        _refuse_doubtful(table, match, is_told=bool(column))
    rows, n_several = _rows_of(table, match)
    note += f", by the {match.level} of their TCGA barcodes" if match.level else ""
    note += f", by their ids {' and '.join(match.spelling.rules)}" if match.spelling else ""
    note += f" ({n_several} have several rows; the first counts)" if n_several else ""
    note += "" if known.all() else f"; the others stay unlabelled; {_unmatched(match)}"
    note += _of_normals(sample_ids[known]) if match.level == "patient" else ""
    note += "".join(f"; {text}" for text in table.attrs.get("notes", ()))
    index = pd.Index(match.names, dtype=object)
    joined = blank(rows).reindex(index, fill_value="")
    joined = joined.set_axis(pd.Index(sample_ids, dtype=object), axis=0)
    joined.attrs["missing"] = missing_by_name(rows.reindex(index, fill_value=""))
    joined.attrs["column"] = match.column
    return joined, note


def _of_normals(ids: np.ndarray) -> str:
    """A word on samples of normal tissue that get what is told of their patient's tumour."""
    types = [barcodes.sample_type(barcodes.dashed(str(name))) for name in ids]
    n_normal = sum(code.startswith("1") for code in types)
    if not 0 < n_normal < len(ids):
        return ""
    first = next(i for i, code in zip(ids, types, strict=True) if not code.startswith("1"))
    return (
        f"; {n_normal} of these are normal by their barcodes (types 10 to 19) and get the labels "
        f"of their patients: write {barcodes.dashed(str(first))[:15]} for "
        f"{barcodes.dashed(str(first))[:12]} in the labels to leave them without"
    )


def _refuse_doubtful(table: pd.DataFrame, match: Match, *, is_told: bool) -> None:
    """Refuse what ids that were not cut leave open: another column, unless told, another row."""
    if not is_told:
        _refuse_rivals(table, match)
        refuse_loose_rivals(table, match.column, match.names)
    refuse_twins(table, match.column, match.keys, match.names)


def _refuse_headless(table: pd.DataFrame, match: Match) -> None:
    """Refuse a table whose header is a row: it names a sample that no row has."""
    name = np.array([match.column], object)
    if match.level:
        name = barcodes.at_level(name, match.level)
    elif match.spelling:
        name = translated(name, match.names, match.spelling.rules)
    is_sample = name[0] in match.names and name[0] not in match.keys
    if is_sample and match.known.any():
        raise InputError(
            f"the labels seem to have no header: their first line, {', '.join(table.columns[:4])}, "
            "begins with a sample of the data",
            "write names of the columns above it, such as sample and label",
        )


def _refuse_rivals(table: pd.DataFrame, match: Match) -> None:
    """Two columns that name the samples in different rows, such as their controls, are asked about.

    The one that names more of them need not be the right one: a name may be misspelt.
    """
    names = pd.Index(match.names)
    is_named = pd.Index(match.keys).isin(names)
    for name in map(str, table.columns):
        keys = table[name].to_numpy(dtype=object)
        if match.spelling:
            keys = translated(keys, match.names, match.spelling.rules)
        differs = is_named & pd.Index(keys).isin(names) & (keys != match.keys)
        if differs.any() and names.isin(keys).mean() > RIVAL:
            raise InputError(
                f"columns {match.column} and {name} of the labels both hold ids of samples, in "
                f"{differs.sum()} rows those of different ones",
                "say which with `sample_column`",
            )


def refuse_row_of(tables: Sequence[pd.DataFrame], name: str) -> None:
    """Refuse tables that have what is to be a column as a row."""
    for table in tables:
        if name in table.iloc[:, 0].to_numpy() and len(table.columns) > 2:
            raise _transposed(f"the labels have {name!r} in a row", str(table.columns[1]))


def _refuse_transposed(table: pd.DataFrame, match: Match) -> None:
    """Refuse a table whose header knows samples that its columns do not."""
    header = pd.DataFrame({"header": table.columns.map(str)}, dtype=object)
    found = match_samples(header, match.names, "header")
    if found.known.mean() >= 0.5 and found.known.sum() > match.known.sum():
        is_named = pd.Index(found.keys).isin(found.names)
        example = str(table.columns[int(np.argmax(is_named))])
        raise _transposed(
            f"{int(found.known.sum())} of {len(match.names)} samples stand in the header of the "
            "labels",
            example,
        )


def _transposed(finding: str, sample: str) -> InputError:
    case = ", in lower case" if barcodes.are_barcodes(np.array([sample.upper()])) else ""
    case = case if sample == sample.lower() else ""
    return InputError(
        f"{finding}: the table is transposed, its samples (such as {sample}{case}) are columns",
        "write it with a row a sample, as "
        'pandas.read_csv(TABLE, sep="\\t", index_col=0).T.to_csv(NEW) does',
    )


def _rows_of(table: pd.DataFrame, match: Match) -> tuple[pd.DataFrame, int]:
    """One row a sample, by its key; and how many samples had several that differ."""
    rows = table.assign(**{match.column: match.keys})
    used = rows.loc[pd.Index(match.keys).isin(match.names)].drop_duplicates()
    clash = duplicates(np.asarray(used[match.column], dtype=object))
    if len(clash) and not match.level:
        raise InputError(
            f"{len(clash)} samples have several, different rows in the labels (first: {clash[0]})",
            "leave one row a sample",
        )
    return used.drop_duplicates(match.column).set_index(match.column), len(clash)


def _unmatched(match: Match) -> str:
    """Some ids of either side that the other lacks."""
    data = match.names[~match.known]
    labels = match.keys[~pd.Index(match.keys).isin(match.names)]
    return f"only in the data: {some(data, 5)}; only in the labels: {some(labels, 5)}"
