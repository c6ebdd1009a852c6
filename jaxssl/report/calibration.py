"""Reliability: how often the named class is right, against how sure the arm says it is."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from jaxssl.evaluation.metrics import ECE_BINS
from jaxssl.evaluation.predictions import unpack
from jaxssl.report.style import INK, MUTED, Mark, new_figure, short

MIN_SAMPLES = 10  # of a bin that is drawn; fewer say nothing


def reliability(predictions: pd.DataFrame) -> pd.DataFrame:
    """Bins of equal width: mean confidence, accuracy and number of predictions, seeds pooled."""
    found = unpack(predictions)
    confidence = found.probabilities.max(axis=1)
    number = np.digitize(confidence, np.arange(1, ECE_BINS) / ECE_BINS, right=True)
    table = pd.DataFrame({"bin": number, "confidence": confidence, "accuracy": found.right})
    found = table.groupby("bin").mean()
    return found.assign(n=table.groupby("bin").size()).reset_index()


def calibration(
    predictions: Mapping[str, pd.DataFrame], mark: Mapping[str, Mark]
) -> tuple[Figure, pd.DataFrame]:
    """Reliability curves of several arms at one share, and how many predictions each bin has."""
    figure, (above, below) = new_figure(6.4, 6.4, nrows=2, height_ratios=[3, 1], sharex=True)
    above.plot([0, 1], [0, 1], color=INK, lw=1, ls="--")
    above.annotate("as sure as right", (0.03, 0.06), color=MUTED, fontsize=8.5, rotation=45,
                   rotation_mode="anchor")  # fmt: skip
    tables = []
    for arm, of_arm in predictions.items():
        table = reliability(of_arm)
        tables.append(table.assign(arm=arm))
        drawn = table[table["n"] >= MIN_SAMPLES]
        colour, marker = mark[arm].colour, mark[arm].marker
        above.plot(drawn["confidence"], drawn["accuracy"], color=colour, marker=marker, ms=5.5,
                   lw=1.4, label=short(arm))  # fmt: skip
        share = 100 * table["n"] / table["n"].sum()
        below.plot(table["confidence"], share, color=colour, marker=marker, ms=4, lw=1)
    above.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    below.set(xlabel="probability of the class that is named", ylabel="% of predictions")
    handles, labels = above.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 4))
    return figure, pd.concat(tables)[["arm", "bin", "confidence", "accuracy", "n"]]
