"""What an experiment is: points that vary something, and claims that stand for a finding.

A claim names its cells: nothing is picked by looking at the scores.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jaxssl.evaluation.claims import Cell, Claim, MeasureClaim
from jaxssl.evaluation.grid import name_of
from launch.reproduce.scales import Setting

SWAV, SCRATCH, LOGREG = "swav", "scratch", "logreg"
REFERENCES = (SCRATCH, LOGREG)  # beside every figure; logistic regression is no arm of the study
Values = dict[str, Any]
PointsFn = Callable[[Setting], list[Values]]


class Finding(NamedTuple):
    """What the study says, and the claims by which our run answers."""

    text: str
    claims: Sequence[Claim | MeasureClaim]
    is_open: bool = False  # a question of our own: its claims are answered, none is a verdict on it


class Experiment(NamedTuple):
    """One figure, or one pair of figures."""

    name: str
    numbers: Mapping[str, tuple[str, ...]]  # data set → figures of the study
    title: str
    points: PointsFn
    finding: Callable[[Setting], Finding]
    kind: str  # of figure: "option", "bars", "grid", "map" or "curve"
    x: tuple[str, ...] = ()  # options on the axes
    line: Callable[[Values], str] = lambda values: ""  # tells points of one value on the axis apart
    arms: tuple[str, ...] = (SWAV,)

    @property
    def is_curve(self) -> bool:
        """All shares on the test part, instead of few on the validation part."""
        return self.kind == "curve"


def base_point(setting: Setting) -> list[Values]:
    """The study's configuration as it is."""
    del setting
    return [{}]


def cells(setting: Setting, points: Sequence[Values], arm: str) -> list[Cell]:
    """The cells of some points, at all shares of the setting."""
    names = [name_of(point, setting.config()) for point in points]
    return [Cell(name, arm, share) for name in names for share in setting.size.shares]


def claim(
    setting: Setting,
    text: str,
    plus: Sequence[Values],
    minus: Sequence[Values],
    expect: str = "positive",
    arm: str = SWAV,
) -> Claim:
    """That one arm does better at some points than at others, over the setting's shares."""
    return Claim(text, cells(setting, plus, arm), cells(setting, minus, arm), expect)
