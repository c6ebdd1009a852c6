"""Tables of samples: labels, groups and batches, and the columns that have them."""

import difflib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.data.annotation import read_annotation
from jaxssl.data.doubts import refuse_other_ids, tell_replaced
from jaxssl.types import ROLES, InputError, note_quoted

STAYS = "stays"  # on record of data that stay on disk: the state of the file
_SHEET_SAMPLE = "Sample ID"  # column of the GDC's sample sheet


def read_tables(paths: Sequence[str | Path]) -> list[pd.DataFrame]:
    """Tables of samples; those of other samples with the same columns, as of cohorts, are one."""
    tables: list[pd.DataFrame] = []
    for path in paths:
        table = read_annotation(path, is_of_samples=True)
        for i, known in enumerate(tables):
            is_alike = list(known.columns) == list(table.columns)
            if is_alike and not known.iloc[:, 0].isin(table.iloc[:, 0]).any():
                notes = [note for one in (known, table) for note in one.attrs.get("notes", ())]
                tables[i] = pd.concat([known, table], ignore_index=True)
                tables[i].attrs["notes"] = notes
                break
        else:
            tables.append(table)
    return tables


def add_columns(
    obs: pd.DataFrame, told: pd.DataFrame, *, is_told: bool
) -> tuple[pd.DataFrame, list[str]]:
    """`obs` with what another table tells, and a note where it had other values.

    Where the table is silent, what was there stays. `is_told`: its column of ids was named.
    """
    if not is_told:
        refuse_other_ids(obs, told)
    both = told.columns.intersection(obs.columns)
    kept = told.assign(**{name: told[name].where(told[name] != "", obs[name]) for name in both})
    rest = obs[obs.columns.difference(told.columns, sort=False)]
    return pd.concat([rest, kept], axis=1), tell_replaced(obs, told)


def names_by_sheet(obs: pd.DataFrame) -> np.ndarray:
    """Names of the samples: in place of files, those of the GDC's sample sheet that is joined."""
    names = obs.index.to_numpy(dtype=object)
    if _SHEET_SAMPLE not in obs or not all(
        str(name).endswith((".tsv", ".gz", ".txt")) for name in names
    ):
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
    known = f"did you mean {', '.join(near)}?" if near else f"there are {some(names)}"
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


def some(names: Sequence[str] | np.ndarray, count: int = 12) -> str:
    """The first of some names, and how many there are if more."""
    shown = ", ".join(str(name) for name in names[:count]) or "none"
    return shown + (f", ... ({len(names)})" if len(names) > count else "")
