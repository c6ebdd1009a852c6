"""Encoders of other data in a comparison: who sees what, what is looked for, what is said."""

import json

import jax
import numpy as np
import pandas as pd
import pytest
from test_unlabelled import ASKED, CONFIG, held_out, renamed_copy, simulated
from verbs import launch

import jaxssl
from jaxssl.config import with_options
from jaxssl.data.align import encoder_input
from jaxssl.data.expression import write_h5ad
from jaxssl.data.task import make_task
from jaxssl.engine.bundle import load_bundle, save_bundle
from jaxssl.runs.notes import Notes
from jaxssl.runs.output import Output
from jaxssl.studies.guests import receive_guests
from jaxssl.studies.job import Job
from jaxssl.types import InputError

pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings(
        "ignore:.*(collapsed|are few|no group column|knowing nothing|than chance|not healthy)"
    ),
]
ARMS = ["swav", "swav+components", "scratch", "logreg", "pca_logreg"]


@pytest.fixture
def own():
    return simulated(slice(200), "own")


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """Of a compendium of other samples, on disk, which lacks five of the genes."""
    folder = tmp_path_factory.mktemp("runs")
    write_h5ad(simulated(slice(200, 320), "compendium", slice(5, 80)), folder / "compendium.h5ad")
    with jax.numpy_dtype_promotion("standard"), pytest.warns(UserWarning, match="collapsed"):
        jaxssl.pretrain(folder / "compendium.h5ad", out=folder / "enc", **ASKED)
    return folder / "enc"


def scores(run, arms):
    values = run.results.set_index(["arm", "part", "metric"])["value"]
    return values.loc[arms].sort_index()


def test_arms_without_an_encoder_are_those_of_the_study_alone(own, encoders, tmp_path):
    """Own split, own scaling and components, all of the own genes."""
    out = tmp_path / "run"
    run = jaxssl.study(own, encoder=encoders, arms=ARMS, out=out, **ASKED)
    plain = ["scratch", "logreg", "pca_logreg"]
    alone = jaxssl.study(own, arms=plain, **ASKED)
    pd.testing.assert_series_equal(scores(run, plain), scores(alone, plain))
    told = run.summary["encoders"]["told"]
    n = load_bundle(encoders / "encoder/seed_000").provenance["n_train"]
    assert told.startswith(f"pretrained on {n} samples of compendium; ")
    assert "looked for among these by id and by profile; shift: " in told
    report = (out / "report.html").read_text()
    assert "by id and by profile" in report
    assert "arms without an encoder have the study&#39;s own scaling" in report


def test_encoders_see_the_study_as_any_new_samples(own, encoders):
    bundle = load_bundle(encoders / "encoder/seed_000")
    task, notes = make_task(own, CONFIG), Notes(print)
    job = Job(CONFIG, Output(""), encoders={0: bundle})
    found = receive_guests(task, own, job, notes)
    np.testing.assert_array_equal(found.features, encoder_input(own, bundle.normalizer)[0])
    adapted = receive_guests(task, own, job._replace(shift="adapt"), notes).features
    notes.close()
    assert "adapted to the training samples" not in found.facts["told"]
    # the training part has its own mean, the held-out rows take no part in it
    rows = task.split.train
    changed = own.copy()
    changed.X[task.split.test] += 1
    again = receive_guests(task, changed, job._replace(shift="adapt"), Notes(print)).features
    np.testing.assert_array_equal(adapted[rows], again[rows])


def test_its_own_split_and_several_of_them_are_the_studys(own, encoders, tmp_path):
    config = with_options(CONFIG, {"split.test_share": 0.3})
    run = jaxssl.study(
        own,
        encoder=encoders,
        arms=["swav", "logreg"],
        splits=2,
        config=config,
        out=tmp_path / "run",
        progress=False,
    )
    assert run.results["split"].nunique() == 2
    assert run.summary["n_test"] > 55


@pytest.fixture(scope="module")
def of_copies(tmp_path_factory):
    """Encoders, on disk, that saw held-out samples under another name; those lie beside them."""
    folder, own = tmp_path_factory.mktemp("copies"), simulated(slice(200), "own")
    write_h5ad(renamed_copy(own, np.sort(held_out(own))), folder / "copy.h5ad")
    other, joined = simulated(slice(200, 320), "other"), [folder / "copy.h5ad"]
    said = pytest.warns(UserWarning, match="not healthy|collapsed")
    with jax.numpy_dtype_promotion("standard"), said:
        jaxssl.pretrain(other, unlabelled=joined, out=folder / "enc", **ASKED)
    return folder


@pytest.mark.parametrize("is_at_hand", [True, False])
def test_held_out_samples_under_another_name_are_found_where_the_data_are(
    own, of_copies, tmp_path, is_at_hand
):
    rows = np.sort(held_out(own))
    file = of_copies / "copy.h5ad"
    words = {"encoder": of_copies / "enc", "arms": ["swav"], "out": tmp_path / "run", **ASKED}
    if is_at_hand:
        finding = rf"leak \(transductive\): .* {len(rows)} of the .* among those .*, as x0 of copy"
        with pytest.raises(InputError, match=finding):
            jaxssl.study(own, **words)
        assert not (tmp_path / "run").exists()
        run = jaxssl.study(own, allow_leaks=["transductive"], **words)
        assert run.summary["encoders"]["transductive"] == len(rows)
    else:
        away = file.rename(tmp_path / "away.h5ad")
        run = jaxssl.study(own, **words)
        away.rename(file)
        assert (
            "not by profile, as the data of the pretraining are not at"
            in (run.summary["encoders"]["told"])
        )


def test_held_out_samples_by_their_ids_are_refused(own, tmp_path):
    other = simulated(slice(150, 320), "other")  # fifty of them are the study's
    with pytest.warns(UserWarning, match="not healthy|collapsed"):
        jaxssl.pretrain(other, out=tmp_path / "enc", **ASKED)
    with pytest.raises(InputError, match=r"transductive\): .* held-out samples were among those"):
        jaxssl.study(own, encoder=tmp_path / "enc", arms=["swav"], **ASKED)


def test_what_cannot_be_told_is_refused(own, encoders, tmp_path):
    bundle = load_bundle(encoders / "encoder/seed_000")
    bundle.provenance["training_ids"] = ""
    save_bundle(tmp_path / "bundle", bundle)
    with pytest.raises(InputError, match="test samples may have been seen: ids do not tell"):
        jaxssl.study(own, encoder=tmp_path / "bundle", arms=["swav"], **ASKED)


def test_another_scale_another_platform_and_missing_genes_are_refused(own, encoders):
    words = {"encoder": encoders, "arms": ["swav"], **ASKED}
    with pytest.raises(InputError, match="45 of the encoder's 75 genes are missing"):
        jaxssl.study(own[:, :35].copy(), **words)
    with pytest.warns(UserWarning, match="45 of .* are imputed with the training mean"):
        jaxssl.study(own[:, :35].copy(), max_missing=0.9, **words)
    own.X = own.X * 0.5 + 5
    with pytest.raises(InputError, match=r"lie too far from the encoder's .*`shift=adapt`"):
        jaxssl.study(own, **words)
    jaxssl.study(own, shift="adapt", **words)


def test_words_about_other_data_are_refused_beside_the_encoders_own(own, tmp_path):
    with pytest.warns(UserWarning, match="not healthy|collapsed"):
        jaxssl.pretrain(own, out=tmp_path / "enc", **ASKED)
    with pytest.raises(InputError, match="`shift=adapt` is for encoders of other data"):
        jaxssl.study(own, encoder=tmp_path / "enc", arms=["swav"], shift="adapt", **ASKED)


def test_unlabelled_samples_join_the_classical_arms_beside_encoders(own, encoders):
    other = simulated(slice(200, 320), "compendium")
    words = {"arms": ["swav", "swav+selftrain", "pca_logreg"], "unlabelled": [other], **ASKED}
    run = jaxssl.study(own, encoder=encoders, **words)
    alone = jaxssl.study(own, **words | {"arms": ["pca_logreg"]})
    pd.testing.assert_series_equal(scores(run, ["pca_logreg"]), scores(alone, ["pca_logreg"]))


def test_a_sweep_says_what_was_pretrained_on_what(own, encoders, tmp_path):
    write_h5ad(own, tmp_path / "own.h5ad")
    words = [f"--data={tmp_path / 'own.h5ad'}", f"--encoder={encoders}", "--seeds=1", "--shares=1"]
    words += ["--arms=swav", "--config.finetune.n_steps=2", "--config.finetune.transfer_layers=1"]
    said = launch("sweep", *words, f"--out={tmp_path / 'run'}")
    assert "encoders: pretrained on " in said
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["encoders"]["transductive"] == 0


def test_a_cohort_that_is_smaller_than_the_encoders_prototypes_is_compared(own, encoders):
    few = own[:60].copy()
    assert load_bundle(encoders / "encoder/seed_000").config.method.n_prototypes[0] > 40
    run = jaxssl.study(few, encoder=encoders, arms=["swav"], shift="warn", **ASKED)
    assert run.summary["n_train"] < 45
