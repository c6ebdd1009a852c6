"""Barlow Twins (Zbontar et al. 2021) on conditioned components.

Two views with Gaussian noise, untuned.

  python -m launch.study --config=configs/barlow_twins.py --data=mirna.h5ad --out=runs/barlow_twins
"""

from itertools import product
from typing import Any

from jaxssl.config import Config
from jaxssl.options import BarlowTwinsConfig

TRIALS: list[dict[str, Any]] = [
    {"augment.noise": first, "method.redundancy": second}
    for first, second in product((0.5, 1.0, 1.5), (5e-3, 5e-2))
]
"""What `launch.compare` tries on the validation part; as many as for any method."""


def get_config() -> Config:
    config = Config()
    config.method = BarlowTwinsConfig()
    config.sweep.arms = ("majority", "scratch", "logreg", "pca_logreg", "barlow_twins")
    return config
