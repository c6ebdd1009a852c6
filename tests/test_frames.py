"""What a gene's value is relative to: invariants of every frame, in memory and in a bundle."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from anndata import AnnData
from scipy.stats import norm

from jaxssl.config import Config, NormalizeConfig, with_options
from jaxssl.data.align import encoder_input
from jaxssl.data.extent import Range
from jaxssl.data.frames import MIN_COHORT, fit_frame, normal_scores, to_frame
from jaxssl.data.normalize import fit_normalizer, normalize, standardize
from jaxssl.data.scale import resolve_scale
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.bundle import EncoderBundle, load_bundle, save_bundle
from jaxssl.engine.prepared import prepare
from jaxssl.model import make_encoder
from jaxssl.types import InputError

RNG = np.random.default_rng(0)
X = RNG.normal(8, 2, (60, 30)).astype(np.float32)
GENES = [f"g{i}" for i in range(30)]
COHORTS = np.repeat(["a", "b"], 30)
SHIFT, GAIN = RNG.normal(0, 3, 30), RNG.uniform(0.5, 2, 30)


def normalizer_of(frame, x=X, cohorts=COHORTS, kind="spectral"):
    options = NormalizeConfig(frame=frame, n_components=8, input=kind)
    return fit_normalizer(x.astype(np.float32), GENES, options, cohorts=cohorts)


def test_normal_scores_are_those_of_the_ranks():
    x = np.array([[1.0, 3.0, 2.0, 3.0]])
    expected = norm.ppf((np.array([1, 3.5, 2, 3.5]) - 0.375) / 4.25)
    np.testing.assert_allclose(normal_scores(x)[0], expected, rtol=1e-6)
    np.testing.assert_array_equal(normal_scores(np.exp(X)), normal_scores(X))
    missing = np.where(np.arange(30) == 4, np.nan, X)
    scores = normal_scores(missing)
    assert np.isnan(scores[:, 4]).all()
    np.testing.assert_array_equal(np.delete(scores, 4, 1), normal_scores(np.delete(X, 4, 1)))


@pytest.mark.parametrize("kind", ["spectral", "genes"])
@pytest.mark.parametrize("frame", ["cohort", "rank_cohort"])
def test_what_a_laboratory_does_to_every_gene_of_its_cohort_is_undone(frame, kind):
    x = normal_scores(X) if frame == "rank_cohort" else X  # ranks know no shift of a gene
    changed = np.where((COHORTS == "b")[:, None], x * GAIN + SHIFT, x)
    expected = normalize(normalizer_of("cohort", x, kind=kind), x, cohorts=COHORTS)
    found = normalize(normalizer_of("cohort", changed, kind=kind), changed, cohorts=COHORTS)
    np.testing.assert_allclose(abs(found), abs(expected), atol=2e-3)


@pytest.mark.parametrize("frame", ["rank", "rank_cohort"])
def test_what_keeps_the_order_within_a_sample_is_undone(frame):
    normalizer = normalizer_of(frame)
    changed = X * RNG.uniform(0.5, 2, (60, 1)) + RNG.normal(0, 3, (60, 1))
    np.testing.assert_allclose(
        normalize(normalizer, changed, cohorts=COHORTS),
        normalize(normalizer, X, cohorts=COHORTS),
        atol=1e-5,
    )


def test_a_new_cohort_is_put_into_the_frame_and_its_genes_where_they_were():
    normalizer, new = normalizer_of("cohort", kind="genes"), X[:30] * GAIN + SHIFT
    z = standardize(normalizer, new)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(z, standardize(normalizer, X[:30], cohorts=COHORTS[:30]), atol=2e-3)


def test_a_sample_of_a_known_cohort_is_the_same_whatever_is_beside_it():
    normalizer = normalizer_of("cohort")
    alone = normalize(normalizer, X[:1] + 1, cohorts=["a"])
    beside = normalize(normalizer, np.concatenate([X[:1] + 1, X]), cohorts=["a", *COHORTS])
    np.testing.assert_allclose(alone[0], beside[0], rtol=1e-5)  # a product of other size


def test_a_cohort_of_few_samples_is_refused():
    few = np.where(np.arange(60) < MIN_COHORT - 1, "c", COHORTS)
    with pytest.raises(InputError, match=r"1 of 3 cohorts have fewer than 10 samples .*c \(9\)"):
        fit_frame(X, "cohort", few)
    frame = fit_frame(X, "cohort", COHORTS)[1]
    with pytest.raises(InputError, match="too few to say what is usual"):
        to_frame(frame, X[:3])


def test_a_gene_that_is_constant_in_a_cohort_is_at_its_mean():
    x = np.where((COHORTS == "b")[:, None] & (np.arange(30) == 2), np.float32(5), X)
    z = standardize(normalizer_of("cohort", x, kind="genes"), x, cohorts=COHORTS)
    np.testing.assert_allclose(z[COHORTS == "b", 2], 0, atol=1e-6)
    assert z[COHORTS == "a", 2].std() > 0.5


@pytest.mark.parametrize("found", ["counts", "linear", "log_ratio"])
@pytest.mark.parametrize("frame", ["training", "cohort", "rank", "rank_cohort"])
def test_another_scale_is_framed_or_refused(frame, found):
    new = AnnData(X[:30] - (X[:30].mean(0) if found == "log_ratio" else 0))
    new.uns["jaxssl"], new.var_names = {"scale": found}, GENES
    normalizer = normalizer_of(frame, kind="genes")
    if frame.endswith("cohort") or (frame == "rank" and found != "log_ratio"):
        assert np.isfinite(encoder_input(new, normalizer)[0]).all()
        return
    with pytest.raises(InputError, match=f"on the {found} scale, the encoder was trained on log2"):
        encoder_input(new, normalizer)


def test_ratios_to_a_reference_are_in_the_frame_of_a_cohort_what_intensities_are():
    new = AnnData(X[:30] + SHIFT.astype(np.float32))
    new.uns["jaxssl"], new.var_names = {"scale": "log_ratio"}, GENES
    normalizer = normalizer_of("cohort", kind="genes")
    z = standardize(normalizer, X[:30], cohorts=COHORTS[:30])
    np.testing.assert_allclose(encoder_input(new, normalizer)[0], z, atol=2e-3)


@pytest.mark.parametrize("frame", ["cohort", "rank", "rank_cohort"])
def test_genes_that_are_missing_are_at_their_mean(frame):
    normalizer = normalizer_of(frame, kind="genes")
    var_names = GENES[:-3]
    new = AnnData(X[:, :-3], uns={"jaxssl": {"scale": "log2"}})
    new.var_names, new.obs_names = var_names, [f"s{i}" for i in range(60)]
    with pytest.warns(UserWarning, match="3 of the encoder's 30 genes are missing"):
        z, _ = encoder_input(new, normalizer)
    assert np.isfinite(z).all()
    at = np.clip(-normalizer.mean / normalizer.scale, normalizer.lower, normalizer.upper)
    expected = at[-3:] if frame.endswith("cohort") else 0
    np.testing.assert_allclose(z[:, -3:], np.broadcast_to(expected, (60, 3)), atol=1e-6)


@pytest.mark.parametrize("frame", ["training", "cohort", "rank_cohort"])
def test_a_bundle_keeps_its_frame(frame, tmp_path):
    config = with_options(Config(), {"encoder.hidden": (6,), "normalize.frame": frame})
    normalizer = normalizer_of(frame)
    params = make_encoder(config.encoder, "float32").init(jax.random.key(0), jnp.zeros((1, 8)))
    save_bundle(tmp_path / "b", EncoderBundle(config, normalizer, {"encoder": params}, {"seed": 0}))
    loaded = load_bundle(tmp_path / "b").normalizer
    assert (loaded.frame.name, loaded.frame.cohorts) == (frame, normalizer.frame.cohorts)
    np.testing.assert_array_equal(
        normalize(loaded, X, cohorts=COHORTS), normalize(normalizer, X, cohorts=COHORTS)
    )


def test_batches_of_a_study_are_its_cohorts():
    adata = make_synthetic(n_samples=240, n_genes=40, n_classes=3)
    config = with_options(Config(), {"normalize.frame": "cohort", "data.batch": "batch"})
    task = make_task(adata, config)
    prepared = prepare(task, config)
    assert prepared.normalizer.frame.cohorts == tuple(np.unique(task.batches))
    z = prepared.genes[task.split.train]
    for batch in prepared.normalizer.frame.cohorts:
        rows = task.batches[task.split.train] == batch
        np.testing.assert_allclose(z[rows].mean(0), 0, atol=0.2)  # clipped


def test_log_ratios_are_a_scale_that_has_negative_values():
    assert resolve_scale("log_ratio", Range(-3.0, 4.0, False))[0] == "log_ratio"
    for lowest, highest, fix in ((0.1, 12.0, "log2"), (-3.0, 80.0, "correct the values")):
        with pytest.raises(InputError, match=f"scale=log_ratio` contradicts .*{fix}"):
            resolve_scale("log_ratio", Range(lowest, highest, False))
