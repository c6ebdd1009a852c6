"""What may be said of a comparison: verdicts, and one sentence that a reader takes away."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from jaxssl.evaluation.arms import is_classical, parted
from jaxssl.evaluation.conclusions import Conclusions
from jaxssl.evaluation.fits import counted, failed_fits, fix
from jaxssl.evaluation.intervals import ALPHA
from jaxssl.evaluation.stats import ERRORS, ESTIMANDS, exactly, summarize
from jaxssl.evaluation.verdict import EQUIVALENT, LOSES, UNDECIDED, WINS, joined, verdict_of

NO_ENDPOINT = " There is no primary endpoint: no share of 1 to 10 % was compared."
VERBS = {
    WINS: "beats",
    EQUIVALENT: "is equivalent to",
    UNDECIDED: "is undecided against",
    LOSES: "loses to",
}


def headlines(concluded: Conclusions) -> list[str]:
    """For every arm under test, of one task, the sentence that its results come down to.

    Share by share where there was no classical arm to be beaten at 1 to 10 % of the labels.
    """
    best = concluded.endpoint[concluded.endpoint["is_best"].astype(bool)]
    declared = {row["arm"]: row for _, row in best.iterrows()}
    chosen_from = [arm for arm in concluded.endpoint["reference"].unique() if is_classical(arm)]
    n_arms, n_frames = (len({parted(arm)[i] for arm in chosen_from}) for i in (0, 1))
    return [
        endpoint_sentence(declared[arm], n_arms, n_frames)
        if arm in declared
        else sentence_by_share(concluded.statistics, arm) + NO_ENDPOINT * concluded.endpoint.empty
        for arm in concluded.statistics["arm"].unique()
    ]


def best_reference(statistics: pd.DataFrame, arm: str, metric: str) -> pd.DataFrame:
    """The rows of `arm` against the reference with the best mean at each share, by share."""
    rows = statistics[(statistics["arm"] == arm) & (statistics["metric"] == metric)]
    rank = rows["reference_mean"] * (-1 if metric in ERRORS else 1)
    best = rank.groupby([rows["dataset"], rows["task"], rows["share"]]).idxmax()
    return rows.loc[best].sort_values("share")


def verdict(row: "pd.Series[Any]") -> str:
    """ "wins" or "loses" where interval and Holm-adjusted p both exclude chance, or "undecided"."""
    excludes_zero = row["ci_low"] > 0 or row["ci_high"] < 0
    if not (excludes_zero and row["p_holm"] <= ALPHA):
        return UNDECIDED
    sign = -1 if row["metric"] in ERRORS else 1
    return WINS if sign * row["difference"] > 0 else LOSES


def sentence_by_share(statistics: pd.DataFrame, arm: str, metric: str = "accuracy") -> str:
    """One sentence on `arm` against the best of the references at each share, for one task.

    The reference is picked by its mean on the test part, which favours the references.
    """
    rows = best_reference(statistics, arm, metric)
    verdicts = rows.apply(verdict, axis=1)
    references = statistics.loc[statistics["arm"] == arm, "reference"].unique().tolist()
    opponent = (
        f"the best of {joined(_told(references))}" if references[1:] else called(references[0])
    )
    name, clauses = metric.replace("_", " "), []
    for word, verb in VERBS.items():
        chosen = rows[verdicts == word]
        if not chosen.empty:
            first = chosen.iloc[0]
            object_ = "it" if clauses else f"{opponent} in test {name}"
            of = "" if clauses else " of the labels"
            at = "" if len(chosen) == 1 else f"at {percent(first['share'])}: "
            shares = joined(_spans(chosen["share"].tolist(), rows["share"].tolist()))
            clauses.append(f"{verb} {object_} at {shares} %{of} ({at}{_interval(first)})")
    n = sorted(rows["n"].unique())
    unit = "seeds on this split" if (rows["estimand"] == ESTIMANDS[False]).all() else "splits"
    counts = f"{n[0]}" if len(n) == 1 else f"{n[0]} to {n[-1]}"
    return f"Over {counts} {unit}, {arm} {joined(clauses)}."


def _told(arms: Sequence[str]) -> list[str]:
    """Arms in words, those of several frames once: "logreg in 4 frames"."""
    n_frames = Counter(parted(arm)[0] for arm in arms)
    words = (
        f"{n} in {n_frames[n]} frames" if n_frames[n] > 1 else called(arm)
        for arm in arms
        for n in [parted(arm)[0]]
    )
    return list(dict.fromkeys(words))


def called(arm: str) -> str:
    """An arm in words: "knn in the frame rank"."""
    name, frame = parted(arm)
    return f"{name} in the frame {frame}" if frame else name


def endpoint_sentence(row: "pd.Series[Any]", n_classical: int, n_frames: int = 1) -> str:
    """One sentence on a declared row of `endpoint.endpoint`, out of so many classical arms."""
    unit = "seeds on this split" if row["estimand"] == ESTIMANDS[False] else "splits"
    counts = f"{n_classical} classical arms" if n_classical > 1 else ""
    counts += " in " * (n_classical > 1 < n_frames) + f"{n_frames} frames" * (n_frames > 1)
    among = f", the best of {counts} on validation," if counts else ""
    metric = row["metric"].replace("_", " ")
    area = f"{metric} {averaged(row['shares'])}"
    by = f"{100 * row['difference']:+.1f} points"
    interval = f"95 % interval {100 * row['ci_low']:+.1f} to {100 * row['ci_high']:+.1f}"
    if np.isnan(row["ci_low"]):
        interval = "one repetition, so no interval"
    opponent = called(row["reference"])
    return (
        f"Over {row['n']} {unit}, {row['arm']} {VERBS[endpoint_verdict(row)]} {opponent}"
        f"{among} in {area}: {row['mean']:.3f} against {row['reference_mean']:.3f}, {by} "
        f"({interval})."
    )


def failures(results: pd.DataFrame) -> list[str]:
    """A sentence an arm and kind of failure, of the results of one task."""
    sentences, tested = [], sorted(results["share"].unique())
    for (arm, kind), rows in failed_fits(results).groupby(["arm", "fit"], sort=False):
        at = joined(_spans(sorted(rows["share"]), tested))
        fits = counted(int(rows["n"].sum()), int(rows["of"].sum()), str(kind))
        sentences.append(f"Of {arm} at {at} %, {fits}.")
    return sentences


def failure_notes(failed: pd.DataFrame) -> list[str]:
    """Every row of `fits.failed_fits` with its seeds, and what to do about it."""
    notes = []
    for _, row in failed.iterrows():
        where = (
            f"{row['point']}: " * bool(row["point"]) + f"{row['arm']} at {percent(row['share'])}"
        )
        seeds = f"seed{'s' * (row['n'] > 1)} {row['seeds']}"
        note = f"{where}: {counted(row['n'], row['of'], row['fit'])} ({seeds})"
        todo = fix(row["arm"], row["fit"])
        notes.append(f"{note}; {todo}" if todo else note)
    return notes


def endpoint_verdict(row: "pd.Series[Any]") -> str:
    """As `verdict`, or "equivalent" (TOST at the margin); "" for what was not declared."""
    if not row["is_best"]:
        return ""
    by_interval = verdict(row)
    equivalent = by_interval == UNDECIDED and row["p_equivalence"] <= ALPHA
    return EQUIVALENT if equivalent else by_interval


def averaged(shares: str) -> str:
    """What an endpoint stands for in words: "averaged over 1 to 10 % of the labels"."""
    return f"{'averaged over' if ' ' in shares else 'at'} {percents(shares)} of the labels"


def percents(shares: str) -> str:
    """The shares of an endpoint in words: "1 to 10 %"."""
    values = [float(share) for share in shares.split()]
    if len(values) == 1:
        return percent(values[0])
    return f"{100 * values[0]:g} to {percent(values[-1])}"


def percent(share: float) -> str:
    """A share in words: 0.01 is "1 %"."""
    return f"{100 * share:g} %"


def _spans(shares: Sequence[float], tested: Sequence[float]) -> list[str]:
    """Shares in per cent; a run of four or more that were tested in a row is "first to last"."""
    spans: list[str] = []
    # in a run, places among the tested shares grow as those among the chosen ones
    place = {share: tested.index(share) - i for i, share in enumerate(shares)}
    for _, run in itertools.groupby(shares, place.get):
        texts = [f"{100 * share:g}" for share in run]
        spans += texts if len(texts) < 4 else [f"{texts[0]} to {texts[-1]}"]
    return spans


def _interval(row: "pd.Series[Any]") -> str:
    is_loss = row["metric"] == "log_loss"
    scale, digits, unit = (1, 3, "") if is_loss else (100, 1, " points")
    numbers = (scale * row[name] for name in ("difference", "ci_low", "ci_high"))
    mean, low, high = (f"{number:+.{digits}f}" for number in numbers)
    difference = f"{mean}{unit} against {called(row['reference'])}"
    if np.isnan(row["ci_low"]):
        return difference
    return f"{difference}, 95 % interval {low} to {high}, Holm p {row['p_holm']:.1g}"


def in_words(
    results: pd.DataFrame, concluded: Conclusions, tested: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Headline, verdict, scores, paired differences and endpoint, as `summary.json` has them.

    `tested` is how many different test samples each class has.
    """
    columns = ["arm", "reference", "share", "metric", "difference", "ci_low", "ci_high", "p_holm"]
    arms: dict[str, Any] = {}  # arm → share → metric → mean and interval
    for row in summarize(results, tested).to_dict("records"):
        of_share = arms.setdefault(row["arm"], {}).setdefault(exactly(row["share"]), {})
        of_share[row["metric"]] = {key: row[key] for key in ("mean", "ci_low", "ci_high")}
    return {
        "headline": " ".join([*headlines(concluded), *failures(results)]),
        "verdict": _verdict(results, concluded),
        "failed_fits": failed_fits(results).to_dict("records"),
        "arms": arms,
        "paired": concluded.statistics[columns].to_dict("records"),
        "endpoint": concluded.endpoint.to_dict("records"),
    }


def _verdict(results: pd.DataFrame, concluded: Conclusions) -> dict[str, Any]:
    """The verdict at the largest share that was compared, of a single task."""
    if concluded.all_labels.empty or len(results[["dataset", "task"]].drop_duplicates()) > 1:
        return {}
    n_labelled = results.loc[results["share"] == results["share"].max(), "n_labelled"].median()
    unit = "splits" if results["split"].nunique() > 1 else "seeds on this split"
    return verdict_of(concluded.all_labels, int(n_labelled), f"over {unit}")
