"""Parts of the right size that share neither a sample nor a group."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from jaxssl.config import SplitConfig
from jaxssl.data import split as module
from jaxssl.data.labels import encode
from jaxssl.data.split import batches_with_labels
from jaxssl.types import InputError

SHARES = {"validation_share": 0.15, "test_share": 0.15}


def make_split(codes, groups, batches=None, classes=(), **options):
    none = np.full(len(codes), "", dtype=object)
    groups, batches = (none if names is None else names for names in (groups, batches))
    classes = classes or [f"number {code}" for code in range(codes.max() + 1)]
    return module.make_split(codes, groups, batches, classes, SplitConfig(**options))


def problem(seed: int, n: int = 900) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.choice(4, n, p=[0.5, 0.25, 0.15, 0.1]).astype(np.int32)
    codes[rng.random(n) < 0.1] = -1
    groups = np.array([f"g{i}" for i in rng.integers(0, n // 3, n)], dtype=object)
    groups[rng.random(n) < 0.05] = ""
    return codes, groups


@pytest.mark.parametrize("seed", range(6))
def test_no_group_lies_in_two_parts_and_parts_are_near_their_shares(seed):
    codes, groups = problem(seed)
    split = make_split(codes, groups, **SHARES, seed=seed, protocol="grouped")
    everyone = np.concatenate(split)
    assert len(everyone) == len(np.unique(everyone))
    named = [set(groups[part]) - {""} for part in split]
    assert not named[0] & named[1]
    assert not named[0] & named[2]
    assert not named[1] & named[2]
    n_labelled = (codes >= 0).sum()
    assert len(split.validation) == pytest.approx(0.15 * n_labelled, abs=0.02 * n_labelled)
    assert len(split.test) == pytest.approx(0.15 * n_labelled, abs=0.02 * n_labelled)
    assert np.all(codes[split.validation] >= 0)
    assert np.all(codes[split.test] >= 0)
    for part in split:
        shares = np.bincount(codes[part][codes[part] >= 0], minlength=4) / (codes[part] >= 0).sum()
        np.testing.assert_allclose(shares, [0.5, 0.25, 0.15, 0.1], atol=0.06)


def test_grouped_test_part_is_the_first_three_of_twenty_folds():
    codes, groups = problem(0)
    codes, groups = np.abs(codes), np.where(groups == "", "alone", groups)
    split = make_split(codes, groups, **SHARES, seed=7, protocol="grouped")
    folds = StratifiedGroupKFold(n_splits=20, shuffle=True, random_state=7)
    members = [fold for _, fold in folds.split(codes, codes, groups.astype(str))]
    np.testing.assert_array_equal(split.test, np.sort(np.concatenate(members[:3])))
    np.testing.assert_array_equal(split.validation, np.sort(np.concatenate(members[3:6])))


def test_unlabelled_samples_train_unless_their_group_is_held_out():
    codes, groups = problem(1)
    split = make_split(codes, groups, **SHARES, seed=0, protocol="grouped")
    held_out = set(groups[np.concatenate([split.validation, split.test])]) - {""}
    unlabelled = np.flatnonzero(codes < 0)
    expected = [i for i in unlabelled if groups[i] not in held_out]
    np.testing.assert_array_equal(split.train[codes[split.train] < 0], expected)
    assert len(expected) < len(unlabelled)


@pytest.mark.parametrize(
    ("n", "n_classes", "sizes"),
    [(9352, 20, (6546, 1403, 1403)), (21244, 2, (14870, 3187, 3187)), (20, 3, (14, 3, 3))],
)
def test_study_protocol_gives_the_sizes_of_the_study(n, n_classes, sizes):
    codes = (np.arange(n) % n_classes).astype(np.int32)
    groups = np.array(["one"] * n, dtype=object)  # the study did not group
    split = make_split(codes, groups, **SHARES, seed=0, protocol="stratified")
    assert tuple(len(part) for part in split) == sizes
    np.testing.assert_array_equal(np.sort(np.concatenate(split)), np.arange(n))


def test_split_depends_on_the_seed():
    codes = np.repeat(np.arange(3, dtype=np.int32), 40)
    first, again, other = (
        make_split(codes, None, **SHARES, seed=seed, protocol="grouped") for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.test, again.test)
    assert (first.test != other.test).any()


def test_class_within_one_group_stays_in_training():
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.integers(0, 3, 400), np.full(31, 3)]).astype(np.int32)
    groups = np.array([f"g{i}" for i in rng.integers(0, 120, 400)] + ["K-562"] * 31, dtype=object)
    with pytest.warns(UserWarning, match="class d|: d") as caught:
        split = make_split(
            codes, groups, **SHARES, seed=0, protocol="grouped", classes=("a", "b", "c", "d")
        )
    assert "class d has only 1 groups; K-562 was kept in training" in str(caught[0].message)
    assert "test part: d" in str(caught[-1].message)
    assert set(np.flatnonzero(codes == 3)) <= set(split.train)


def test_class_that_is_only_held_out_comes_back_from_validation_before_the_test_part():
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.integers(1, 4, 100), [0, 0, 0]]).astype(np.int32)
    groups = np.array([f"g{i}" for i in rng.integers(0, 30, 100)] + ["a0", "a0", "a1"], object)
    folds = StratifiedGroupKFold(n_splits=7, shuffle=True, random_state=5)
    with pytest.warns(UserWarning, match="only 3 members"):
        test, validation = [part for _, part in folds.split(codes, codes, groups)][:2]
    assert set(codes[test]) == set(codes[validation]) == {0, 1, 2, 3}
    with pytest.warns(UserWarning, match="class a|: a$|holds") as caught:
        split = make_split(
            codes, groups, **SHARES, seed=5, protocol="grouped", classes=("a", "b", "c", "d")
        )
    said = [str(warning.message) for warning in caught]
    assert "class a has only 2 groups" in said[0]
    assert "1 of 4 classes have no sample in the validation part: a" in said
    np.testing.assert_array_equal(split.test, test)
    np.testing.assert_array_equal(split.validation, validation[codes[validation] != 0])


def test_every_class_comes_back_where_one_brings_another_along():
    codes = np.repeat(np.arange(4, dtype=np.int32), [8, 8, 12, 120])
    groups = np.array(["0 and 1"] * 16 + ["2"] * 12 + [f"g{i % 30}" for i in range(120)], object)
    with pytest.warns(UserWarning, match="class number|: number|holds") as caught:
        split = make_split(codes, groups, **SHARES, seed=0, protocol="grouped")
    assert ["was kept in training" in str(w.message) for w in caught][:3] == [True, True, False]
    assert set(codes[split.train]) == {0, 1, 2, 3}


def test_parts_of_few_large_groups_are_reported():
    codes, groups = np.arange(80) % 2, np.repeat(list("abcd"), 20)
    with pytest.warns(UserWarning, match="(test|validation) part holds 25% .* instead of 15%"):
        make_split(codes, groups, **SHARES, seed=0, protocol="grouped")


def test_a_class_of_two_is_enough_to_stratify():
    codes = np.repeat(np.arange(2), [18, 2])
    with pytest.warns(UserWarning, match="1 of 2 classes have no sample"):
        split = make_split(codes, None, **SHARES, seed=0, protocol="stratified")
    assert [len(part) for part in split] == [14, 3, 3]


def test_a_share_of_nothing_is_no_part():
    codes = np.repeat(np.arange(3, dtype=np.int32), 40)
    split = make_split(
        codes, None, validation_share=0.0, test_share=0.25, seed=0, protocol="stratified"
    )
    assert tuple(map(len, split)) == (90, 0, 30)


def test_small_classes_reach_all_parts_in_fewer_folds():
    codes = np.repeat(np.arange(3, dtype=np.int32), [100, 80, 8])
    groups = np.array([f"g{i}" for i in range(188)], dtype=object)
    split = make_split(codes, groups, **SHARES, seed=0, protocol="grouped")
    assert all((codes[part] == 2).any() for part in split)


def test_too_few_samples_or_groups_are_refused():
    codes = np.array([0, 0, 0, 1, 1, 1], dtype=np.int32)
    groups = np.array(["a", "b"] * 3, dtype=object)
    with pytest.raises(InputError, match="2 groups are too few"):
        make_split(codes, groups, **SHARES, seed=0, protocol="grouped")
    with pytest.raises(InputError, match="1 groups are too few"):
        make_split(codes, np.full(6, "a"), **SHARES, seed=0, protocol="grouped")
    with pytest.raises(InputError, match="6 labelled samples of 2 classes"):
        make_split(codes, None, **SHARES, seed=0, protocol="stratified")
    codes = np.repeat(np.arange(4, dtype=np.int32), 3)
    with pytest.raises(InputError, match="few for a part of 6"):  # it would leave two to train on
        make_split(codes, None, validation_share=0.5, test_share=0.3, seed=0, protocol="stratified")


def test_many_small_classes_are_split_by_folds_and_all_are_trained_on_and_tested_once():
    codes = np.repeat(np.arange(15, dtype=np.int32), 4)  # 9 of 60 samples are fewer than classes
    tested = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that a small part lacks
        for seed in range(5):
            split = make_split(codes, None, **SHARES, seed=seed, protocol="grouped")
            assert set(codes[split.train]) == set(range(15))
            assert sorted(np.concatenate(split)) == list(range(60))
            tested |= set(codes[split.test])
    assert tested == set(range(15))


def test_real_grouped_set_keeps_donors_apart(data_dir):
    path = data_dir / "gtex_v8_1000" / "labels.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    codes, classes = encode(table["tissue"].to_numpy(dtype=object), min_class_size=20)
    donors = table["donor"].to_numpy(dtype=object)
    with pytest.warns(UserWarning, match="Bone Marrow"):
        split = make_split(codes, donors, **SHARES, seed=0, protocol="grouped", classes=classes)
    assert len(classes) == 27
    assert set(codes[split.train]) - {-1} == set(range(27))
    parts = [set(donors[part]) for part in split]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]


def test_a_left_out_batch_is_the_test_part_and_its_groups_are_in_no_other():
    n = 240
    codes = np.arange(n) % 4
    codes[::10] = -1
    batches = np.array(["b", "a", "c"], dtype=object)[np.arange(n) // 80]
    groups = np.array([f"g{i // 2}" for i in range(n)], dtype=object)
    groups[100] = groups[0]  # a group in two batches
    for number, name in enumerate("abc"):
        split = make_split(
            codes, groups, validation_share=0.15, test_share=0.15, seed=number,
            protocol="leave_batch_out", batches=batches,
        )  # fmt: skip
        assert set(batches[split.test]) == {name}
        assert len(split.test) == ((batches == name) & (codes >= 0)).sum()
        for part in (split.train, split.validation):
            assert name not in set(batches[part])
            assert not set(groups[part]) & set(groups[batches == name])
        assert not set(groups[split.train]) & set(groups[split.validation])
        assert (codes[split.train] < 0).any(), "unlabelled samples of other batches join training"


def test_batches_without_a_label_are_not_left_out():
    batches = np.array(["b", "b", "c", "", "a", "a"], object)
    assert batches_with_labels(np.array([0, 1, -1, 0, -1, 1]), batches).tolist() == ["a", "b"]


def test_a_class_of_one_batch_cannot_be_told_where_that_is_left_out():
    codes = np.where(np.arange(90) < 30, np.arange(90) % 3, np.arange(90) % 2)
    batches = np.repeat(["a", "b", "c"], 30).astype(object)
    with pytest.warns(UserWarning, match="batch a is the only one with normal: these test"):
        make_split(
            codes, None, validation_share=0.15, test_share=0.15, seed=0,
            protocol="leave_batch_out", batches=batches, classes=("x", "y", "normal"),
        )  # fmt: skip


@pytest.mark.parametrize("batches", [None, np.full(80, "", dtype=object)])
def test_batches_that_nobody_named_cannot_be_left_out(batches):
    with pytest.raises(InputError, match="leave_batch_out` needs a batch column"):
        make_split(
            np.arange(80) % 2, None, validation_share=0.15, test_share=0.15, seed=0,
            protocol="leave_batch_out", batches=batches,
        )  # fmt: skip


def test_a_batch_that_is_not_there_is_named():
    with pytest.raises(InputError, match="no batch number 2: 2 batches"):
        make_split(
            np.arange(80) % 2, None, validation_share=0.15, test_share=0.15, seed=2,
            protocol="leave_batch_out", batches=np.repeat(["a", "b"], 40),
        )  # fmt: skip


def test_a_batch_that_leaves_nothing_to_train_on_is_refused():
    batches = np.array(["a"] * 40 + [""] * 40, object)
    groups = np.array([f"donor {i % 40}" for i in range(80)], object)
    with pytest.raises(InputError, match="batch a and the groups in it hold all labelled"):
        make_split(
            np.arange(80) % 2, groups, **SHARES, seed=0, protocol="leave_batch_out", batches=batches
        )


ANY = settings(max_examples=40, deadline=None, derandomize=True)


@st.composite
def questions(draw):
    """Codes, groups within or across classes, and batches, some of each unknown; two shares."""
    largest = draw(st.sampled_from([6, 40]))
    counts = draw(st.lists(st.integers(3, largest), min_size=2, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    codes = np.repeat(np.arange(-1, len(counts)), [draw(st.integers(0, 20)), *counts])
    codes = rng.permutation(codes).astype(np.int32)
    groups = rng.integers(0, draw(st.integers(4, 80)), len(codes)).astype(str).astype(object)
    if draw(st.booleans()):
        groups = codes.astype(str).astype(object) + "/" + groups
    batches = rng.integers(0, draw(st.integers(1, 4)), len(codes)).astype(str).astype(object)
    for names in (groups, batches):
        names[rng.random(len(codes)) < draw(st.sampled_from([0.0, 0.2]))] = ""
    shares = draw(st.tuples(*[st.sampled_from([0.05, 0.15, 0.3])] * 2))
    return codes, groups, batches, dict(zip(SHARES, shares, strict=True))


def split_if_possible(codes, groups, shares, **options):
    """The split, whatever it warns of; where it is refused the example does not count."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return make_split(codes, groups, **shares, **options)
        except InputError:
            reject()


def assert_apart(parts):
    together = [item for part in parts for item in part]
    assert len(together) == len(set(together))


@ANY
@given(questions(), st.integers(0, 9))
def test_any_grouped_split_places_all_labelled_samples_group_by_group(question, seed):
    codes, groups, _, shares = question
    split = split_if_possible(codes, groups, shares, seed=seed, protocol="grouped")
    assert_apart(split)
    assert_apart(set(groups[part]) - {""} for part in split)
    assert set(np.flatnonzero(codes >= 0)) <= set(np.concatenate(split))
    assert np.all(codes[np.concatenate([split.validation, split.test])] >= 0)
    assert set(codes[split.train]) >= set(codes) - {-1}


@ANY
@given(questions(), st.integers(0, 9))
def test_any_stratified_split_places_every_sample_and_is_off_no_size(question, seed):
    codes, _, _, shares = question
    split = split_if_possible(codes, None, shares, seed=seed, protocol="stratified")
    np.testing.assert_array_equal(np.sort(np.concatenate(split)), np.arange(len(codes)))
    n_labelled = np.sum(codes >= 0)
    assert len(split.test) == np.ceil(round(shares["test_share"] * n_labelled, 9))
    assert len(split.validation) == np.ceil(round(shares["validation_share"] * n_labelled, 9))
    assert set(codes[split.train]) >= set(codes) - {-1}


@ANY
@given(questions(), st.integers(0, 3))
def test_any_left_out_batch_shares_neither_batch_nor_group_with_another_part(question, number):
    codes, groups, batches, shares = question
    split = split_if_possible(
        codes, groups, shares, seed=number, protocol="leave_batch_out", batches=batches
    )
    assert_apart(split)
    left_out = batches == batches_with_labels(codes, batches)[number]
    np.testing.assert_array_equal(split.test, np.flatnonzero(left_out & (codes >= 0)))
    assert not set(batches[left_out]) & set(batches[np.concatenate(split[:2])])
    assert_apart(set(groups[part]) - {""} for part in (split.train, split.validation))
    barred = left_out | np.isin(groups, list(set(groups[left_out]) - {""}))
    placed = np.concatenate(split[:2])
    assert set(np.flatnonzero(~barred & (codes >= 0))) <= set(placed)
    assert not barred[placed].any()


@ANY
@given(questions(), st.integers(0, 9), st.randoms())
def test_a_grouped_split_does_not_depend_on_the_order_of_samples(question, seed, random):
    codes, groups, _, shares = question
    groups = np.where(groups == "", "named", groups)  # a sample on its own is told by its place
    order = np.array(random.sample(range(len(codes)), len(codes)))
    options = {"seed": seed, "protocol": "grouped"}
    split = split_if_possible(codes, groups, shares, **options)
    shuffled = split_if_possible(codes[order], groups[order], shares, **options)
    for part, part_of_shuffled in zip(split, shuffled, strict=True):
        np.testing.assert_array_equal(part, np.sort(order[part_of_shuffled]))
