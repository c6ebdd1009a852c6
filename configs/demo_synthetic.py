"""Simulated expression with classes, batches and known truth; needs no extra.

python -m launch.study --config=configs/demo_synthetic.py --out=runs/synthetic
"""

from jaxssl.config import Config


def get_config() -> Config:
    config = Config()
    config.data.path, config.split.n_splits = "synthetic", 1
    config.sweep.shares = (0.05, 0.1, 0.2, 0.5, 1.0)
    return config
