"""Arms of a transfer: what each sees of the target, and what changes none."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from transfer_runs import TINY

from jaxssl.config import with_options
from jaxssl.data.family import Joint, transfers
from jaxssl.evaluation.adaptation import FRAMES as ADAPTED
from jaxssl.evaluation.adaptation import fit_heads, pretrain_frames, recipe
from jaxssl.evaluation.transfer import (
    ARMS,
    COMBINED,
    SEVERAL,
    Problem,
    fit_arm,
    fit_arms,
    frames_of,
)
from jaxssl.evaluation.views import FRAMES, Matrix, View

pytestmark = pytest.mark.usefixtures("drawn")

CONFIG = with_options(recipe(), TINY)
PIPELINES = [(arm, frame) for arm in (*ARMS, *COMBINED) for frame in frames_of(arm, FRAMES)]


def make_joint(seed=0, n=40, n_genes=25):
    """Two cohorts with the same classes, of which the second has other units."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 2 * n)
    y[:9], y[n : n + 9] = np.tile(np.arange(3), 3), np.tile(np.arange(3), 3)
    x = rng.normal(size=(3, n_genes))[y] * 2 + rng.normal(size=(2 * n, n_genes)) + 8
    x[n:] = x[n:] * rng.uniform(0.7, 1.4, n_genes) + rng.normal(0, 2, n_genes)
    labels = np.array(["x", "y", "z"], object)[y]
    labels[[9, 10, n + 9, n + 10]] = ""
    genes = np.array([f"g{i}" for i in range(n_genes)])
    return Joint(genes, x.astype(np.float32), np.repeat(["a", "b"], n), labels)


JOINT = make_joint()


def from_a(joint):
    return next(t for t in transfers(joint)[0] if t.source == "a")


def views_of(joint, matrices=None):
    matrices = matrices or {frame: Matrix(joint, frame, CONFIG) for frame in FRAMES}
    return {frame: View(matrix, from_a(joint)) for frame, matrix in matrices.items()}


def problem_of(transfer, share=0.4, seed=0):
    rows = transfer.labelled(share, seed)
    return Problem(rows, transfer.codes[rows], len(transfer.classes), seed)


@pytest.fixture(scope="module")
def fitted(numerics):
    """Probabilities of every arm in every frame."""
    views = views_of(JOINT)
    problem = problem_of(from_a(JOINT))
    return {pipeline: fit_arm(*pipeline, views, problem) for pipeline in PIPELINES}


@pytest.mark.usefixtures("numerics")
def test_every_arm_gives_probabilities_of_all_samples_of_the_target(fitted):
    target = from_a(JOINT).rows_of_target
    for pipeline, found in fitted.items():
        assert found.shape == (len(target), 3), pipeline
        assert_allclose(found.sum(axis=1), 1, atol=1e-4, err_msg=str(pipeline))
        assert found.min() >= 0, pipeline


@pytest.mark.usefixtures("numerics")
def test_no_arm_sees_a_label_of_the_target(fitted):
    labels = JOINT.labels.copy()
    labels[40:] = np.random.default_rng(1).permutation(labels[40:])
    blind = JOINT._replace(labels=labels)
    views, problem = views_of(blind), problem_of(from_a(blind))
    assert (labels != JOINT.labels).sum() > 10
    for pipeline, before in fitted.items():
        assert_array_equal(fit_arm(*pipeline, views, problem), before, err_msg=str(pipeline))


@pytest.mark.usefixtures("numerics")
def test_an_arm_does_not_depend_on_those_that_ran_before_it(fitted):
    """Backwards, and with another budget before it."""
    views, transfer = views_of(JOINT), from_a(JOINT)
    for arm, frame in reversed(PIPELINES):
        if frame in (SEVERAL, "rank_cohort"):
            fit_arm(arm, frame, views, problem_of(transfer, 1.0, 3))
        found = fit_arm(arm, frame, views, problem_of(transfer))
        assert_array_equal(found, fitted[arm, frame], err_msg=f"{arm} {frame}")


@pytest.mark.usefixtures("numerics")
def test_shifts_and_units_of_a_cohorts_genes_change_no_arm_in_the_frame_of_a_cohort(fitted):
    rng = np.random.default_rng(5)
    x = JOINT.expression.copy()
    x[40:] = 2 * x[40:] + rng.normal(0, 3, x.shape[1])
    moved = JOINT._replace(expression=x.astype(np.float32))
    views, problem = views_of(moved), problem_of(from_a(moved))
    for arm in ("logreg", "pca_logreg", "spread_selftrain", "random_forest", "centroids"):
        found = fit_arm(arm, "cohort", views, problem)
        assert_allclose(found, fitted[arm, "cohort"], atol=0.05, err_msg=arm)
        changed = fit_arm(arm, "training", views, problem)
        assert abs(changed - fitted[arm, "training"]).max() > 0.1, arm


def test_rows_tell_what_was_fitted_on_what(numerics):
    views, transfer = views_of(JOINT), from_a(JOINT)
    rows = pd.DataFrame(fit_arms(views, ["logreg", "coral"], ("rank", "cohort"), 0.4, 1))
    assert rows[["arm", "frame"]].to_numpy().tolist() == [
        *(["logreg", "cohort"], ["logreg", "rank"], ["coral", "cohort"], ["coral", "rank"]),
    ]
    assert set(rows["n_labelled"]) == {len(transfer.labelled(0.4, 1))}
    assert set(rows["n_tested"]) == {len(transfer.tested)}
    assert rows["sees_target"].tolist() == [False, False, True, True]
    found = fit_arm("coral", "rank", views, problem_of(transfer, 0.4, 1))
    y = transfer.codes[transfer.rows_of_target]
    hits = found.argmax(axis=1) == y
    recalls = [hits[y == k].mean() for k in range(3)]
    assert_allclose(rows["balanced_accuracy"].iloc[-1], np.mean(recalls))
    assert_allclose(rows["accuracy"].iloc[-1], hits[y >= 0].mean())


@pytest.mark.usefixtures("numerics")
def test_encoders_of_both_cohorts_have_heads_for_samples_that_are_not_in_the_graph():
    transfer, labelled = from_a(JOINT), problem_of(from_a(JOINT)).labelled
    framed = pretrain_frames(JOINT.expression, JOINT.cohorts, JOINT.genes, CONFIG, seeds=(0, 1))
    assert set(framed) == set(ADAPTED)
    outputs = {}
    for frame, own in framed.items():
        outputs[frame] = own.outputs(CONFIG, JOINT.expression, JOINT.cohorts)
        assert outputs[frame].shape == (80, 4 * 8)  # two seeds, two ways of batching
        assert_allclose(np.linalg.norm(outputs[frame].reshape(80, 4, 8), axis=2), 1, atol=1e-4)
    target = transfer.rows_of_target
    found, heads = fit_heads(outputs, labelled, transfer.codes[labelled], target, 3)
    alone = heads({frame: x[target[:5]] for frame, x in outputs.items()})
    together = heads({frame: x[target] for frame, x in outputs.items()})
    assert_allclose(alone, together[:5], atol=1e-4)
    for p in (found, together):
        assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    # the graph's half is replaced by what was learnt from it
    assert abs(found - together).max() <= 0.5
    assert np.mean(found.argmax(axis=1) == together.argmax(axis=1)) > 0.8
