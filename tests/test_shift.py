"""Samples of another laboratory are refused, warned of or adapted; those of the same are not."""

import dataclasses

import jax
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from sklearn.linear_model import LogisticRegression
from verbs import launch

import jaxssl
from jaxssl import SSLEncoder
from jaxssl.config import NormalizeConfig
from jaxssl.data.adapting import own_normalizer
from jaxssl.data.arrival import judge, receive
from jaxssl.data.frames import to_frame
from jaxssl.data.normalize import fit_normalizer
from jaxssl.data.profiles import locations, nearest_profiles
from jaxssl.data.shift import SIZES, at_size, axes_of, gains, measure, spread_of
from jaxssl.data.shift_limits import fit_reference
from jaxssl.data.synthetic import load_demo, make_synthetic
from jaxssl.engine.bundle import load_bundle, save_bundle
from jaxssl.evaluation.predictions import counted, doubt_of_one_class
from jaxssl.types import InputError

pytestmark = pytest.mark.filterwarnings("ignore:.*not healthy:UserWarning")

WRONG = {
    "natural logarithm": lambda x: x * np.float32(np.log(2)),
    "log10": lambda x: x * np.float32(np.log10(2)),
    "offset": lambda x: x + np.float32(4),
    "zero": lambda x: x * np.float32(0),
}
SMALL = {"encoder.hidden": (16, 8), "finetune.transfer_layers": 2, "pretrain.n_steps": 20}
EMPTY = np.empty((0, 0), np.float32)


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


def other_laboratory(x, seed):
    """Every gene shifted by a normal number, and its deviation multiplied by 0.5 to 2."""
    rng = np.random.default_rng(seed)
    shift = rng.uniform(1, 2) * rng.standard_normal(x.shape[1])
    gain = 2 ** rng.uniform(-1, 1, x.shape[1])
    mean = x.mean(axis=0)
    return ((x - mean) * gain + mean + shift).astype(np.float32)


def test_a_mixture_of_profiles_is_no_shift_and_the_rest_is_its_distance():
    rng = np.random.default_rng(0)
    profiles = rng.normal(size=(4, 50)).astype(np.float32)
    shares = rng.dirichlet(np.ones(4), 20).astype(np.float32)
    np.testing.assert_allclose(locations(shares @ profiles, profiles), 0, atol=0.02)
    away = np.linalg.svd(profiles)[2][-1].astype(np.float32)  # at a right angle to all of them
    moved = shares @ profiles + 3 * np.sqrt(np.float32(50)) * away
    np.testing.assert_allclose(locations(moved, profiles), 3, atol=0.02)
    beyond = 2 * profiles[:1] - profiles[1:2]  # on their line, but no mixture
    assert locations(beyond, profiles)[0] > 0.5


def test_the_nearest_profile_is_that_of_brute_force():
    rng = np.random.default_rng(0)
    z, profiles = rng.normal(size=(30, 7)), rng.normal(size=(5, 7))
    square = ((z[:, None] - profiles) ** 2).mean(axis=2)
    nearest, distances = nearest_profiles(z, profiles)
    np.testing.assert_array_equal(nearest, square.argmin(axis=1))
    np.testing.assert_allclose(distances, np.sqrt(square.min(axis=1)), atol=1e-6)


def test_limits_between_sizes_lie_between_them_and_none_is_made_up():
    limits = np.arange(len(SIZES), dtype=np.float32)[None] + 1
    for i, n in enumerate(SIZES):
        assert at_size(limits, int(n))[0] == limits[0, i]
    assert at_size(limits, 10_000)[0] == limits[0, -1]
    assert limits[0, 4] < at_size(limits, 30)[0] < limits[0, 5]
    limits[0, :3] = np.inf
    assert at_size(limits, 7)[0] == np.inf


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


def test_the_spread_does_not_see_what_happens_to_single_genes():
    rng = np.random.default_rng(0)
    profiles = rng.normal(size=(3, 40)).astype(np.float32)
    z = profiles[rng.integers(3, size=50)] + rng.normal(size=(50, 40)).astype(np.float32)
    moved = z * rng.uniform(0.5, 2, 40) + rng.normal(size=40)
    axes = axes_of(profiles)
    np.testing.assert_allclose(spread_of(z, axes), spread_of(moved, axes), rtol=1e-4)
    np.testing.assert_allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-5)


def test_too_few_training_samples_keep_nothing():
    assert fitted(make_synthetic(n_samples=19, n_classes=2).X)[1] is None


def test_classes_are_counted_in_a_line():
    assert counted(np.array(["normal"] * 76)) == "all 76 samples for normal"
    assert counted(np.array(["a", "b", "a"])) == "2 samples for a, 1 for b"
    assert counted(np.array(list("aabcdefg"))).endswith(", 2 for others")


def test_one_class_for_all_is_doubted_where_chance_does_not_explain_it():
    classes = ["a", "b"]
    all_b = np.array(["b"] * 40)
    assert "all 40 samples of X are taken for b, which 25%" in doubt_of_one_class(
        all_b, classes, [75, 25], " of X"
    )
    assert not doubt_of_one_class(all_b, classes, [2, 98]), "nearly all of the training"
    assert not doubt_of_one_class(all_b[:9], classes, [75, 25]), "few"
    assert not doubt_of_one_class(all_b, classes, [8, 92]), "0.92 ** 40 is above 0.01"
    assert doubt_of_one_class(np.array(["b"] * 60), classes, [8, 92])
    assert not doubt_of_one_class(np.array(["b"] * 39 + ["a"]), classes)


def test_a_file_of_one_class_is_warned_of_though_nothing_has_shifted(encoder, numerics):
    data = make_synthetic(n_samples=240, n_genes=60)
    classifier = jaxssl.SSLClassifier(encoder, label="class", config={"finetune.n_steps": 5})
    bundle = classifier.fit(data).bundle_
    assert sum(bundle.provenance["class_counts"]) == bundle.provenance["n_labelled"]
    named = classifier.predict(data)
    largest = pd.Series(named).value_counts().index[0]
    new = data[named == largest].copy()
    new.obs_names = [f"new{i}" for i in range(new.n_obs)]
    for use in (classifier.predict, lambda d: jaxssl.predict(bundle, d, shift="warn")):
        with pytest.warns(UserWarning, match=f"samples are taken for {largest}"):
            use(new)


@pytest.fixture(scope="module")
def encoder():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return SSLEncoder(config=SMALL).fit(make_synthetic(n_samples=240, n_genes=60))


def test_a_bundle_keeps_what_it_knows_of_its_cohort(encoder, tmp_path):
    save_bundle(tmp_path / "b", encoder.bundle_)
    loaded = load_bundle(tmp_path / "b").reference
    for name, kept in vars(encoder.bundle_.reference).items():
        np.testing.assert_array_equal(vars(loaded)[name], kept)
    save_bundle(tmp_path / "old", dataclasses.replace(encoder.bundle_, reference=None))
    assert load_bundle(tmp_path / "old").reference is None


def test_python_and_estimators_refuse_warn_and_adapt(encoder, tmp_path, numerics):
    data = make_synthetic(n_samples=240, n_genes=60)
    moved = data.copy()
    moved.X = other_laboratory(data.X, 0)
    moved.obs_names = [f"other{i}" for i in range(240)]
    classifier = jaxssl.SSLClassifier(encoder, label="class", config={"finetune.n_steps": 5})
    classifier.fit(data).save(tmp_path / "clf")
    for use in (encoder.transform, classifier.predict, encoder.embed):
        with pytest.raises(InputError, match=r"240 samples lie too far from.*`shift=adapt`"):
            use(moved.copy())
    with pytest.raises(InputError, match="it takes "):
        jaxssl.predict(tmp_path / "clf", moved)
    with pytest.warns(UserWarning, match="too far from the classifier's"):
        warned = jaxssl.predict(tmp_path / "clf", moved, shift="warn")
    adapted = jaxssl.predict(tmp_path / "clf", moved, shift="adapt")
    data.obs_names = moved.obs_names
    own = jaxssl.predict(tmp_path / "clf", data)
    truth = data.obs["class"].to_numpy()
    right = [(table["predicted"] == truth).mean() for table in (own, adapted, warned)]
    assert right[1] > right[0] - 0.05
    assert right[2] < right[1]
    probabilities = own.filter(regex="^p_")
    np.testing.assert_array_equal(own["max_probability"], probabilities.max(axis=1))
    assert own["out_of_distribution"].between(0, 1).all()
    assert (warned["out_of_distribution"] == 1).mean() > 0.9
    assert adapted["out_of_distribution"].median() < 0.9
    other = jaxssl.SSLClassifier(encoder, label="class", shift="adapt")
    np.testing.assert_allclose(
        other.fit(moved).bundle_.normalizer.mean, moved.X.mean(axis=0), rtol=1e-5
    )
    with pytest.raises(InputError, match=r"`shift=ignore` is unknown; choose one of refuse, warn"):
        jaxssl.predict(tmp_path / "clf", data, shift="ignore")


def test_an_encoder_that_keeps_nothing_says_so(encoder, tmp_path):
    bundle = dataclasses.replace(encoder.bundle_, reference=None)
    data = make_synthetic(n_samples=240, n_genes=60)
    arrival = receive(data, bundle.normalizer, bundle.reference)
    assert "none can be told" in arrival.sentence
    assert np.isnan(arrival.outlying).all()
    judge(arrival, "refuse", "the encoder's")


def test_verbs_refuse_before_they_write_and_name_the_flags(encoder, tmp_path):
    moved = make_synthetic(n_samples=240, n_genes=60)
    moved.X = other_laboratory(moved.X, 0)
    moved.obs_names = [f"other{i}" for i in range(240)]
    moved.write_h5ad(tmp_path / "moved.h5ad")
    encoder.save(tmp_path / "encoder")
    words = [f"--encoder={tmp_path / 'encoder'}", f"--data={tmp_path / 'moved.h5ad'}"]
    for verb, out in (("embed", "e.h5ad"), ("finetune", "clf")):
        told = launch(verb, *words, f"--out={tmp_path / out}", code=2)
        assert "pass --shift=adapt to standardise" in told
        assert not (tmp_path / out).exists()
    launch("finetune", *words, f"--out={tmp_path / 'clf'}", "--shift=adapt", "--label=class")
    words = [f"--classifier={tmp_path / 'clf'}", words[1], f"--out={tmp_path / 'p.csv'}"]
    told = launch("predict", *words)  # its own cohort by now
    assert "shift: " in told
    assert len(pd.read_csv(tmp_path / "p.csv")) == 240


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


@pytest.mark.parametrize("gain", [0.5, 0.7, 1.5])
def test_the_gain_is_the_slope_on_the_nearest_profile(gain):
    rng = np.random.default_rng(0)
    mean, scale = rng.uniform(4, 12, 300), rng.uniform(0.5, 2, 300)
    profiles = rng.normal(size=(40, 300))
    x = gain * (profiles * scale + mean) + 1
    found = gains((x - mean) / scale, profiles, mean, scale)
    np.testing.assert_allclose(found, np.log(gain), rtol=1e-6)


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
