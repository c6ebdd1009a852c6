"""The fitted map from expression to encoder input."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.decomposition import PCA

from jaxssl.config import NormalizeConfig
from jaxssl.data import backed
from jaxssl.data import normalize as module
from jaxssl.data.normalize import (
    fit_normalizer,
    log2_expression,
    moments,
    normalize,
    principal_axes,
    standardize,
)
from jaxssl.types import InputError

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(60, 6)) @ RNG.normal(size=(6, 40)) + RNG.normal(size=(60, 40)) + 7).astype(
    np.float32
)
GENES = [f"g{i}" for i in range(40)]


def test_counts_become_log2_cpm_plus_one():
    counts = np.array([[1, 3, 6], [0, 0, 5]])
    expected = np.log2(counts / counts.sum(1, keepdims=True) * 1e6 + 1)
    np.testing.assert_allclose(log2_expression(counts, "counts"), expected, rtol=1e-6)


def test_log_cpm_does_not_depend_on_sequencing_depth():
    counts = RNG.integers(0, 1000, (5, 30)).astype(np.float32)
    np.testing.assert_allclose(
        log2_expression(counts, "counts"), log2_expression(counts * 7, "counts"), rtol=1e-5
    )


def test_linear_values_become_log2_plus_one_and_log2_values_stay():
    np.testing.assert_allclose(log2_expression(np.array([[0.0, 3.0]]), "linear"), [[0.0, 2.0]])
    np.testing.assert_array_equal(log2_expression(X, "log2"), X)


def test_impossible_values_name_the_scale():
    with pytest.raises(InputError, match="`scale=log2`"):
        log2_expression(np.array([[-1.0, 2.0]]), "counts")
    with pytest.raises(InputError, match="no counts at all"):
        log2_expression(np.array([[0.0, 0.0]]), "counts")


def test_standardised_training_genes_have_mean_0_and_sd_1():
    options = NormalizeConfig(input="genes", scaling=1.0, clip=1e6)
    z = standardize(fit_normalizer(X, GENES, options), X)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(0), 1, atol=1e-5)


@pytest.mark.parametrize("scaling", [0.0, 0.5])
def test_genes_count_by_their_sd_to_the_power_that_scaling_leaves(scaling):
    options = NormalizeConfig(input="genes", scaling=scaling, clip=1e6)
    z = standardize(fit_normalizer(X, GENES, options), X)
    ratio = z.std(axis=0) / X.std(axis=0) ** (1 - scaling)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)
    np.testing.assert_allclose(z.var(axis=0).mean(), 1, rtol=1e-4)


def test_unscaled_genes_have_the_principal_axes_of_expression():
    found = fit_normalizer(X, GENES, NormalizeConfig(scaling=0.0, n_components=4, power=0.0))
    scores = normalize(found, X)
    expected = PCA(4).fit_transform(X)
    correlation = np.corrcoef(scores.T, expected.T)[:4, 4:]
    np.testing.assert_allclose(np.abs(np.diag(correlation)), 1, atol=1e-4)


def test_constant_genes_are_left_out():
    x = X.copy()
    x[:, [3, 17]] = 2.5
    normalizer = fit_normalizer(x, GENES, NormalizeConfig())
    assert normalizer.genes == tuple(g for g in GENES if g not in ("g3", "g17"))
    with pytest.raises(InputError, match="constant"):
        fit_normalizer(np.ones_like(X), GENES, NormalizeConfig())


def test_the_genes_that_vary_most_are_kept():
    kept = fit_normalizer(X, GENES, NormalizeConfig(max_genes=7)).genes
    expected = np.sort(np.argsort(-X.std(axis=0))[:7])
    assert kept == tuple(GENES[i] for i in expected)


def test_fewer_axes_than_are_asked_for_are_told():
    x = np.where(np.arange(len(GENES)) < 5, X, np.float32(1))
    with pytest.warns(UserWarning, match="along 5 axes.*n_components=9` asks for more"):
        normalizer = fit_normalizer(x, GENES, NormalizeConfig(n_components=9))
    assert normalizer.rotation.shape == (5, 5)


def test_held_out_values_are_clipped_to_the_training_range():
    normalizer = fit_normalizer(X, GENES, NormalizeConfig(input="genes"))
    extreme = standardize(normalizer, X[:1] + 1e4)
    np.testing.assert_allclose(extreme[0], standardize(normalizer, X).max(0), rtol=1e-5)
    spectral = fit_normalizer(X, GENES, NormalizeConfig(n_components=5))
    inside = normalize(spectral, X)
    outside = normalize(spectral, X[:3] * -50)
    assert (outside <= inside.max(0) + 1e-5).all()
    assert (outside >= inside.min(0) - 1e-5).all()


@pytest.mark.parametrize("shape", [(60, 40), (30, 40)])
def test_principal_axes_are_those_of_scikit_learn(shape):
    z = X[: shape[0], : shape[1]]
    z = (z - z.mean(0)).astype(np.float32)
    axes, sd = principal_axes(z, 5)
    oracle = PCA(5, svd_solver="full").fit(z)
    np.testing.assert_allclose(sd, oracle.singular_values_ / np.sqrt(len(z)), rtol=1e-3)
    cosines = np.abs(np.sum(axes.T * oracle.components_, axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-3)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_conditioning_divides_each_component_by_its_sd_to_the_power(power):
    options = NormalizeConfig(n_components=6, power=power, clip=1e6)
    normalizer = fit_normalizer(X, GENES, options)
    scores = normalize(normalizer, X)
    z = standardize(normalizer, X)
    _, sd = principal_axes(z, 6)
    expected = sd ** (1 - power)
    np.testing.assert_allclose(scores.std(0) / scores.std(0)[0], expected / expected[0], rtol=1e-3)
    assert np.mean(scores.var(0)) == pytest.approx(1, rel=1e-3)


def test_a_block_boundary_changes_nothing(monkeypatch):
    whole = normalize(fit_normalizer(X, GENES, NormalizeConfig()), X)
    monkeypatch.setattr(backed, "BLOCK", 7)
    monkeypatch.setattr(module, "TILE", 100)
    cut = normalize(fit_normalizer(X, GENES, NormalizeConfig()), X)
    np.testing.assert_allclose(np.abs(whole), np.abs(cut), atol=1e-4)


ANY = settings(max_examples=60, deadline=None, derandomize=True)
LARGEST = float(np.finfo(np.float32).max)
FINITE = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.sampled_from([LARGEST, -LARGEST, LARGEST / 2, 1e-40, 0.0]),
)
MATRICES = arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=8), elements=FINITE)
CONDITIONED = st.builds(
    NormalizeConfig,
    input=st.sampled_from(["genes", "spectral"]),
    clip=st.sampled_from([1.0, 10.0]),
    max_genes=st.integers(0, 4),
    power=st.sampled_from([0.0, 0.5, 1.0]),
)


def names_of(x: np.ndarray) -> list[str]:
    return [f"g{i}" for i in range(x.shape[1])]


@ANY
@np.errstate(over="ignore")  # what overflows is clipped
@given(MATRICES, CONDITIONED, st.data())
def test_any_finite_matrix_gives_finite_input_that_new_samples_do_not_exceed(x, options, draw):
    assume((moments(x)[1] > 1e-6).any())
    normalizer = fit_normalizer(x, names_of(x), options)
    kept = np.flatnonzero(np.isin(names_of(x), normalizer.genes))
    new = draw.draw(arrays(np.float32, x.shape, elements=FINITE))
    inside, outside = (normalize(normalizer, rows, kept) for rows in (x, new))
    assert np.isfinite(inside).all()
    z = standardize(normalizer, x, kept)
    weight = 1 if normalizer.weight is None else normalizer.weight
    assert (np.abs(z) <= options.clip * weight).all()
    low, high = z.min(axis=0), z.max(axis=0)
    if options.input == "spectral":
        low, high = normalizer.lower_component, normalizer.upper_component
    assert (low <= outside).all()
    assert (outside <= high).all()


@ANY
@np.errstate(over="ignore")
@given(arrays(np.float32, (7, 6), elements=FINITE), arrays(bool, 6))
def test_any_gene_is_kept_unless_it_is_constant(x, is_constant):
    x[:, is_constant] = x[:1, is_constant]
    varies = x.std(axis=0, dtype=np.float64) > 1e-6
    assume(varies.any())
    normalizer = fit_normalizer(x, names_of(x), NormalizeConfig(input="genes"))
    assert normalizer.genes == tuple(np.array(names_of(x))[varies])


@ANY
@given(st.integers(0, 999), CONDITIONED, st.randoms())
def test_the_order_of_samples_and_of_genes_changes_the_map_by_rounding_alone(seed, options, random):
    x = np.random.default_rng(seed).normal(5, 2, (30, 8)).astype(np.float32)
    rows, columns = (np.array(random.sample(range(n), n)) for n in x.shape)
    shuffled = np.ascontiguousarray(x[rows][:, columns])
    first = fit_normalizer(x, names_of(x), options)
    second = fit_normalizer(shuffled, np.array(names_of(x))[columns], options)
    kept = np.flatnonzero(np.isin(names_of(x), first.genes))
    kept_of_shuffled = np.flatnonzero(np.isin(columns, kept))
    assert second.genes == tuple(f"g{i}" for i in columns[kept_of_shuffled])
    expected = normalize(first, x, kept)[rows]
    found = normalize(second, shuffled, kept_of_shuffled)
    if options.input == "genes":
        places = np.searchsorted(kept, columns[kept_of_shuffled])
        np.testing.assert_allclose(found, expected[:, places], atol=1e-5)
    else:  # an axis has no sign
        np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=2e-3)
