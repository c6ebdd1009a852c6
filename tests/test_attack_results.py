"""Attacks on numbers: leaks, fits that came to nothing, statistics, and predictions."""

import itertools
import json
import os
import warnings

import anndata
import jax
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import stats
from scipy.sparse import csc_matrix, csr_matrix
from sklearn import metrics as sk
from sklearn.dummy import DummyClassifier
from verbs import launch

import jaxssl
from jaxssl.config import Config
from jaxssl.data.expression import write_h5ad
from jaxssl.data.groups import find_twins
from jaxssl.data.synthetic import make_synthetic
from jaxssl.types import InputError

if not os.environ.get("JAXSSL_ATTACKS"):
    pytest.skip("set JAXSSL_ATTACKS=1: minutes", allow_module_level=True)

pytestmark = [pytest.mark.usefixtures("standard_promotion"), pytest.mark.filterwarnings("ignore")]
ARMS = ["majority", "pca_logreg", "knn", "scratch"]
KEYS = ["split", "arm", "share", "seed", "part", "metric"]


def data(n=200, genes=60, classes=4, **options) -> AnnData:
    return make_synthetic(
        n_samples=n, n_genes=genes, n_classes=classes, n_superclasses=2, **options
    )


def alone(**options) -> AnnData:
    """Without groups."""
    adata = data(**options)
    del adata.obs["donor"]
    adata.uns["jaxssl"]["group"] = ""
    return adata


def tiny(shares=(0.05, 0.1, 1.0), seeds=3, protocol="grouped") -> Config:
    """Where training from scratch is the arm under test, so that nothing is pretrained."""
    config = Config()
    config.encoder.hidden, config.finetune.transfer_layers = (16, 8), 2
    config.pretrain.n_steps, config.finetune.n_steps = 20, 50
    config.finetune.scratch_steps, config.finetune.probe_steps = 20, 200
    config.finetune.scratch_learning_rate = 0.01
    config.sweep.shares, config.run.seeds = shares, seeds
    config.sweep.reference_arms = ("pca_logreg", "knn")
    config.split.protocol = protocol
    return config


def study(adata, config=None, arms=ARMS, **options):
    config = config or tiny()
    config.sweep.reference_arms = tuple(a for a in ("pca_logreg", "knn") if a in arms) or (
        "logreg",
    )
    return jaxssl.study(adata, config=config, arms=arms, progress=False, **options)


QUICK = ["majority", "pca_logreg", "knn", "logreg"]  # logreg is under test


def values(result) -> pd.Series:
    return result.results.set_index(KEYS)["value"].sort_index()


def in_module(call):
    with jax.numpy_dtype_promotion("standard"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Three seeds in one go."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return in_module(lambda: study(data(), out=out))


@pytest.fixture(scope="module")
def quick():
    """As `whole`, without anything to compile."""
    return in_module(lambda: study(data(), arms=QUICK))


@pytest.fixture(scope="module")
def fitted():
    """An encoder and a classifier, of the samples of `data`."""

    def fit():
        encoder = jaxssl.SSLEncoder(config=tiny()).fit(data())
        return encoder, jaxssl.SSLClassifier(encoder, config=tiny(), label="class").fit(data())

    return in_module(fit)


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    fitted[0].save(folder / "encoder")
    fitted[1].save(folder / "classifier")
    return folder


# Kind 5: leaks that are not looked for


def doubled(genes, change=lambda x: x, n=80, seed=0, **options):
    """Every profile twice, the second changed."""
    x = data(n, genes, 2, seed=seed, **options).X
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
    assert len(find_twins(data(160, genes, 2).X)) == 0


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
    x = data(80, genes, 2).X
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
    adata = data(classes=2)
    codes = pd.factorize(adata.obs["class"])[0] + offset
    with pytest.warns(UserWarning, match="as if made from the labels"):
        study(labels_as_gene(scale, codes, adata), tiny((1.0,), 2), ["majority", "logreg"])


def test_one_class_against_all_others_among_the_genes_is_told():
    adata = data()
    adata.X[:, 0] = 3.0 * (adata.obs["class"] == "class_0")
    with pytest.warns(UserWarning, match="as if made from the labels"):
        study(adata, tiny((1.0,), 2), ["majority", "logreg"])


def test_a_batch_that_equals_the_classes_is_told():
    adata = data()
    adata.obs["place"] = adata.obs["class"]
    with pytest.warns(UserWarning, match="batch"):
        study(adata, tiny((1.0,), 2), ["majority", "pca_logreg"], batch="place")


@pytest.mark.parametrize("how", ["file", "bundle"])
def test_predict_tells_of_the_training_samples_of_an_estimator(how, fitted, saved):
    given = saved / "classifier" if how == "file" else fitted[1].bundle_
    with pytest.warns(UserWarning, match="200 of 200 samples bear the id"):
        jaxssl.predict(given, data())


def test_finetune_tells_of_held_out_samples_that_an_estimator_was_fitted_on(saved, tmp_path):
    with pytest.warns(UserWarning, match="60 of 60 held-out samples bear the id"):
        jaxssl.finetune(saved / "encoder", data(), out=tmp_path / "clf", progress=False)


def panel() -> AnnData:
    labels = np.repeat(data(80, 48, 2).obs["class"].to_numpy(), 2)
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


# Kind 4: fits that diverged or stayed at chance


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
    adata = data()
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
        study(data(), config)


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


# Statistics, against computations of their own


def test_a_study_twice_is_the_same(whole):
    pd.testing.assert_series_equal(values(study(data())), values(whole))


def test_the_first_three_of_five_seeds_are_those_of_three(whole):
    five = values(study(data(), tiny(seeds=5)))
    np.testing.assert_allclose(five.reindex(values(whole).index), values(whole), atol=1e-5)


def test_shards_together_are_the_whole(quick, tmp_path):
    whole = quick
    for i in range(3):
        study(data(), arms=QUICK, out=tmp_path / "run", shard=f"{i}/3")
    merged = jaxssl.open_study(tmp_path / "run")
    np.testing.assert_allclose(values(merged), values(whole), atol=1e-5)
    assert merged.headline == whole.headline
    columns = ["mean", "difference", "ci_low", "ci_high", "p_holm", "group_low"]
    np.testing.assert_allclose(merged.endpoint[columns], whole.endpoint[columns], atol=1e-5)


@pytest.mark.parametrize("less", [{"seeds": 2}, {"shares": (0.05, 1.0)}])
def test_a_run_that_was_resumed_for_more_is_that_of_one_go(less, quick, tmp_path):
    whole = quick
    try:
        study(data(), tiny(**less), QUICK, out=tmp_path / "run")
        result = study(data(), arms=QUICK, out=tmp_path / "run", resume=True)
    except InputError:
        return  # another option, refused
    np.testing.assert_allclose(values(result), values(whole), atol=1e-5)
    assert result.headline == whole.headline


def test_the_verb_gives_the_numbers_of_the_function(whole, tmp_path):
    write_h5ad(data(), tmp_path / "data.h5ad")
    options = [
        "--config.encoder.hidden=(16,8)",
        "--config.finetune.transfer_layers=2",
        "--config.finetune.scratch_steps=20",
        "--config.finetune.scratch_learning_rate=0.01",
        "--config.sweep.reference_arms=('pca_logreg','knn')",
    ]
    options += ["--shares=0.05,0.1,1", "--seeds=3", f"--arms={','.join(ARMS)}"]
    launch("sweep", f"--data={tmp_path / 'data.h5ad'}", f"--out={tmp_path / 'run'}", *options)
    result = jaxssl.open_study(tmp_path / "run")
    np.testing.assert_allclose(values(result), values(whole), atol=1e-6)
    assert result.headline == whole.headline


def test_the_scores_are_those_of_the_predictions(whole):
    test = values(whole).xs("test", level="part").droplevel("split")
    for arm, share in itertools.product(ARMS, (0.05, 1.0)):
        for seed, rows in whole.predictions(arm, share).groupby("seed"):
            p = rows[[c for c in rows if c.startswith("p_")]]
            named = p.idxmax(axis=1).str.removeprefix("p_")
            found = test[arm, share, seed]
            assert found["accuracy"] == pytest.approx(sk.accuracy_score(rows["label"], named))
            balanced = sk.balanced_accuracy_score(rows["label"], named)
            assert found["balanced_accuracy"] == pytest.approx(balanced)
            loss = sk.log_loss(rows["label"], p.astype(float))
            assert found["log_loss"] == pytest.approx(loss, rel=1e-4)


def test_the_majority_is_that_of_scikit_learn(whole):
    part = whole.samples.set_index("sample_id")
    train, test = (part[part["part"] == name]["label"] for name in ("train", "test"))
    dummy = DummyClassifier().fit(np.zeros((len(train), 1)), train)
    found = values(whole).xs(("majority", 1.0, "test", "accuracy"), level=KEYS[1:3] + KEYS[4:])
    assert (found == dummy.score(np.zeros((len(test), 1)), test)).all()


def test_intervals_and_tests_are_those_of_scipy(whole):
    table = values(whole).xs(("test", "accuracy"), level=("part", "metric")).unstack("arm")
    for _, row in whole.statistics.query("metric == 'accuracy'").iterrows():
        of_share = table.xs(row["share"], level="share")
        d = of_share[row["arm"]] - of_share[row["reference"]]
        assert row["difference"] == pytest.approx(d.mean())
        low, high = stats.t.interval(0.95, len(d) - 1, d.mean(), stats.sem(d))
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high))
        if np.ptp(d):
            p = stats.ttest_rel(of_share[row["arm"]], of_share[row["reference"]]).pvalue
            assert row["p_t"] == pytest.approx(p)


def test_the_endpoint_is_the_area_under_the_curve(whole):
    table = values(whole).xs(("test", "balanced_accuracy"), level=("part", "metric"))
    wide = table.unstack("share")[[0.05, 0.1]].mean(axis=1).groupby("arm").mean()  # two: trapezoid
    for _, row in whole.endpoint.iterrows():
        assert row["mean"] == pytest.approx(wide[row["arm"]])
        assert row["reference_mean"] == pytest.approx(wide[row["reference"]])
    on_validation = values(whole).xs(("validation", "balanced_accuracy"), level=KEYS[4:])
    means = on_validation.unstack("share")[[0.05, 0.1]].mean(axis=1).groupby("arm").mean()
    [best] = whole.endpoint.loc[whole.endpoint["is_best"].astype(bool), "reference"]
    assert best == means[["pca_logreg", "knn"]].idxmax()


def test_holm_counts_all_shares_and_references(whole):
    for _, family in whole.statistics.groupby("metric"):
        p = family["p_t"].dropna().sort_values()
        factors = np.arange(len(p), 0, -1)
        expected = np.minimum(np.maximum.accumulate(p * factors), 1)
        np.testing.assert_allclose(family.loc[p.index, "p_holm"], expected)


def test_one_seed_has_no_interval_and_no_verdict():
    result = study(data(), tiny(seeds=1))
    assert result.endpoint[["ci_low", "ci_high", "p_t", "p_holm"]].isna().all(axis=None)
    assert "is undecided" in result.headline
    assert "no interval" in result.headline


def test_without_shares_of_one_to_ten_percent_there_is_no_endpoint():
    result = study(data(), tiny((0.2, 1.0), 2))
    assert result.endpoint is None
    assert "no primary endpoint" in result.headline


def test_an_endpoint_of_one_share_is_the_score_at_that_share():
    result = study(data(), tiny((0.05, 0.5), 2))
    scores = values(result).xs((0.05, "test", "balanced_accuracy"), level=["share", *KEYS[4:]])
    assert result.endpoint["mean"].iloc[0] == pytest.approx(scores.groupby("arm").mean()["scratch"])
    assert "at 5 % of the labels" in result.headline


@pytest.mark.parametrize("what", ["shares", "arms"])
def test_what_stands_twice_is_refused(what):
    twice = {"shares": [0.1, 0.1], "arms": [*ARMS, "knn"]}
    with pytest.raises(InputError, match="twice"):
        study(data(), **{what: twice[what]})


def test_ties_are_no_difference():
    adata = alone(classes=2, class_effect=20.0, noise=0.01, batch_effect=0.01)
    adata.X = 12 + 10 * adata.X / np.abs(adata.X).max()
    config = tiny((0.1, 1.0), 3)
    config.finetune.scratch_steps = 300
    result = study(adata, config, ["knn", "scratch"])
    rows = result.statistics.query("metric == 'accuracy'")
    tied = rows[rows["difference"] == 0]
    assert len(tied)
    assert (tied["p_t"] == 1).all()
    assert "beats" not in result.headline


def test_several_splits_are_repetitions_of_the_means_over_seeds(tmp_path):
    config = tiny((0.05, 0.1), 2)
    result = study(data(), config, QUICK, out=tmp_path / "run", splits=3)
    table = values(result).xs((0.1, "test", "accuracy"), level=["share", *KEYS[4:]])
    of_split = table.groupby(["split", "arm"]).mean().unstack("arm")
    d = of_split["logreg"] - of_split["knn"]
    [row] = result.statistics.query(
        "share == 0.1 and metric == 'accuracy' and reference == 'knn'"
    ).to_dict("records")
    assert row["n"] == 3
    assert row["difference"] == pytest.approx(d.mean())
    sizes = [jaxssl.open_study(tmp_path / "run" / f"split_{i}").summary for i in range(3)]
    ratio = np.mean([s["n_test"] / s["n_train"] for s in sizes])
    half = stats.t.ppf(0.975, 2) * np.sqrt((1 / 3 + ratio) * d.var(ddof=1))
    assert row["ci_high"] - row["ci_low"] == pytest.approx(2 * half)


# What chooses: search, audit


def test_a_search_looks_at_the_validation_part_alone_and_takes_the_best(tmp_path):
    grid = {"finetune.scratch_steps": [1, 30], "finetune.scratch_learning_rate": [0.001, 0.01]}
    asked = {"arms": ["scratch"], "config": tiny((0.1,), 2), "progress": False}
    found = jaxssl.tune(data(), grid=grid, out=tmp_path / "run", **asked)
    rows = pd.read_csv(tmp_path / "run" / "results.csv", keep_default_na=False)
    assert set(rows["part"]) == {"validation"}
    rows["value"] = pd.to_numeric(rows["value"])
    means = rows[rows["metric"] == "balanced_accuracy"].groupby("point")["value"].mean()
    assert found.best.name == means.idxmax()
    assert found.score == pytest.approx(means.max())


def test_a_search_by_loss_takes_the_lowest(tmp_path):
    asked = {"arms": ["scratch"], "config": tiny((0.1,), 2), "progress": False}
    grid = {"finetune.scratch_steps": [1, 30, 60]}
    found = jaxssl.tune(data(), grid=grid, metric="log_loss", out=tmp_path / "run", **asked)
    assert found.score == found.table["mean"].min()


def test_an_audit_counts_what_scipy_counts(tmp_path):
    asked = {"n_comparisons": 10, "seeds": 3, "shares": [0.1], "config": tiny()}
    table = jaxssl.audit(data(), out=tmp_path / "run", progress=False, **asked)
    scores = pd.read_csv(tmp_path / "run" / "type1_scores.csv")
    for metric in scores["metric"].unique():
        rows = scores[scores["metric"] == metric]
        rejected = 0
        for _, one in rows.groupby("comparison"):
            d = one["first"] - one["second"]
            rejected += bool(np.ptp(d.round(12)) and stats.ttest_1samp(d, 0).pvalue <= 0.05)
        [found] = table[(table["metric"] == metric) & (table["test"] == "p_t")]["rejected"]
        assert found == rejected / 10


# Predictions


def predicted(saved, adata):
    table = jaxssl.predict(saved / "classifier", adata)
    return table.set_index("sample_id")[[c for c in table if c.startswith("p_")]]


SHUFFLED = np.random.default_rng(0).permutation(60)
FORMS = {
    "float64": lambda a: AnnData(a.X.astype(np.float64), a.obs, a.var, uns=a.uns),
    "csr": lambda a: AnnData(csr_matrix(a.X), a.obs, a.var, uns=a.uns),
    "csc": lambda a: AnnData(csc_matrix(a.X), a.obs, a.var, uns=a.uns),
    "Fortran": lambda a: AnnData(np.asfortranarray(a.X), a.obs, a.var, uns=a.uns),
    "shuffled": lambda a: a[:, SHUFFLED].copy(),
    "view": lambda a: a[:, SHUFFLED],
    "int obs": lambda a: AnnData(a.X, a.obs.assign(n=1, f=2.5), a.var, uns=a.uns),
    "no record": lambda a: AnnData(a.X, a.obs, a.var),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_form_of_a_matrix_changes_no_prediction(form, saved):
    found = predicted(saved, FORMS[form](data()))
    pd.testing.assert_frame_equal(found, predicted(saved, data()), atol=1e-6)


@pytest.mark.parametrize("rows", [[7], [7, 8], [199, 0, 50], list(range(17))])
def test_a_sample_is_predicted_as_among_many(rows, saved):
    found, every = predicted(saved, data()[rows].copy()), predicted(saved, data())
    pd.testing.assert_frame_equal(found, every.iloc[rows], atol=1e-6)


@pytest.mark.parametrize("backed", [False, True])
def test_a_file_is_predicted_as_the_data_in_memory(backed, saved, tmp_path):
    data().write_h5ad(tmp_path / "data.h5ad")
    path = tmp_path / "data.h5ad"
    given = anndata.read_h5ad(path, backed="r") if backed else path
    pd.testing.assert_frame_equal(predicted(saved, given), predicted(saved, data()), atol=1e-6)


@pytest.mark.parametrize("form", ["a.csv", "a.tsv.gz", "a.parquet", "turned.csv", "one.csv"])
def test_a_table_is_predicted_as_the_matrix(form, saved, tmp_path):
    adata = data()[[5]].copy() if form == "one.csv" else data()
    frame = pd.DataFrame(adata.X, adata.obs_names, adata.var_names)
    path, is_turned = tmp_path / form, form == "turned.csv"
    frame = frame.T if is_turned else frame
    if form.endswith("parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="\t" if "tsv" in form else ",")
    orientation = "genes_in_rows" if is_turned else "samples_in_rows"
    read = jaxssl.read(path, orientation=orientation, scale="log2")
    pd.testing.assert_frame_equal(
        predicted(saved, read), predicted(saved, adata), atol=1e-5, check_names=False
    )


def test_verb_function_and_estimator_predict_the_same(fitted, saved, tmp_path):
    write_h5ad(data(), tmp_path / "data.h5ad")
    flags = [f"--classifier={saved / 'classifier'}", f"--data={tmp_path / 'data.h5ad'}"]
    launch("predict", *flags, f"--out={tmp_path / 'p.csv'}")
    by_verb = pd.read_csv(tmp_path / "p.csv").set_index("sample_id").drop(columns="predicted")
    expected = predicted(saved, data())
    np.testing.assert_allclose(by_verb, expected, atol=1e-6)
    np.testing.assert_allclose(fitted[1].predict_proba(data()), expected, atol=1e-6)
    loaded = jaxssl.SSLClassifier.load(saved / "classifier")
    np.testing.assert_allclose(loaded.predict_proba(data()), expected, atol=1e-6)
    frame = pd.DataFrame(data().X, data().obs_names, data().var_names)
    np.testing.assert_allclose(loaded.predict_proba(frame), expected, atol=1e-6)


def test_an_embedding_is_the_same_by_each_way(fitted, saved):
    expected = fitted[0].transform(data())
    np.testing.assert_allclose(jaxssl.embed(saved / "encoder", data()).obsm["X_jaxssl"], expected)
    one = jaxssl.embed(saved / "encoder", data()[7:8].copy()).obsm["X_jaxssl"]
    np.testing.assert_allclose(one, expected[7:8], atol=1e-5)


RENAMED = {
    "case": str.upper,
    "space": lambda name: f"{name} ",
    "version": lambda name: f"{name}.3",
    "prefix": lambda name: f"x_{name}",
}


@pytest.mark.parametrize("how", RENAMED)
def test_genes_under_other_names_are_the_same_or_refused(how, saved):
    adata, expected = data(), predicted(saved, data())
    adata.var_names = [RENAMED[how](name) for name in adata.var_names]
    try:
        found = predicted(saved, adata)
    except InputError as error:
        assert "genes are missing" in str(error)  # noqa: PT017
    else:
        pd.testing.assert_frame_equal(found, expected, atol=1e-6)


@pytest.mark.parametrize("n", [4, 10])
def test_genes_that_are_missing_are_told(n, saved):
    with pytest.warns(UserWarning, match=f"{n} of the encoder's 60 genes are missing"):
        jaxssl.predict(saved / "classifier", data()[:, n:].copy())


def test_more_genes_than_allowed_are_refused(saved):
    with pytest.raises(InputError, match="max_missing"):
        jaxssl.predict(saved / "classifier", data()[:, 30:].copy())


def test_predict_does_not_drop_a_gene_that_stands_twice_silently(saved):
    adata = data()
    adata.var_names = [*adata.var_names[:-1], adata.var_names[0]]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            jaxssl.predict(saved / "classifier", adata)
        except InputError as error:
            told.append(error)
    assert any("gene_00000" in str(getattr(note, "message", note)) for note in told)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused_by_name(value, saved):
    adata = data()
    adata.X[5, 7] = value
    with pytest.raises(InputError, match="sample_00005, gene gene_00007"):
        jaxssl.predict(saved / "classifier", adata)


@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize("scale", ["linear", "counts"])
@pytest.mark.parametrize("verb", ["predict", "embed", "finetune", "estimator"])
def test_linear_values_are_refused_by_an_encoder_of_log2(
    verb, scale, record, fitted, saved, tmp_path
):
    adata = data()
    adata.X = 2**adata.X if scale == "linear" else np.rint(2**adata.X)
    adata.uns = {"jaxssl": {"scale": scale}} if record else {}
    calls = {
        "predict": lambda: jaxssl.predict(saved / "classifier", adata),
        "embed": lambda: jaxssl.embed(saved / "encoder", adata),
        "finetune": lambda: jaxssl.finetune(
            saved / "encoder", adata, label="class", out=tmp_path / "clf", progress=False
        ),
        "estimator": lambda: fitted[1].predict(adata),
    }
    with pytest.raises(InputError, match=f"{scale} scale"):
        calls[verb]()
    assert not (tmp_path / "clf").exists()


def test_samples_that_stand_twice_are_predicted_twice_alike(saved):
    adata = anndata.concat([data(), data()])
    adata.obs_names_make_unique()
    found = predicted(saved, adata).to_numpy()
    np.testing.assert_allclose(found[:200], found[200:], atol=1e-6)


def test_minus_one_in_the_labels_of_an_annotated_matrix():
    """No label to the estimator: a study says so, or does the same."""
    adata = data()
    codes = pd.factorize(adata.obs["class"])[0]
    adata.obs["code"] = np.where(np.arange(200) % 5 == 0, -1, codes)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = study(adata, tiny((1.0,), 2), ["majority", "pca_logreg"], label="code")
    is_told = any("-1" in str(note.message) for note in told)
    assert is_told or list(result.summary["classes"]) == ["0", "1", "2", "3"]


def test_labels_of_numbers_are_the_same_classes_as_their_text():
    adata = data()
    adata.obs["number"] = pd.factorize(adata.obs["class"])[0]
    adata.obs["text"] = adata.obs["number"].astype(str)
    adata.obs["category"] = pd.Categorical(adata.obs["text"], [*"43210", "unused"])
    found = [
        study(adata, tiny((1.0,), 2), ["majority", "pca_logreg"], label=name)
        for name in ("number", "text", "category")
    ]
    assert found[0].summary["classes"] == found[1].summary["classes"] == found[2].summary["classes"]
    np.testing.assert_array_equal(values(found[0]), values(found[1]))
    np.testing.assert_array_equal(values(found[0]), values(found[2]))


@pytest.mark.parametrize("form", ["csr", "float64", "Fortran"])
def test_the_form_of_a_matrix_changes_no_study(form, whole):
    found = study(FORMS[form](data()))
    np.testing.assert_allclose(values(found), values(whole), atol=1e-5)


def test_columns_in_another_order_change_no_classical_score(whole):
    found = study(data()[:, SHUFFLED].copy(), arms=["majority", "pca_logreg", "knn"])
    expected = values(whole).drop("scratch", level="arm")
    accuracy = values(found).xs("accuracy", level="metric")
    np.testing.assert_allclose(accuracy, expected.xs("accuracy", level="metric"), atol=0.04)


def test_what_a_study_records_of_the_split_are_all_samples_once(whole):
    assert sorted(whole.samples["sample_id"]) == sorted(data().obs_names)
    counts = whole.samples["part"].value_counts()
    summary = json.loads((whole.folders[0] / "summary.json").read_text())
    assert counts["test"] == summary["n_test"]
    assert counts["train"] == summary["n_train"]
