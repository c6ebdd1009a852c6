"""Whatever splits looks for leaks, and what was let pass goes along with what comes of it."""

import json
import warnings

import jax
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from verbs import launch

import jaxssl
from jaxssl.config import Config, SplitConfig
from jaxssl.data.expression import write_h5ad
from jaxssl.data.synthetic import make_synthetic
from jaxssl.engine.bundle import save_bundle
from jaxssl.engine.prepared import hashes_of, is_among
from jaxssl.types import InputError

pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings(
        "ignore:.*(collapsed|are few|no group column|knowing nothing|than chance)"
    ),
]
TWINS = "leak (twins), allowed: "


def panel() -> AnnData:
    """A panel of 48 genes on which every profile stands twice, as of two names."""
    adata = make_synthetic(n_samples=80, n_genes=48, n_classes=2)
    labels = np.repeat(adata.obs["class"].to_numpy(), 2)
    obs = pd.DataFrame({"class": labels}, index=[f"s{i}" for i in range(160)])
    recorded = {"jaxssl": {"scale": "log2", "label": "class", "name": "panel"}}
    return AnnData(np.repeat(adata.X, 2, axis=0), obs, adata.var, uns=recorded)


def options(protocol="stratified", **split) -> Config:
    config = Config(split=SplitConfig(protocol=protocol, **split))
    config.pretrain.n_steps, config.encoder.hidden = 4, (8,)
    config.finetune.transfer_layers, config.finetune.n_steps = 1, 2
    config.finetune.scratch_steps, config.finetune.probe_steps = 2, 2
    config.sweep.shares, config.run.seeds = (1.0,), 1
    return config


ASKED = {"config": options(), "progress": False}


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """Of a pretraining that was allowed to have twins in two parts."""
    out = tmp_path_factory.mktemp("runs") / "encoders"
    with jax.numpy_dtype_promotion("standard"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jaxssl.pretrain(panel(), out=out, allow_leaks=["twins"], **ASKED)
    return out


@pytest.mark.parametrize(
    "ask",
    [
        lambda out: jaxssl.audit(panel(), out=out, what="type1", seeds=2, **ASKED),
        lambda out: jaxssl.audit(panel(), out=out, what="variance", splits=3, **ASKED),
        lambda out: jaxssl.study(panel(), out=out, **ASKED),
        lambda out: jaxssl.study(panel(), out=out, splits=3, **ASKED),
        lambda out: jaxssl.pretrain(panel(), out=out, **ASKED),
        lambda out: jaxssl.tune(panel(), out=out, grid={"augment.noise": [0.5]}, **ASKED),
        lambda out: jaxssl.compare_methods(
            panel(), out=out, methods=["swav"], **{**ASKED, "shares": [0.1]}
        ),
    ],
)
def test_copies_in_two_parts_are_refused_before_anything_is_written(ask, tmp_path):
    with pytest.raises(InputError, match=r"leak \(twins\): .* `allow_leaks=twins`"):
        ask(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_finetuning_refuses_them_too_whatever_its_pretraining_was_allowed(encoders, tmp_path):
    write_h5ad(panel(), tmp_path / "panel.h5ad")
    with pytest.raises(InputError, match=r"leak \(twins\): .* `allow_leaks=twins`"):
        jaxssl.finetune(encoders, panel(), out=tmp_path / "clf", progress=False)
    flags = [f"--encoder={encoders}", f"--data={tmp_path / 'panel.h5ad'}"]
    message = launch("finetune", *flags, f"--out={tmp_path / 'clf'}", code=2)
    assert "leak (twins)" in message
    assert not (tmp_path / "clf").exists()
    launch("finetune", *flags, f"--out={tmp_path / 'clf'}", "--allow_leaks=twins")
    assert json.loads((tmp_path / "clf" / "summary.json").read_text())["allowed_leaks"]


def test_an_audit_names_the_leaks_that_it_was_allowed(tmp_path):
    asked = {"n_comparisons": 10, "seeds": 2, "allow_leaks": ["twins"], **ASKED}
    jaxssl.audit(panel(), out=tmp_path / "run", **asked)
    [leak] = json.loads((tmp_path / "run" / "audit.json").read_text())["allowed_leaks"]
    assert leak.startswith(TWINS)


def test_a_search_and_a_comparison_of_methods_can_be_allowed_them(tmp_path):
    asked = {"allow_leaks": ["twins"], "shares": [0.1], **ASKED}
    jaxssl.tune(panel(), out=tmp_path / "run", grid={"augment.noise": [0.5]}, **asked)
    assert (tmp_path / "run" / "points.csv").is_file()
    with pytest.raises(InputError, match="unknown method"):  # after `make_job`
        jaxssl.compare_methods(panel(), methods=["x"], **asked)


def test_the_card_of_a_classifier_repeats_what_its_pretraining_was_allowed(encoders, tmp_path):
    of_encoder = (encoders / "encoder" / "seed_000" / "MODEL_CARD.md").read_text()
    assert of_encoder.count(TWINS) == 1
    adata = panel()[::2].copy()  # no twins: nothing is to be allowed here
    with pytest.warns(UserWarning, match="held-out samples bear the id"):
        classifier = jaxssl.finetune(encoders, adata, out=tmp_path / "clf", progress=False)
    [leak] = classifier.provenance["allowed_leaks"]
    assert leak.startswith(TWINS)
    card = (tmp_path / "clf" / "classifier" / "MODEL_CARD.md").read_text()
    assert card.count(TWINS) == 1
    assert leak in json.loads((tmp_path / "clf" / "summary.json").read_text())["allowed_leaks"]
    jaxssl.SSLClassifier.load(tmp_path / "clf").save(tmp_path / "saved")
    assert jaxssl.load_bundle(tmp_path / "saved").provenance["allowed_leaks"] == [leak]
    again = jaxssl.SSLClassifier(encoder=encoders, config=None, label="class").fit(adata)
    assert again.bundle_.provenance["allowed_leaks"] == [leak]


def test_a_sweep_names_what_the_pretraining_of_its_encoders_was_allowed(encoders, tmp_path):
    bundle = jaxssl.load_bundle(encoders / "encoder" / "seed_000")
    bundle.provenance["allowed_leaks"].append("leak (fitted), allowed: as it was told")
    save_bundle(tmp_path / "encoder", bundle)
    asked = {"encoder": tmp_path / "encoder", "arms": ["majority"], "allow_leaks": ["twins"]}
    result = jaxssl.study(panel(), **asked, **ASKED)
    assert sorted(leak[:13] for leak in result.summary["allowed_leaks"]) == [
        "leak (fitted)",
        "leak (twins),",
    ]


def test_a_finetuning_says_which_held_out_samples_the_pretraining_saw(encoders, tmp_path):
    trained = set(jaxssl.open_study(encoders).samples.query("part == 'train'")["sample_id"])
    bundle = jaxssl.load_bundle(encoders / "encoder" / "seed_000")
    adata = panel()[::2].copy()
    with pytest.warns(UserWarning, match="held-out samples bear the id of a sample that was seen"):
        jaxssl.finetune(bundle, adata, out=tmp_path / "other", progress=False)
    summary = json.loads((tmp_path / "other" / "summary.json").read_text())
    held_out = pd.read_parquet(tmp_path / "other" / "predictions.parquet")
    counted = held_out[held_out["sample_id"].isin(trained)].groupby("part").size().to_dict()
    assert summary["seen_in_pretraining"] == counted
    card = (tmp_path / "other" / "classifier" / "MODEL_CARD.md").read_text()
    assert f"{sum(counted.values())} of {len(held_out)} held-out samples bear the id" in card
    adata.obs_names = [f"new{i}" for i in range(80)]
    jaxssl.finetune(bundle, adata, out=tmp_path / "new", progress=False)
    card = (tmp_path / "new" / "classifier" / "MODEL_CARD.md").read_text()
    assert "0 of 24 held-out samples bear the id of a sample that was seen there" in card
    assert "a sample under another id would not be noticed" in card


def test_of_an_older_bundle_it_says_that_this_is_not_known(encoders, tmp_path):
    bundle = jaxssl.load_bundle(encoders / "encoder" / "seed_000")
    del bundle.provenance["training_ids"]
    with pytest.warns(UserWarning, match="ids do not tell which samples were seen there"):
        jaxssl.finetune(bundle, panel()[::2].copy(), out=tmp_path / "clf", progress=False)
    summary = json.loads((tmp_path / "clf" / "summary.json").read_text())
    assert summary["split_of_pretraining"] is False
    assert summary["seen_in_pretraining"] is None
    assert summary["overlap"] in (tmp_path / "clf" / "classifier" / "MODEL_CARD.md").read_text()


def test_a_prediction_of_samples_that_were_trained_on_is_told(encoders, tmp_path):
    asked = {"allow_leaks": ["twins"], "share": 0.25, "progress": False}
    clf = jaxssl.finetune(encoders, panel(), out=tmp_path / "clf", **asked)
    with pytest.warns(UserWarning, match=f"{clf.provenance['n_labelled']} of 160 samples bear"):
        jaxssl.predict(clf, panel())
    new = panel()
    new.obs_names = [f"new{i}" for i in range(160)]
    jaxssl.predict(clf, new)


def test_numbers_of_rows_are_no_ids():
    assert hashes_of(["0", "1", "2"]) == []
    recorded = "".join(hashes_of(["a", "b", "1"]))
    assert is_among(["0", "1"], recorded) is None
    assert is_among(["a", "c"], "") is None
    assert is_among(["a", "c"], recorded).tolist() == [True, False]


def test_the_verbs_of_an_audit_refuse_and_allow_as_python_does(tmp_path):
    write_h5ad(panel(), tmp_path / "panel.h5ad")
    flags = [f"--data={tmp_path / 'panel.h5ad'}", f"--out={tmp_path / 'run'}"]
    flags += ["--shares=1", "--config.split.protocol=stratified"]
    message = launch("audit", *flags, code=2)
    assert "--allow_leaks=twins" in message
    assert not (tmp_path / "run").exists()
