"""The table of samples: labels, groups and batches, joined to a matrix by sample id."""

import difflib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.data import barcodes
from jaxssl.data.annotation import blank, read_annotation
from jaxssl.data.formats.head import MISSING_TEXT
from jaxssl.data.formats.matrix import RawTable
from jaxssl.data.genes import duplicates
from jaxssl.types import ROLES, InputError, note_quoted

_SHEET_SAMPLE = "Sample ID"  # column of the GDC's sample sheet
_RIVAL = 0.5  # share of the samples above which a second column could be that of their ids


class Match(NamedTuple):
    """Which row of a table tells of a sample."""

    column: str  # of the table
    keys: np.ndarray  # of the table, cut to the level
    names: np.ndarray  # of the samples, cut to the level
    level: str  # of TCGA barcodes; "" where ids are the same as they are

    @property
    def known(self) -> np.ndarray:
        """Which samples the table knows."""
        return pd.Index(self.names).isin(self.keys)

    @property
    def filled(self) -> np.ndarray:
        """The keys without those that exports write where there is none."""
        return self.keys[~pd.Index(self.keys).isin(("", *MISSING_TEXT))]


def read_tables(paths: Sequence[str | Path]) -> list[pd.DataFrame]:
    """Tables of samples; those of other samples with the same columns, as of cohorts, are one."""
    tables: list[pd.DataFrame] = []
    for path in paths:
        table = read_annotation(path)
        for i, known in enumerate(tables):
            is_alike = list(known.columns) == list(table.columns)
            if is_alike and not known.iloc[:, 0].isin(table.iloc[:, 0]).any():
                tables[i] = pd.concat([known, table], ignore_index=True)
                break
        else:
            tables.append(table)
    return tables


def match_samples(table: pd.DataFrame, sample_ids: np.ndarray, column: str = "") -> Match:
    """The column of ids, unless named, and how its ids and the samples' are brought together.

    As they are; where few fit, TCGA barcodes by vial, sample or patient, dotted or not: the
    finest level at which most samples of the best level are found.
    """
    columns = [column] if column else [str(name) for name in table.columns]
    matches = [Match(name, table[name].to_numpy(dtype=object), sample_ids, "") for name in columns]
    counts = [int(match.known.sum()) for match in matches]
    best = matches[int(np.argmax(counts))]
    if max(counts) > 0.5 * len(sample_ids) or not barcodes.are_barcodes(sample_ids):
        return best
    barcoded = [m for m in matches if barcodes.are_barcodes(m.filled)]
    candidates = [best]
    for level in barcodes.LEVELS:
        cut = barcodes.at_level(sample_ids, level)
        for match in barcoded:
            keys = barcodes.at_level(match.keys, level)
            candidates.append(Match(match.column, keys, cut, level))
    counts = [int(match.known.sum()) for match in candidates]
    return next(
        m for m, count in zip(candidates, counts, strict=True) if count >= 0.9 * max(counts)
    )


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
    rows counts.
    """
    if column:
        require_column(table.columns, column, "sample_column")
    match = match_samples(table, sample_ids, column)
    known = match.known
    note = (
        f"{int(known.sum())} of {len(sample_ids)} samples found in column {match.column} of the "
        "labels"
    )
    if known.mean() < min_match:
        raise InputError(
            f"only {note}; {_unmatched(match)}",
            "pass `sample_column`, the right `labels`, or a lower `min_match`",
        )
    if not column and not match.level:
        _refuse_rivals(table, match)
    rows, n_several = _rows_of(table, match)
    note += f", by the {match.level} of their TCGA barcodes" if match.level else ""
    note += f" ({n_several} have several rows; the first counts)" if n_several else ""
    note += "" if known.all() else f"; the others stay unlabelled; {_unmatched(match)}"
    joined = blank(rows).reindex(pd.Index(match.names, dtype=object), fill_value="")
    return joined.set_axis(pd.Index(sample_ids, dtype=object), axis=0), note


def add_columns(obs: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
    """`obs` with what another table tells; where that is silent, what was there stays."""
    both = told.columns.intersection(obs.columns)
    kept = told.assign(**{name: told[name].where(told[name] != "", obs[name]) for name in both})
    return pd.concat([obs[obs.columns.difference(told.columns, sort=False)], kept], axis=1)


def names_by_sheet(obs: pd.DataFrame) -> np.ndarray:
    """Names of the samples: in place of files, those of the GDC's sample sheet that is joined."""
    names = obs.index.to_numpy(dtype=object)
    if _SHEET_SAMPLE not in obs or not all(str(name).endswith((".tsv", ".gz")) for name in names):
        return names
    renamed = []
    for name, told in zip(names, obs[_SHEET_SAMPLE], strict=True):
        samples = list(dict.fromkeys(part.strip() for part in str(told).split(",")))
        if len(samples) > 1:
            raise InputError(
                f"the sample sheet says that {name} is of {len(samples)} samples ({told})",
                "leave files of one sample in the folder",
            )
        renamed.append(samples[0] or name)
    return np.array(renamed, dtype=object)


def facts_of(adata: AnnData) -> Mapping[str, Any]:
    """What `read` recorded of a data set; {} of one made by hand."""
    recorded = adata.uns.get("jaxssl", {})
    if not isinstance(recorded, Mapping):
        raise InputError(
            f'uns["jaxssl"] is of type {type(recorded).__name__}, not a record of `read()`',
            "delete it",
        )
    return recorded


def choose_columns(
    columns: Sequence[str] | pd.Index, options: Any, recorded: Mapping[str, Any]
) -> dict[str, str]:
    """Role → the column that has it, as told or else as recorded; "" for none."""
    note_quoted(columns)
    chosen = {role: getattr(options, role) or str(recorded.get(role, "")) for role in ROLES}
    for role, name in chosen.items():
        if getattr(options, role):
            require_column(columns, name, role)
        elif name and name not in list(columns):
            chosen[role] = _without(role, name)
    return chosen


def _without(role: str, name: str) -> str:
    """What goes on without a column that is on record and gone: "" for a batch, else an error."""
    gone = f"the record of the data names the {role} column {name!r}, and it is gone"
    if role == "batch":
        warnings.warn(f"{gone}: none is used; name another with `batch`", stacklevel=4)
        return ""
    none = ', or set uns["jaxssl"]["group"] to "" if samples are not grouped'
    raise InputError(gone, f"name another with `{role}`{none if role == 'group' else ''}")


def require_column(columns: Sequence[str] | pd.Index, name: str, option: str) -> None:
    """Refuse a column that is not there; proposes the nearest names."""
    names = list(dict.fromkeys(str(c) for c in columns))
    if name in names:
        return
    spelt: dict[str, list[str]] = {}
    for known in names:
        spelt.setdefault(known.strip().lower(), []).append(known)
    close = difflib.get_close_matches(name.strip().lower(), spelt, n=3, cutoff=0.6)
    # a space at the end is seen in quotes alone
    near = [n if n == n.strip() else repr(n) for form in close for n in spelt[form]]
    known = f"did you mean {', '.join(near)}?" if near else f"there are {_some(names)}"
    if not names:
        known = "the file has no table of samples; import it by `read(labels=TABLE)`"
    raise InputError(f"there is no column {name!r} for `{option}`", known)


def by_text(obs: pd.DataFrame) -> pd.DataFrame:
    """A table of samples with its columns called as they are shown, none as another."""
    names = obs.columns.map(str)
    if not names.is_unique:
        twice = names[names.duplicated()]
        raise InputError(
            f"{len(twice)} columns about samples bear the name of another (first: {twice[0]!r})",
            "rename them",
        )
    return obs.set_axis(names, axis=1)


def _refuse_rivals(table: pd.DataFrame, match: Match) -> None:
    """Two columns that name the samples in different rows, such as their controls, are asked about.

    The one that names more of them need not be the right one: a name may be misspelt.
    """
    names = pd.Index(match.names)
    is_named = pd.Index(match.keys).isin(names)
    for name in map(str, table.columns):
        keys = table[name].to_numpy(dtype=object)
        differs = is_named & pd.Index(keys).isin(names) & (keys != match.keys)
        if differs.any() and names.isin(keys).mean() > _RIVAL:
            raise InputError(
                f"columns {match.column} and {name} of the labels both hold ids of samples, in "
                f"{differs.sum()} rows those of different ones",
                "say which with `sample_column`",
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
    return f"only in the data: {_some(data, 5)}; only in the labels: {_some(labels, 5)}"


def _some(names: Sequence[str] | np.ndarray, count: int = 12) -> str:
    shown = ", ".join(str(name) for name in names[:count]) or "none"
    return shown + (f", ... ({len(names)})" if len(names) > count else "")
