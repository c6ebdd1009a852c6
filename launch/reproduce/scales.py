"""How much of the study a scale runs: everything is stated here."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxssl.config import Config, with_options
from launch.config_files import load

DATASETS = {"tcga": "study_tcga", "microarray": "study_microarray"}
"""Whose figures → the config of the study's own recipe."""
FULL, CPU, SMOKE = "full", "cpu", "smoke"
Values = Sequence[Any]


class Scale(NamedTuple):
    """Size of a reproduction on one data set."""

    seeds: int  # of the figures that vary an option
    curve_seeds: int  # of the label curves
    shares: Sequence[float]  # of the labels: the study's "reduced training set", not given there
    curve_shares: Sequence[float]
    options: dict[str, Any]  # what else differs from the study's configuration

    def sentence(self) -> str:
        """What this scale runs, in words."""
        options = ", ".join(f"{name} {value}" for name, value in self.options.items())
        return (
            f"{self.seeds} seeds at {_percents(self.shares)} of the labels; label curves of "
            f"{self.curve_seeds} seeds and {len(self.curve_shares)} shares"
            + (f"; other than the study's configuration: {options}" if options else "")
        )


def _percents(shares: Sequence[float]) -> str:
    return " and ".join(f"{100 * share:g} %" for share in shares)


FEW, MANY = (0.02, 0.1), (0.1, 0.3)  # 131 and 657 labels of TCGA, 38 and 115 of the compendium
CURVE = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
TINY = {
    **{"encoder.hidden": (16, 12, 8), "method.n_prototypes": (12,)},
    **{"pretrain.n_steps": 20, "pretrain.batch_size": 32},
    **{"finetune.n_steps": 10, "finetune.scratch_steps": 10, "finetune.batch_size": 16},
    **{"augment.autoencoder_steps": 5, "augment.latent_dim": 4},
}

PROTOCOL = load("study_protocol").sweep.shares

SCALES: dict[tuple[str, str], Scale] = {
    (FULL, "tcga"): Scale(50, 50, FEW, PROTOCOL, {}),
    (FULL, "microarray"): Scale(50, 50, FEW, PROTOCOL, {}),
    (CPU, "tcga"): Scale(5, 10, FEW, CURVE, {"pretrain.n_steps": 1000}),
    (CPU, "microarray"): Scale(
        5, 10, MANY, CURVE[3:], {"pretrain.n_steps": 500, "normalize.max_genes": 1000}
    ),
    (SMOKE, "tcga"): Scale(2, 2, (0.5,), (0.1, 0.5, 1.0), TINY),
    (SMOKE, "microarray"): Scale(2, 2, (0.5,), (0.1, 0.5, 1.0), TINY),
}

GRIDS: dict[str, dict[str, dict[str, Values]]] = {
    "hidden": {
        FULL: {"tcga": ((512,), (256,), (128,), (512, 256), (256, 128), (512, 256, 128),
                        (256, 128, 64), (1024, 512, 256), (512, 256, 128, 64))},
        CPU: {"tcga": ((512,), (128,), (512, 256), (256, 128), (512, 256, 128), (256, 128, 64),
                       (512, 256, 128, 64))},
        SMOKE: {"tcga": ((16,), (16, 12), (16, 12, 8), (16, 12, 8, 4))},
    },
    "rate": {
        FULL: {"tcga": (1e-4, 2e-4, 4e-4, 8e-4, 1.6e-3)},
        CPU: {"tcga": (1e-4, 4e-4, 1.6e-3)},
        SMOKE: {"tcga": (1e-4, 4e-4)},
    },
    "batch": {
        FULL: {"tcga": (64, 128, 256, 512), "microarray": (32, 64, 128, 256, 512)},
        CPU: {"tcga": (64, 128, 256, 512), "microarray": (32, 64, 128, 256)},
        SMOKE: {"tcga": (16, 32), "microarray": (16, 32)},
    },
    "prototypes": {
        FULL: {"tcga": (10, 20, 30, 50, 60, 100, 150, 200, 250),
               "microarray": (2, 4, 8, 16, 32, 64, 128, 256)},
        CPU: {"tcga": (10, 20, 30, 60, 100, 150, 250), "microarray": (2, 4, 8, 16, 32, 64, 128)},
        SMOKE: {"tcga": (4, 12, 30), "microarray": (4, 16, 30)},
    },
    "epsilon": {
        FULL: {"tcga": (0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.13, 0.2, 0.3, 0.5),
               "microarray": (0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.13, 0.2, 0.3, 0.5)},
        CPU: {"tcga": (0.02, 0.03, 0.05, 0.1, 0.13, 0.2, 0.5),
              "microarray": (0.02, 0.05, 0.1, 0.2, 0.5)},
        SMOKE: {"tcga": (0.03, 0.05, 0.1, 0.5), "microarray": (0.02, 0.5)},
    },
    "mask_rate": {
        FULL: {"tcga": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
               "microarray": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)},
        CPU: {"tcga": (0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 1.0), "microarray": (0.2, 0.5, 0.8, 1.0)},
        SMOKE: {"tcga": (0.2, 0.8, 1.0), "microarray": (0.2, 0.8, 1.0)},
    },
    "noise": {
        FULL: {"tcga": (0.1, 0.25, 0.5, 1.0, 1.5, 2.0), "microarray": (0.1, 0.25, 0.5, 1.0, 2.0)},
        CPU: {"tcga": (0.1, 0.25, 0.5, 1.0, 2.0), "microarray": (0.25, 0.5, 1.0, 2.0)},
        SMOKE: {"tcga": (0.5,), "microarray": (0.5,)},
    },
    "radius": {
        FULL: {"tcga": (0.1, 0.25, 0.5, 1.0, 2.0, 4.0),
               "microarray": (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)},
        CPU: {"tcga": (0.1, 0.25, 0.5, 1.0, 2.0, 4.0), "microarray": (0.25, 0.5, 1.0, 2.0, 4.0)},
        SMOKE: {"tcga": (0.5,), "microarray": (0.5,)},
    },
    "map": {  # prototypes, batch sizes, queue lengths, epsilons
        FULL: {"tcga": ((16, 60, 120, 240), (64, 256, 512), (0, 512, 2048), (0.03, 0.05, 0.13)),
               "microarray": ((4, 16, 60, 120), (64, 256), (0, 256, 1024), (0.03, 0.05, 0.13))},
        CPU: {"tcga": ((16, 60, 240), (64, 256), (0, 512), (0.03, 0.13)),
              "microarray": ((4, 16, 120), (64, 256), (0, 256), (0.03, 0.13))},
        SMOKE: {"tcga": ((4, 30), (32,), (0, 32), (0.05,)),
                "microarray": ((4, 30), (32,), (0, 32), (0.05,))},
    },
}  # fmt: skip


class Setting(NamedTuple):
    """A data set at a scale."""

    dataset: str
    scale: str

    @property
    def size(self) -> Scale:
        """Seeds, shares and options."""
        return SCALES[self.scale, self.dataset]

    def values(self, grid: str) -> Values:
        """The values that a grid has here."""
        return GRIDS[grid][self.scale][self.dataset]

    def config(self) -> Config:
        """The study's configuration for the data set, at this scale."""
        return with_options(load(DATASETS[self.dataset]), self.size.options)
