"""What transfers between cohorts came to: tables that people read, and one forest plot."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.lines
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxssl.evaluation.families import best_classical, differences, of_families
from jaxssl.evaluation.headline import percent
from jaxssl.evaluation.transfer import COMBINED
from jaxssl.files import replacing, write_table, write_text
from jaxssl.report.drawing import INK, MUTED, add_axes, marks, styled
from jaxssl.runs import layout

MOST = 12  # pipelines shown, the best ones of each share
MEAN = "mean over families"


def write_report(folder: Path, rows: pd.DataFrame, command: str, warnings: Sequence[str]) -> None:
    """Write `transfer.csv`, `differences.csv`, `transfer.md` and the figure of a run."""
    reference = best_classical(rows)
    compared = differences(rows, reference)
    means = of_families(rows)
    shown = means.assign(**{MEAN: means.mean(axis=1)}).reset_index()
    write_table(folder / "transfer.csv", shown)
    write_table(folder / layout.DIFFERENCES, compared)
    figures = folder / layout.FIGURES
    figures.mkdir(exist_ok=True)
    for suffix in ("png", "svg"):
        with styled(), replacing(figures / f"transfer.{suffix}") as part:
            figure = Figure(layout="constrained")
            forest(figure, compared[compared["arm"].isin(COMBINED)])
            figure.savefig(part, format=suffix, dpi=150)
    text = in_words(rows, means, compared, reference, command, warnings)
    write_text(folder / layout.TRANSFERRED, text)


def in_words(
    rows: pd.DataFrame,
    means: pd.DataFrame,
    compared: pd.DataFrame,
    reference: tuple[str, str],
    command: str,
    warnings: Sequence[str],
) -> str:
    """The page of a run."""
    pairs = rows[["family", "source", "target"]].drop_duplicates()
    n_cohorts = pairs.groupby("family")["target"].nunique()
    families = ", ".join(f"{family} ({n} targets)" for family, n in n_cohorts.items())
    parts = [
        "# Labels of one cohort for samples of another",
        f"```\n{command}\n```" if command else "",
        f"{len(pairs)} transfers in {len(n_cohorts)} "
        f"famil{'ies' if len(n_cohorts) > 1 else 'y'}: {families}. Balanced accuracy in percent, "
        "mean over seeds, then over the transfers of a family; a family counts once. `sees target` "
        "says that an arm sees unlabelled samples of the target (the frames cohort, rank_cohort "
        "and combat take their moments from them for every arm).",
        *(f"Warning: {text}" for text in warnings),
    ]
    for share in sorted(rows["share"].unique()):
        parts += [f"## {percent(share)} of the source's labels", _table(means, rows, share)]
    parts += [
        f"## Against {reference[0]} in the frame {reference[1]}",
        "The classical pipeline, of one arm and one frame, with the best mean over families and "
        "shares: it is chosen on the scores below, which flatters it. Differences in points, with "
        "95 % intervals by bootstrap of the cohorts of every family.",
        _differences(compared),
        "![differences](figures/transfer.png)",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(means: pd.DataFrame, rows: pd.DataFrame, share: float) -> str:
    """The best pipelines at a share, and every arm in its best frame."""
    of = 100 * means.xs(share, level="share")
    of[MEAN] = of.mean(axis=1)
    of = of.sort_values(MEAN, ascending=False)
    is_first = ~of.index.get_level_values("arm").duplicated()
    of = of[is_first | (pd.Series(range(len(of)), index=of.index) < MOST)]
    sees = rows.groupby("arm")["sees_target"].first()
    head = ["arm", "frame", "sees target", *map(str, of.columns)]
    lines = [head, ["---"] * 3 + ["---:"] * len(of.columns)]
    for row in of.reset_index().itertuples(index=False, name=None):
        told = "yes" if sees[row[0]] else "no"
        lines.append([f"`{row[0]}`", row[1], told, *(f"{value:.1f}" for value in row[2:])])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _differences(compared: pd.DataFrame) -> str:
    families = list(compared.columns[8:])
    head = ["arm", "frame", "labels", MEAN, "95 % interval", *families]
    lines = [head, ["---"] * 3 + ["---:"] * (2 + len(families))]
    order = compared.groupby(["arm", "frame"])["difference"].transform("mean")
    for row in (
        compared.assign(order=order)
        .sort_values(["order", "share"], ascending=[False, True])
        .to_dict("records")
    ):
        of = [f"{100 * row[family]:+.1f}" for family in families]
        interval = f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}"
        mean = f"{100 * row['difference']:+.1f}"
        lines.append([f"`{row['arm']}`", row["frame"], percent(row["share"]), mean, interval, *of])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def forest(figure: Figure, compared: pd.DataFrame) -> None:
    """Differences of the arms of several frames, by family and over all, a panel a share."""
    families, shares = list(compared.columns[8:]), sorted(compared["share"].unique())
    names = [MEAN, *families]
    size = 1.5 + 3.2 * len(shares), 1.6 + 0.42 * len(names)
    axes = add_axes(figure, *size, ncols=len(shares), sharey=True, squeeze=False)[0]
    look = marks(list(COMBINED))
    for ax, share in zip(axes, shares, strict=True):
        ax.axvline(0, color=MUTED, lw=1)
        own = compared[compared["share"] == share]
        for i, row in enumerate(own.to_dict("records")):
            _draw(ax, row, names, look[row["arm"]], (i - (len(own) - 1) / 2) * 0.26)
        ax.set_title(f"{percent(share)} of the labels")
        ax.set_xlabel("points of balanced accuracy")
        ax.set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    arms = compared["arm"].unique()
    handles = [matplotlib.lines.Line2D([], [], ls="", label=arm, **look[arm]) for arm in arms]
    rival = compared.iloc[0]
    title = f"less {rival['reference']} in the frame {rival['reference_frame']}"
    figure.legend(
        handles=handles, loc="outside upper center", ncols=len(arms), title=title, frameon=False
    )


def _draw(ax: Axes, row: dict, names: list[str], look: dict, shift: float) -> None:
    """One pipeline: its mean with interval, then every family."""
    mean = 100 * row["difference"]
    bars = [[mean - 100 * row["low"]], [100 * row["high"] - mean]]
    ax.errorbar([mean], [shift], xerr=bars, ms=8, lw=1.8, ls="", mec=INK, **look)
    values = [100 * row[name] for name in names[1:]]
    ax.plot(values, [i + 1 + shift for i in range(len(values))], ls="", ms=5.5, **look)
