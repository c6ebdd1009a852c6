"""Samples of another laboratory are refused, warned of or adapted; those of the same are not."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from laboratories import other_laboratory
from sklearn.linear_model import LogisticRegression

from jaxssl.config import NormalizeConfig
from jaxssl.data.adapting import own_normalizer
from jaxssl.data.arrival import judge, receive
from jaxssl.data.frames import to_frame
from jaxssl.data.normalize import fit_normalizer
from jaxssl.data.shift import measure
from jaxssl.data.shift_limits import fit_reference
from jaxssl.data.synthetic import load_demo, make_synthetic
from jaxssl.types import InputError

pytestmark = pytest.mark.filterwarnings("ignore:.*not healthy:UserWarning")

WRONG = {
    "natural logarithm": lambda x: x * np.float32(np.log(2)),
    "log10": lambda x: x * np.float32(np.log10(2)),
    "offset": lambda x: x + np.float32(4),
    "zero": lambda x: x * np.float32(0),
}


def data_of(x, normalizer):
    """A data set of the normalizer's genes."""
    adata = AnnData(x, uns={"jaxssl": {"scale": "log2"}})
    adata.var_names, adata.obs_names = list(normalizer.genes), [f"new{i}" for i in range(len(x))]
    return adata


def fitted(x, groups=None, frame="training"):
    """A normalizer of training samples, and what is kept of them."""
    names = [f"g{i}" for i in range(x.shape[1])]
    normalizer = fit_normalizer(x, names, NormalizeConfig(frame=frame))
    groups = np.full(len(x), "", object) if groups is None else groups
    framed = to_frame(normalizer.frame, x, np.full(len(x), ""))
    return normalizer, fit_reference(normalizer, framed, groups, framed[:0], 10.0)


def halves(adata, by):
    """Two data sets that share no group."""
    names = adata.obs[by].to_numpy()
    chosen = np.random.default_rng(0).permutation(np.unique(names))[::2]
    return adata[np.isin(names, chosen)].copy(), adata[~np.isin(names, chosen)].copy()


@pytest.fixture(scope="module")
def breast(data_dir):
    """TCGA breast by halves of patients: expression, PAM50, tissue, and what the first keeps."""
    stored = np.load(data_dir / "tcga_brca_909" / "expression.npz")
    obs = pd.read_csv(data_dir / "tcga_brca_909" / "labels.csv", dtype=str, keep_default_na=False)
    parts = halves(AnnData(stored["X"], obs.set_index("sample_id")), "patient")
    own, other = ((p.X, p.obs["pam50"].to_numpy(), p.obs["tissue_type"].to_numpy()) for p in parts)
    return own, other, *fitted(own[0], parts[0].obs["patient"].to_numpy())


@pytest.fixture(scope="module")
def synthetic():
    """Simulated samples by halves of donors, and what the first half keeps."""
    own, other = halves(make_synthetic(n_genes=100, batch_effect=0.0), "donor")
    return own, other, *fitted(own.X, own.obs["donor"].to_numpy())


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("n", [1, 5, 60])
def test_other_logarithms_offsets_and_empty_samples_are_found(how, n, breast):
    _, (x, _, _), normalizer, reference = breast
    assert measure(reference, normalizer, WRONG[how](x[:n])).excess > (1.25 if n == 1 else 1.5)
    with pytest.raises(InputError, match=r"too far from|one value for all"):
        judge(receive(data_of(WRONG[how](x[:n]), normalizer), normalizer, reference), "refuse", "x")


@pytest.mark.parametrize("how", WRONG)
def test_they_are_found_in_the_demo(how):
    demo = load_demo()
    own, other = demo[::2].copy(), demo[1::2].copy()
    normalizer, reference = fitted(own.X)
    assert measure(reference, normalizer, other.X).excess < 1
    assert measure(reference, normalizer, WRONG[how](other.X)).excess > 1.5


@pytest.mark.parametrize("n", [1, 3, 12, 40])
def test_other_patients_of_the_cohort_are_no_alarm_be_they_of_one_class(n, breast):
    _, (x, pam50, tissue), normalizer, reference = breast
    rng = np.random.default_rng(n)
    classes = [tissue == "normal", *(pam50 == name for name in ("LumA", "LumB", "Basal", "Her2"))]
    kinds = [np.ones(len(x), bool), *classes]
    alarms = []
    for i in range(320):
        rows = np.flatnonzero(kinds[i % len(kinds)])
        chosen = rng.choice(rows, min(n, len(rows)), replace=False)
        alarms.append(measure(reference, normalizer, x[chosen]).excess > 1)
    assert np.mean(alarms) <= 0.01


@pytest.mark.parametrize("n", [1, 4, 30])
def test_other_donors_of_simulated_data_are_no_alarm(n, synthetic):
    _, other, normalizer, reference = synthetic
    rng, classes = np.random.default_rng(n), other.obs["class"].to_numpy()
    alarms = []
    for i in range(300):
        rows = np.arange(len(classes)) if i % 2 else np.flatnonzero(classes == rng.choice(classes))
        chosen = rng.choice(rows, min(n, len(rows)), replace=False)
        alarms.append(measure(reference, normalizer, other.X[chosen]).excess > 1)
    assert np.mean(alarms) <= 0.01


@pytest.mark.parametrize("seed", range(3))
def test_another_laboratory_is_refused_and_adapted_nearly_as_good_as_before(seed, breast):
    (x, y, _), (new, truth, _), normalizer, reference = breast
    moved = other_laboratory(new, seed)
    adata = data_of(moved, normalizer)
    with pytest.raises(InputError, match=r"too far from the encoder's.*shift=adapt.*shift=warn"):
        judge(receive(adata, normalizer, reference), "refuse", "the encoder's")
    seen = {
        how: receive(data_of(values, normalizer), normalizer, reference, shift=how).x
        for how, values in (("adapt", moved), ("warn", new))
    }
    train = receive(data_of(x, normalizer), normalizer, reference).x
    rows, tested = y != "", truth != ""
    model = LogisticRegression(C=0.01, max_iter=2000).fit(train[rows], y[rows])
    accuracy = {how: (model.predict(z[tested]) == truth[tested]).mean() for how, z in seen.items()}
    assert accuracy["warn"] > 0.82, "not moved"
    assert accuracy["adapt"] >= 0.80


def test_adapting_undoes_what_a_laboratory_does_to_a_gene(synthetic):
    _, other, normalizer, reference = synthetic
    rng = np.random.default_rng(0)
    gain, shift = rng.uniform(0.5, 2, 100), rng.normal(size=100)
    moved = (other.X * gain + shift).astype(np.float32)
    one, two = (
        receive(data_of(x, normalizer), normalizer, reference, shift="adapt").x
        for x in (other.X, moved)
    )
    np.testing.assert_allclose(one, two, atol=2e-3)


def test_samples_of_one_class_are_doubted_when_adapted_and_those_of_several_are_not(breast):
    _, (x, pam50, _), normalizer, reference = breast
    adapted = {"normalizer": normalizer, "reference": reference, "shift": "adapt"}
    assert not receive(data_of(other_laboratory(x, 0), normalizer), **adapted).doubts
    basal = other_laboratory(x[pam50 == "Basal"], 0)
    (doubt,) = receive(data_of(basal, normalizer), **adapted).doubts
    assert "if they are of one class" in doubt


def test_too_few_samples_are_not_adapted_and_few_are_warned_of(synthetic):
    _, other, normalizer, reference = synthetic
    with pytest.raises(InputError, match="9 are too few; give at least 10"):
        own_normalizer(normalizer, other.X[:9])
    with pytest.raises(InputError, match=r"and 0 of cohort B are too few"):
        own_normalizer(normalizer, other.X[:0], " of cohort B")  # one with held-out samples alone
    arrival = receive(data_of(other.X[:24], normalizer), normalizer, reference, shift="adapt")
    with pytest.warns(UserWarning, match="coarse below 25"):
        judge(arrival._replace(doubts=arrival.doubts[:1]), "adapt", "the encoder's")
    with pytest.raises(InputError, match="have the same value in all 30 samples"):
        own_normalizer(normalizer, np.repeat(other.X[:1], 30, axis=0))


def test_genes_that_are_missing_are_left_out(synthetic):
    _, other, normalizer, reference = synthetic
    part = data_of(other.X, normalizer)[:, 10:].copy()
    with pytest.warns(UserWarning, match="10 of the encoder's 100 genes are missing"):
        arrival = receive(part, normalizer, reference)
    assert not arrival.is_shifted
    with pytest.warns(UserWarning, match="missing"):
        adapted = receive(part, normalizer, reference, shift="adapt")
    assert np.isfinite(adapted.x).all()


def test_unusual_samples_are_known_one_by_one(synthetic):
    _, other, normalizer, reference = synthetic
    x = other.X[:60].copy()
    x[7] += 6
    outlying = measure(reference, normalizer, x).outlying
    assert outlying[7] == 1
    assert 0.2 < np.median(outlying) < 0.8


@pytest.mark.parametrize("frame", ["rank", "cohort"])
def test_a_frame_that_brings_laboratories_together_raises_no_alarm_of_them(frame, synthetic):
    own, other, *_ = synthetic
    normalizer, reference = fitted(own.X, frame=frame)
    for how in ("natural logarithm", "offset"):
        arrival = receive(data_of(WRONG[how](other.X), normalizer), normalizer, reference)
        assert not arrival.is_shifted
    assert "is standardised within" in arrival.sentence or frame == "rank"


def test_too_few_training_samples_keep_nothing():
    assert fitted(make_synthetic(n_samples=19, n_classes=2).X)[1] is None


def test_a_file_without_the_genes_that_count_most_is_found(breast):
    """Zeros in their place, as an outer join fills them in."""
    _, (x, _, _), normalizer, reference = breast
    wrong = x.copy()
    wrong[:, np.argsort(-normalizer.weight)[: round(0.1 * x.shape[1])]] = 0
    assert measure(reference, normalizer, x).excess < 1
    assert measure(reference, normalizer, wrong).excess > 1
    alike = dataclasses.replace(normalizer, weight=None)
    of_values = measure(reference, alike, wrong).values["clipped"]
    assert measure(reference, normalizer, wrong).values["clipped"] > 2 * of_values


@pytest.mark.parametrize("gain", [0.6, 0.75])
def test_another_dynamic_range_is_found_and_told(gain, breast):
    _, (x, _, _), normalizer, reference = breast
    found = measure(reference, normalizer, np.float32(gain) * x)
    assert found.excess > 1
    assert found.worst == "gain"
    assert "differs from that of the nearest training ones by a factor of" in found.sentence()


def test_a_reference_of_before_has_no_limit_of_the_gain(breast):
    _, (x, _, _), normalizer, reference = breast
    before = dataclasses.replace(reference, limits=reference.limits[:4])
    assert "gain" not in measure(before, normalizer, x).values
