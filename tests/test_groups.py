"""Samples under two names, and what keeps them in one part."""

from dataclasses import replace

import numpy as np
import pytest

from jaxssl.config import Config
from jaxssl.data import leakage
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


def test_few_genes_tell_nobody_apart():
    x = np.repeat(X[:30, :10], 2, axis=0)
    assert not len(find_twins(x))


def test_groups_are_found_across_blocks(monkeypatch):
    monkeypatch.setattr("jaxssl.data.groups.BLOCK", 16)
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
    with pytest.raises(InputError, match=r"leak \(groups\): .* `allow_leaks=groups`"):
        notes.leaks(found, ())
    with pytest.raises(InputError, match="twins"):
        notes.leaks(found, ("groups",))
    notes.leaks(found, ("groups", "twins"))
    notes.close()


def test_a_scaler_that_saw_held_out_rows_is_found_out():
    task = make_task(data_with_twins(), options("grouped"))
    honest = prepare(task, options("grouped")).normalizer
    assert leakage.leaks_of_normalizer(task, honest) == {}
    everything = replace(task, split=task.split._replace(train=np.arange(200)))
    spoiled = prepare(everything, options("grouped")).normalizer
    assert list(leakage.leaks_of_normalizer(task, spoiled)) == ["fitted"]


def test_no_validation_part_means_a_choice_on_test():
    assert list(leakage.leaks_of_selection(0)) == ["selection"]
    assert leakage.leaks_of_selection(10) == {}
