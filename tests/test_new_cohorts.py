"""Files that hold several cohorts: each is judged, framed and adapted on its own."""

import jax
import numpy as np
import pytest
from verbs import launch

import jaxssl
from jaxssl import SSLClassifier, SSLEncoder
from jaxssl.data.arrival import receive
from jaxssl.data.synthetic import make_synthetic
from jaxssl.engine.embed import EMBEDDED
from jaxssl.engine.newcomers import cohorts_of, told_apart
from jaxssl.types import InputError

pytestmark = pytest.mark.filterwarnings("ignore:.*not healthy:UserWarning")
SMALL = {"encoder.hidden": (16, 8, 8), "pretrain.n_steps": 20, "finetune.n_steps": 5}
RNG = np.random.default_rng(0)
GAIN, SHIFT = RNG.uniform(0.5, 2, 60).astype(np.float32), 2 * RNG.normal(size=60)
COLUMNS = {
    "plate": ([f"p{i // 2}" for i in range(240)], r"names 120 cohorts, and 120 of them have fewer"),
    "few": (["a"] * 237 + ["b"] * 3, r"smallest: b, 3 samples"),
    "gaps": (["a"] * 120 + [""] * 2 + ["b"] * 118, r"2 of 240 samples have no cohort"),
}


def new_samples():
    """Samples of two laboratories, the second of which shifts and rescales every gene."""
    data = make_synthetic(n_samples=240, n_genes=60, batch_effect=0.0)
    data.obs_names = [f"new{i}" for i in range(240)]
    data.obs["lab"] = np.where(np.arange(240) % 3 == 0, "second", "first")
    for name, (values, _) in COLUMNS.items():
        data.obs[name] = values
    is_second = data.obs["lab"].to_numpy() == "second"
    data.X[is_second] = data.X[is_second] * GAIN + SHIFT.astype(np.float32)
    return data, is_second


@pytest.fixture(scope="module")
def made():
    """Classifiers on encoders in the training's and the cohorts' frame."""
    data = make_synthetic(n_samples=240, n_genes=60, batch_effect=0.0)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        own = SSLClassifier(label="class", config=SMALL).fit(data)
        framed = SSLEncoder(config=SMALL_IN_FRAME).fit(data, cohorts="batch")
        return own, SSLClassifier(framed, label="class", config=TUNED).fit(data, cohorts="batch")


TUNED = {"finetune.n_steps": 5}
SMALL_IN_FRAME = {name: SMALL[name] for name in ("encoder.hidden", "pretrain.n_steps")}
SMALL_IN_FRAME |= {"normalize.frame": "cohort", "pretrain.batches": "by_cohort"}


def test_the_guard_looks_at_each_cohort_and_names_the_one_that_is_another(made, numerics):
    new, is_second = new_samples()
    with pytest.raises(InputError, match=f"the {is_second.sum()} samples of second lie too far"):
        jaxssl.predict(made[0].bundle_, new, batch="lab")
    kept = new[~is_second].copy()
    assert len(jaxssl.predict(made[0].bundle_, kept, batch="lab")) == len(kept)


def test_each_cohort_is_adapted_on_its_own_whatever_is_beside_it(made, numerics):
    new, is_second = new_samples()
    together = made[0].bundle_, new
    p = jaxssl.predict(*together, batch="lab", shift="adapt").filter(regex="^p_").to_numpy()
    for rows in (is_second, ~is_second):
        alone = jaxssl.predict(made[0].bundle_, new[rows].copy(), shift="adapt")
        np.testing.assert_allclose(p[rows], alone.filter(regex="^p_"), atol=1e-4)


def test_each_cohort_has_a_frame_of_its_own_and_estimators_do_the_same(made, numerics):
    new, is_second = new_samples()
    bundle = made[1].bundle_
    of_file = jaxssl.predict(bundle, new, batch="lab").filter(regex="^p_").to_numpy()
    undone = new.copy()
    undone.X[is_second] = (new.X[is_second] - SHIFT) / GAIN
    named = new.obs["lab"].tolist()
    for found in (
        made[1].predict_proba(undone, cohorts="lab"),
        made[1].predict_proba(new, cohorts=named),
    ):
        np.testing.assert_allclose(found, of_file, atol=2e-3)
    for rows in (is_second, ~is_second):
        alone = jaxssl.predict(bundle, new[rows].copy()).filter(regex="^p_")
        np.testing.assert_allclose(of_file[rows], alone, atol=1e-4)
    with pytest.warns(UserWarning, match="if of several cohorts, name their column with `batch`"):
        mixed = jaxssl.predict(bundle, new).filter(regex="^p_").to_numpy()
    assert abs(mixed - of_file).max() > 0.01


def test_a_cohort_of_the_same_name_is_another_unless_samples_of_the_training_are_in_it(made):
    data = make_synthetic(n_samples=240, n_genes=60, batch_effect=0.0)
    bundle, names = made[1].bundle_, data.obs["batch"].to_numpy()
    own = told_apart(names, data.obs_names.to_numpy(), bundle)
    np.testing.assert_array_equal(own, names)
    data.obs_names = [f"new{i}" for i in range(240)]
    other = cohorts_of(bundle, data, "batch")
    assert not set(other) & set(bundle.normalizer.frame.cohorts)
    assert len(set(other)) == len(set(names))


def test_samples_of_the_training_are_what_they_were_there(made):
    data = make_synthetic(n_samples=240, n_genes=60, batch_effect=0.0)
    bundle = made[1].bundle_
    words = bundle.normalizer, bundle.reference
    whole = receive(data, *words, cohorts=cohorts_of(bundle, data, "batch"))
    part = data[:40].copy()
    names = told_apart(part.obs["batch"].to_numpy(), part.obs_names.to_numpy(), bundle)
    np.testing.assert_allclose(receive(part, *words, cohorts=names).x, whole.x[:40], atol=1e-5)


def test_an_encoder_of_named_cohorts_is_that_of_a_batch_column(numerics):
    data = make_synthetic(n_samples=120, n_genes=40)
    words = {"cohorts": data.obs["batch"].to_numpy()}
    encoder = SSLEncoder(config=SMALL_IN_FRAME)
    embedded = encoder.fit_transform(data, **words)
    assert encoder.bundle_.normalizer.frame.cohorts == tuple(sorted(set(words["cohorts"])))
    by_column = SSLEncoder(config=SMALL_IN_FRAME).fit(data, cohorts="batch")
    np.testing.assert_array_equal(by_column.transform(data, cohorts="batch"), embedded)
    assert by_column.embed(data, cohorts="batch").obsm[EMBEDDED].shape == embedded.shape


@pytest.mark.parametrize("column", COLUMNS)
def test_what_is_no_cohort_is_refused_in_words_and_nothing_written(
    column, made, tmp_path, numerics
):
    new, _ = new_samples()
    names, found = COLUMNS[column]
    with pytest.raises(InputError, match=f"{found}.*leave the option out"):
        jaxssl.predict(made[0].bundle_, new, batch=column)
    with pytest.raises(InputError, match=found):
        made[0].predict(new, cohorts=names)
    new.write_h5ad(tmp_path / "new.h5ad")
    made[1].save(tmp_path / "clf")
    made[1].encoder_.save(tmp_path / "enc")
    data = [f"--data={tmp_path / 'new.h5ad'}", f"--batch={column}"]
    for verb, given, out in (
        ("predict", f"--classifier={tmp_path / 'clf'}", "p.csv"),
        ("embed", f"--encoder={tmp_path / 'enc'}", "e.h5ad"),
        ("finetune", f"--encoder={tmp_path / 'enc'}", "new"),
    ):
        told = launch(verb, given, *data, f"--out={tmp_path / out}", code=2)
        assert "error: " in told
        assert not (tmp_path / out).exists()


def test_cohorts_that_cannot_be_read_are_refused(made, numerics):
    new, _ = new_samples()
    with pytest.raises(InputError, match=r"no column 'labb' for `batch`; did you mean lab\?"):
        jaxssl.predict(made[0].bundle_, new, batch="labb")
    with pytest.raises(InputError, match="names a column, and the samples are no AnnData"):
        made[0].predict(new.to_df(), cohorts="lab")
    with pytest.raises(InputError, match="has 3 names for 240 samples"):
        made[0].predict(new, cohorts=list("abc"))
    with pytest.raises(InputError, match="`cohorts` is not read by a pretraining on mixed"):
        SSLEncoder(config=SMALL).fit(new, cohorts="lab")
    with pytest.raises(InputError, match="no sample's cohort is known; pass `cohorts` or"):
        SSLEncoder(config=SMALL_IN_FRAME).fit(new)
