"""Any expression file to one sample-major AnnData; nothing is changed that was not asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float32

from jaxssl.data import missing as missing_values
from jaxssl.data.genes import duplicates as repeated_ids
from jaxssl.data.genes import id_type, merge_duplicates
from jaxssl.data.labels import drop_small_classes
from jaxssl.data.orientation import ORIENTATIONS, resolve_orientation
from jaxssl.data.samples import join_samples, read_samples, require_column, sample_column_of
from jaxssl.data.scale import SCALES, resolve_scale
from jaxssl.data.table import RawTable, assemble, read_table
from jaxssl.types import InputError

DUPLICATE_POLICIES = ("error", "mean", "max", "first")
ROLES = ("label", "group", "batch")


def read_expression(
    path: str | Path,
    *,
    labels: str | Path | None = None,
    label_column: str = "",
    group_column: str = "",
    batch_column: str = "",
    sample_column: str = "",
    orientation: str = "auto",
    scale: str = "auto",
    duplicates: str = "error",
    impute: str = "error",
    min_class_size: int = 0,
    min_match: float = 0.5,
) -> AnnData:
    """Read csv, tsv, parquet, npz or h5ad into float32 samples x genes.

    Label, group and batch are columns of the table `labels`, or else of the file or its obs; of a
    file that `prepare` wrote, the recorded ones are the default. What was found and done stands in
    `uns["jaxssl"]`, as sentences under "notes". Peak memory of text and parquet: the matrix,
    64 MB, and a quarter of the matrix for its checks. Raises InputError for what cannot be used,
    and for what cannot be told without asking.
    """
    options = {"orientation": orientation, "scale": scale, "duplicates": duplicates}
    _check_options(options | {"impute": impute})
    columns = dict(zip(ROLES, (label_column, group_column, batch_column), strict=True))
    table = read_samples(labels) if labels else None
    raw = read_table(path, [] if table is not None else list(columns.values()))
    columns = {role: name or str(raw.prepared.get(role, "")) for role, name in columns.items()}
    sample_ids, gene_ids, x, facts = _orient(raw, orientation, table, sample_column)
    x, gene_ids, counts, cleaned = _clean(x, sample_ids, gene_ids, duplicates, impute)
    facts |= counts
    facts["notes"] += cleaned
    obs = raw.obs if facts["orientation"] == "samples_in_rows" else raw.obs.iloc[:0]
    obs = obs.reindex(pd.Index(sample_ids, dtype=object), fill_value="")
    if table is not None:
        joined, note = join_samples(table, sample_ids, sample_column, min_match)
        obs = pd.concat([joined, obs[obs.columns.difference(joined.columns)]], axis=1)
        facts["notes"].append(note)
    recorded = str(raw.prepared.get("scale", "")) if scale == "auto" else ""
    facts["scale"], reason = resolve_scale(recorded or scale, x)
    reason = "as launch.prepare recorded it" if recorded else reason
    facts["notes"].append(f"scale {facts['scale']}: {reason}")
    facts |= _settle_columns(obs, columns, min_class_size, facts["notes"])
    facts |= {"source": Path(path).name, "format": raw.format, "notes": "\n".join(facts["notes"])}
    var = pd.DataFrame(index=pd.Index(gene_ids, dtype=object))
    return AnnData(x, obs=obs.astype(object), var=var, uns={"jaxssl": facts})


def _check_options(options: dict[str, str]) -> None:
    allowed = {
        "orientation": ("auto", *ORIENTATIONS),
        "scale": ("auto", *SCALES),
        "duplicates": DUPLICATE_POLICIES,
        "impute": missing_values.POLICIES,
    }
    for name, value in options.items():
        if value not in allowed[name]:
            raise InputError(f"--{name}={value} is unknown; use {', '.join(allowed[name])}")


def _orient(
    raw: RawTable, wanted: str, table: pd.DataFrame | None, id_column: str
) -> tuple[np.ndarray, np.ndarray, Float32[np.ndarray, "samples genes"], dict[str, Any]]:
    """Samples into rows; returns sample ids, gene ids, matrix and the first facts."""
    known = None
    if table is not None:
        both = np.concatenate([raw.row_ids, raw.column_ids])
        name = id_column if id_column in table.columns else sample_column_of(table, both)
        known = table[name].to_numpy(dtype=object) if name else None
    declared = raw.format if raw.is_declared else ""
    found, reason = resolve_orientation(wanted, raw.row_ids, raw.column_ids, known, declared)
    transpose = found == "genes_in_rows"
    ids = (raw.column_ids, raw.row_ids) if transpose else (raw.row_ids, raw.column_ids)
    for kind, names in zip(("samples", "genes"), ids, strict=True):
        empty = np.flatnonzero(names == "")
        if len(empty):
            where = f"first: number {empty[0] + 1} of {len(names)}"
            raise InputError(f"{len(empty)} {kind} have no id ({where}); name or remove them")
    twice = repeated_ids(ids[0])
    if len(twice):
        raise InputError(
            f"{len(twice)} sample ids occur more than once (first: {twice[0]}); remove or rename "
            "the copies: a copy in two parts of a split would leak"
        )
    kind = id_type(ids[1])[0] or "unknown"
    notes = [f"format {raw.format}", *raw.notes, f"orientation {found}: {reason}"]
    facts = {"orientation": found, "gene_id_type": kind, "notes": notes}
    return *ids, assemble(raw.blocks, transpose=transpose), facts


def _clean(
    x: Float32[np.ndarray, "samples genes"],
    sample_ids: np.ndarray,
    gene_ids: np.ndarray,
    duplicates: str,
    impute: str,
) -> tuple[Float32[np.ndarray, "samples kept"], np.ndarray, dict[str, Any], list[str]]:
    """Apply the policies for missing values, then for duplicate genes, and count."""
    x, keep, n_missing = missing_values.resolve_missing(x, sample_ids, gene_ids, impute)
    x, kept, n_merged = merge_duplicates(x, gene_ids[keep], duplicates)
    n_dropped = int((~keep).sum())
    notes = [f"--impute={impute}: {n_missing} missing values"] if n_missing else []
    notes += [f"{n_dropped} genes with missing values dropped"] if n_dropped else []
    notes += [f"--duplicates={duplicates}: {n_merged} columns merged away"] if n_merged else []
    counts = {
        "impute": impute,
        "duplicates": duplicates,
        "n_missing_values": n_missing,
        "n_genes_dropped": n_dropped,
        "n_genes_merged": n_merged,
    }
    return x, kept, counts, notes


def _settle_columns(
    obs: pd.DataFrame, columns: dict[str, str], min_class_size: int, notes: list[str]
) -> dict[str, Any]:
    """Check the named columns and blank small classes in `obs`; returns what to record."""
    for role, name in columns.items():
        if name:
            require_column(obs.columns, name, role)
    label = columns["label"]
    facts: dict[str, Any] = {**columns, "min_class_size": min_class_size, "n_labelled": 0}
    if not label:
        return facts
    values, dropped = drop_small_classes(obs[label].to_numpy(dtype=object), min_class_size)
    obs[label] = values
    if not (values != "").any():
        raise InputError(f"--label_column={label} is empty for every sample; name another column")
    if dropped:
        listed = ", ".join(f"{name} {count}" for name, count in dropped.items())
        notes.append(f"classes below --min_class_size={min_class_size}, now unlabelled: {listed}")
    return facts | {"n_labelled": int((values != "").sum()), "n_classes_dropped": len(dropped)}
