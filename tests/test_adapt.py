"""A classifier is adapted to another laboratory by its unlabelled samples, and to no other."""

import json

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, concat
from verbs import launch

import jaxssl
from jaxssl.data.synthetic import make_synthetic
from jaxssl.evaluation import adaptation
from jaxssl.evaluation.ensemble_bundle import load_ensemble
from jaxssl.studies.progress import Hooks
from jaxssl.types import InputError

pytestmark = pytest.mark.usefixtures("small", "numerics")
SMALL = {"encoder.hidden": (64, 32), "pretrain.n_steps": 150}


@pytest.fixture(scope="module")
def small():
    """The recipe in miniature."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adaptation, "RECIPE", adaptation.RECIPE | SMALL)
        yield


def moved(adata, seed=3):
    """The samples as another laboratory would measure them, under other ids."""
    rng = np.random.default_rng(seed)
    shift, scale = rng.normal(0, 2, adata.n_vars), np.exp(rng.normal(0, 0.3, adata.n_vars))
    x = (adata.X * scale + shift + 10).astype(np.float32)
    obs = adata.obs.set_axis([f"new_{i}" for i in range(adata.n_obs)])
    return AnnData(x, obs, adata.var.copy(), uns={"jaxssl": {"scale": "log2"}})


@pytest.fixture(scope="module")
def laboratories(tmp_path_factory):
    """A source with labels and two parts of another laboratory's samples, as files."""
    folder = tmp_path_factory.mktemp("laboratories")
    adata = make_synthetic(
        n_samples=200, n_genes=100, n_superclasses=3, n_classes=3, batch_effect=0.0
    )
    adata.uns = {"jaxssl": {"scale": "log2", "label": "class"}}
    adata = AnnData(adata.X, adata.obs[["class"]].astype(str), adata.var[[]], uns=adata.uns)
    rows = np.random.default_rng(0).permutation(adata.n_obs)
    other = moved(adata[rows[100:]].copy())
    source, target, later = adata[rows[:100]].copy(), other[:60].copy(), other[60:].copy()
    files = {}
    for name, part in (("source", source), ("target", target), ("later", later)):
        files[name] = folder / f"{name}.h5ad"
        part.write_h5ad(files[name])
    return files


@pytest.fixture(scope="module")
def adapted(laboratories, tmp_path_factory, small, numerics):
    """The folder of an adaptation, by the verb."""
    out = tmp_path_factory.mktemp("adapted") / "run"
    files = f"--source={laboratories['source']}", f"--data={laboratories['target']}"
    launch("adapt", *files, "--label=class", "--seeds=1", f"--out={out}")
    return out


def adapt_to(target, laboratories, out, **words):
    """An adaptation in Python, by default to samples of the other laboratory."""
    words = {"source": laboratories["source"], "label": "class", "seeds": 1} | words
    return jaxssl.adapt(target, out=out, progress=False, **words)


def accuracy(table, file):
    """Of predictions against the labels that were kept from them."""
    return (table["predicted"].to_numpy() == jaxssl.read(file).obs["class"].to_numpy()).mean()


def test_samples_of_another_laboratory_are_classified_without_their_labels(adapted, laboratories):
    table = pd.read_parquet(adapted / "predictions.parquet")
    summary = json.loads((adapted / "summary.json").read_text())
    assert accuracy(table, laboratories["target"]) >= 0.9
    assert summary["transductive"] is True
    assert summary["n_labelled"] == 100
    assert summary["measured"]["accuracy"] == pytest.approx(accuracy(table, laboratories["target"]))
    np.testing.assert_allclose(table.filter(like="p_").sum(axis=1), 1, rtol=1e-5)


def test_labels_of_the_data_change_nothing(adapted, laboratories, tmp_path):
    target = jaxssl.read(laboratories["target"])
    del target.obs["class"]
    again = adapt_to(target, laboratories, tmp_path / "again")
    table = pd.read_parquet(adapted / "predictions.parquet")
    columns = [name for name in table if name.startswith("p_")]
    np.testing.assert_array_equal(again[columns], table[columns])


def test_later_samples_of_that_laboratory_are_classified_from_disk(adapted, laboratories):
    for given in (adapted, adapted / "classifier"):
        table = jaxssl.predict(given, laboratories["later"])
        assert accuracy(table, laboratories["later"]) >= 0.85
    one = jaxssl.predict(adapted, jaxssl.read(laboratories["later"])[:1].copy())
    for name in table.columns[1:]:  # a sample is the same whatever others are beside it
        if name.startswith("p_"):
            assert one[name].iloc[0] == pytest.approx(table[name].iloc[0], abs=1e-5)


def test_samples_of_a_third_laboratory_are_refused(adapted, laboratories):
    with pytest.raises(InputError, match=r"too far from those of target .*`adapt\(\)`"):
        jaxssl.predict(adapted, laboratories["source"])
    with pytest.warns(UserWarning, match="too far from those of target"):
        jaxssl.predict(adapted, laboratories["source"], shift="warn")
    with pytest.raises(InputError, match=r"adapted to target, and not by `shift=adapt`"):
        jaxssl.predict(adapted, laboratories["source"], shift="adapt")
    with pytest.raises(InputError, match="no classifier that is adapted without them"):
        jaxssl.predict(adapted, laboratories["later"], coverage=0.9)


def test_a_column_of_cohorts_is_read_and_each_is_held_against_the_laboratory(adapted, laboratories):
    with pytest.raises(InputError, match="there is no column 'site' for `batch`"):
        jaxssl.predict(adapted, laboratories["later"], batch="site")
    both = concat([jaxssl.read(laboratories[name]) for name in ("later", "source")])
    both.obs["site"] = ["own"] * 40 + ["other"] * 100
    both.uns["jaxssl"] = {"scale": "log2"}
    with pytest.raises(InputError, match="the 100 samples of other lie too far from those of targ"):
        jaxssl.predict(adapted, both, batch="site")


def test_a_missing_gene_is_at_its_mean_and_many_are_refused(adapted, laboratories):
    later = jaxssl.read(laboratories["later"])
    with pytest.warns(UserWarning, match="5 of the encoder's 100 genes are missing"):
        table = jaxssl.predict(adapted, later[:, 5:].copy(), max_missing=0.1)
    assert accuracy(table, laboratories["later"]) >= 0.8
    with pytest.raises(InputError, match="genes are missing"):
        jaxssl.predict(adapted, later[:, 50:].copy(), max_missing=0.1)


def test_a_bundle_comes_back_as_it_was_and_a_damaged_one_is_refused(adapted, tmp_path):
    folder = adapted / "classifier"
    bundle = load_ensemble(folder)
    assert bundle.provenance["cohort"] == "target"
    assert set(bundle.frames) == set(adaptation.FRAMES)
    text = (folder / "genes.txt").read_text()
    try:
        (folder / "genes.txt").write_text(text.split("\n", 1)[1])
        with pytest.raises(InputError, match=r"genes\.txt is not as it was written"):
            load_ensemble(folder)
    finally:
        (folder / "genes.txt").write_text(text)


def bad(laboratories, what):
    """Arguments of an adaptation that cannot be."""
    source, target = (jaxssl.read(laboratories[name]) for name in ("source", "target"))
    if what == "no gene":
        target.var_names = [f"other_{i}" for i in range(target.n_vars)]
    if what == "few":
        target = target[:5].copy()
    if what == "known":
        target = source[:20].copy()
    if what == "copies":
        target = source[:30].copy()
        target.obs_names = [f"again_{i}" for i in range(30)]
    if what == "flat":
        target.X[3] = 0
    if what == "small cohorts":
        source.obs["plate"] = [f"plate_{i // 3}" for i in range(source.n_obs)]
        return {"source": source, "data": target, "batch": "plate"}
    if what == "one class":
        source.obs["class"] = "tumour"
    if what == "no label":
        source.uns = {}
        return {"source": source, "data": target, "label": ""}
    if what == "nothing":
        return {"source": None, "data": target}
    return {"source": source, "data": target}


@pytest.mark.parametrize(
    ("what", "finding"),
    [
        ("no gene", "have no gene in common"),
        ("few", r"5 samples are too few to adapt to; give at least 10 of one laboratory at once"),
        ("known", r"20 of 20 samples of the data are in the source, by their ids"),
        ("copies", "30 samples stand in two cohorts, nearly the same"),
        ("flat", r"1 of 60 samples have one value for all genes \(first: new_"),
        ("small cohorts", r"34 of 34 cohorts of the source have fewer than 10 .*coarser column"),
        ("one class", "the source has labels of 1 class"),
        ("no label", r"no label column is known"),
        ("nothing", "no source is given"),
    ],
)
def test_what_cannot_be_adapted_is_refused_and_nothing_is_written(
    laboratories, what, finding, tmp_path
):
    words = {"label": "class", **bad(laboratories, what)}
    with pytest.raises(InputError, match=finding):
        jaxssl.adapt(**words, out=tmp_path / "run", seeds=1, progress=False)
    assert not (tmp_path / "run").exists()


def test_few_samples_are_warned_of(laboratories, tmp_path):
    few = jaxssl.read(laboratories["target"])[:15].copy()
    with pytest.warns(UserWarning, match="within 15 samples, which is coarse below 25"):
        adapt_to(few, laboratories, tmp_path / "run")
    assert load_ensemble(tmp_path / "run" / "classifier").reference is None
    told = []
    with pytest.warns(UserWarning, match="had too few samples to tell those of others apart"):
        jaxssl.predict(
            tmp_path / "run", laboratories["later"], Hooks(lambda e: told.append(e.text))
        )
    assert any("keeps nothing of its cohort, so none can be told" in text for text in told)


def test_samples_of_one_class_alone_are_warned_of(laboratories, adapted, tmp_path):
    told = json.loads((adapted / "summary.json").read_text())["warnings"]
    assert not [text for text in told if "one class" in text]
    target, later = (jaxssl.read(laboratories[name]) for name in ("target", "later"))
    x = np.concatenate([target.X, later.X])
    both = AnnData(x, pd.concat([target.obs, later.obs]), uns=target.uns)
    both.var_names = target.var_names
    first = both.obs["class"].iloc[0]
    alike = both[(both.obs["class"] == first).to_numpy()].copy()
    with pytest.warns(UserWarning, match="they may be of one class"):
        adapt_to(alike, laboratories, tmp_path / "run")
    told = json.loads((tmp_path / "run" / "summary.json").read_text())["warnings"]
    assert [text for text in told if f"look like {first}" in text]


def test_a_classifier_says_of_which_file_and_labels_it_was_made(laboratories, tmp_path):
    encoder = [
        *("--seeds=1", "--config.pretrain.n_steps=20", "--config.encoder.hidden=(16,8)"),
        "--config.finetune.transfer_layers=2",
    ]
    launch("pretrain", f"--data={laboratories['source']}", *encoder, f"--out={tmp_path / 'enc'}")
    made = f"--encoder={tmp_path / 'enc'}", f"--data={laboratories['source']}"
    launch("finetune", *made, "--share=0.5", f"--out={tmp_path / 'clf'}")
    files = f"--classifier={tmp_path / 'clf'}", f"--data={laboratories['target']}"
    told = launch("adapt", *files, "--seeds=1", f"--out={tmp_path / 'run'}")
    n = json.loads((tmp_path / "clf" / "summary.json").read_text())["n_labelled"]
    assert n < 50
    assert f"labels: {n} of the source, 3 classes" in told
    assert "one alone would have others made up" in told
    assert "of 60 samples whose class is known, and was not used: accuracy" in told
