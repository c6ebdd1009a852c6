"""What tests of several methods share: arrays, and lightly where it can be imported."""

import warnings

import numpy as np
import pytest


def random(seed, *shape):
    """Standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def unit(x):
    """Rows of unit length, in float64."""
    x = np.asarray(x, np.float64)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def lightly_loss(name, bank=None, **options):
    """A loss of lightly's as a function of arrays; the test skips where lightly cannot run.

    `bank` fills its memory bank.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import torch  # pyright: ignore[reportMissingImports]
            from lightly import loss  # pyright: ignore[reportMissingImports]
        except (ImportError, RuntimeError) as error:  # its torchvision may not fit the torch
            pytest.skip(f"lightly cannot be imported: {error}")
        criterion = getattr(loss, name)(**options)
        if bank is not None:
            criterion.memory_bank.bank = torch.tensor(np.asarray(bank))
    return lambda *arrays: float(criterion(*[torch.tensor(np.asarray(a)) for a in arrays]))
