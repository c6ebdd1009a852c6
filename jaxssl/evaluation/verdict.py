"""What a user with so many labels should do, in plain words: the verdict at all of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import gammaln

from jaxssl.evaluation.all_labels import is_above_chance
from jaxssl.evaluation.arms import SCRATCH, parted
from jaxssl.evaluation.intervals import ALPHA
from jaxssl.evaluation.stats import ESTIMANDS, FLOOR

IN_WORDS = {
    "logreg": "logistic regression",
    "pca_logreg": "logistic regression on principal components",
    "cluster_logreg": "logistic regression on clusters and components",
    "centroid": "the nearest class mean",
    "knn": "nearest neighbours",
    "label_spreading": "label spreading",
    "spread_selftrain": "label spreading with self-training",
    "pool": "a pool of class means, linear models and a graph",
    "random_forest": "a random forest",
}
WINS, LOSES, EQUIVALENT, UNDECIDED = "wins", "loses", "equivalent", "undecided"
ADVICE = {
    LOSES: "{tested} loses to it with this many labels",
    EQUIVALENT: "{tested} is equivalent to it, and costs more",
    UNDECIDED: "nothing here shows that {tested} is better with this many labels",
}


def said_of(row: "pd.Series[Any]") -> str:
    """Whether an arm wins, loses or is equivalent at all labels, or nothing is decided.

    On one split both intervals must exclude 0: that over seeds, and that over test samples.
    """
    ends = [(row["ci_low"], row["ci_high"])]
    if row["estimand"] == ESTIMANDS[False] and pd.notna(row["group_low"]):
        ends.append((row["group_low"], row["group_high"]))
    if row["p_holm"] <= ALPHA and all(low > 0 for low, _ in ends):
        return WINS
    if row["p_holm"] <= ALPHA and all(high < 0 for _, high in ends):
        return LOSES
    is_narrow = all(-row["margin"] < end < row["margin"] for pair in ends for end in pair)
    return EQUIVALENT if row["p_equivalence"] <= ALPHA and is_narrow else UNDECIDED


def verdict_at_all_labels(row: "pd.Series[Any]") -> str:
    """Of a row of `at_all_labels`, what it comes to; "" for what was not declared."""
    if row["reference"] == FLOOR:
        return "above chance" if is_above_chance(row) else "at chance"
    return said_of(row) if row["is_best"] or row["reference"] == SCRATCH else ""


def verdict_of(all_labels: pd.DataFrame, n_labelled: int, estimate: str) -> dict[str, Any]:
    """The verdict as `summary.json` has it.

    Args:
        all_labels: of `at_all_labels`.
        n_labelled: training labels that the arms were fitted on.
        estimate: over what the intervals are, in words, such as "over splits".

    Returns:
        {} where nothing was compared; else the share and number of labels; `sentences` for people;
        `use`, the arm to use, "" where all are at chance; `at_chance`, whether they are, None where
        no predictions tell, or so few that an arm without an error would not pass.
    """
    if all_labels.empty:
        return {}
    share = float(str(all_labels["shares"].iloc[0]))
    of = f"all {n_labelled:,}" if share == 1 else f"{n_labelled:,}"
    with_ = f"With {of} training labels"
    floor = all_labels[all_labels["reference"] == FLOOR]
    above = [row["arm"] for _, row in floor.iterrows() if is_above_chance(row)]
    told = {"share": share, "n_labelled": n_labelled, "at_chance": None}
    if not floor.empty:
        told["at_chance"] = not above
        if not above:
            told["at_chance"] = None if _is_too_small(floor) else True
            return told | {"use": "", "sentences": [_all_at_chance(floor, with_)]}
    compared = all_labels[all_labels["reference"] != FLOOR]
    sentences, winners = [], {}
    for arm, rows in compared.groupby("arm", sort=False):
        sentences.append(_worth(str(arm), rows, with_, estimate))
        best = rows[rows["is_best"].astype(bool)]
        if len(best) and said_of(best.iloc[0]) == WINS:
            winners[str(arm)] = float(best["mean"].iloc[0])
    best = compared[compared["is_best"].astype(bool)]
    use = max(winners, key=lambda arm: winners[arm]) if winners else ""
    at_chance = [arm for arm in floor["arm"] if arm not in above]
    if best.empty:
        if above:
            sentences.append(f"{with_}, above chance: {', '.join(above)}." + _chance(at_chance))
        return told | {"use": use, "sentences": sentences}
    advice = f"Use {use}." if use else _use_classical(best)
    sentences.append(advice + _chance(at_chance))
    return told | {"use": use or str(best["reference"].iloc[0]), "sentences": sentences}


def _chance(arms: Sequence[str]) -> str:
    return f" At chance: {', '.join(arms)}." if arms else ""


def _all_at_chance(floor: pd.DataFrame, with_: str) -> str:
    best = floor.sort_values("mean").iloc[-1]
    arms = f"{len(floor)} arms" if len(floor) > 1 else "one arm"
    found = "all methods are at chance: none is shown to tell the classes better than naming one"
    if _is_too_small(floor):
        found = (
            "the test samples are too few to show of any method that it is better than naming one"
        )
    return (
        f"{with_}, {found} class for all. The best, {best['arm']}, has a balanced accuracy of "
        f"{best['mean']:.3f}, where chance is {best['reference_mean']:.3f} (permutation test on "
        f"{best['n']} test samples, Holm p {best['p_chance']:.2g} over {arms}). Differences "
        "between methods mean nothing here; more labels, or another question, come before any "
        "method."
    )


def _is_too_small(floor: pd.DataFrame) -> bool:
    """Whether the permutation test could not pass an arm that names no sample wrong.

    Its least p is that of classes of one size.
    """
    n, k = float(floor["n"].max()), round(1 / float(floor["reference_mean"].min()))
    least = np.exp(k * gammaln(n / k + 1) - gammaln(n + 1))
    return bool(len(floor) * least > ALPHA)


def _worth(arm: str, rows: pd.DataFrame, with_: str, estimate: str) -> str:
    """What an arm is worth against training from scratch and the best classical arm."""
    clauses = []
    for _, row in rows[(rows["reference"] == SCRATCH) | rows["is_best"].astype(bool)].iterrows():
        who = f"{row['reference']}, the best classical arm on validation"
        who = "training from scratch" if row["reference"] == SCRATCH else who
        interval = "no interval"
        if pd.notna(row["ci_low"]):
            interval = f"{100 * row['ci_low']:+.1f} to {100 * row['ci_high']:+.1f}"
        clauses.append(f"{100 * row['difference']:+.1f} against {who} ({interval}: {said_of(row)})")
    if not clauses:
        return f"{with_}, {arm} was set against neither scratch nor a classical arm."
    return (
        f"{with_}, {arm} is worth, in points of balanced accuracy with 95 % intervals {estimate}: "
        f"{'; '.join(clauses)}."
    )


def _use_classical(best: pd.DataFrame) -> str:
    """The advice to use the best classical arm, and why."""
    reference = str(best["reference"].iloc[0])
    name = parted(reference)[0]
    words = f"{IN_WORDS[name]} ({reference})" if name in IN_WORDS else reference
    by_verdict: dict[str, list[str]] = {}
    for _, row in best.iterrows():
        by_verdict.setdefault(said_of(row), []).append(row["arm"])
    why = [ADVICE[said].format(tested=joined(arms, "or")) for said, arms in by_verdict.items()]
    return f"Use {words}: {'; '.join(why)}."


def joined(words: Sequence[str], last: str = "and") -> str:
    """Words in a list, `last` before the last of them.

    >>> joined(["swav", "byol", "moco"], "or")
    'swav, byol or moco'
    """
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
