"""Intervals over groups of test samples."""

import numpy as np
import pytest

from jaxssl.evaluation.conclusions import group_interval

RNG = np.random.default_rng(0)
N = 300
CODES = np.repeat([0, 1, 2], [200, 80, 20])
ALIKE = np.zeros_like(CODES)  # one class: accuracy
DIFFERENCE = RNG.normal(0.1, 0.3, size=N)
ALONE = np.array([f"sample {i}" for i in range(N)])


def test_without_groups_it_is_the_interval_of_a_mean():
    low, high = group_interval(DIFFERENCE, ALIKE, ALONE)
    half = 1.96 * DIFFERENCE.std(ddof=1) / np.sqrt(N)
    assert (low, high) == pytest.approx(
        (DIFFERENCE.mean() - half, DIFFERENCE.mean() + half), abs=0.006
    )


def test_samples_of_one_group_are_not_counted_as_independent():
    difference = np.repeat(DIFFERENCE[:30], 10)
    groups = np.repeat(ALONE[:30], 10)
    wide = np.diff(group_interval(difference, ALIKE, groups))
    narrow = np.diff(group_interval(difference, ALIKE, ALONE))
    assert wide / narrow == pytest.approx(np.sqrt(10), rel=0.15)


def test_balanced_accuracy_weighs_classes_alike():
    difference = np.where(CODES == 2, 0.9, 0.0)  # only the smallest class gains
    low, high = group_interval(difference, CODES, ALONE)
    assert (low, high) == pytest.approx((0.3, 0.3))
    low, high = group_interval(difference, ALIKE, ALONE)
    assert low < 0.06 < high


def test_the_same_draw_every_time_and_none_of_a_single_group():
    first, again = (group_interval(DIFFERENCE, CODES, ALONE) for _ in range(2))
    assert first == again
    assert np.isnan(group_interval(DIFFERENCE, CODES, np.full(N, "one"))).all()
