"""SwAV on conditioned components: the default recipe.

Two views with Gaussian noise, untuned.

  python -m launch.study --config=configs/swav.py --data=mirna.h5ad --out=runs/swav
"""

from itertools import product
from typing import Any

from jaxssl.config import Config
from jaxssl.options import SwAVConfig

TRIALS: list[dict[str, Any]] = [
    {"augment.noise": first, "method.epsilon": second}
    for first, second in product((0.5, 1.0, 1.5), (0.05, 0.1))
]
"""What `launch.compare` tries on the validation part; as many as for any method."""


def get_config() -> Config:
    config = Config()
    config.method = SwAVConfig()
    config.sweep.arms = ("majority", "scratch", "logreg", "pca_logreg", "swav")
    return config
