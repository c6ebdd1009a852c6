"""Attacks of kind 4: fits that diverged or stayed at chance."""

import numpy as np
import pytest
from attacks import alone, study, synthetic, tiny, values
from sklearn import metrics as sk

import jaxssl
from jaxssl.types import InputError

pytestmark = [pytest.mark.usefixtures("standard_promotion"), pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("place", [np.s_[3], np.s_[3, 0], np.s_[:, 0]])
def test_values_at_the_end_of_the_scale_spoil_no_other_sample(place):
    adata = alone()
    clean = values(study(adata, tiny((1.0,), 2), ["majority", "pca_logreg"]))
    adata.X[place] = 49
    score = values(study(adata, tiny((1.0,), 2), ["majority", "pca_logreg"]))
    assert score.xs("balanced_accuracy", level="metric").min() > 0.2
    change = (score - clean).xs(("pca_logreg", "accuracy"), level=("arm", "metric"))
    assert change.abs().max() < 0.1


def test_a_linear_value_near_the_end_of_float32_spoils_nothing():
    adata = alone()
    adata.X = 2 ** np.clip(adata.X, 0, 12)
    adata.X[3] = 1e30
    adata.uns["jaxssl"]["scale"] = "linear"
    score = values(study(adata, tiny((1.0,), 2), ["majority", "pca_logreg"]))
    assert score.xs(("pca_logreg", "accuracy"), level=("arm", "metric")).min() > 0.8


def test_constant_data_are_refused():
    adata = synthetic()
    adata.X[:] = 5
    with pytest.raises(InputError, match="every gene is constant"):
        study(adata)


@pytest.mark.parametrize("genes", [1, 2])
def test_a_gene_or_two_can_be_studied(genes):
    result = study(alone(genes=genes, classes=2), tiny((1.0,), 2), ["majority", "pca_logreg"])
    assert np.isfinite(values(result).to_numpy()).all()


@pytest.mark.parametrize("size", [2, 3])
def test_classes_too_small_for_three_parts_are_refused_with_what_helps(size):
    adata = alone(n=60, classes=2)
    rows = [np.flatnonzero(adata.obs["class"] == c)[:size] for c in adata.obs["class"].unique()]
    with pytest.raises(InputError, match=r"min_class_size|test_share|name another column"):
        study(adata[np.concatenate(rows)].copy(), tiny((1.0,), 1))


def test_scores_where_a_class_is_absent_from_the_test_part_are_those_of_scikit_learn():
    adata = alone(n=120, classes=4)
    labels = adata.obs["class"].astype(object).to_numpy()
    labels[labels == "class_3"] = ""
    labels[:4] = "class_3"
    adata.obs["class"], adata.obs["one"] = labels, ["g" if c == "class_3" else "" for c in labels]
    adata.obs.loc[adata.obs_names[:1], "one"] = ""
    result = study(adata, tiny((1.0,), 2), ["majority", "pca_logreg"], group="one")
    table = result.predictions("pca_logreg", 1.0)
    of_test = values(result).xs(("pca_logreg", "test"), level=("arm", "part"))
    classes = [c for c in table if c.startswith("p_")]
    for seed, rows in table.groupby("seed"):
        named = rows[classes].idxmax(axis=1).str.removeprefix("p_")
        expected = sk.recall_score(
            rows["label"], named, labels=rows["label"].unique(), average="macro"
        )
        found = of_test.xs((seed, "balanced_accuracy"), level=("seed", "metric")).iloc[0]
        assert found == pytest.approx(expected)


@pytest.mark.parametrize("rate", [1e30, -1.0, float("nan"), float("inf")])
def test_rates_beyond_reason_are_refused(rate):
    config = tiny()
    config.finetune.learning_rate = rate
    with pytest.raises(InputError, match="learning_rate"):
        study(synthetic(), config)


def test_merged_shards_without_an_arm_under_test_speak_of_all(tmp_path):
    rng = np.random.default_rng(1)
    adata = alone(classes=2)
    adata.X = rng.normal(8, 1, adata.shape).astype(np.float32)
    config, arms = tiny((0.1,), 2), ["majority", "knn", "pca_logreg"]
    one = study(adata, config, arms)
    for i in range(2):
        study(adata, config, arms, out=tmp_path / "run", shard=f"{i}/2")
    merged = jaxssl.open_study(tmp_path / "run")
    for name in ("arms", "failed_fits", "headline"):
        assert merged.summary[name] == one.summary[name]
