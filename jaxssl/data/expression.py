"""Any expression file to samples x genes in float32; nothing is changed that was not asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float32

from jaxssl.data import rules, store
from jaxssl.data.formats.matrix import Reading, SampleMajor, Scratch
from jaxssl.data.genes import Merge, id_type, plan_merge
from jaxssl.data.import_options import ImportOptions, check_options, paths_of
from jaxssl.data.labels import drop_small_classes
from jaxssl.data.missing import plan_missing
from jaxssl.data.parts import Part, check_samples, common_genes, common_scale, read_part
from jaxssl.data.samples import join_samples, names_by_sheet, read_samples, require_column
from jaxssl.data.survey import Survey, join
from jaxssl.types import InputError

ROLES = ("label", "group", "batch")


class Import(NamedTuple):
    """What is to be written, and how to come by it."""

    obs: pd.DataFrame
    var: pd.DataFrame
    facts: dict[str, Any]
    parts: list[tuple[SampleMajor, np.ndarray]]  # matrix, columns of the genes that stay
    fill: Float32[np.ndarray, " genes"]
    merge: Merge

    def blocks(self) -> Iterator[Float32[np.ndarray, "block genes"]]:
        """Successive samples, cleaned."""
        for x, columns in self.parts:
            for block in x.blocks():
                kept = np.take(block, columns, axis=1)
                missing = np.isnan(kept)
                if missing.any():
                    kept[missing] = self.fill[np.nonzero(missing)[1]]
                yield self.merge(kept)


def read_expression(path: str | Path | Sequence[str | Path], **options: Any) -> AnnData:
    """Read an expression file, or several of the same genes, into memory as float32.

    Known are csv, tsv, GCT, GEO series matrix, GDC gene counts (a file or a folder), recount3,
    ArrayExpress, DepMap, ARCHS4, h5ad, parquet and npz, text also in gzip; told by content. The
    `options` are the fields of `ImportOptions`. Of a file that `prepare` wrote, the recorded
    columns and scale are the default. What was found and done stands in `uns["jaxssl"]`, as
    sentences under "notes". Peak memory: the result and about 300 MB.

    Raises:
        InputError: on what cannot be used, and on what cannot be told without asking.
    """
    with Scratch() as scratch:
        plan = plan_import(paths_of(path), ImportOptions(**options), Reading(scratch))
        x = np.empty((len(plan.obs), len(plan.var)), np.float32)
        start = 0
        for block in plan.blocks():
            x[start : start + len(block)] = block
            start += len(block)
    return AnnData(x, obs=plan.obs, var=plan.var, uns={"jaxssl": plan.facts})


def import_expression(
    path: str | Path | Sequence[str | Path],
    out: str | Path,
    advance: Callable[[Path, int], None] = lambda _path, _bytes: None,
    **options: Any,
) -> dict[str, Any]:
    """As `read_expression`, but onto disk: a sample-major `.h5ad` of any size, in bounded memory.

    What does not fit in memory goes to a scratch file beside `out`, as large as the matrix.
    `advance(path, bytes)` is told how far reading has come. Returns the facts with the counts of
    classes and a hash of X. `out` appears whole or not at all.

    Raises:
        InputError: as `read_expression` does.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with Scratch(out.parent) as scratch:
        reading = Reading(scratch, advance=advance)
        plan = plan_import(paths_of(path), ImportOptions(**options), reading)
        digest = store.write_blocks(plan.obs, plan.var, plan.facts, plan.blocks(), out)
    return store.record_of(plan.obs, len(plan.var), plan.facts, digest)


def plan_import(paths: Sequence[Path], options: ImportOptions, reading: Reading) -> Import:
    """Read the files and settle everything that the result depends on.

    Raises:
        InputError: as `read_expression` does.
    """
    check_options(options)
    if not paths:
        raise InputError("no expression file is given")
    tables = [read_samples(path) for path in paths_of(options.labels)]
    parts = [read_part(path, options, tables, reading) for path in paths]
    first = parts[0]
    columns = _recorded_columns(options, first.raw.prepared)
    notes = [*first.notes]
    for part in parts[1:]:
        notes += [f"{part.path.name}: {note}" for note in part.notes]
    sample_ids = np.concatenate([part.sample_ids for part in parts])
    check_samples(sample_ids)
    genes, gene_text, positions, gene_notes = common_genes(parts, options)
    seen = join([part.seen.of(where) for part, where in zip(parts, positions, strict=True)])
    keep, fill = plan_missing(seen, sample_ids, genes, options.impute)
    merge = plan_merge(genes[keep], options.duplicates)
    cleaned = _cleaning_notes(seen, keep, merge, options)
    obs, obs_notes = _describe(parts, sample_ids, tables, options)
    facts = {
        "orientation": first.orientation,
        "gene_id_type": id_type(merge.genes)[0] or "unknown",
        "scale": common_scale(parts),
        "impute": options.impute,
        "duplicates": options.duplicates,
        "n_missing_values": int(seen.n_missing.sum()),
        "n_genes_dropped": int((~keep).sum()),
        "n_genes_merged": int(keep.sum()) - len(merge.genes),
    }
    notes += [*gene_notes, *cleaned, *obs_notes]
    facts |= _settle_columns(obs, columns, options.min_class_size, notes)
    facts |= {
        "source": ", ".join(part.path.name for part in parts[:5]),
        "format": first.raw.format,
        "notes": "\n".join(notes),
    }
    var = gene_text.iloc[np.flatnonzero(keep)[merge.first]].set_axis(merge.genes, axis=0)
    matrices = [(p.x, where[keep]) for p, where in zip(parts, positions, strict=True)]
    return Import(obs, var, facts, matrices, fill[keep], merge)


def _cleaning_notes(
    seen: Survey, keep: np.ndarray, merge: Merge, options: ImportOptions
) -> list[str]:
    n_missing, n_dropped = int(seen.n_missing.sum()), int((~keep).sum())
    n_merged = int(keep.sum()) - len(merge.genes)
    notes = [f"--impute={options.impute}: {n_missing} missing values"] if n_missing else []
    notes += [f"{n_dropped} genes with missing values dropped"] if n_dropped else []
    notes += [f"--duplicates={options.duplicates}: {n_merged} columns merged away"] * bool(n_merged)
    return notes


def _describe(
    parts: Sequence[Part],
    sample_ids: np.ndarray,
    tables: Sequence[pd.DataFrame],
    options: ImportOptions,
) -> tuple[pd.DataFrame, list[str]]:
    """Text about the samples: of the table, of the files, and as rules derive it."""
    obs = pd.concat([part.obs for part in parts]).fillna("").set_axis(sample_ids, axis=0)
    if len(parts) > 1:
        names = np.repeat([p.path.name for p in parts], [len(p.sample_ids) for p in parts])
        obs = obs.assign(file=names)
    notes = []
    for table in tables:
        column = options.sample_column if options.sample_column in table else ""
        if options.sample_column and len(tables) == 1:
            column = options.sample_column
        joined, note = join_samples(table, sample_ids, column, options.min_match)
        obs = pd.concat([obs[obs.columns.difference(joined.columns, sort=False)], joined], axis=1)
        notes.append(note)
    derived, rule_notes = rules.derive(obs, options.label_rule)
    obs = pd.concat([obs[obs.columns.difference(derived.columns, sort=False)], derived], axis=1)
    obs.index = pd.Index(names_by_sheet(obs), dtype=object)
    check_samples(obs.index.to_numpy())
    return obs.astype(object), [*notes, *rule_notes]


def _recorded_columns(options: ImportOptions, prepared: Mapping[str, Any]) -> dict[str, str]:
    """Role → column: as told, as the rule makes it, or as `prepare` recorded it."""
    made = rules.columns_of(options.label_rule)
    told = {role: getattr(options, f"{role}_column") for role in ROLES}
    return {
        role: name or made.get(role, "") or str(prepared.get(role, ""))
        for role, name in told.items()
    }


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
