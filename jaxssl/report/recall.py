"""Scores of parts of the test samples, a row a part: recall of classes, accuracy in batches."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from jaxssl.evaluation.batch import within_batches
from jaxssl.report.confusion import confusion_counts
from jaxssl.report.style import GRID, Mark, new_figure, short

MAX_BATCHES = 40  # the largest ones are drawn; the CSV has all
PARTS = ["part", "mean", "low", "high", "n"]  # of seeds: mean, lowest, highest; n samples


def class_recall(
    predictions: Mapping[str, pd.DataFrame], mark: Mapping[str, Mark]
) -> tuple[Figure, pd.DataFrame]:
    """Recall of every class by every arm; bars from the lowest to the highest seed."""
    tables = {arm: recalls(of_arm) for arm, of_arm in predictions.items()}
    return _dots(tables, mark, "recall on the test part")


def recalls(predictions: pd.DataFrame) -> pd.DataFrame:
    """Per class with test samples: recall over the seeds, and the number of samples (`PARTS`)."""
    rows = []
    for _, of_seed in predictions.groupby("seed"):
        counts = confusion_counts(of_seed)
        n = counts.sum(axis=1)
        right = pd.Series(np.diag(counts), index=counts.index)
        table = pd.DataFrame({"value": right / n.where(n > 0), "n": n}).rename_axis("part")
        rows.append(table.reset_index())
    return _over_seeds(pd.concat(rows))


def batch_accuracy(
    predictions: Mapping[str, pd.DataFrame],
    batches: "pd.Series[str]",
    mark: Mapping[str, Mark],
) -> tuple[Figure, pd.DataFrame]:
    """Accuracy of every arm in every batch; bars from the lowest to the highest seed."""
    tables = {}
    for arm, of_arm in predictions.items():
        found = within_batches(of_arm, batches, ["accuracy"])
        tables[arm] = _over_seeds(found.rename(columns={"batch": "part", "n_samples": "n"}))
    return _dots(tables, mark, "accuracy on the test part")


def _over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    found = rows.groupby("part").agg(
        mean=("value", "mean"), low=("value", "min"), high=("value", "max"), n=("n", "first")
    )
    return found[found["n"] > 0].reset_index()[PARTS]


def _dots(
    tables: Mapping[str, pd.DataFrame], mark: Mapping[str, Mark], what: str
) -> tuple[Figure, pd.DataFrame]:
    """A row a part, the largest above; a mark an arm."""
    first = next(iter(tables.values())).sort_values("n").tail(MAX_BATCHES)
    place = {name: i for i, name in enumerate(first["part"])}
    figure, ax = new_figure(8.6, 1.4 + 0.3 * len(place))
    for i, (arm, table) in enumerate(tables.items()):
        drawn = table[table["part"].isin(list(place))]
        y = drawn["part"].map(place) + 0.28 * ((len(tables) - 1) / 2 - i)
        error = np.stack([drawn["mean"] - drawn["low"], drawn["high"] - drawn["mean"]])
        error = np.maximum(error, 0)  # a mean of equal numbers may miss them by a bit
        ax.errorbar(drawn["mean"], y, xerr=error, color=mark[arm].colour, ls="",
                    marker=mark[arm].marker, ms=5.5, elinewidth=1, label=short(arm))  # fmt: skip
    names = [f"{short(str(c))} ({n:,})" for c, n in zip(first["part"], first["n"], strict=True)]
    ax.set_yticks(list(place.values()), names, fontsize=8.5)
    lowest = min(table["low"].min() for table in tables.values())
    ax.set(xlabel=f"{what} (in brackets: samples)", xlim=(max(-0.02, lowest - 0.05), 1.02))
    ax.set_ylim(-0.7, len(place) - 0.3)
    ax.grid(axis="x", color=GRID)
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 4))
    return figure, pd.concat([t.assign(arm=arm) for arm, t in tables.items()])
