"""What a careful colleague would say about a file before it is used."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxssl.data import rules
from jaxssl.data.columns import (
    GROUP_NAMES,
    LABEL_NAMES,
    choose,
    column_lines,
    count_values,
    describe_columns,
    matches,
)
from jaxssl.data.formats import read_table, text_columns
from jaxssl.data.formats.delimited import no_expression
from jaxssl.data.formats.matrix import RawTable, Reading, Scratch
from jaxssl.data.genes import SAMPLE_PATTERNS, duplicates, id_type
from jaxssl.data.orientation import detect_orientation
from jaxssl.data.parts import oriented
from jaxssl.data.sample_major import SampleMajor
from jaxssl.data.samples import add_columns, join_samples, known_ids, read_samples
from jaxssl.data.scale import COVERAGE, SCALES, guess_scale
from jaxssl.data.survey import Survey, survey
from jaxssl.types import InputError

_MIN_GROUPS = 3  # one for each of train, validation and test
_LIMIT = 1 << 28  # bytes of a text that are read without being asked


def examine(
    path: str | Path, labels: str | Path | None = None, layer: str = "", *, whole: bool = False
) -> dict[str, Any]:
    """Facts about one file, ready for JSON: an expression matrix or a table of samples.

    Decides nothing and refuses little: what would stop `prepare` stands under "problems", with
    the flag that solves it under "flags". Of a long text the first 256 MB are read, unless
    `whole`.

    Raises:
        InputError: for a file that cannot be parsed.
    """
    path = Path(path)
    texts, n_columns = text_columns(path)
    if 2 * len(texts) > n_columns - 1 > 0:
        table = read_samples(path)
        facts = {"file": str(path), "kind": "samples", "n_rows": len(table)}
        return facts | {"columns": describe_columns(table)}
    table = read_samples(labels) if labels else None
    facts: dict[str, Any] = {"file": str(path), "kind": "expression"}
    with Scratch() as scratch:
        reading = Reading(scratch, texts, layer, limit=0 if whole else _LIMIT)
        raw = read_table(path, reading)
        if raw.is_text:
            raw = raw._replace(notes=[*_of_length(path, reading), *raw.notes])
        facts["text_columns"] = [*texts, *no_expression(raw.column_ids)]
        facts |= _examine_matrix(raw, table, labels)
    return facts | {"next": _next_command(path, labels, layer, facts)}


def report(facts: dict[str, Any]) -> str:
    """The same in about ten lines of English."""
    return "\n".join(_lines(facts))


def _examine_matrix(
    raw: RawTable, table: pd.DataFrame | None, labels: str | Path | None
) -> dict[str, Any]:
    known = None if table is None else known_ids(table, raw, "")
    found, reason = detect_orientation(raw.row_ids, raw.column_ids, known)
    if raw.orientation:
        found, reason = raw.orientation, f"as the format {raw.format} has it"
    transpose = found == "genes_in_rows"
    *ids, obs, _ = oriented(raw, found)
    kept = None if raw.dropped is None else np.flatnonzero(~raw.dropped)
    if kept is not None:
        ids, obs = [ids[0][kept], ids[1]], obs.iloc[kept]
    facts: dict[str, Any] = {
        "is_joined": table is not None,
        "format": raw.format,
        "n_samples": len(ids[0]),
        "n_genes": len(ids[1]),
        "orientation": found,
        "orientation_reason": reason,
        "gene_id_type": id_type(ids[1])[0],
        "gene_examples": [str(i) for i in ids[1][:3]],
        "sample_id_type": id_type(ids[0], SAMPLE_PATTERNS)[0],
        "sample_examples": [str(i) for i in ids[0][:3]],
        "notes": list(raw.notes),
        "no_expression": no_expression(ids[0]) + no_expression(ids[1]),
        "n_duplicate_samples": len(duplicates(ids[0])),
        "n_duplicate_genes": len(duplicates(ids[1])),
    }
    facts |= _examine_values(survey(SampleMajor(raw.x, transpose, kept)), raw.scale)
    obs = obs.set_axis(pd.Index(ids[0], dtype=object), axis=0)
    if table is not None:
        try:
            joined = join_samples(table, ids[0], "", 0.5)
            obs, facts["join"] = add_columns(obs, joined.obs), joined.note
        except InputError as error:
            facts["join"], facts["is_joined"] = str(error), False
    told, _ = rules.derive(obs, "")
    facts["columns"] = describe_columns(obs) | describe_columns(told)
    facts["rules"] = rules.possible(obs)
    return facts | _problems(facts, labels)


def _examine_values(seen: Survey, declared: str) -> dict[str, Any]:
    scale, reason = guess_scale(seen)
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


def _of_length(path: Path, reading: Reading) -> list[str]:
    """That a text was not read to its end."""
    if not reading.cuts(path):
        return []
    size = path.stat().st_size
    share = f"the first {reading.limit / size:.0%} of {size / 1e9:.1f} GB"
    return [f"judged by {share}; pass --whole to read all of it"]


def _problems(facts: dict[str, Any], labels: str | Path | None) -> dict[str, Any]:
    """What would stop `prepare`, and the flags that solve it, upper case where to be chosen."""
    problems, flags = [], []
    if facts["no_expression"]:
        names = facts["no_expression"]
        problems.append(f"columns that seem to be no expression: {', '.join(names[:4])}")
    if not facts["orientation"]:
        problems.append("the orientation cannot be told")
        flags.append("--orientation=WHICH")
    if facts["scale"] == COVERAGE:
        problems.append("sums of coverage are no counts: divide them by the length of the reads")
        flags.append("--read_length=star.average_mapped_length")
    if not facts["scale"]:
        problems.append("the scale cannot be told")
        flags.append("--scale=WHICH")
    if facts["missing_share"]:
        problems.append(f"{facts['missing_share']:.2%} of the values are missing")
        flags.append("--impute=mean")
    if facts["n_duplicate_genes"]:
        problems.append(f"{facts['n_duplicate_genes']} gene ids occur more than once")
        flags.append("--duplicates=mean")
    if facts["n_duplicate_samples"]:
        problems.append(f"{facts['n_duplicate_samples']} sample ids occur more than once")
        flags.append("--duplicate_samples=first")
    if facts["n_infinite"]:
        problems.append(f"{facts['n_infinite']} values are infinite: export log2(x + 1)")
    if labels and not facts["is_joined"]:
        problems.append("the labels do not match the samples")
    return {"problems": problems, "flags": flags}


def _next_command(path: Path, labels: str | Path | None, layer: str, facts: dict[str, Any]) -> str:
    words = ["python", "-m", "launch.prepare", *([f"--layer={layer}"] if layer else [])]
    columns = facts["columns"]
    label = choose(columns, "label", LABEL_NAMES)
    grouping = {
        name: column
        for name, column in columns.items()
        if name != label and matches(GROUP_NAMES, name) and count_values(column) >= _MIN_GROUPS
    }
    group = choose(grouping, "group", GROUP_NAMES) or choose(grouping, "label", GROUP_NAMES)
    sizes = columns[label]["classes"].values() if label else []
    is_small = min(sizes, default=20) < 20 and sum(size >= 20 for size in sizes) > 1
    words += [f"--labels={labels}"] if labels else []
    named: tuple[str, ...] = ()
    if facts["rules"]:
        words += [f"--label_rule={next(iter(facts['rules']))}"]
    elif labels or columns:
        named = (label, group)
        words += [f"--label={label or 'COLUMN'}"]
        words += [f"--group={group}"] if group else []
        words += ["--min_class_size=20"] if is_small else []
    else:
        words += ["--labels=TABLE", "--label=COLUMN"]
    beside = [name for name in facts["text_columns"] if name not in named]
    flags = [*facts["flags"], *([f"--text_columns={','.join(beside)}"] if beside else [])]
    out = path.name.removesuffix(".gz").rsplit(".", 1)[0] + ".h5ad"
    out = f"prepared.{out}" if out == path.name else out
    return shlex.join([*words, *flags, f"--out={out}", str(path)])


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    if facts["kind"] == "samples":
        yield f"{facts['file']}: a table of {facts['n_rows']} samples"
        yield from column_lines(facts["columns"])
        yield f"next: python -m launch.inspect --labels={facts['file']} EXPRESSION_FILE"
        return
    samples, genes = facts["n_samples"], facts["n_genes"]
    yield f"{facts['file']}: {facts['format']}, {samples:,} samples x {genes:,} genes"
    yield from (f"note         {note}" for note in facts["notes"])
    yield f"orientation  {facts['orientation'] or 'unknown'}: {facts['orientation_reason']}"
    for kind in ("gene", "sample"):
        name = facts[f"{kind}_id_type"] or "unknown kind"
        yield f"{kind + ' ids':12} {name}: {', '.join(facts[f'{kind}_examples'])}, ..."
    yield f"scale        {facts['scale'] or 'unknown'}: {facts['scale_reason']}"
    yield (
        f"values       {facts['zero_share']:.1%} zeros, {facts['missing_share']:.2%} missing (in "
        f"{facts['n_genes_with_missing']} genes), {facts['n_constant_genes']} constant genes "
        "(dropped when training)"
    )
    yield (
        f"duplicates   {facts['n_duplicate_genes']} gene ids, "
        f"{facts['n_duplicate_samples']} sample ids"
    )
    if "join" in facts:
        yield f"labels       {facts['join']}"
    yield from column_lines(facts["columns"])
    for rule, classes in facts["rules"].items():
        counts = ", ".join(f"{value} {count}" for value, count in list(classes.items())[:4])
        more = ", ..." if len(classes) > 4 else ""
        yield f"  --label_rule={rule}: {len(classes)} classes ({counts}{more})"
    yield from (f"problem      {problem}" for problem in facts["problems"])
    yield f"next: {facts['next']}"
