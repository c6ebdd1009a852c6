"""VIME (Yoon et al. 2020) on conditioned components.

Features redrawn from their training marginals, untuned.

  python -m launch.study --config=configs/vime.py --data=mirna.h5ad --out=runs/vime
"""

from itertools import product
from typing import Any

from jaxssl.config import Config
from jaxssl.options import VimeConfig

TRIALS: list[dict[str, Any]] = [
    {"augment.mask_rate": first, "method.alpha": second}
    for first, second in product((0.15, 0.3, 0.5), (2.0, 10.0))
]
"""What `launch.compare` tries on the validation part; as many as for any method."""


def get_config() -> Config:
    config = Config()
    config.method = VimeConfig()
    # a corrupted view beside the profile as it is
    config.augment.n_views = 1
    config.augment.noise = 0.0
    config.augment.mask_rate = 0.3  # the paper's
    config.augment.mask_per = "sample"
    config.augment.mask_fill = "marginal"
    config.sweep.arms = ("majority", "scratch", "logreg", "pca_logreg", "vime")
    return config
