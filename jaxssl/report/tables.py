"""Tables of the page: facts, scores, paired differences, configuration."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from jaxssl.config import LEAKS
from jaxssl.evaluation.headline import percent, verdict
from jaxssl.evaluation.stats import ERRORS
from jaxssl.report.curves import arm_order
from jaxssl.report.run import Run


class Cell(NamedTuple):
    """Text and the CSS class that says how to show it."""

    text: str
    style: str = ""
    note: str = ""  # smaller, below the text


class Table(NamedTuple):
    """Rows of cells under a header; `title` names it on the page."""

    title: str
    header: list[str]
    rows: list[list[Cell]]


def score_tables(summary: pd.DataFrame, tested: list[str]) -> list[Table]:
    """One table per metric: mean and 95 % interval of every arm at every share."""
    return [
        _score_table(rows, str(metric), tested)
        for metric, rows in summary.groupby("metric", sort=False)
    ]


def _score_table(rows: pd.DataFrame, metric: str, tested: list[str]) -> Table:
    rows = rows.sort_values("share")
    counts = dict(zip(rows["share"], rows["n_labelled"], strict=True))
    means = rows.groupby("share")["mean"]
    best = means.min() if metric in ERRORS else means.max()
    table = []
    for arm in arm_order(rows, tested):
        of_arm = rows[rows["arm"] == arm].set_index("share")
        cells = [Cell(arm, "tested" if arm in tested else "")]
        for share in counts:
            if share not in of_arm.index:
                cells.append(Cell("not run", "quiet"))
                continue
            row = of_arm.loc[share]
            note = f"{row['ci_low']:.3f} to {row['ci_high']:.3f}" if row["n"] > 1 else ""
            style = "best" if row["mean"] == best[share] else ""
            cells.append(Cell(f"{row['mean']:.3f}", style, note))
        table.append(cells)
    header = ["arm", *(f"{percent(share)}: {n:,} labels" for share, n in counts.items())]
    return Table(metric.replace("_", " "), header, table)


def difference_tables(statistics: pd.DataFrame) -> list[Table]:
    """One table per metric with every comparison, won, lost or undecided."""
    return [
        _without_blank_columns(
            Table(
                str(metric).replace("_", " "),
                DIFFERENCE_HEADER,
                [_difference(row) for row in _rows(rows)],
            )
        )
        for metric, rows in statistics.groupby("metric", sort=False)
    ]


def _without_blank_columns(table: Table) -> Table:
    keep = [i for i in range(len(table.header)) if any(row[i].text for row in table.rows)]
    rows = [[row[i] for i in keep] for row in table.rows]
    return Table(table.title, [table.header[i] for i in keep], rows)


DIFFERENCE_HEADER = [
    *("arm", "reference", "labels", "n", "arm mean", "reference mean", "difference"),
    *("95 % interval", "p (t)", "p (Wilcoxon)", "p (Nadeau-Bengio)", "p (Holm)", "d_z", "the arm"),
]


def _rows(table: pd.DataFrame) -> "Iterator[pd.Series[Any]]":
    return (row for _, row in table.sort_values(["arm", "reference", "share"]).iterrows())


def _difference(row: "pd.Series[Any]") -> list[Cell]:
    outcome = verdict(row)
    texts = [
        str(row["arm"]),
        str(row["reference"]),
        percent(row["share"]),
        str(row["n"]),
        f"{row['mean']:.4f}",
        f"{row['reference_mean']:.4f}",
        f"{row['difference']:+.4f}",
        f"{row['ci_low']:+.4f} to {row['ci_high']:+.4f}" if row["n"] > 1 else "",
        *(_p(row[name]) for name in ("p_t", "p_wilcoxon", "p_nadeau_bengio", "p_holm")),
        "" if row["effect_size"] != row["effect_size"] else f"{row['effect_size']:+.2f}",
    ]
    return [*map(Cell, texts), Cell(outcome, outcome)]


def _p(value: float) -> str:
    return "" if value != value else f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def batch_told(run: Run) -> list[Table]:
    """How well the batch is told from input and embedding."""
    if run.batch is None:
        return []
    rows = []
    for name, of_one in run.batch.groupby("representation", sort=False):
        first = of_one.iloc[0]
        told = of_one["balanced_accuracy"]
        spread = f"{told.min():.3f} to {told.max():.3f}"
        cells = [str(name), str(len(told)), f"{told.mean():.3f}"]
        cells += [spread if len(told) > 1 else "", f"{first['chance']:.3f}"]
        rows.append([Cell(text) for text in cells])
    header = ["told from", "seeds", "balanced accuracy", "over seeds", "by chance"]
    return [Table(f"batch, one of {run.batch['batches'].iloc[0]}", header, rows)]


def facts(run: Run) -> list[tuple[str, str]]:
    """What was compared on what, and with which machine and code."""
    summary, split, data = run.summary, run.config.get("split", {}), run.config.get("data", {})
    counts = [
        f"{summary[key]:,} {word}"
        for key, word in (
            ("n_train", "training"),
            ("n_labelled", "of them labelled"),
            ("n_validation", "validation"),
            ("n_test", "test"),
        )
        if key in summary
    ]
    protocol = split.get("protocol", "")
    if protocol == "grouped" and not data.get("group"):
        protocol = "stratified, no group column"
    elif protocol:
        protocol += f" by {data['group']}" if protocol == "grouped" else " protocol, ungrouped"
    versions = run.environment.get("versions", {})
    timings = summary.get("timings", {})
    pairs = {
        "data": data.get("path", ""),
        "task": summary.get("task", ""),
        "classes": str(len(summary["classes"])) if "classes" in summary else "",
        "samples": ", ".join(counts),
        "split": protocol,
        "seeds": _seeds(summary.get("seeds", [])),
        "pretraining": run.pretraining.get("status", ""),
        "device": run.environment.get("device", ""),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "commit": run.environment.get("commit", ""),
        "data hash": run.environment.get("data_hash", ""),
        "time": ", ".join(f"{name} {seconds:,.1f} s" for name, seconds in timings.items()),
    }
    return [(name, str(value)) for name, value in pairs.items() if value]


def controlled(run: Run) -> list[tuple[str, str]]:
    """What the run guarded against, and what it did not."""
    if run.results is None:
        return []
    split, data = run.config.get("split", {}), run.config.get("data", {})
    allowed = run.summary.get("allowed_leaks", [])
    together = f"samples of one {data['group']} are in one part" if data.get("group") else ""
    if split.get("protocol") == "study":
        together = ""
    pairs = {
        "same for all arms": "split, label subset of a seed, order of batches, fresh weights",
        "fitted on training samples alone": "gene filter, scaling, components, pretraining",
        "chosen on labels at hand": "penalties and neighbours of the classical arms (3 folds)",
        "chosen on validation": "the classical arm of the primary endpoint",
        "scored once": "the test part",
        "groups": together or "not kept together: no group column, or the study's protocol",
        "looked for and absent": ", ".join(kind for kind in LEAKS if kind not in str(allowed)),
        "allowed leaks": "; ".join(allowed),
        "not controlled": _uncontrolled(run),
    }
    return [(name, value) for name, value in pairs.items() if value]


def _uncontrolled(run: Run) -> str:
    several = run.statistics is not None and "splits" in str(run.statistics["estimand"].iloc[0])
    batch = run.config.get("data", {}).get("batch")
    parts = [
        "" if several else "the choice of the split (intervals are over seeds, on this one)",
        "batch and class may go together" if batch else "technical batch: no batch column",
        "validation labels are not counted as labels: no arm trains or stops on them",
    ]
    return "; ".join(part for part in parts if part)


def _seeds(seeds: list[int]) -> str:
    if not seeds:
        return ""
    consecutive = len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1))
    ids = f"{seeds[0]} to {seeds[-1]}" if consecutive else ", ".join(map(str, seeds))
    return f"{len(seeds)} (ids {ids})"


def options(config: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested options as dotted names, the way a command line sets them."""
    pairs: list[tuple[str, str]] = []
    for name, value in config.items():
        if isinstance(value, dict):
            pairs += options(value, f"{prefix}{name}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            pairs.append((prefix + name, text))
    return pairs
