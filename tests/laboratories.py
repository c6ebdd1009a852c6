"""What another laboratory does to expression."""

import numpy as np


def other_laboratory(x, seed):
    """Every gene shifted by a normal number, and its deviation multiplied by 0.5 to 2."""
    rng = np.random.default_rng(seed)
    shift = rng.uniform(1, 2) * rng.standard_normal(x.shape[1])
    gain = 2 ** rng.uniform(-1, 1, x.shape[1])
    mean = x.mean(axis=0)
    return ((x - mean) * gain + mean + shift).astype(np.float32)
