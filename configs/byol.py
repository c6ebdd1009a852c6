"""BYOL (Grill et al. 2020) on conditioned components.

Two views with Gaussian noise, untuned.

  python -m launch.study --config=configs/byol.py --data=mirna.h5ad --out=runs/byol
"""

from itertools import product
from typing import Any

from jaxssl.config import Config
from jaxssl.options import BYOLConfig

TRIALS: list[dict[str, Any]] = [
    {"augment.noise": first, "method.momentum": second}
    for first, second in product((0.5, 1.0, 1.5), (0.97, 0.99))
]
"""What `launch.compare` tries on the validation part; as many as for any method."""


def get_config() -> Config:
    config = Config()
    config.method = BYOLConfig()
    config.sweep.arms = ("majority", "scratch", "logreg", "pca_logreg", "byol")
    return config
