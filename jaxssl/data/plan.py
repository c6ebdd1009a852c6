"""All that the import of expression files comes to, settled before a value is written."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32

from jaxssl.data import barcodes, joining, rules, samples
from jaxssl.data.annotation import read_annotation
from jaxssl.data.cleaning import Cleaning, plan_cleaning
from jaxssl.data.doubts import tell_missing
from jaxssl.data.formats import may_tell
from jaxssl.data.formats.matrix import Reading, blank, names_of
from jaxssl.data.gene_map import column_of_names
from jaxssl.data.genes import duplicates, id_type
from jaxssl.data.import_options import ImportOptions, paths_of
from jaxssl.data.labels import doubtful_classes, drop_small_classes, rename_classes
from jaxssl.data.names import check_names, check_text, numbered
from jaxssl.data.parts import Part, read_part
from jaxssl.types import ROLES, InputError


class Import(NamedTuple):
    """What is to be written, and how to come by it."""

    obs: pd.DataFrame
    var: pd.DataFrame
    facts: dict[str, Any]
    plans: list[Cleaning]
    kept: Bool[np.ndarray, " read"]  # which of the samples read are written

    def blocks(self) -> Iterator[tuple[slice, Float32[np.ndarray, "block genes"]]]:
        """Successive samples, cleaned, and the rows that they are to be written to."""
        n_read = n_written = 0
        for plan in self.plans:
            for block in plan.blocks():
                kept = self.kept[n_read : n_read + len(block)]
                n_read += len(block)
                block = block if kept.all() else block[kept]
                yield slice(n_written, n_written + len(block)), block
                n_written += len(block)


def plan_import(paths: Sequence[Path], options: ImportOptions, reading: Reading) -> Import:
    """Read the files and settle everything that the result depends on."""
    if not paths:
        raise InputError("no expression file is given")
    check_names([path.name for path in (*paths, *paths_of(options.gene_map))], "files")
    tables = samples.read_tables(paths_of(options.labels))
    gene_map = blank(read_annotation(options.gene_map)) if options.gene_map else None
    if gene_map is not None:
        column_of_names(gene_map, options)
    _check_early(paths, tables, options)
    parts = [read_part(path, options, tables, reading) for path in paths]
    first = parts[0]
    for part in parts[1:]:
        if part.scale != first.scale:
            raise InputError(
                f"{first.path.name} is on the {first.scale} scale, {part.path.name} on "
                f"{part.scale}",
                "bring them to one scale first",
            )
    plans, var, counts, gene_notes = plan_cleaning(parts, options, gene_map)
    obs, kept, obs_notes = _describe(parts, tables, options)
    check_text(obs, "samples")
    check_text(var, "genes")
    of_others = [f"{part.path.name}: {note}" for part in parts[1:] for note in part.notes]
    notes = [*first.notes, *of_others, *gene_notes, *obs_notes]
    facts = {
        "orientation": first.orientation,
        "gene_id_type": id_type(names_of(var)) or "unknown",
        "scale": first.scale,
        "impute": options.impute,
        "duplicates": options.duplicates,
        **counts,
        "source": ", ".join(part.path.name for part in parts[:5]),
        "format": first.raw.format,
        **_settle_columns(obs, first.raw.prepared, options, notes),
    }
    return Import(obs, var, facts | {"notes": "\n".join(notes)}, plans, kept)


def _check_early(
    paths: Sequence[Path], tables: Sequence[pd.DataFrame], options: ImportOptions
) -> None:
    """Find a mistyped column before hours of reading."""
    known = [str(name) for table in tables for name in table.columns]
    if tables and options.sample_column:
        samples.require_column(known, options.sample_column, "sample_column")
    known += [barcodes.DONOR, barcodes.SAMPLE_TYPE, *(["file"] if len(paths) > 1 else [])]
    known += rules.RULES[options.label_rule].makes if options.label_rule else ()
    for role in ROLES:
        name, inside = getattr(options, role), (options.layer, options.sheet)
        may = (may_tell(path, name, *inside, no_header=options.no_header) for path in paths)
        if name and name not in known and not any(may):
            joining.refuse_row_of(tables, name)
            samples.require_column(known if tables else [], name, role)


def _describe(
    parts: Sequence[Part], tables: Sequence[pd.DataFrame], options: ImportOptions
) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Text about the samples that stay: of the files, of the tables, and as rules derive it."""
    obs = pd.concat([part.obs for part in parts]).fillna("")
    if len(parts) > 1:
        obs["file"] = np.repeat([p.path.name for p in parts], [len(p.obs) for p in parts])
    sample_ids, notes = names_of(obs), []
    for table in tables:
        is_named = options.sample_column in table or len(tables) == 1
        column = options.sample_column if is_named else ""
        told, note = joining.join_samples(table, sample_ids, column, options.min_match)
        obs, replaced = samples.add_columns(obs, told, is_told=bool(column))
        notes += [note, *replaced]
        if counts := told.attrs["missing"].get(options.label):
            notes.append(tell_missing(counts, options.label))
    obs = obs.set_axis(pd.Index(samples.names_by_sheet(obs), dtype=object), axis=0)
    kept, names, note = _distinct(names_of(obs), options.duplicate_samples)
    obs = obs[kept].set_axis(pd.Index(names, dtype=object), axis=0)
    derived, rule_notes = rules.derive(obs, options.label_rule)
    obs = pd.concat([obs[obs.columns.difference(derived.columns, sort=False)], derived], axis=1)
    return obs.astype(object), kept, [*notes, *note, *rule_notes]


def _distinct(names: np.ndarray, policy: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Which samples stay when each name may stand once, what they are called, and a note."""
    kept = ~pd.Series(names, dtype=object).duplicated().to_numpy()
    if kept.all():
        return kept, names, []
    first = duplicates(names)[0]
    if policy == "error":
        raise InputError(
            f"{len(duplicates(names))} sample ids occur more than once (first: {first})",
            f"pass `duplicate_samples=number` if they are replicates, which are then called "
            f"{first}, {first}.1 and so on, or `duplicate_samples=first` if they are copies: a "
            "copy in two parts of a split would leak",
        )
    if policy == "number":
        note = f"{(~kept).sum():,} samples numbered, as {first}.1 is a replicate of {first}"
        return np.ones(len(names), bool), numbered(names), [f"`duplicate_samples=number`: {note}"]
    lost = f"`duplicate_samples={policy}`: {(~kept).sum():,} further copies left out"
    return kept, names[kept], [lost]


def _settle_columns(
    obs: pd.DataFrame, prepared: Mapping[str, Any], options: ImportOptions, notes: list[str]
) -> dict[str, Any]:
    """What the columns mean: as told, as the rule makes them, or as `prepare` recorded it.

    Blanks small classes in `obs`; returns what to record.
    """
    recorded = dict(prepared)
    if options.label_rule:
        made = rules.RULES[options.label_rule].makes
        recorded |= {"label": made[0], "group": made[-1]}
    columns = samples.choose_columns(obs.columns, options, recorded)
    label, min_class_size = columns["label"], options.min_class_size
    facts: dict[str, Any] = {**columns, "min_class_size": min_class_size, "n_labelled": 0}
    if not label:
        if options.rename_classes:
            raise InputError("`rename_classes` says nothing without a label", "name `label` too")
        return facts
    renamed = rename_classes(obs[label].to_numpy(dtype=object), options.rename_classes)
    notes += doubtful_classes(Counter(value for value in renamed if value), label)
    values, dropped = drop_small_classes(renamed, min_class_size)
    obs[label] = values
    if not (values != "").any():
        if dropped:
            raise InputError(
                f"every class of {label} is below `min_class_size={min_class_size}`", "lower it"
            )
        raise InputError(f"`label={label}` is empty for every sample", "name another column")
    if dropped:
        listed = ", ".join(f"{name} {count}" for name, count in dropped.items())
        notes.append(f"classes below `min_class_size={min_class_size}`, now unlabelled: {listed}")
    return facts | {"n_labelled": int((values != "").sum()), "n_classes_dropped": len(dropped)}
