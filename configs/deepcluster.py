"""DeepCluster (Caron et al. 2018) on conditioned components.

Two views with Gaussian noise, untuned.

  python -m launch.study --config=configs/deepcluster.py --data=mirna.h5ad --out=runs/deepcluster
"""

from itertools import product
from typing import Any

from jaxssl.config import Config
from jaxssl.options import DeepClusterConfig

TRIALS: list[dict[str, Any]] = [
    {"augment.noise": first, "method.n_prototypes": second}
    for first, second in product((0.5, 1.0, 1.5), ((20,), (50,)))
]
"""What `launch.compare` tries on the validation part; as many as for any method."""


def get_config() -> Config:
    config = Config()
    config.method = DeepClusterConfig()
    config.sweep.arms = ("majority", "scratch", "logreg", "pca_logreg", "deepcluster")
    return config
