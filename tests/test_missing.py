"""Genes that are missing: the curve that held-out samples give, and what a refusal says of it."""

import numpy as np
import pytest
from verbs import launch

import jaxssl
from jaxssl.config import NormalizeConfig
from jaxssl.data.frames import to_frame
from jaxssl.data.missing import CURVE, N_DRAWS, SHARES, expectation, measure_curve, weightiness
from jaxssl.data.normalize import fit_normalizer, standardize
from jaxssl.data.synthetic import make_synthetic
from jaxssl.engine.bundle import load_bundle
from jaxssl.evaluation.predictions import unpack
from jaxssl.files import read_json, read_table
from jaxssl.types import InputError

pytestmark = pytest.mark.filterwarnings("ignore:.*not healthy:UserWarning")
CURVE_OF_TWO = {"shares": [0.0, 0.5], "accuracy": [0.9, 0.5]}


def test_the_curve_is_the_accuracy_with_those_genes_at_the_mean():
    rng = np.random.default_rng(0)
    x = rng.normal(5, 2, (80, 40)).astype(np.float32)
    normalizer = fit_normalizer(x, [f"g{i}" for i in range(40)], NormalizeConfig(input="genes"))
    codes = (standardize(normalizer, x).sum(axis=1) > 0).astype(int)
    codes[:5] = -1
    seen = []

    def name(z):
        seen.append((z == 0).all(axis=0).sum())
        return (z.sum(axis=1) > 0).astype(int)

    curve = measure_curve(normalizer, x, codes, name)
    shares = [*(share for share in SHARES[1:] for _ in range(N_DRAWS)), *SHARES[1:]]
    counts = [0, *(round(40 * share) for share in shares)]
    assert seen == counts, "as many genes are at the mean, in all samples"
    assert curve["accuracy"][0] == 1
    assert curve["accuracy"][0] > curve["accuracy"][2] > curve["accuracy"][4] > 0.5
    assert curve["n_samples"] == 75
    again = measure_curve(normalizer, x, codes, name)
    assert again == curve
    assert measure_curve(normalizer, x, np.full(80, -1), name) is None


def test_without_the_genes_that_count_most_the_curve_is_lower():
    rng = np.random.default_rng(0)
    x = rng.normal(8, np.r_[np.full(10, 3.0), np.full(90, 0.3)], (200, 100)).astype(np.float32)
    names = [f"g{i}" for i in range(100)]
    codes = (x[:, :10].sum(axis=1) > 80).astype(int)
    curves = []
    for scaling in (0.0, 1.0):
        normalizer = fit_normalizer(x, names, NormalizeConfig(input="genes", scaling=scaling))
        of_ten = normalizer.scale[:10] / (
            1 if normalizer.weight is None else normalizer.weight[:10]
        )
        curves.append(
            measure_curve(
                normalizer, x, codes, lambda z, w=of_ten: ((z[:, :10] @ w) > 0).astype(int)
            )
        )
    by_variance, alike = curves
    assert "least" not in alike, "no gene counts more than another"
    np.testing.assert_allclose(by_variance["accuracy"], alike["accuracy"], atol=1e-6)
    assert by_variance["least"][0] == by_variance["accuracy"][0] > 0.95
    assert by_variance["least"][1] < 0.65 < by_variance["accuracy"][1]


@pytest.mark.parametrize(
    ("absent", "expected"), [([0], 1.0), ([3], 0.0), ([], 0.0), ([0, 1, 2, 3], 0.0), ([1, 3], 0.0)]
)
def test_missing_genes_weigh_as_the_heaviest_do_or_as_any(absent, expected):
    weight = np.array([3.0, 1.0, 1.0, 1.0])
    assert weightiness(np.array(absent, int), weight) == expected
    assert weightiness(np.array(absent, int), None) == 0


def test_missing_genes_that_count_most_lower_what_is_expected():
    curve = CURVE_OF_TWO | {"least": [0.9, 0.1]}
    assert "0.50 where" in expectation(curve, 0.5)
    assert "which count most: expect accuracy 0.10 where" in expectation(curve, 0.5, 1.0)
    assert "0.40 where" in expectation(curve, 0.5, 0.25)
    assert "0.50 where" in expectation(CURVE_OF_TWO, 0.5, 1.0), "of a classifier of before"


def test_ranks_are_taken_among_the_genes_that_are_left():
    x = np.random.default_rng(0).normal(5, 2, (60, 20)).astype(np.float32)
    options = NormalizeConfig(input="genes", frame="rank")
    normalizer = fit_normalizer(x, [f"g{i}" for i in range(20)], options)
    left, found = [], []

    def name(z):
        known = ~(z == 0).all(axis=0)
        left.append(known)
        found.append(z[:, known])
        return np.zeros(len(z), int)

    measure_curve(normalizer, to_frame(normalizer.frame, x), np.zeros(60, int), name)
    for known, z in zip(left[1:3], found[1:3], strict=True):
        lacking = np.where(known, x, np.nan)
        np.testing.assert_allclose(standardize(normalizer, lacking)[:, known], z, rtol=1e-6)


def test_between_the_shares_the_curve_is_a_line_and_beyond_them_a_bound():
    assert "expect accuracy 0.70 where 0.90" in expectation(CURVE_OF_TWO, 0.25)
    assert "expect accuracy 0.50 or less" in expectation(CURVE_OF_TWO, 0.6)
    assert not expectation(None, 0.5)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A folder of a pretraining with missing genes and of a fine-tuning, made by verbs."""
    folder = tmp_path_factory.mktemp("missing")
    make_synthetic(n_samples=240, n_genes=60).write_h5ad(folder / "data.h5ad")
    small = ["--config.encoder.hidden=(16,8)", "--config.finetune.transfer_layers=2"]
    small += ["--config.pretrain.n_steps=20", "--config.augment.drop_genes=0.3"]
    data = f"--data={folder / 'data.h5ad'}"
    launch("pretrain", data, *small, "--label=class", "--seeds=1", f"--out={folder / 'enc'}")
    launch("finetune", f"--encoder={folder / 'enc'}", data, f"--out={folder / 'clf'}")
    return folder


def test_a_classifier_keeps_its_curve_and_the_card_shows_it(classifier):
    curve = load_bundle(classifier / "clf" / "classifier").provenance[CURVE]
    assert read_json(classifier / "clf" / "summary.json")[CURVE] == curve
    told = unpack(read_table(classifier / "clf" / "predictions.parquet"))
    assert curve["accuracy"][0] == pytest.approx(told.right.mean())
    card = (classifier / "clf" / "classifier" / "MODEL_CARD.md").read_text()
    assert f"| 50 % | {curve['accuracy'][3]:.3f} |" in card
    assert (
        "| genes missing |" not in (classifier / "enc/encoder/seed_000/MODEL_CARD.md").read_text()
    )


def test_a_refusal_says_what_the_curve_expects(classifier):
    data = make_synthetic(n_samples=240, n_genes=60)
    data.obs_names = [f"new{i}" for i in range(240)]
    accuracy = load_bundle(classifier / "clf" / "classifier").provenance[CURVE]["accuracy"]
    expected = f"50 % of genes missing: expect accuracy {accuracy[3]:.2f} where {accuracy[0]:.2f}"
    half = data[:, :30].copy()
    with pytest.raises(InputError, match=f"30 of the encoder's 60 genes .*{expected}"):
        jaxssl.predict(classifier / "clf", half)
    with pytest.raises(InputError, match=expected):
        jaxssl.SSLClassifier.load(classifier / "clf").predict(half)
    with pytest.warns(UserWarning, match=f"imputed with the training mean; {expected}"):
        jaxssl.predict(classifier / "clf", half, max_missing=0.6, shift="warn")
    half.write_h5ad(classifier / "half.h5ad")
    words = [f"--classifier={classifier / 'clf'}", f"--data={classifier / 'half.h5ad'}"]
    told = launch("predict", *words, f"--out={classifier / 'p.csv'}", code=2)
    assert expected in told
    assert "pass --max_missing=0.5" in told
    assert not (classifier / "p.csv").exists()


def test_an_estimator_is_the_encoder_of_a_study_that_drops_genes_and_not_that_of_none(numerics):
    data = make_synthetic(n_samples=120, n_genes=40)
    small = {"encoder.hidden": (16, 8, 8), "pretrain.n_steps": 20}
    dropping = small | {"augment.drop_genes": 0.5}
    found = [
        jaxssl.SSLEncoder(config=c).fit(data).transform(data) for c in (small, dropping, dropping)
    ]
    assert abs(found[0] - found[1]).max() > 1e-3
    np.testing.assert_array_equal(found[1], found[2])
