"""Tables of the page: scores, paired differences, the primary endpoint, classes and batches."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from jaxssl.evaluation.headline import endpoint_verdict, percent, verdict
from jaxssl.evaluation.stats import ERRORS, FLOOR
from jaxssl.evaluation.verdict import verdict_at_all_labels

PARTS = ["part", "mean", "low", "high", "n"]  # mean over seeds, its interval, samples


class Cell(NamedTuple):
    """Text and the CSS class that says how to show it."""

    text: str
    style: str = ""
    note: str = ""  # smaller, below the text


TESTS = {
    "t": "p_t",
    "Wilcoxon": "p_wilcoxon",
    "Nadeau-Bengio": "p_nadeau_bengio",
    "Holm": "p_holm",
    "equivalence": "p_equivalence",
    "chance": "p_chance",
}
NOT_RUN = Cell("not run", "quiet")


class Table(NamedTuple):
    """Rows of cells under a header; `title` names it on the page."""

    title: str
    header: list[str]
    rows: list[list[Cell]]


def as_markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with bars."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def arm_order(summary: pd.DataFrame, tested: Sequence[str]) -> list[str]:
    """The arms under test first, then the others, the floor last."""
    arms = summary["arm"].unique().tolist()
    return sorted(arms, key=lambda arm: (arm == FLOOR, arm not in tested, arms.index(arm)))


def score_tables(summary: pd.DataFrame, tested: list[str]) -> list[Table]:
    """One table per metric: mean and 95 % interval of every arm at every share."""
    tables = []
    for metric, rows in summary.groupby("metric", sort=False):
        rows = rows.sort_values("share")
        counts = dict(zip(rows["share"], rows["n_labelled"], strict=True))
        means = rows.groupby("share")["mean"]
        best = means.min() if metric in ERRORS else means.max()
        cells = {}
        for row in rows.to_dict("records"):
            note = _text("{:.3f} to {:.3f}", row["ci_low"], row["ci_high"]).text
            style = "best" if row["mean"] == best[row["share"]] else ""
            cells[row["arm"], row["share"]] = Cell(f"{row['mean']:.3f}", style, note)
        table = []
        for arm in arm_order(rows, tested):
            first = Cell(arm, "tested" if arm in tested else "")
            table.append([first, *(cells.get((arm, share), NOT_RUN) for share in counts)])
        header = ["arm", *(f"{percent(share)}: {n:,} labels" for share, n in counts.items())]
        tables.append(Table(str(metric).replace("_", " "), header, table))
    return tables


def comparison_tables(comparisons: pd.DataFrame) -> list[Table]:
    """One table per metric, or of the primary endpoint, with every comparison and its verdict."""
    tables = []
    for metric, of_metric in comparisons.groupby("metric", sort=False):
        order = [name for name in ("arm", "reference", "share") if name in of_metric]
        rows = [_comparison(row) for _, row in of_metric.sort_values(order).iterrows()]
        header = [name for name in rows[0] if any(row[name].text for row in rows)]
        is_endpoint = "is_best" in of_metric and "p_chance" not in of_metric
        title = "primary endpoint" if is_endpoint else str(metric).replace("_", " ")
        tables.append(Table(title, header, [[row[name] for name in header] for row in rows]))
    return tables


def _comparison(row: "pd.Series[Any]") -> dict[str, Cell]:
    """The cells of a comparison by the header of their column; an endpoint's are in points."""
    of_endpoint, nothing = "is_best" in row, float("nan")
    at_all_labels = "p_chance" in row
    said = endpoint_verdict(row) if of_endpoint else verdict(row)
    said = verdict_at_all_labels(row) if at_all_labels else said
    marked = ("tested", "best on validation") if row.get("is_best") else ()
    name, scale, number = (
        ("points", 100, "{:+.2f}") if of_endpoint else ("difference", 1, "{:+.4f}")
    )
    interval = f"{number} to {number}"
    over_groups = [scale * row.get(end, nothing) for end in ("group_low", "group_high")]
    cells = {
        "arm": Cell(row["arm"]),
        "reference": Cell(row["reference"], *marked),
        "labels": Cell("" if of_endpoint else percent(row["share"])),
        "n": Cell(str(row["n"])),
        "arm mean": Cell(f"{row['mean']:.4f}"),
        "reference mean": Cell(f"{row['reference_mean']:.4f}"),
        name: Cell(number.format(scale * row["difference"])),
        "95 % interval": _text(interval, scale * row["ci_low"], scale * row["ci_high"]),
        "over test samples": _text(interval, *over_groups),
        "the arm": Cell(said, said.partition(" ")[0]),
    }
    for test, column in TESTS.items():
        p = row.get(column, nothing)
        cells[f"p ({test})"] = _text("{:.3f}" if p >= 0.001 else "{:.0e}" if p else "0", p)
    return cells | {"d_z": _text("{:+.2f}", row["effect_size"])}


def _text(pattern: str, *values: float) -> Cell:
    """The numbers as text; nothing where they could not be computed."""
    return Cell("" if any(map(pd.isna, values)) else pattern.format(*values))


def part_tables(data: pd.DataFrame, what: str) -> list[Table]:
    """Mean over seeds and interval of every arm in every class or batch; none of other data."""
    if not {*PARTS, "arm"} <= set(data.columns):
        return []
    arms = data["arm"].unique().tolist()
    cells = {}
    for row in data.to_dict("records"):
        interval = f"{row['low']:.3f} to {row['high']:.3f}"
        cells[row["part"], row["arm"]] = Cell(f"{row['mean']:.3f}", note=interval)
    first = data[data["arm"] == arms[0]].sort_values("n", ascending=False)
    rows = [
        [Cell(str(part)), Cell(f"{n:,}"), *(cells.get((part, arm), NOT_RUN) for arm in arms)]
        for part, n in zip(first["part"], first["n"], strict=True)
    ]
    return [Table(f"every {what}", [what, "samples", *arms], rows)]


def batch_told(batch: pd.DataFrame | None) -> list[Table]:
    """How well the batch is told from input and embedding."""
    if batch is None:
        return []
    rows = []
    for name, of_one in batch.groupby("representation", sort=False):
        told = of_one["balanced_accuracy"]
        spread = f"{told.min():.3f} to {told.max():.3f}" if len(told) > 1 else ""
        chance = f"{of_one['chance'].iloc[0]:.3f}"
        texts = [str(name), str(len(told)), f"{told.mean():.3f}", spread, chance]
        rows.append([Cell(text) for text in texts])
    header = ["told from", "seeds", "balanced accuracy", "over seeds", "by chance"]
    return [Table(f"batch, one of {batch['batches'].iloc[0]}", header, rows)]
