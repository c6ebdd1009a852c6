"""Samples of one class alone are told from several, whatever a laboratory does to genes."""

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import jaxssl
from jaxssl import SSLClassifier
from jaxssl.data import presence
from jaxssl.data.expression import read
from jaxssl.data.presence import between, fit_classes, measure


def samples(codes, n_genes=200, seed=0):
    """Log2 expression in which a fifth of the genes tell classes apart."""
    rng = np.random.default_rng(seed)
    profiles = np.random.default_rng(9).normal(0, 1.5, (codes.max() + 1, n_genes))
    profiles[:, n_genes // 5 :] = 0
    base = np.random.default_rng(8).uniform(4, 12, n_genes)
    return (base + profiles[codes] + rng.standard_normal((len(codes), n_genes))).astype(np.float32)


def learn(x, codes):
    """What tells the classes of one cohort apart."""
    found = fit_classes(x, None, codes)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def classes():
    codes = np.arange(90) % 3
    return learn(samples(codes), codes)


def test_the_best_two_groups_are_those_of_brute_force():
    values = np.random.default_rng(0).standard_normal(30)
    ordered = np.sort(values - values.mean())

    def share(k):
        groups = ordered[:k], ordered[k:]
        return sum(len(g) * g.mean() ** 2 for g in groups) / (ordered**2).sum()

    assert between(values) == pytest.approx(max(share(k) for k in range(3, 28)))
    assert between(np.array([0.0] * 5 + [1.0] * 5)) == pytest.approx(1)
    assert between(np.ones(10)) == 0


@pytest.mark.parametrize("n", [15, 50, 400])
def test_normal_numbers_have_no_excess(n):
    rng = np.random.default_rng(0)
    mean = np.mean([between(rng.standard_normal(n)) for _ in range(500)])
    assert mean == pytest.approx(2 / np.pi + 1 / n, abs=0.006)


def test_one_class_is_told_from_several(classes):
    assert measure(classes, samples(np.arange(45) % 3, seed=1)).margin > 0.1
    for k in range(3):
        found = measure(classes, samples(np.full(30, k), seed=1))
        assert found.margin < 0
        assert (found.most, found.share) == (k, 1)
        assert f"100% look like {'abc'[k]}" in found.sentence("abc")


def test_location_and_scale_of_genes_change_no_excess_and_those_of_samples_no_share(classes):
    x, rng = samples(np.arange(45) % 3, seed=1), np.random.default_rng(2)
    found = measure(classes, x)
    gain, shift = rng.uniform(0.5, 2, (2, x.shape[1])).astype(np.float32)
    other = measure(classes, x * gain + shift)
    assert other.excess == pytest.approx(found.excess, abs=1e-4)
    other = measure(classes, x * rng.uniform(0.5, 2, (len(x), 1)).astype(np.float32))
    assert (other.share, other.most) == (found.share, found.most)


def test_missing_genes_are_as_if_they_were_not_there(classes):
    x = samples(np.arange(45) % 3, seed=1)
    x[:, ::4] = np.nan
    left = np.arange(x.shape[1]) % 4 > 0
    of_left = classes._replace(
        **{name: getattr(classes, name)[left] for name in ("kernel", "mean", "scale", "weight")},
        profiles=classes.profiles[:, left],
    )
    assert measure(classes, x) == measure(of_left, x[:, left])
    codes = np.arange(90) % 3
    source = samples(codes)
    source[:, ::4] = np.nan
    whole, part = learn(source, codes), learn(source[:, left], codes)
    np.testing.assert_allclose(whole.kernel[left], part.kernel, rtol=1e-5)
    assert (whole.scale[~left] == 0).all()
    assert measure(whole, samples(np.arange(45) % 3, seed=1)).margin > 0.1


def test_nothing_is_told_by_few_labels_or_of_classes_that_the_source_does_not_show(monkeypatch):
    codes = np.arange(90) % 3
    assert fit_classes(samples(codes), None, np.where(np.arange(90) < 39, codes, -1)) is None
    assert fit_classes(samples(codes), None, np.random.default_rng(0).permutation(codes)) is None
    rare = np.where(np.arange(90) < 4, 3, codes)  # a class of 4 labels is not looked for
    np.testing.assert_array_equal(learn(samples(codes), rare).classes, [0, 1, 2])
    monkeypatch.setattr(presence, "MAX_LABELS", 60)
    np.testing.assert_array_equal(learn(samples(codes), codes).classes, [0, 1, 2])


def test_a_class_that_is_rare_among_many_labels_is_left_out():
    codes = np.append(np.arange(1_500) % 3, np.full(6, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = learn(samples(codes, n_genes=60), codes)
    assert found.classes.tolist() == [0, 1, 2]
    assert np.isfinite(found.profiles).all()


def test_between_real_laboratories_all_samples_pass_and_each_lineage_alone_does_not(data_dir):
    folder = data_dir / "cohorts" / "leukemia_lineage"
    if not folder.is_dir():
        pytest.skip("the set has no families of cohorts")
    parts = {}
    for name in ("golub1999", "all_chiaretti"):
        file = folder / name / "expression.npz"
        parts[name] = read(file, labels=folder / name / "labels.csv", label="label", scale="log2")
    source, target = parts.values()
    genes = source.var_names.intersection(target.var_names)
    codes = pd.Categorical(source.obs["label"]).codes.astype(np.int64)
    classes = learn(np.asarray(source[:, genes].X), codes)
    x, labels = np.asarray(target[:, genes].X), target.obs["label"].to_numpy()
    assert measure(classes, x).margin > 0
    for lineage in ("B_ALL", "T_ALL"):
        assert measure(classes, x[labels == lineage]).margin < 0


OPTIONS = {"encoder.hidden": (16, 8), "finetune.transfer_layers": 2, "pretrain.n_steps": 20}
DOUBT = "they may be of one class"


def data_of(codes, seed, name="s", gain=1):
    """A data set of these classes."""
    obs = pd.DataFrame({"class": np.array(list("abc"))[codes]})
    obs.index = pd.Index([f"{name}{i}" for i in range(len(codes))])
    adata = AnnData(samples(codes, seed=seed) * np.float32(gain), obs)
    adata.uns["jaxssl"] = {"scale": "log2", "label": "class"}
    return adata


def doubts(predict):
    """Whether one class alone is warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        predict()
    return [str(told.message) for told in caught if DOUBT in str(told.message)]


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.filterwarnings("ignore:.*not healthy:UserWarning")
def test_a_classifier_that_adapts_keeps_what_tells_its_classes_apart(tmp_path):
    source = data_of(np.arange(150) % 3, 0)
    several = data_of(np.arange(45) % 3, 1, "t", gain=1.3)
    alone = data_of(np.full(30, 1), 1, "t", gain=1.3)
    fitted = SSLClassifier(config=OPTIONS, label="class", shift="adapt").fit(source)
    assert not doubts(lambda: fitted.predict(several))
    (told,) = doubts(lambda: fitted.predict(alone))
    assert "look like b" in told
    both = AnnData(np.concatenate([several.X, alone.X]), var=several.var)
    cohorts = np.repeat(["mixed", "alike"], [45, 30])
    (told,) = doubts(lambda: fitted.predict(both, cohorts=cohorts))
    assert "of alike in two" in told
    fitted.save(tmp_path / "clf")
    again = SSLClassifier.load(tmp_path / "clf")
    for name, values in fitted.bundle_.classes._asdict().items():
        np.testing.assert_array_equal(getattr(again.bundle_.classes, name), values)
    assert doubts(lambda: again.predict(alone)) == doubts(lambda: fitted.predict(alone))
    again.bundle_ = dataclasses.replace(again.bundle_, classes=None)  # of an earlier version
    assert not doubts(lambda: again.predict(alone))


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.filterwarnings("ignore:.*not healthy:UserWarning")
def test_a_fine_tuned_classifier_warns_where_it_adapts_and_nowhere_else(tmp_path):
    source = data_of(np.arange(150) % 3, 0)
    alone = data_of(np.full(30, 1), 1, "t", gain=1.3)
    encoder = jaxssl.SSLEncoder(config=OPTIONS).fit(source)
    with pytest.warns(UserWarning, match="bear the id of a sample that was seen there"):
        classifier = jaxssl.finetune(encoder.bundle_, source, out=tmp_path / "clf", progress=False)
    assert doubts(lambda: jaxssl.predict(tmp_path / "clf", alone, shift="adapt"))
    assert not doubts(lambda: jaxssl.predict(tmp_path / "clf", alone, shift="warn"))
    x = np.asarray(source[:, list(classifier.normalizer.genes)].X)
    assert classifier.reference is not None
    assert classifier.classes.kernel.shape == (len(classifier.reference.looked), 3)
    held_out = source.obs_names.isin(
        pd.read_parquet(tmp_path / "clf" / "predictions.parquet")["sample_id"]
    )
    codes = np.where(held_out, -1, np.arange(150) % 3)[~held_out]
    expected = learn(x[~held_out][:, classifier.reference.looked], codes)
    np.testing.assert_allclose(classifier.classes.kernel, expected.kernel, atol=1e-7)
