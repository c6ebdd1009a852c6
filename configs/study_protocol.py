"""The study's whole protocol with the default recipe: 50 pretrainings, 89 label shares, two arms.

STUDY Figs 27-30: SwAV against the same network from random initialisation, 50 repetitions at each
of 89 shares between 1 and 100 %: every per cent up to 78, then every second one. 8,900 fits.

  python -m launch.study --config=configs/study_protocol.py --data=mirna.h5ad --out=runs/protocol

On the miRNA set, 20 classes: swav 0.882 and scratch 0.804 at 1 % of the labels, 0.966 and 0.967 at
100 %, in 97 minutes on one CPU core beside other work.
"""

from jaxssl.config import Config

PERCENT = (*range(1, 79), *range(80, 101, 2))


def get_config() -> Config:
    config = Config()
    config.run.seeds = 50
    config.sweep.arms = ("scratch", "swav")
    config.sweep.reference_arms = ("scratch",)
    config.sweep.shares = tuple(percent / 100 for percent in PERCENT)
    return config
