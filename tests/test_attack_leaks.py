"""Attacks of kind 5: leaks that are not looked for."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from attacks import study, synthetic, tiny

import jaxssl
from jaxssl.data.groups import find_twins
from jaxssl.types import InputError

pytestmark = [pytest.mark.usefixtures("standard_promotion"), pytest.mark.filterwarnings("ignore")]


def doubled(genes, change=lambda x: x, n=80, seed=0, **options):
    """Every profile twice, the second changed."""
    x = synthetic(n, genes, 2, seed=seed, **options).X
    return np.stack([x, change(x)], axis=1).reshape(2 * n, genes).astype(np.float32)


def n_together(x):
    pairs = find_twins(x)
    return len({tuple(sorted(p)) for p in pairs.tolist()} & {(i, i + 1) for i in range(0, 160, 2)})


@pytest.mark.parametrize("genes", [2, 3, 10, 48, 49, 50, 51, 60, 500])
def test_copies_are_found_at_every_width(genes):
    assert n_together(doubled(genes)) == 80


@pytest.mark.parametrize("genes", [3, 10, 48, 49, 50, 60, 500])
def test_copies_rounded_to_two_digits_are_found(genes):
    assert n_together(doubled(genes, lambda x: x.round(2))) == 80


@pytest.mark.parametrize("genes", [10, 48, 60])
def test_copies_rounded_to_one_digit_are_found(genes):
    assert n_together(doubled(genes, lambda x: x.round(1))) == 80


@pytest.mark.parametrize("genes", [48, 60, 2000])
def test_no_strangers_are_twins(genes):
    assert len(find_twins(synthetic(160, genes, 2).X)) == 0


@pytest.mark.parametrize("genes", [48, 60, 300])
def test_copies_beside_constant_genes_are_found(genes):
    x = doubled(genes)
    x[:, : genes // 2] = 5
    assert n_together(x) == 80


@pytest.mark.parametrize("genes", [48, 60])
def test_copies_beside_an_outlier_are_found(genes):
    x = doubled(genes)
    x[0] = 49
    assert n_together(x) >= 79


@pytest.mark.parametrize("genes", [10, 48, 60, 300])
def test_profiles_of_zeros_are_together(genes):
    x = synthetic(80, genes, 2).X
    x[[3, 40, 70]] = 0
    together = {tuple(sorted(p)) for p in find_twins(x).tolist()}
    assert together >= {(3, 40), (40, 70)} or together >= {(3, 40), (3, 70)}


@pytest.mark.parametrize("genes", [48, 60, 200])
def test_a_library_sequenced_deeper_is_found_after_cpm(genes):
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(2, 100, genes), (80, genes)).astype(np.float32)
    counts *= rng.lognormal(0, 0.7, counts.shape).round(1) + 0.1
    counts = np.rint(counts)
    x = np.repeat(counts, 2, axis=0)
    x[1::2] *= 3
    obs = pd.DataFrame({"class": np.repeat(["a", "b"] * 40, 2)}, [f"s{i}" for i in range(160)])
    adata = AnnData(x, obs, uns={"jaxssl": {"scale": "counts", "label": "class"}})
    with pytest.raises(InputError, match=r"leak \(twins\)"):
        study(adata, tiny((1.0,), 2, "stratified"), ["majority", "pca_logreg"])


@pytest.mark.parametrize("genes", [3, 10, 48, 60])
def test_labels_by_chance_are_not_learnt_from_copies(genes):
    """Kept in one part of the split, copies tell nothing of labels drawn for each profile."""
    x, rng = doubled(genes), np.random.default_rng(0)
    labels = np.repeat(rng.choice(["a", "b"], 80), 2)
    obs = pd.DataFrame({"class": labels}, [f"s{i}" for i in range(160)])
    adata = AnnData(x, obs, uns={"jaxssl": {"scale": "log2", "label": "class"}})
    result = study(adata, tiny((1.0,), 2), ["majority", "logreg", "knn"])
    part = result.samples.set_index("sample_id")["part"].reindex(obs.index).to_numpy()
    assert (part[::2] == part[1::2]).all()
    score = result.results.query("part == 'test' and metric == 'accuracy' and arm != 'majority'")
    assert score["value"].max() < 0.85


def labels_as_gene(scale, codes, adata):
    if scale != "log2":
        adata.X = np.rint(2 ** np.clip(adata.X, 0, 12)).astype(np.float32)
        adata.X *= np.random.default_rng(0).integers(1, 5, (len(adata), 1))
        adata.uns["jaxssl"]["scale"] = scale
    adata.X[:, 0] = codes
    return adata


@pytest.mark.parametrize("scale", ["log2", "linear", "counts"])
@pytest.mark.parametrize("offset", [0, 1])
def test_labels_among_the_genes_are_told(scale, offset):
    adata = synthetic(classes=2)
    codes = pd.factorize(adata.obs["class"])[0] + offset
    with pytest.warns(UserWarning, match="as if made from the labels"):
        study(labels_as_gene(scale, codes, adata), tiny((1.0,), 2), ["majority", "logreg"])


def test_one_class_against_all_others_among_the_genes_is_told():
    adata = synthetic()
    adata.X[:, 0] = 3.0 * (adata.obs["class"] == "class_0")
    with pytest.warns(UserWarning, match="as if made from the labels"):
        study(adata, tiny((1.0,), 2), ["majority", "logreg"])


def test_a_batch_that_equals_the_classes_is_told():
    adata = synthetic()
    adata.obs["place"] = adata.obs["class"]
    with pytest.warns(UserWarning, match="batch"):
        study(adata, tiny((1.0,), 2), ["majority", "pca_logreg"], batch="place")


@pytest.mark.parametrize("how", ["file", "bundle"])
def test_predict_tells_of_the_training_samples_of_an_estimator(how, fitted, saved):
    given = saved / "classifier" if how == "file" else fitted[1].bundle_
    with pytest.warns(UserWarning, match="200 of 200 samples bear the id"):
        jaxssl.predict(given, synthetic())


def test_finetune_tells_of_held_out_samples_that_an_estimator_was_fitted_on(saved, tmp_path):
    with pytest.warns(UserWarning, match="60 of 60 held-out samples bear the id"):
        jaxssl.finetune(saved / "encoder", synthetic(), out=tmp_path / "clf", progress=False)


def panel() -> AnnData:
    labels = np.repeat(synthetic(80, 48, 2).obs["class"].to_numpy(), 2)
    obs = pd.DataFrame({"class": labels, "b": ["x", "y"] * 80}, [f"s{i}" for i in range(160)])
    recorded = {"scale": "log2", "label": "class", "name": "panel"}
    return AnnData(doubled(48), obs, uns={"jaxssl": recorded})


STRATIFIED = {"arms": ["majority", "pca_logreg", "scratch"], "allow_leaks": ["twins"]}


def test_merged_shards_and_their_report_repeat_what_was_allowed(tmp_path):
    for i in range(2):
        out = {"out": tmp_path / "run", "shard": f"{i}/2"}
        study(panel(), tiny((0.1,), 2, "stratified"), **STRATIFIED, **out)
    merged = jaxssl.open_study(tmp_path / "run")
    assert merged.summary["allowed_leaks"][0].startswith("leak (twins), allowed")
    merged.report(tmp_path / "page" / "report.md")
    assert "leak (twins), allowed" in (tmp_path / "page" / "report.md").read_text()


def test_merged_splits_and_their_report_repeat_what_was_allowed(tmp_path):
    config = tiny((0.1,), 2, "stratified")
    result = study(panel(), config, **STRATIFIED, out=tmp_path / "run", splits=2)
    assert len(result.summary["allowed_leaks"]) == 2
    result.report(tmp_path / "page" / "report.md")
    assert (tmp_path / "page" / "report.md").read_text().count("leak (twins), allowed") >= 2


def test_what_was_allowed_once_is_not_allowed_on_resume(tmp_path):
    config = tiny((0.1,), 1, "stratified")
    study(panel(), config, **STRATIFIED, out=tmp_path / "run")
    before = (tmp_path / "run" / "results.parquet").read_bytes()
    with pytest.raises(InputError, match=r"leak \(twins\)"):
        study(panel(), config, STRATIFIED["arms"], out=tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "results.parquet").read_bytes() == before


def test_shards_that_were_allowed_different_leaks_are_not_merged(tmp_path):
    for i, kinds in enumerate([["twins"], ["twins", "groups"]]):
        out = {"out": tmp_path / "run", "shard": f"{i}/2", "allow_leaks": kinds}
        study(panel(), tiny((0.1,), 2, "stratified"), STRATIFIED["arms"], **out)
    with pytest.raises(InputError, match="different options"):
        jaxssl.open_study(tmp_path / "run")


def test_twins_in_every_two_batches_leave_no_batch_to_leave_out():
    with pytest.raises(InputError, match="leave none to train on"):
        study(panel(), tiny((0.1,), 1, "leave_batch_out"), ["majority", "pca_logreg"], batch="b")
