"""Tables of the page: scores, paired differences, the primary endpoint, classes and batches."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pandas as pd

from jaxssl.evaluation.headline import endpoint_verdict, percent, verdict
from jaxssl.evaluation.stats import ERRORS
from jaxssl.report.curves import arm_order
from jaxssl.report.recall import PARTS
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


def as_markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with bars."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


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
    *("95 % interval", "the arm", "p (t)", "p (Wilcoxon)", "p (Nadeau-Bengio)", "p (Holm)", "d_z"),
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
    ]
    tests = _tests(row, "p_t", "p_wilcoxon", "p_nadeau_bengio", "p_holm")
    return [*map(Cell, texts), Cell(outcome, outcome), *tests]


def _tests(row: "pd.Series[Any]", *names: str) -> list[Cell]:
    """The p values, and the standardised effect."""
    effect = row["effect_size"]
    p = [Cell("" if row[n] != row[n] else _p(row[n])) for n in names]
    return [*p, Cell("" if effect != effect else f"{effect:+.2f}")]


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


ENDPOINT_HEADER = [
    *("arm", "reference", "n", "arm mean", "reference mean", "points", "95 % interval"),
    *("over test samples", "the arm", "p (t)", "p (Wilcoxon)", "p (Nadeau-Bengio)", "p (Holm)"),
    *("p (equivalence)", "d_z"),
]


def endpoint_table(endpoint: pd.DataFrame) -> Table:
    """Every comparison of the primary endpoint; declared ones say so and have a verdict."""
    rows = [_endpoint(row) for _, row in endpoint.sort_values(["arm", "reference"]).iterrows()]
    return _without_blank_columns(Table("primary endpoint", ENDPOINT_HEADER, rows))


def _endpoint(row: "pd.Series[Any]") -> list[Cell]:
    outcome = endpoint_verdict(row)
    best = "tested" if row["is_best"] else ""
    texts = [
        f"{row['mean']:.4f}",
        f"{row['reference_mean']:.4f}",
        f"{100 * row['difference']:+.2f}",
        _points(row["ci_low"], row["ci_high"]),
        _points(row["group_low"], row["group_high"]),
    ]
    tests = _tests(row, "p_t", "p_wilcoxon", "p_nadeau_bengio", "p_holm", "p_equivalence")
    reference = Cell(str(row["reference"]), best, "best on validation" if best else "")
    head = [Cell(str(row["arm"])), reference, Cell(str(row["n"]))]
    return [*head, *map(Cell, texts), Cell(outcome, outcome), *tests]


def _points(low: float, high: float) -> str:
    return "" if low != low else f"{100 * low:+.2f} to {100 * high:+.2f}"


def part_tables(data: pd.DataFrame, what: str) -> list[Table]:
    """Mean over seeds, and its span, of every arm in every class or batch; none of other data.

    `what` a part is heads the first column.
    """
    if not {*PARTS, "arm"} <= set(data.columns):
        return []
    arms = data["arm"].unique().tolist()
    cells = {(row["part"], row["arm"]): _span(row) for _, row in data.iterrows()}
    first = data[data["arm"] == arms[0]].sort_values("n", ascending=False)
    rows = [
        [
            Cell(str(row["part"])),
            Cell(f"{row['n']:,}"),
            *(cells.get((row["part"], arm), Cell("not run", "quiet")) for arm in arms),
        ]
        for _, row in first.iterrows()
    ]
    return [Table(f"every {what}", [what, "samples", *arms], rows)]


def _span(row: "pd.Series[Any]") -> Cell:
    return Cell(f"{row['mean']:.3f}", note=f"{row['low']:.3f} to {row['high']:.3f}")


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
