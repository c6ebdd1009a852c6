"""MoCo v2 (He et al. 2020) on conditioned components.

Two views with Gaussian noise, untuned.

  python -m launch.study --config=configs/moco.py --data=mirna.h5ad --out=runs/moco
"""

from itertools import product
from typing import Any

from jaxssl.config import Config
from jaxssl.options import MoCoConfig

TRIALS: list[dict[str, Any]] = [
    {"augment.noise": first, "method.temperature": second}
    for first, second in product((0.5, 1.0, 1.5), (0.1, 0.2))
]
"""What `launch.compare` tries on the validation part; as many as for any method."""


def get_config() -> Config:
    config = Config()
    config.method = MoCoConfig()
    config.sweep.arms = ("majority", "scratch", "logreg", "pca_logreg", "moco")
    return config
