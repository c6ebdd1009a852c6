"""What an experiment is: points that vary something, and claims that stand for a finding.

A claim names its cells: nothing is picked by looking at the scores.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jaxssl.evaluation.claims import Claim, MeasureClaim

from .scales import Values

SWAV, SCRATCH, LOGREG = "swav", "scratch", "logreg"
REFERENCES = (SCRATCH, LOGREG)  # beside every figure; logistic regression is no arm of the paper


class Experiment(NamedTuple):
    """One figure, or one pair of figures."""

    title: str
    points: Sequence[Values]
    finding: str  # what the paper says
    claims: Sequence[Claim | MeasureClaim]  # by which our run answers
    kind: str  # of figure: "option", "bars", "grid", "map" or "curve"
    x: tuple[str, ...] = ()  # options on the axes
    line: Callable[[Values], str] = lambda values: ""  # tells points of one value on the axis apart
    arms: tuple[str, ...] = (SWAV,)
    is_open: bool = False  # a question of our own: its claims are answered, none is a verdict on it

    @property
    def is_curve(self) -> bool:
        """Whether it has all shares on the test part, instead of few on the validation part."""
        return self.kind == "curve"

    @property
    def part(self) -> str:
        """The part that is scored."""
        return "test" if self.is_curve else "validation"
