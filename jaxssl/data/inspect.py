"""What a careful colleague would say about a file before it is used."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxssl.arguments import checked
from jaxssl.data import rules
from jaxssl.data.annotation import read_annotation
from jaxssl.data.columns import choose_group, choose_label, describe_columns
from jaxssl.data.companions import facts_beside, is_about_samples
from jaxssl.data.corner import GENES, named_in
from jaxssl.data.damage import damage, is_lost
from jaxssl.data.doubts import tell_missing
from jaxssl.data.file_report import FileReport
from jaxssl.data.formats import read_table, text_columns
from jaxssl.data.formats.matrix import RawTable, Reading, Scratch, blank, names_of
from jaxssl.data.genes import SAMPLE_PATTERNS, duplicates, id_type
from jaxssl.data.import_options import Paths, paths_of
from jaxssl.data.joining import join_samples, known_ids
from jaxssl.data.labels import label_problems, least_class_size
from jaxssl.data.names import without_id
from jaxssl.data.orientation import detect_orientation
from jaxssl.data.parts import called_by_files
from jaxssl.data.roles import scale_told, settle, surveyed
from jaxssl.data.sample_major import Survey
from jaxssl.data.samples import add_columns, read_tables
from jaxssl.data.scale import COVERAGE, READ_LENGTHS, SCALES, guess_scale
from jaxssl.types import InputError

_LIMIT = 1 << 28  # bytes of a text that are read without being asked
_BLOCK = 0.2  # of the samples: where genes lack as many values, whole batches may lack them


@checked
def inspect(
    path: str | Path,
    labels: Paths | None = None,
    *,
    layer: str = "",
    sheet: str = "",
    no_header: bool = False,
    id_column: str = "",
    whole: bool = False,
) -> FileReport:
    """Say what a file is: format, orientation, ids, scale, missing values, possible labels.

    Decides nothing and refuses little: what would stop `read` stands under `problems`, and the
    options that solve it under `options`.

    Args:
        path: an expression matrix, or a table of samples, in any format that `read` knows.
        labels: tables of samples, joined to the matrix by the ids of its samples.
        layer: which matrix of a file that holds several, as in `read`.
        sheet: which sheet of a workbook.
        no_header: the first line of a csv or tsv is data, as in `read`.
        id_column: column of the file with the ids of its rows, as in `read`.
        whole: read long texts to their end, not only the first 256 MB.

    Returns:
        The findings. `print` shows them, `to_dict` is for JSON.

    Raises:
        InputError: for a file that cannot be parsed.

    Example:
        >>> report = jaxssl.inspect("expression.csv", "labels.csv")  # doctest: +SKIP
        >>> adata = jaxssl.read(report.file, **report.options)  # doctest: +SKIP
    """
    path, given = Path(path), {"layer": layer, "sheet": sheet, "id_column": id_column}
    texts, names, ids = text_columns(path, layer, sheet, no_header=no_header)
    has_values = bool({*names} - {*texts, *facts_beside(names)})
    if is_about_samples(texts, names) and not (has_values and named_in(ids) == GENES):
        table, words = blank(read_annotation(path, sheet)), given | {"labels": labels, "sheet": ""}
        unread = [f"`{name}` is not for a table of samples" for name in words if words[name]]
        return FileReport(
            str(path), "samples", len(table), describe_columns(table), problems=unread
        )
    tables = read_tables(files := [str(table) for table in paths_of(labels)])
    beside = [name for name in texts if name not in facts_beside(texts, texts)]
    with Scratch() as scratch:
        reading = Reading(scratch, beside, no_header=no_header, limit=0 if whole else _LIMIT)
        raw = called_by_files(read_table(path, reading._replace(**given)), tables)
        beside = [name for name in beside if name != raw.corner]
        report, obs = _examine(path, raw, tables)
    problems, needed = _problems(report)
    words = given | {"no_header": no_header, "labels": files[0] if len(files) == 1 else files}
    options = _options(report, obs, words, needed, beside)
    label = options.get("label", "")
    problems += label_problems(report.columns.get(label, {}).get("classes", {}), label)
    return dataclasses.replace(report, problems=problems, options=options)


def _examine(
    path: Path, raw: RawTable, tables: Sequence[pd.DataFrame]
) -> tuple[FileReport, pd.DataFrame]:
    """All that can be told of a matrix, and what is known of its samples."""
    known = known_ids(tables[0], raw, "") if tables else None
    orientation, orientation_reason = detect_orientation(raw, known)
    settled = settle(raw, orientation, path)
    settled, seen = surveyed(settled)
    obs, samples, genes = settled.obs, names_of(settled.obs), names_of(settled.var)
    obs, joins, is_joined, missing = _join(obs, samples, tables)
    twice = duplicates(samples[samples != ""])
    columns = describe_columns(obs) | describe_columns(rules.derive(obs, "")[0])
    label = choose_label(columns)  # where there is none, a class may be taken for no value
    unsaid = [name for name in missing if name == label or (not label and obs[name].nunique() == 2)]
    report = FileReport(
        file=str(path),
        kind="expression",
        n_samples=len(samples),
        columns=columns,
        n_genes=len(genes),
        format=raw.format,
        orientation=orientation,
        orientation_reason=orientation_reason,
        gene_id_type=id_type(genes),
        gene_examples=[str(i) for i in genes[:3]],
        sample_id_type=id_type(samples, SAMPLE_PATTERNS),
        sample_examples=[str(i) for i in samples[:3]],
        n_duplicate_genes=len(duplicates(genes[~is_lost(genes)])),
        n_duplicate_samples=len(twice),
        n_alike_samples=int(np.isin(samples, twice).sum()),
        no_expression=[str(name) for name in settled.beside],
        is_joined=is_joined,
        join="; ".join(joins),
        rules=rules.possible(obs),
        notes=[
            *(*raw.notes, *settled.notes, *damage(genes), *without_id(samples)),
            *(tell_missing(missing[name], name) for name in unsaid),
        ],
        **_examine_values(seen, raw.scale or scale_told(raw, settled, seen), path.name),
    )
    return report, obs


def _join(
    obs: pd.DataFrame, samples: np.ndarray, tables: Sequence[pd.DataFrame]
) -> tuple[pd.DataFrame, list[str], bool, dict[str, Any]]:
    """What tables add, what was said of each, whether all fit, and words for no value."""
    joins, missing, is_joined = [], {}, bool(tables)
    for table in tables:
        try:
            told, note = join_samples(table, samples, "", 0.5)
            obs, replaced = add_columns(obs, told, is_told=False)
            joins += [note, *replaced]
            missing |= told.attrs["missing"]
        except InputError as error:
            joins.append(str(error))
            is_joined = False
    return obs, joins, is_joined, missing


def _examine_values(seen: Survey, declared: str, called: str) -> dict[str, Any]:
    scale, reason = guess_scale(seen.range, called)
    if declared in (*SCALES, COVERAGE):
        scale, reason = declared, "as the format has it"
    n_values = max(1, seen.n_samples * len(seen.n_missing))
    return {
        "scale": scale,
        "scale_reason": reason,
        "zero_share": seen.n_zeros / n_values,
        "missing_share": int(seen.n_missing.sum()) / n_values,
        "n_genes_with_missing": int((seen.n_missing > 0).sum()),
        "n_infinite": int(seen.n_infinite.sum()),
        "n_constant_genes": int((seen.low == seen.high).sum()),
    }


def _problems(report: FileReport) -> tuple[list[str], dict[str, str]]:
    """What would stop `read`, and the options that solve it, upper case where to be chosen."""
    n_genes, n_samples = report.n_duplicate_genes, report.n_duplicate_samples
    missing, twice = report.missing_share, "ids occur more than once"
    merged = "sum" if "isoforms" in report.format else "mean"
    solvable = [
        (not report.orientation, "the orientation cannot be told", "orientation=WHICH"),
        (
            report.scale == COVERAGE,
            "sums of coverage are no counts: divide them by the length of the reads",
            f"read_length={READ_LENGTHS.get(report.format.split(' (')[0], ('', 'BASES'))[1]}",
        ),
        (not report.scale, "the scale cannot be told", "scale=WHICH"),
        (missing, f"{missing:.2%} of the values are missing", f"impute={_impute(report)}"),
        (n_genes, f"{n_genes} gene {twice}", f"duplicates={merged}"),
        (n_samples, f"{n_samples} sample {twice}", f"duplicate_samples={report.alike}"),
    ]
    found = [(problem, fix) for is_there, problem, fix in solvable if is_there]
    problems = [problem for problem, _ in found]
    if report.n_infinite:
        problems.append(
            f"{report.n_infinite} values are infinite: export log2(x + 1) instead, or correct them"
        )
    if report.join and not report.is_joined:
        problems.append("the labels do not match the samples")
    return problems, dict(fix.split("=") for _, fix in found)


def _impute(report: FileReport) -> str:
    """How gaps are best filled: genes that whole batches lack would tell batches by their means."""
    affected, n_genes = report.n_genes_with_missing, report.n_genes
    is_block = report.missing_share * n_genes > _BLOCK * affected
    return "drop_genes" if is_block and 2 * affected <= n_genes else "mean"


def _options(
    report: FileReport,
    obs: pd.DataFrame,
    given: dict[str, Any],
    needed: dict[str, str],
    beside: list[str],
) -> dict[str, Any]:
    """Keywords of `read`, in the order in which a reader wants them."""
    label = choose_label(report.columns)
    group = choose_group(report.columns, label, obs)
    least = least_class_size(report.columns[label]["classes"]) if label else 0
    options = {name: value for name, value in given.items() if value}
    if given["labels"] and not report.is_joined:
        options |= {"labels": "TABLE", "label": "COLUMN"}
    elif report.rules:
        options["label_rule"] = next(iter(report.rules))
    elif given["labels"] or report.columns:
        options |= {"label": label or "COLUMN", "group": group, "min_class_size": least}
    else:
        options |= {"labels": "TABLE", "label": "COLUMN"}
    beside = [name for name in beside if name not in (options.get("label"), options.get("group"))]
    return {n: v for n, v in (options | needed | {"text_columns": beside}).items() if v}
