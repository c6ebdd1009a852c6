"""Samples under two names, and what keeps them in one part."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from jaxssl.config import Config, with_options
from jaxssl.data import caveats, leakage
from jaxssl.data.groups import find_twins, join_groups
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.prepared import prepare
from jaxssl.runs.notes import Notes
from jaxssl.types import InputError

RNG = np.random.default_rng(0)
X = RNG.normal(8, 1, size=(60, 300)).astype(np.float32)


def test_copies_and_near_copies_are_found_and_strangers_are_not():
    x = X.copy()
    x[7], x[40] = x[50], x[3] + 0.02 * RNG.normal(size=300)
    assert find_twins(x).tolist() == [[3, 40], [7, 50]]
    assert not len(find_twins(X))


def test_a_shift_of_all_genes_by_their_own_offset_makes_no_twins():
    offsets = 10 * RNG.normal(size=300)  # what all profiles share
    assert not len(find_twins((X + offsets).astype(np.float32)))


def test_the_samples_of_a_platform_are_no_twins_but_its_copies_are():
    x, rng = X.copy(), np.random.default_rng(1)
    x[40:] += rng.choice([-30, 30], 300)  # what a platform does to every gene
    x[50] = x[59] + 0.02 * rng.normal(size=300)
    platform = np.array(["a"] * 40 + ["b"] * 20, object)
    alike = 40 * 39 / 2 + 20 * 19 / 2
    assert len(find_twins(x)) == alike
    assert find_twins(x, platform).tolist() == [[50, 59]]
    assert len(find_twins(x, np.full(60, "", object))) == alike  # which is whose is not known


@pytest.mark.parametrize("n_genes", [2, 3, 10, 48, 49, 50, 300])
def test_exact_copies_are_found_among_any_number_of_genes(n_genes):
    x = np.repeat(X[:30, :n_genes], 2, axis=0)
    assert sorted(map(tuple, find_twins(x))) == [(i, i + 1) for i in range(0, 60, 2)]
    x = np.concatenate([x[:, :48], np.full((60, 1), 5, np.float32)], axis=1)
    x[3, -1] = 5.3  # a gene in which one sample differs from all tells of no pair
    assert sorted(map(tuple, find_twins(x))) == [(i, i + 1) for i in range(0, 60, 2)]


def six_digits(x):
    return np.array([float(f"{value:.6g}") for value in x.ravel()]).reshape(x.shape)


@pytest.mark.parametrize(
    "rounded", [six_digits, partial(np.round, decimals=2), lambda x: 3 * x / 3]
)
def test_copies_that_went_through_a_text_are_found_among_few_genes(rounded):
    x = X[:, :48].astype(np.float64)
    x = np.concatenate([x, rounded(x)]).astype(np.float32)
    assert sorted(map(tuple, find_twins(x))) == [(i, i + 60) for i in range(60)]


def test_of_many_copies_each_is_paired_with_the_next():
    x = np.concatenate([X[:, :48], np.zeros((500, 48), np.float32)])
    assert sorted(map(tuple, find_twins(x))) == [(i, i + 1) for i in range(60, 559)]


@pytest.mark.parametrize(
    "x",
    [
        RNG.integers(0, 2, size=(200, 3)),  # binary
        RNG.random((200, 48)) < 0.02,  # mutations, which most samples have none of
        np.repeat(X[:30, :1], 2, axis=0),  # one gene
    ],
)
def test_what_chance_makes_alike_is_not_kept_together_but_told(x):
    with pytest.warns(UserWarning, match="copies cannot be told there"):
        assert not len(find_twins(x.astype(np.float32)))


@pytest.mark.parametrize("n_genes", [2, 5, 20, 48])
def test_strangers_among_few_genes_are_no_twins(n_genes):
    tissue = RNG.normal(8, 1, size=(300, 1))
    x = tissue + 0.3 * RNG.normal(size=(300, n_genes))
    assert not len(find_twins(x.astype(np.float32)))


def test_copies_at_the_mean_of_all_genes_are_found():
    x = np.concatenate([X[:20], 16 - X[:20], np.full((3, 300), 8, np.float32)])
    x[:40] = np.round(x[:40] * 64) / 64  # so that the mean is exact
    assert find_twins(x).tolist() == [[40, 41], [41, 42]]


def panel(n_genes=48):
    """100 profiles twice, the copies with labels of their own."""
    x = np.repeat(RNG.normal(8, 1, size=(100, n_genes)), 2, axis=0).astype(np.float32)
    obs = pd.DataFrame({"class": RNG.permutation(np.repeat(["a", "b"], 100))})
    obs["class"] = obs["class"].to_numpy()[np.arange(200) // 2 * 2]  # a copy has its own answer
    return AnnData(x, obs.set_index(np.array([f"s{i}" for i in range(200)], object)))


def test_copies_on_a_panel_do_not_give_random_labels_away():
    from sklearn.linear_model import LogisticRegression

    def accuracy(task):
        train, test = task.labelled_train, task.split.test
        fit = LogisticRegression(C=1e4, max_iter=5000).fit(
            task.expression[train], task.codes[train]
        )
        return fit.score(task.expression[test], task.codes[test])

    split = make_task(panel(), options("stratified"))
    assert kinds(split) == ["twins"]
    together = make_task(panel(), options("grouped"))
    assert kinds(together) == []
    assert accuracy(split) > accuracy(together) + 0.15


def test_groups_are_found_across_blocks(monkeypatch):
    monkeypatch.setattr("jaxssl.data.backed.BLOCK", 16)
    x = X.copy()
    x[59] = x[0]
    assert find_twins(x).tolist() == [[0, 59]]


def test_joined_groups_hold_both_samples_and_all_of_their_groups():
    groups = np.array(["a", "a", "b", "b", "", "", ""], dtype=object)
    joined = join_groups(groups, np.array([[1, 2], [3, 4]]))
    assert len(set(joined[:5])) == 1
    assert joined[5:].tolist() == ["", ""]
    assert join_groups(groups, np.empty((0, 2), int)) is groups


def data_with_twins():
    adata = make_synthetic(n_samples=200, n_genes=80, n_classes=4)
    adata.X[100:120] = adata.X[:20]
    adata.obs["class"] = np.asarray(adata.obs["class"]).astype(object)
    adata.obs.iloc[100:120, adata.obs.columns.get_loc("class")] = adata.obs["class"].to_numpy()[:20]
    adata.obs["patient"] = [f"p{i % 90}" for i in range(200)]
    adata.uns["jaxssl"]["group"] = ""
    return adata


def options(protocol, group=""):
    config = Config()
    config.data.label, config.data.group, config.split.protocol = "class", group, protocol
    return config


def kinds(task):
    return list(leakage.leaks_of_split(task))


def test_the_grouped_split_keeps_twins_together_and_the_studys_is_found_out():
    assert kinds(make_task(data_with_twins(), options("grouped"))) == []
    assert kinds(make_task(data_with_twins(), options("grouped", "patient"))) == []
    assert kinds(make_task(data_with_twins(), options("stratified"))) == ["twins"]
    assert kinds(make_task(data_with_twins(), options("stratified", "patient"))) == [
        "groups",
        "twins",
    ]


def test_a_leak_ends_the_run_unless_it_is_allowed():
    task = make_task(data_with_twins(), options("stratified", "patient"))
    found, notes = leakage.leaks_of_split(task), Notes(print)
    with pytest.raises(InputError, match=r"leak \(groups\): .* `allow_leaks=groups,twins`"):
        notes.leaks(found, ())
    with pytest.raises(InputError, match="twins"):
        notes.leaks(found, ("groups",))
    notes.leaks(found, ("groups", "twins"))
    notes.close()


@pytest.mark.parametrize("frame", ["training", "cohort", "rank", "rank_cohort"])
def test_a_scaler_that_saw_held_out_rows_is_found_out(frame):
    config = with_options(options("grouped"), {"normalize.frame": frame})
    task = make_task(data_with_twins(), config)
    honest = prepare(task, config).normalizer
    assert leakage.leaks_of_normalizer(task, honest) == {}
    everything = replace(task, split=task.split._replace(train=np.arange(200)))
    spoiled = prepare(everything, config).normalizer
    assert list(leakage.leaks_of_normalizer(task, spoiled)) == ["fitted"]


def test_no_validation_part_means_a_choice_on_test():
    assert list(leakage.leaks_of_selection(0)) == ["selection"]
    assert leakage.leaks_of_selection(10) == {}


@pytest.mark.filterwarnings("ignore:.*(part holds|in the (test|validation) part)")
def test_samples_without_a_known_group_are_told_not_taken_for_one_patient():
    adata = data_with_twins()
    adata.obs["patient"] = [f"p{i}" if i % 3 else "Unknown" for i in range(200)]
    [told] = caveats.doubts(make_task(adata, options("grouped", "patient")), adata.X)
    assert "67 samples are one group, 'Unknown'" in told
    adata.obs["patient"] = [f"p{i}" if i % 3 else "" for i in range(200)]
    assert caveats.doubts(make_task(adata, options("grouped", "patient")), adata.X) == []


def test_classes_that_name_nothing_and_batches_of_one_class_are_told():
    adata = data_with_twins()
    adata.obs["batch"] = np.asarray(adata.obs["class"])
    adata.obs["class"] = adata.obs["class"].astype(object)
    adata.obs.loc[adata.obs["class"] == adata.obs["class"].iloc[0], "class"] = "-1"
    config = options("grouped")
    config.data.batch = "batch"
    told = caveats.doubts(make_task(adata, config), adata.X)
    assert len(told) == 2
    assert "samples are of the class '-1'" in told[0]
    assert "batches is of one class" in told[1]


def test_batches_that_tell_most_labels_are_told_and_those_of_all_classes_are_not():
    adata = data_with_twins()
    codes = pd.factorize(np.asarray(adata.obs["class"]))[0]
    batches = codes.copy()
    batches[::20] = (batches[::20] + 1) % (codes.max() + 1)
    config = options("grouped")
    config.data.batch = "batch"
    adata.obs["batch"] = [f"b{code}" for code in batches]
    [told] = caveats.doubts(make_task(adata, config), adata.X)
    assert "batches alone tell the class of 9" in told
    adata.obs["batch"] = [f"b{code % 2}" for code in np.arange(len(codes))]
    assert caveats.doubts(make_task(adata, config), adata.X) == []


@pytest.mark.parametrize(("size", "noise"), [(2, 0.4), (4, 0.6)])
def test_sets_of_samples_that_are_like_no_other_are_told_where_no_group_holds_them(size, noise):
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(120 // size), size)
    x = 6 + rng.normal(size=(120 // size, 300))[patients] + noise * rng.normal(size=(120, 300))
    obs = {"class": np.array(["a", "b"])[patients % 2], "who": patients.astype(str)}
    obs = pd.DataFrame(obs, index=[f"s{i}" for i in range(120)])
    adata = AnnData(x.astype(np.float32), obs, uns={"jaxssl": {"scale": "log2"}})
    config = options("grouped")
    [told] = caveats.doubts(make_task(adata, config, is_split=False), x)
    assert re.search(
        r"(9\d|100)% of the samples have one to nine others .*first: s0 and s[123]\)", told
    )
    config.data.group = "who"
    assert caveats.doubts(make_task(adata, config, is_split=False), x) == []
    strangers = adata[patients.argsort()[::size]].copy()
    config.data.group = ""
    assert caveats.doubts(make_task(strangers, config, is_split=False), strangers.X) == []


def test_a_label_among_the_genes_is_told():
    adata = data_with_twins()
    adata.X[:, 7] = pd.factorize(np.asarray(adata.obs["class"]))[0]
    [told] = caveats.doubts(make_task(adata, options("grouped")), adata.X)
    assert "first: gene_00007" in told
    counts = np.rint(2 ** np.asarray(adata.X))
    counts[:, 7] = pd.factorize(np.asarray(adata.obs["class"]))[0]
    adata.X, adata.uns["jaxssl"]["scale"] = counts, "counts"
    [told] = caveats.doubts(make_task(adata, options("grouped")), counts)
    assert "first: gene_00007" in told


def test_twins_of_two_batches_are_not_trained_on_where_one_is_left_out():
    adata = data_with_twins()
    adata.obs["batch"] = np.where(np.arange(200) < 60, "a", "b")
    config = options("leave_batch_out")
    config.data.batch = "batch"
    for config.split.seed in (0, 1):
        task = make_task(adata, config)
        assert kinds(task) == []
        first, second = task.twins.T
        assert not (np.isin(first, task.split.train) & np.isin(second, task.split.test)).any()
        assert not (np.isin(second, task.split.train) & np.isin(first, task.split.test)).any()


def with_zeros(scale: str, share: float = 0.2) -> AnnData:
    """Intensities of proteins, or reads, some of which are 0 at random."""
    rng = np.random.default_rng(0)
    x = rng.normal(22 if scale == "linear" else 5, 1.5, (200, 100))
    x = np.where(rng.random(x.shape) < share, 0, np.exp2(x)).round()
    obs = pd.DataFrame({"class": np.arange(200).astype(str)}, index=[f"s{i}" for i in range(200)])
    obs["class"] = np.where(np.arange(200) % 2, "a", "b")
    return AnnData(x.astype(np.float32), obs, uns={"jaxssl": {"scale": scale, "label": "class"}})


@pytest.mark.parametrize("scale", ["linear", "counts"])
def test_zeros_far_below_all_other_values_are_told(scale):
    adata = with_zeros("linear")
    adata.uns["jaxssl"]["scale"] = scale  # whole intensities are taken for counts
    [told] = caveats.doubts(make_task(adata, Config()), adata.X)
    assert "20% of the values are 0 and no other is near it" in told
    assert "import by `prepare(impute=mean)`" in told


def test_zeros_of_counts_of_logarithms_and_of_two_values_are_not_told():
    counts = with_zeros("counts")
    assert caveats.doubts(make_task(counts, Config()), counts.X) == []
    logs = with_zeros("counts")
    logs.X = np.log2(logs.X + 1)
    logs.uns["jaxssl"]["scale"] = "log2"
    assert not [t for t in caveats.doubts(make_task(logs, Config()), logs.X) if "near it" in t]
    few = with_zeros("linear", 0.01)
    assert caveats.doubts(make_task(few, Config()), few.X) == []
