"""Claims about scores, and what a run says to them.

A claim is about a contrast: the mean of some cells minus the mean of others, within a seed, so that
what a seed's labels and weights do to all cells alike cancels.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from jaxssl.evaluation.intervals import ALPHA, t_interval
from jaxssl.evaluation.stats import MARGIN, equivalence

AGREE, DIFFER, UNDECIDED = "agree", "differ", "undecided"


class Cell(NamedTuple):
    """One point, arm and share of a table of results."""

    point: str
    arm: str
    share: float


class Claim(NamedTuple):
    """A statement about a contrast of scores."""

    text: str
    plus: Sequence[Cell]
    minus: Sequence[Cell]
    expect: str  # "positive", "not positive" or "zero", the last two up to `MARGIN`


class MeasureClaim(NamedTuple):
    """A statement about a measure of the pretraining at one point: it exceeds `above`."""

    text: str
    point: str
    measure: str
    above: float


class Verdict(NamedTuple):
    """What the run says to a claim; difference and interval in score units, NaN for measures."""

    text: str
    verdict: str  # "agree", "differ" or "undecided"
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    n: int = 0  # seeds

    @property
    def found(self) -> str:
        """A difference with its interval, in points; a measure has neither."""
        if self.n == 0:
            return "not run"
        if math.isnan(self.difference):
            return f"{self.n} seeds"
        points = [100 * value for value in (self.difference, self.low, self.high)]
        return "{:+.1f} points ({:+.1f} to {:+.1f})".format(*points)


def judge(claim: Claim, results: pd.DataFrame, metric: str) -> Verdict:
    """Hold a claim against result rows of one part.

    "positive": agree if the 95 % t interval is above 0, differ if it is below 0 or within `MARGIN`
    of it. "not positive": agree if the interval stays below `MARGIN`, differ if it is above 0.
    "zero": agree if the mean lies within `MARGIN` of 0 (TOST at 5 %), differ if the 95 %
    interval excludes 0. Otherwise undecided.
    """
    d = contrast(claim, results, metric)
    if len(d) == 0:
        return Verdict(claim.text, UNDECIDED)
    low, high = t_interval(d)
    near = equivalence(d) <= ALPHA
    agree, differ = {
        "positive": (low > 0, high < 0 or near),
        "not positive": (high < MARGIN, low > 0),
        "zero": (near, low > 0 or high < 0),
    }[claim.expect]
    if len(d) < 2 or (np.ptp(d) == 0 and d[0] != 0):  # nothing to measure chance by
        agree = differ = False
    verdict = AGREE if agree else DIFFER if differ else UNDECIDED
    return Verdict(claim.text, verdict, float(d.mean()), low, high, len(d))


def judge_measure(claim: MeasureClaim, measures: pd.DataFrame) -> Verdict:
    """Agree if every seed is above, differ if none is."""
    values = measures.set_index("point").loc[[claim.point], claim.measure].to_numpy(float)
    above = float(np.mean(~(values <= claim.above)))  # what diverged is above anything
    return Verdict(claim.text, {1.0: AGREE, 0.0: DIFFER}.get(above, UNDECIDED), n=len(values))


def contrast(claim: Claim, results: pd.DataFrame, metric: str) -> Float[np.ndarray, " seeds"]:
    """The contrast of every seed that has all its cells."""
    rows = results[results["metric"] == metric]
    cells = rows.pivot_table(index="seed", columns=["point", "arm", "share"], values="value")
    plus, minus = (cells[list(map(tuple, side))] for side in (claim.plus, claim.minus))
    difference = plus.mean(axis=1, skipna=False) - minus.mean(axis=1, skipna=False)
    # k/n - m/n leaves 1e-17 behind, which would pass for a difference without spread
    return difference.dropna().to_numpy().round(12)


def together(verdicts: Sequence[Verdict]) -> str:
    """Of a finding with several claims: differ if one does, agree if all do."""
    found = {verdict.verdict for verdict in verdicts}
    return DIFFER if DIFFER in found else AGREE if found == {AGREE} else UNDECIDED
