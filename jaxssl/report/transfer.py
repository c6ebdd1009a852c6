"""What transfers between cohorts came to: tables that people read, and one forest plot."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.lines
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxssl.evaluation.families import HEAD, best_classical, differences, of_families
from jaxssl.evaluation.headline import percent
from jaxssl.evaluation.transfer import ARMS, COMBINED, SEVERAL
from jaxssl.files import replacing, write_table, write_text
from jaxssl.report.drawing import INK, MUTED, add_axes, interval_bars, marks, short, styled
from jaxssl.report.tables import as_markdown
from jaxssl.runs import layout

MOST = 12  # pipelines in a table, the best ones of each share
MOST_TOLD = 5  # transfers that are left out, by name
MEAN = "mean over families"
OURS = [*COMBINED, *(name for name, arm in ARMS.items() if not arm.is_classical)]
PROTOCOL = {
    "pairs": "from each cohort to each other one",
    "leave_cohort_out": "to each cohort from all others",
}


def write_report(
    folder: Path,
    rows: pd.DataFrame,
    command: str,
    warnings: Sequence[str] = (),
    left_out: Sequence[str] = (),
) -> None:
    """Write `transfer.csv`, `differences.csv`, `transfer.md` and the figure of a run."""
    reference, means = best_classical(rows), of_families(rows)
    compared = differences(rows, reference)
    shown = means.assign(**{MEAN: means.mean(axis=1)}).reset_index()
    write_table(folder / "transfer.csv", shown)
    write_table(folder / layout.DIFFERENCES, compared)
    parts = [_head(rows, command, warnings, left_out)]
    parts += [_table(means, rows, share) for share in means.index.unique("share").sort_values()]
    if len(compared):
        figures = folder / layout.FIGURES
        figures.mkdir(exist_ok=True)
        for suffix in ("png", "svg"):
            with styled(), replacing(figures / f"transfer.{suffix}") as part:
                figure = Figure(layout="constrained")
                forest(figure, drawn(compared))
                figure.savefig(part, format=suffix, dpi=150)
        parts += [_differences(compared), "![differences](figures/transfer.png)"]
    write_text(folder / layout.TRANSFERRED, "\n\n".join(parts) + "\n")


def _head(
    rows: pd.DataFrame, command: str, warnings: Sequence[str], left_out: Sequence[str]
) -> str:
    """What was done, and how the numbers below are to be read."""
    pairs = rows[["family", "source", "target"]].drop_duplicates()
    n_targets = pairs.groupby("family")["target"].nunique()
    families = ", ".join(f"{family} ({n} targets)" for family, n in n_targets.items())
    how = ", ".join(PROTOCOL[protocol] for protocol in rows["protocol"].unique())
    told, more = "; ".join(left_out[:MOST_TOLD]), len(left_out) - MOST_TOLD
    parts = [
        "# Labels of one cohort for samples of another",
        f"```\n{command}\n```" if command else "",
        f"{_counted(len(pairs), 'transfer')}, {how}, in {_counted(len(n_targets), 'family')}: "
        f"{families}. Balanced accuracy in percent, mean over seeds, then over the transfers of a "
        "family; a family counts once. Accuracy in percent and log loss in nats are means over "
        "families. The frame is what a gene's value is relative to. `sees "
        "target` says that an arm sees unlabelled samples of the target (the frames cohort, "
        "rank_cohort and combat take their moments from them for every arm).",
        f"Left out: {told}{f'; and {more} more' if more > 0 else ''}." if left_out else "",
        *(f"Warning: {text}" for text in warnings),
    ]
    return "\n\n".join(filter(None, parts))


def _counted(n: int, what: str) -> str:
    plural = f"{what}s" if not what.endswith("y") else f"{what[:-1]}ies"
    return f"{n} {what if n == 1 else plural}"


def _table(means: pd.DataFrame, rows: pd.DataFrame, share: float) -> str:
    """The best pipelines at a share, and every arm in its best frame."""
    of = 100 * means.xs(share, level="share")
    order = of.mean(axis=1).sort_values(ascending=False).index
    of = (of.assign(**{MEAN: of.mean(axis=1)}) if len(of.columns) > 1 else of).loc[order]
    is_first = ~of.index.get_level_values("arm").duplicated()
    of = of[is_first | (pd.Series(range(len(of)), index=of.index) < MOST)]
    sees = rows.groupby("arm")["sees_target"].first()
    own = rows[rows["share"] == share]
    beside = [of_families(own, metric).mean(axis=1) for metric in ("accuracy", "log_loss")]
    accuracy, loss = (found.droplevel("share").reindex(of.index) for found in beside)
    header = ["arm", "frame", "sees target", *map(str, of.columns), "accuracy", "log loss"]
    table, lines = of.assign(accuracy=100 * accuracy).reset_index(), []
    for (arm, frame, *values), nats in zip(table.itertuples(index=False), loss, strict=True):
        told = "yes" if sees[arm] else "no"
        numbers = [*(f"{value:.1f}" for value in values), f"{nats:.3f}"]
        lines.append([f"`{arm}`", frame, told, *numbers])
    return f"## {percent(share)} of the source's labels\n\n{as_markdown(header, lines)}"


def _differences(compared: pd.DataFrame) -> str:
    """What is no classical pipeline less the best one that is."""
    families = compared.columns[len(HEAD) :]
    over = "families and shares" if len(families) > 1 else "shares"
    named = (
        [MEAN, "95 % interval", *families] if len(families) > 1 else [*families, "95 % interval"]
    )
    header, lines = ["arm", "frame", "labels", *named], []
    order = compared.groupby(["arm", "frame"])["difference"].transform("mean")
    by = compared.assign(order=order).sort_values(["order", "share"], ascending=[False, True])
    for row in by.to_dict("records"):
        of = [_points(row[family]) for family in families] if len(families) > 1 else []
        known = pd.notna(row["low"])
        interval = f"{_points(row['low'])} to {_points(row['high'])}" if known else "not known"
        numbers = [_points(row["difference"]), interval, *of]
        lines.append([f"`{row['arm']}`", row["frame"], percent(row["share"]), *numbers])
    rival, frame = compared.iloc[0][["reference", "reference_frame"]]
    return (
        f"## Against {rival} in the frame {frame}\n\nThe classical pipeline, of one arm and one "
        f"frame, with the best mean over {over}: it is chosen on the scores above, "
        "which flatters it. Differences in points of balanced accuracy, with 95 % intervals by "
        "bootstrap of the cohorts of every family; two cohorts cannot be drawn anew, and a family "
        f"of two adds no width.\n\n{as_markdown(header, lines)}"
    )


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def drawn(compared: pd.DataFrame) -> pd.DataFrame:
    """The arms of several frames; where there is none, all others in their best frame each."""
    combined = compared[compared["arm"].isin(COMBINED)]
    if len(combined):
        return combined
    means = compared.groupby(["arm", "frame"])["difference"].mean()
    best = means.groupby(level="arm").idxmax()
    return compared[pd.MultiIndex.from_frame(compared[["arm", "frame"]]).isin(best)]


def forest(figure: Figure, compared: pd.DataFrame) -> None:
    """Differences by family and over all, a panel a share."""
    families, shares = list(compared.columns[len(HEAD) :]), sorted(compared["share"].unique())
    names = [MEAN, *families] if len(families) > 1 else families
    arms, look = compared["arm"].unique(), marks(OURS)
    height = max(0.42, 0.16 * len(arms))  # of a row, in inches
    size = 1.9 + 3.2 * len(shares), 1.7 + height * len(names)
    axes = add_axes(figure, *size, ncols=len(shares), sharex=True, sharey=True, squeeze=False)[0]
    axes[0].xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    for ax, share in zip(axes, shares, strict=True):
        ax.axvline(0, color=MUTED, lw=1)
        own = compared[compared["share"] == share]
        for i, arm in enumerate(arms):
            shift = 0.8 * ((i + 0.5) / len(arms) - 0.5)
            _draw(ax, own[own["arm"] == arm], names, look[arm], shift)
        ax.set_title(f"{percent(share)} of the labels")
        ax.set_yticks(range(len(names)), [short(name, 28) for name in names])
        ax.set_ylim(len(names) - 0.5, -0.5)
        if len(names) > 1:
            ax.axhline(0.5, color=MUTED, lw=0.8)
    rival = _pipeline(*compared.iloc[0][["reference", "reference_frame"]])
    label = f"points of balanced accuracy above\n{rival}"
    figure.supxlabel(label, fontsize=matplotlib.rcParams["axes.labelsize"])
    frames = compared.groupby("arm")["frame"].first()
    handles = [
        matplotlib.lines.Line2D([], [], ls="", label=_pipeline(arm, frames[arm]), **look[arm])
        for arm in arms
    ]
    columns = min(len(arms), 2 * len(shares))
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False)


def _pipeline(arm: str, frame: str) -> str:
    return arm if frame == SEVERAL else f"{arm} in the frame {frame}"


def _draw(ax: Axes, row: pd.DataFrame, names: list[str], look: dict, shift: float) -> None:
    """One pipeline: its mean with interval, then every family."""
    ax.errorbar(
        100 * row["difference"],
        [shift] * len(row),
        xerr=100 * interval_bars(row, "difference", "low", "high"),
        **{"ms": 7, "lw": 1.8, "ls": "", "mec": INK} | look,
    )
    for i, name in enumerate(names[1:] if len(names) > 1 else [], start=1):
        ax.plot(100 * row[name], [i + shift] * len(row), ls="", ms=5.5, **look)
