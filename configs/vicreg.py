"""VICReg (Bardes et al. 2022) on conditioned components.

Two views with Gaussian noise, untuned.

  python -m launch.study --config=configs/vicreg.py --data=mirna.h5ad --out=runs/vicreg
"""

from itertools import product
from typing import Any

from jaxssl.config import Config
from jaxssl.options import VICRegConfig

TRIALS: list[dict[str, Any]] = [
    {"augment.noise": first, "method.covariance": second}
    for first, second in product((0.5, 1.0, 1.5), (1.0, 10.0))
]
"""What `launch.compare` tries on the validation part; as many as for any method."""


def get_config() -> Config:
    config = Config()
    config.method = VICRegConfig()
    config.sweep.arms = ("majority", "scratch", "logreg", "pca_logreg", "vicreg")
    return config
