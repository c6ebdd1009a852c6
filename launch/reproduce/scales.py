"""What an experiment is, and how much of the paper a scale runs: everything is stated here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jaxssl.config import Config, with_options
from jaxssl.evaluation.claims import Cell, Claim, MeasureClaim
from jaxssl.evaluation.values import name_of

from ..config_files import load

DATASETS = {"tcga": "study_tcga", "microarray": "study_microarray"}
"""Whose figures → the config of the paper's own recipe."""
FULL, CPU, SMOKE = "full", "cpu", "smoke"
SWAV, SCRATCH, LOGREG = "swav", "scratch", "logreg"
REFERENCES = (SCRATCH, LOGREG)  # beside every figure; logistic regression is no arm of the paper

Values = Mapping[str, Any]
"""Option → value, where a point differs from the paper's configuration."""
Points = Sequence[Values]

Grids = Mapping[str, Sequence[Any]]
"""What varies → its values; of "map", those of prototypes, batches, queues and epsilons."""


class Setting(NamedTuple):
    """A data set at a scale: how much of the paper is run."""

    dataset: str
    scale: str
    seeds: int  # of the figures that vary an option
    curve_seeds: int  # of the label curves
    shares: Sequence[float]  # of the labels: the paper's "reduced training set", not given there
    curve_shares: Sequence[float]
    options: Values  # what else differs from the paper's configuration
    grids: Grids

    def config(self) -> Config:
        """The paper's configuration for the data set, at this scale."""
        return with_options(load(DATASETS[self.dataset]), self.options)

    def sentence(self) -> str:
        """What this scale runs, in words."""
        shares = " and ".join(f"{100 * share:g} %" for share in self.shares)
        options = ", ".join(f"{name} {value}" for name, value in self.options.items())
        return (
            f"{self.seeds} seeds at {shares} of the labels; label curves of "
            f"{self.curve_seeds} seeds and {len(self.curve_shares)} shares"
            + (f"; other than the paper's configuration: {options}" if options else "")
        )

    def cells(self, points: Points, arm: str) -> list[Cell]:
        """The cells of some points, at all shares."""
        names = [name_of(point, self.config()) for point in points]
        return [Cell(name, arm, share) for name in names for share in self.shares]

    def claim(
        self, text: str, plus: Points, minus: Points, expect: str = "positive", arm: str = SWAV
    ) -> Claim:
        """That an arm does better at some points than at others, over all shares."""
        return Claim(text, self.cells(plus, arm), self.cells(minus, arm), expect)


class Experiment(NamedTuple):
    """One figure, or one pair of figures: points that vary something, and what is claimed of them.

    A claim names its cells: nothing is picked by looking at the scores.
    """

    title: str
    finding: str  # what the paper says
    points: Points
    claims: Sequence[Claim | MeasureClaim]  # by which our run answers
    x: tuple[str, ...] = ()  # options on the axes
    kind: str = "option"  # of figure, or "bars", "grid", "map", "curve"
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


WIDE, LARGE = (256,), (1024, 512, 256)  # networks that only the full scale tries
NARROWING = ((512, 256), (256, 128), (512, 256, 128), (256, 128, 64))
FULL_TCGA: Grids = {
    "hidden": ((512,), WIDE, (128,), *NARROWING, LARGE, (512, 256, 128, 64)),
    "rate": (1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3),
    "batch": (64, 128, 256, 512),
    "prototypes": (10, 20, 30, 50, 60, 100, 150, 200, 250),
    "epsilon": (0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.13, 0.2, 0.3, 0.5),
    "mask_rate": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    "noise": (0.1, 0.25, 0.5, 1.0, 1.5, 2.0),
    "radius": (0.1, 0.25, 0.5, 1.0, 2.0, 4.0),
    "map": ((16, 60, 120, 240), (64, 256, 512), (0, 512, 2048), (0.03, 0.05, 0.13)),
}
FULL_MICROARRAY: Grids = {
    **FULL_TCGA,
    "batch": (32, 64, 128, 256, 512),
    "prototypes": (2, 4, 8, 16, 32, 64, 128, 256),
    "noise": (0.1, 0.25, 0.5, 1.0, 2.0),
    "map": ((4, 16, 60, 120), (64, 256), (0, 256, 1024), (0.03, 0.05, 0.13)),
}
CPU_TCGA: Grids = {
    **FULL_TCGA,
    "hidden": ((512,), (128,), *NARROWING, (512, 256, 128, 64)),
    "rate": (1e-4, 4e-4, 1.6e-3),
    "prototypes": (10, 20, 30, 60, 100, 150, 250),
    "epsilon": (0.02, 0.03, 0.05, 0.1, 0.13, 0.2, 0.5),
    "mask_rate": (0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 1.0),
    "noise": (0.1, 0.25, 0.5, 1.0, 2.0),
    "map": ((16, 60, 240), (64, 256), (0, 512), (0.03, 0.13)),
}
CPU_MICROARRAY: Grids = {
    **CPU_TCGA,
    "batch": (32, 64, 128, 256),
    "prototypes": (2, 4, 8, 16, 32, 64, 128),
    "epsilon": (0.02, 0.05, 0.1, 0.2, 0.5),
    "mask_rate": (0.2, 0.5, 0.8, 1.0),
    "noise": (0.25, 0.5, 1.0, 2.0),
    "radius": (0.25, 0.5, 1.0, 2.0, 4.0),
    "map": ((4, 16, 120), (64, 256), (0, 256), (0.03, 0.13)),
}
SMOKE_TCGA: Grids = {
    "hidden": ((16,), (16, 12), (16, 12, 8), (16, 12, 8, 4)),
    "rate": (1e-4, 4e-4),
    "batch": (16, 32),
    "prototypes": (4, 12, 30),
    "epsilon": (0.03, 0.05, 0.1, 0.5),
    "mask_rate": (0.2, 0.8, 1.0),
    "noise": (0.5,),
    "radius": (0.5,),
    "map": ((4, 30), (32,), (0, 32), (0.05,)),
}
SMOKE_MICROARRAY: Grids = {**SMOKE_TCGA, "prototypes": (4, 16, 30), "epsilon": (0.02, 0.5)}

FEW, MANY = (0.02, 0.1), (0.1, 0.3)  # 131 and 657 labels of TCGA, 38 and 115 of the compendium
CURVE = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
PROTOCOL = load("study_protocol").sweep.shares
SHORT = {"pretrain.n_steps": 1000}
NARROW = {"pretrain.n_steps": 500, "normalize.max_genes": 1000}
TINY = {
    "encoder.hidden": (16, 12, 8),
    "method.n_prototypes": (12,),
    "pretrain.n_steps": 20,
    "pretrain.batch_size": 32,
    "finetune.n_steps": 10,
    "finetune.scratch_steps": 10,
    "finetune.batch_size": 16,
    "augment.autoencoder_steps": 5,
    "augment.latent_dim": 4,
}

SETTINGS = (
    Setting("tcga", FULL, 50, 50, FEW, PROTOCOL, {}, FULL_TCGA),
    Setting("microarray", FULL, 50, 50, FEW, PROTOCOL, {}, FULL_MICROARRAY),
    Setting("tcga", CPU, 5, 10, FEW, CURVE, SHORT, CPU_TCGA),
    Setting("microarray", CPU, 5, 10, MANY, CURVE[3:], NARROW, CPU_MICROARRAY),
    Setting("tcga", SMOKE, 2, 2, (0.5,), (0.1, 0.5, 1.0), TINY, SMOKE_TCGA),
    Setting("microarray", SMOKE, 2, 2, (0.5,), (0.1, 0.5, 1.0), TINY, SMOKE_MICROARRAY),
)


def setting_of(dataset: str, scale: str) -> Setting:
    return next(s for s in SETTINGS if (s.dataset, s.scale) == (dataset, scale))
