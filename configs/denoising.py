"""A denoising autoencoder on conditioned components.

One view with Gaussian noise, untuned.

  python -m launch.study --config=configs/denoising.py --data=mirna.h5ad --out=runs/denoising
"""

from itertools import product
from typing import Any

from jaxssl.config import Config
from jaxssl.options import DenoisingConfig

TRIALS: list[dict[str, Any]] = [
    {"augment.noise": first, "method.decoder_hidden": second}
    for first, second in product((0.5, 1.0, 1.5), (0, 256))
]
"""What `launch.compare` tries on the validation part; as many as for any method."""


def get_config() -> Config:
    config = Config()
    config.method = DenoisingConfig()
    config.augment.n_views = 1
    config.sweep.arms = ("majority", "scratch", "logreg", "pca_logreg", "denoising")
    return config
