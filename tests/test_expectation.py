"""What a recommended classifier is worth: nothing leaks, folds are fair, intervals hold."""

import numpy as np
import pytest

from jaxssl.engine import ensemble
from jaxssl.evaluation import expectation, multinomial, novelty, paths, worth
from jaxssl.evaluation.best import Asked, choose_pools, opinions_of, shares_of
from jaxssl.evaluation.expectation import groups_of, hold_out, outer_folds
from jaxssl.evaluation.graph import affinity
from jaxssl.evaluation.recommended import fit_recommended, see
from jaxssl.evaluation.spaces import condensed, make_spaces
from jaxssl.evaluation.spreading import reach, spread
from jaxssl.evaluation.worth import accuracy_of, balanced_accuracy_of, gain_of, worth_of

RNG = np.random.default_rng(0)
N, K = 120, 4
CODES = np.arange(N) % K
CENTRES = RNG.normal(size=(K, 30)) * 1.5
GENES = (CENTRES[CODES] + RNG.normal(size=(N, 30))).astype(np.float32)
OUTPUTS = np.hstack([GENES[:, :8], np.tanh(GENES[:, :10])])
ROWS = np.arange(0, 100, 5)


@pytest.fixture(scope="module")
def spaces():
    return see(GENES[:, :12], GENES, OUTPUTS)


def test_what_is_said_of_a_label_does_not_depend_on_it(spaces):
    y = CODES[ROWS]
    folds = np.arange(len(y)) % 3
    before = hold_out(spaces[0], ROWS, y, K, folds)
    other = np.where(np.arange(len(y)) == 7, (y + 1) % K, y)
    after = hold_out(spaces[0], ROWS, other, K, folds)
    same = folds == folds[7]
    for name in ("ours", "linear"):
        found, expected = getattr(after, name)[same], getattr(before, name)[same]
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert np.abs(getattr(after, name) - getattr(before, name)).max() > 1e-3
    assert (before.named(y)["ours"] == y).mean() > 0.8


def test_labels_alone_say_what_all_samples_would(spaces, monkeypatch):
    y = CODES[ROWS]
    folds = np.arange(len(y)) // 10
    quick = hold_out(spaces[0], ROWS, y, K, folds)
    monkeypatch.setattr(expectation, "MANY", 0)
    whole = hold_out(spaces[0], ROWS, y, K, folds)
    np.testing.assert_allclose(quick.ours, whole.ours, atol=2e-3)
    np.testing.assert_allclose(quick.linear, whole.linear, atol=5e-3)
    np.testing.assert_array_equal(quick.named(y)["linear"], whole.named(y)["linear"])


def test_folds_side_by_side_say_what_each_says_alone(spaces, monkeypatch):
    # the only label of the last class is in a fold of its own, as is that of every other
    y, rows = np.array([0, 0, 0, 1, 1, 1, 2]), np.array([0, 4, 8, 1, 5, 9, 2])
    alone = hold_out(spaces[0], rows, y, 3, np.arange(7))
    for module in (ensemble, paths):  # as on a GPU
        monkeypatch.setattr(module, "vectorizes", lambda: True)
    multinomial._program.cache_clear()
    try:
        together = hold_out(spaces[0], rows, y, 3, np.arange(7))
    finally:
        multinomial._program.cache_clear()
    np.testing.assert_allclose(together.ours, alone.ours, atol=2e-3)
    np.testing.assert_allclose(together.linear, alone.linear, atol=5e-3)


def test_labels_alone_lie_as_far_apart_as_among_all(spaces):
    few = condensed(spaces[0], ROWS)
    for name, view in spaces[0].views.items():
        seen = few.views[name]
        own, kept = (x - x.mean(axis=0) for x in (view.x[ROWS], seen.x))
        np.testing.assert_allclose(kept @ kept.T, own @ own.T, atol=1e-3 * np.abs(own).max() ** 2)
        angles = view.of(ROWS) @ view.of(ROWS).T
        np.testing.assert_allclose(seen.of(few.train) @ seen.of(few.train).T, angles, atol=1e-4)


def test_labels_that_are_spread_one_by_one_add_up():
    graph, rows = affinity(GENES), ROWS
    found = reach(graph, rows, 0.5).spread(np.arange(12), CODES[rows[:12]], K)
    expected = spread(graph, rows[:12], CODES[rows[:12]], K, strength=0.5)[rows]
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_the_rule_says_of_later_samples_what_their_views_and_graphs_do(spaces):
    train, others = np.arange(100), np.arange(100, N)
    own, sight = see(GENES[:100, :12], GENES[:100], OUTPUTS[:100])
    none = novelty.fit_novelty(own.views["outputs"].of(train), ROWS, CODES[ROWS])
    rule = fit_recommended(own, sight, ROWS, CODES[ROWS], K, none)
    both, _ = make_spaces(GENES[:, :12], GENES, train, others)
    both = both.with_view("outputs", sight[1](OUTPUTS))
    asked = Asked(both, ROWS, CODES[ROWS], K)
    (chosen,) = choose_pools([asked], by_share=True)
    shares = np.tile(shares_of(CODES[ROWS], K), (len(others), 1))
    expected = chosen.pool([*opinions_of(asked, others, chosen.heads), shares])
    found = rule.logits(GENES[others, :12], GENES[others], OUTPUTS[others])
    np.testing.assert_allclose(np.exp(found), expected, atol=1e-3)
    two = CODES[ROWS] % 2
    own = fit_recommended(own, sight, ROWS, two, 2, none)
    (chosen,) = choose_pools([Asked(both, ROWS, two, 2)], by_share=True)
    x = both.views["genes"].of(others)
    np.testing.assert_allclose(own.heads["genes"](x), chosen.heads[2](x), atol=1e-3)


@pytest.mark.parametrize("rows", [[0, 1], [0, 1, 2], [0, 4, 1], [0, 4, 8, 12, 1]])
def test_the_fewest_labels_are_enough_and_promise_nothing(spaces, rows):
    own, sight = spaces
    rows = np.array(rows)
    _, y = np.unique(CODES[rows], return_inverse=True)
    n_classes, alone = int(y.max()) + 1, np.arange(len(y))
    none = novelty.fit_novelty(own.views["outputs"].of(own.train), rows, y)
    rule = fit_recommended(own, sight, rows, y, n_classes, none)
    p, _ = rule.opinion(GENES[:, :12], GENES, OUTPUTS)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    for groups in (alone, np.zeros(len(y), int)):  # of one, nothing is left to learn from
        held_out = hold_out(own, rows, y, n_classes, outer_folds(y, groups))
        np.testing.assert_allclose(held_out.ours.sum(axis=1), 1)
        found = worth_of(held_out.named(y), y, groups)
        assert found.verdict in ("chance", "unknown")
        assert found.balanced_accuracy.high - found.balanced_accuracy.low > 0.3


def test_groups_stay_together_and_folds_are_as_many_as_labels_allow():
    names = np.array(["a", "", "a", "b", "b", ""])
    groups = groups_of(names)
    assert (groups[[0, 3]] == groups[[2, 4]]).all()
    assert len(np.unique(groups)) == 4
    for n, n_folds in ((40, 20), (200, 10), (2000, 5)):
        y, groups = np.arange(n) % 3, np.arange(n) // 2
        folds = outer_folds(y, groups)
        assert len(np.unique(folds)) == n_folds
        assert all(len(np.unique(folds[groups == g])) == 1 for g in range(n // 2))
        sizes = np.bincount(folds)
        assert sizes.max() - sizes.min() <= 2, "of equal size but for a group"


def simulated(counts, recalls, rng):
    """Hits of labels; the only one of a class is never found again."""
    y = np.repeat(np.arange(len(counts)), counts)
    return (rng.random(len(y)) < recalls[y]) * (np.array(counts)[y] > 1) * 1.0, y


@pytest.mark.parametrize(
    ("counts", "a", "b"),
    [([30, 15, 10, 5], 8, 2), ([60, 20, 10], 40, 1), ([12, 8, 6, 5, 4, 3, 3, 2, 2, 1, 1], 4, 2)],
)
def test_the_truth_lies_in_intervals_about_as_often_as_they_say(counts, a, b, monkeypatch):
    monkeypatch.setattr(worth, "N_DRAWS", 1000)
    rng, inside = np.random.default_rng(1), {"accuracy": [], "balanced": [], "gain": []}
    several, n = np.array(counts) > 1, np.array(counts)
    for _ in range(150):
        recalls = rng.beta(a, b, len(counts))
        hits, y = simulated(counts, recalls, rng)
        found = balanced_accuracy_of(hits, y)
        assert 0 <= found.low < found.value < found.high <= 1
        inside["balanced"].append(found.low <= recalls.mean() <= found.high)
        found = accuracy_of(hits, y)
        truth = (recalls * several * n).sum() / n.sum()
        inside["accuracy"].append(found.low <= truth <= found.high)
        other, _ = simulated(counts, recalls, rng)
        found = gain_of(hits, other)
        inside["gain"].append(found.low <= 0 <= found.high)
    for name, covered in inside.items():
        assert np.mean(covered) >= 0.88, name


def test_the_share_of_samples_whose_class_has_no_label_lies_in_the_interval():
    shares, inside, n = 1 / np.arange(1, 41), [], 60
    shares /= shares.sum()
    for seed in range(300):
        y = np.random.default_rng(seed).choice(40, n, p=shares)
        counts = np.bincount(y, minlength=40)
        # a classifier that is right wherever the class has a label
        found = accuracy_of((counts[y] > 1) * 1.0, y)
        inside.append(found.low <= shares[counts > 0].sum() <= found.high)
    assert 0.92 <= np.mean(inside) <= 0.99


def test_intervals_have_a_width_where_all_is_right_or_nothing_differs():
    of_classes = np.ones(13), np.arange(13) % 3
    for found in (accuracy_of(*of_classes), balanced_accuracy_of(*of_classes)):
        assert found.low < 0.95
        assert found.high <= 1
    level = gain_of(np.ones(30), np.ones(30))
    assert level.value == 0
    assert level.low < -0.02 < 0.02 < level.high


def test_the_advice_is_by_the_gain_and_its_interval():
    n = 1000
    y, right = np.arange(n) % 2, np.arange(n) < 900
    half = np.arange(n) % 2 == 0
    worse = right & (np.arange(n) >= 60)
    cases = {
        "chance": (half, half, half),
        "as good": (right, right, half),
        "better": (right, worse, half),
        "untold": (right[:50] & (np.arange(50) > 1), right[:50] & (np.arange(50) > 3), half[:50]),
    }
    for verdict, hits in cases.items():
        found = worth_of(names_of(hits, y[: len(hits[0])]), y[: len(hits[0])])
        assert found.verdict == verdict
        assert ("use logistic regression" in found.advice) == (verdict == "as good")
    y = np.arange(60) % 3
    permuted = dict.fromkeys(("ours", "linear", "largest"), np.random.default_rng(1).permutation(y))
    assert "do not show that this classifier knows more" in worth_of(permuted, y).advice


def names_of(hits, y):
    """Classes that hit two classes' labels as is said."""
    named = [np.where(right, y, 1 - y) for right in hits]
    return dict(zip(("ours", "linear", "largest"), named, strict=True))


def test_samples_of_a_class_without_a_label_are_told():
    rng = np.random.default_rng(3)
    centres = np.linalg.qr(rng.normal(size=(20, 8)))[0].T
    codes = np.arange(800) % 8
    x = centres[codes] + rng.normal(size=(800, 20)) * 0.1
    labelled = np.flatnonzero(codes < 6)[:60]  # two classes have none
    found = novelty.fit_novelty(x, labelled, codes[labelled])
    rest = np.setdiff1d(np.arange(800), labelled)
    none, unseen = found(x[rest]), codes[rest] >= 6
    assert (none[unseen] > 0.5).mean() > 0.95
    assert (none[~unseen] > 0.5).mean() < 0.05
    assert none.mean() == pytest.approx(unseen.mean(), abs=0.05)
    held_out = found.held_out(np.arange(60))
    assert (held_out < 0.5).all(), "each has others of its class"
    alone = found.held_out(codes[labelled])
    assert (alone > 0.5).all(), "without its class, it is of none"


def test_the_share_of_none_is_that_of_largest_likelihood():
    rng = np.random.default_rng(4)
    novel = rng.random(20_000) < 0.2
    x = rng.normal(size=20_000) + 2 * novel
    assert novelty.share_of(2 * x - 2) == pytest.approx(0.2, abs=0.02)  # log N(2, 1) / N(0, 1)
