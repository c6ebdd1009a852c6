"""Codes of labels, and orders in which every budget is nested and proportional."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxssl.data.labels import encode, label_budget, label_order
from jaxssl.types import InputError


def values(**counts: int) -> np.ndarray:
    return np.array([name for name, n in counts.items() for _ in range(n)], dtype=object)


def test_codes_follow_sorted_classes_and_unlabelled_is_minus_one():
    codes, classes = encode(np.array(["b", "", "a", "b", "a", "b", "a"], dtype=object))
    assert classes == ("a", "b")
    np.testing.assert_array_equal(codes, [1, -1, 0, 1, 0, 1, 0])
    assert codes.dtype == np.int32


def test_small_classes_become_unlabelled_on_request():
    codes, classes = encode(values(a=9, b=2, c=5), min_class_size=5)
    assert classes == ("a", "c")
    assert (codes == -1).sum() == 2


@pytest.mark.parametrize(
    ("labels", "finding"),
    [
        (np.array(["", ""], dtype=object), "no sample has a label"),
        (values(a=9), "all labelled samples are 'a'"),
        (values(a=9, b=1), r"1 of 2 classes .*: b 1; name another"),
    ],
)
def test_unusable_labels_are_refused(labels, finding):
    with pytest.raises(InputError, match=finding):
        encode(labels)


def test_the_smallest_class_size_is_named_with_what_it_leaves_out_and_the_alternative():
    with pytest.raises(InputError) as error:
        encode(values(a=9, b=2, c=5, d=1))
    assert "2 of 4 classes have fewer than 3 labelled samples: d 1, b 2" in str(error.value)
    assert error.value.fix.startswith("label more of them, or join them to other classes")
    assert "`data.min_class_size=3`" in error.value.fix
    assert "leaves them out: 3 samples become unlabelled" in error.value.fix
    codes, classes = encode(values(a=9, b=2, c=5, d=1), min_class_size=3)
    assert classes == ("a", "c")
    assert (codes < 0).sum() == 3


def test_budget_is_the_share_rounded_up():
    assert label_budget(0.07, 100, 5) == 7  # 0.07 * 100 = 7.000000000000001
    assert label_budget(0.01, 6546, 20) == 66
    assert label_budget(1.0, 132, 7) == 132


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01])
def test_a_share_is_more_than_nothing_and_at_most_all(share):
    with pytest.raises(InputError, match=rf"{share:g} is not in \(0, 1\]; correct `shares`"):
        label_budget(share, 100, 5)


def test_fewer_labels_than_classes_name_the_smallest_share():
    with pytest.raises(InputError, match=r"smallest usable share is 0\.0531: raise `shares`"):
        label_budget(0.01, 132, 7)
    assert label_budget(0.0531, 132, 7) >= 7


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "counts", [[50, 50], [400] + [7] * 19, [1, 2, 3, 4, 500], [1, 1, 1], [90, 30, 30, 1], [1, 60]]
)
def test_every_prefix_is_proportional_after_one_per_class(counts, seed):
    codes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    order = label_order(codes.astype(np.int32), len(counts), seed)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(codes)))
    revealed = np.eye(len(counts), dtype=int)[codes[order]].cumsum(axis=0)
    np.testing.assert_array_equal(revealed[len(counts) - 1], 1)
    rest = np.array(counts) - 1
    steps = np.arange(1, rest.sum() + 1)
    ideal = steps[:, None] * rest[None, :] / max(rest.sum(), 1)
    assert np.all(np.abs(revealed[len(counts) :] - 1 - ideal) < 1)


def test_order_depends_on_the_seed_alone():
    codes = np.repeat(np.arange(4, dtype=np.int32), [40, 30, 20, 10])
    np.testing.assert_array_equal(label_order(codes, 4, 3), label_order(codes, 4, 3))
    assert (label_order(codes, 4, 3) != label_order(codes, 4, 4)).any()


def test_first_labels_are_drawn_uniformly():
    codes = np.repeat(np.arange(2, dtype=np.int32), [5, 5])
    drawn = [label_order(codes, 2, seed)[:2] for seed in range(2000)]
    counts = np.bincount(np.concatenate(drawn), minlength=10)
    assert np.all(np.abs(counts - 400) < 5 * np.sqrt(400))


ANY = settings(max_examples=100, deadline=None, derandomize=True)


@st.composite
def coded(draw):
    """Codes of 2 to 12 classes in any order, and how many classes there are."""
    counts = draw(st.lists(st.integers(1, 60), min_size=2, max_size=12))
    codes = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return np.random.default_rng(draw(st.integers(0, 99))).permutation(codes), len(counts)


@ANY
@given(coded(), st.integers(0, 2**32 - 1))
def test_any_order_reveals_each_class_once_and_then_all_in_proportion(question, seed):
    codes, n_classes = question
    order = label_order(codes, n_classes, seed)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(codes)))
    revealed = np.eye(n_classes, dtype=int)[codes[order]].cumsum(axis=0)
    np.testing.assert_array_equal(revealed[n_classes - 1], 1)
    rest = revealed[-1] - 1
    steps = np.arange(1, rest.sum() + 1)[:, None]
    assert np.all(np.abs(revealed[n_classes:] - 1 - steps * rest / max(rest.sum(), 1)) < 1)
    np.random.seed(seed)  # noqa: NPY002 - a state that must not matter
    np.testing.assert_array_equal(label_order(codes, n_classes, seed), order)


@ANY
@given(coded(), st.sets(st.integers(1, 1000), min_size=2, max_size=8))
def test_any_smaller_share_reveals_a_part_of_what_a_larger_one_does(question, permille):
    codes, n_classes = question
    budgets = []
    for share in sorted(permille):
        exact = -(-share * len(codes) // 1000)
        if exact < n_classes:
            with pytest.raises(InputError, match="fewer than the"):
                label_budget(share / 1000, len(codes), n_classes)
            continue
        budgets.append(label_budget(share / 1000, len(codes), n_classes))
        assert budgets[-1] == exact
    assert budgets == sorted(budgets)
    order = label_order(codes, n_classes, seed=0)
    revealed = [order[:budget] for budget in budgets]
    assert all(set(codes[rows]) == set(codes) for rows in revealed)
    assert all(set(few) <= set(many) for few, many in itertools.pairwise(revealed))


@ANY
@given(coded(), st.integers(0, 25))
def test_any_labels_are_given_back_by_their_codes(question, min_class_size):
    numbers, _ = question
    names = np.array([f"class {i}" if i else "" for i in numbers], dtype=object)
    kept = {n for n in set(names) - {""} if np.sum(names == n) >= min_class_size}
    if len(kept) < 2 or min(np.sum(names == name) for name in kept) < 3:
        with pytest.raises(InputError, match="label"):
            encode(names, min_class_size=min_class_size)
        return
    codes, classes = encode(names, min_class_size=min_class_size)
    assert classes == tuple(sorted(kept))
    decoded = np.array([*classes, ""], dtype=object)[codes]
    np.testing.assert_array_equal(decoded, [n if n in kept else "" for n in names])
