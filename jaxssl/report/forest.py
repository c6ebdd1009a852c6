"""The primary endpoint against every reference, and the labels that pretraining saves."""

import matplotlib.ticker
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from jaxssl.report.curves import arm_marks
from jaxssl.report.style import INK, MUTED, new_figure, short


def endpoint_forest(endpoint: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Difference in the endpoint to every reference: over seeds or splits, and over test groups."""
    arms = endpoint["arm"].unique().tolist()
    references = endpoint["reference"].unique().tolist()
    mark = arm_marks([*arms, *references])
    figure, axes = new_figure(
        8.6,
        0.9 + (0.6 + 0.36 * len(references)) * len(arms),
        nrows=len(arms),
        squeeze=False,
        sharex=True,
    )
    for ax, arm in zip(axes[:, 0], arms, strict=True):
        rows = endpoint[endpoint["arm"] == arm].reset_index(drop=True)
        ax.axvline(0, color=INK, lw=1.2)
        for i, row in rows.iterrows():
            colour, marker = mark[row["reference"]].colour, mark[row["reference"]].marker
            for low, high, y, width in (
                ("ci_low", "ci_high", i, 3.2),
                ("group_low", "group_high", i + 0.24, 1.2),
            ):
                ax.plot([100 * row[low], 100 * row[high]], [y, y], color=colour, lw=width,
                        solid_capstyle="round")  # fmt: skip
            ax.plot(100 * row["difference"], i, color=colour, marker=marker, ms=8)
        names = [
            f"minus {short(row['reference'])}" + " (best on validation)" * bool(row["is_best"])
            for _, row in rows.iterrows()
        ]
        ax.set_yticks(range(len(rows)), names)
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_title(short(arm))
    axes[-1, 0].set_xlabel(
        f"points of {endpoint['metric'].iloc[0].replace('_', ' ')} (right of 0: the arm is better)"
    )
    return figure, endpoint


def labels_saved(saved: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Labels that each reference needs for what an arm reaches with fewer; on the line, none."""
    arms = saved["arm"].unique().tolist()
    references = saved["reference"].unique().tolist()
    mark = arm_marks([*arms, *references])
    figure, axes = new_figure(10.4, 4.4, ncols=len(arms), squeeze=False)
    most = saved["n_labelled"].max()
    for ax, arm in zip(axes[0], arms, strict=True):
        ends = np.array([saved["n_labelled"].min(), most])
        ax.plot(ends, ends, color=INK, lw=1, ls="--")
        for i, reference in enumerate(references):
            rows = saved[(saved["arm"] == arm) & (saved["reference"] == reference)]
            rows = rows.sort_values("n_labelled")
            x = rows["n_labelled"] * 1.04 ** (i - (len(references) - 1) / 2)
            needed, low, high = (
                np.minimum(rows[name], 1.35 * most) for name in ("needed", "needed_low",
                                                                 "needed_high")
            )  # fmt: skip
            error = np.nan_to_num(np.stack([needed - low, high - needed]))
            ax.errorbar(x, needed, yerr=np.maximum(error, 0), color=mark[reference].colour,
                        marker=mark[reference].marker, ms=5.5, lw=0.9, ls=":", elinewidth=1.1,
                        label=short(reference))  # fmt: skip
        ax.axhline(1.2 * most, color=MUTED, lw=0.8)
        ax.annotate("more than the largest budget", (0.02, 1.14 * most), va="top", color=MUTED,
                    xycoords=("axes fraction", "data"), fontsize=8.5)  # fmt: skip
        ax.set(title=short(arm), xscale="log", yscale="log", xlabel="labels of the arm")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:,.0f}"))
            axis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes[0, 0].set_ylabel("labels that the reference needs")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 4))
    return figure, saved
