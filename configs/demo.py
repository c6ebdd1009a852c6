"""The embedded default: 189 real microarrays of 7 tissues (extra `demo`), in under three minutes.

python -m launch.study --config=configs/demo.py --out=runs/demo
"""

from jaxssl.config import Config


def get_config() -> Config:
    config = Config()
    config.data.path = "demo"
    config.sweep.shares = (0.1, 0.2, 0.5, 1.0)  # 0.05 of 135 labels would miss the 7 classes
    return config
