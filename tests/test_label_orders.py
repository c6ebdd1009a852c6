"""The order of labels in a comparison: what is chosen, by what, and without which labels."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxssl.config import Config, with_options
from jaxssl.data.labels import label_budget
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.prepared import prepare
from jaxssl.evaluation.arms import make_inputs
from jaxssl.evaluation.label_orders import MARGIN, RANDOM, TYPICAL, Seen, group_codes, label_orders
from jaxssl.evaluation.sweep import sweep
from jaxssl.model import make_encoder

pytestmark = pytest.mark.usefixtures("standard_promotion")
SEEDS = (0, 1)
CHOSEN = pytest.mark.parametrize("how", [RANDOM, TYPICAL, MARGIN])
SMALL = {
    "encoder.hidden": (16, 8),
    "finetune.transfer_layers": 2,
    "finetune.scratch_steps": 12,
    "finetune.n_steps": 8,
    "finetune.probe_steps": 12,
    "finetune.batch_size": 32,
    "pretrain.n_steps": 40,
    "pretrain.batch_size": 32,
    "sweep.shares": (0.06, 0.2, 1.0),
    "sweep.arms": ("logreg", "knn", "spread_selftrain", "pool", "scratch", "swav+components"),
}


@pytest.fixture(scope="module")
def ready():
    """A task of four classes, one of them rare, and what an encoder sees of it."""
    adata = make_synthetic(n_samples=200, n_genes=60, n_classes=4)
    classes = adata.obs["class"].to_numpy().astype(object)
    rare = np.flatnonzero(classes == "class_03")[6:]
    adata.obs["class"] = np.where(np.isin(np.arange(len(classes)), rare), "class_02", classes)
    config = with_options(Config(), SMALL)
    return prepare(make_task(adata, config), config)


@pytest.fixture(scope="module")
def encoders(ready):
    encoder = make_encoder(ready.config.encoder, "float32")
    x = jax.numpy.asarray(ready.pool[:1])
    params = {seed: jax.device_get(encoder.init(jax.random.key(seed), x)) for seed in SEEDS}
    return {"swav": params}


def asking(ready, how):
    return replace(ready, config=with_options(ready.config, {"sweep.label_order": how}))


def orders(ready, how, task=None, encoders=None):
    ready = asking(ready, how)
    seen = Seen(ready.features, encoders or {})
    return label_orders(task or ready.task, ready.config, seen, SEEDS)


def sizes(ready):
    n, n_classes = ready.task.size
    return [label_budget(share, n, n_classes) for share in ready.config.sweep.shares]


@CHOSEN
def test_an_order_has_every_labelled_training_sample_once(ready, how):
    found = orders(ready, how)
    for order in found.values():
        np.testing.assert_array_equal(np.sort(order), np.sort(ready.task.labelled_train))
    assert not np.array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], orders(ready, how)[0])


@pytest.mark.parametrize(("how", "n_known"), [(RANDOM, 0), (TYPICAL, 0), (MARGIN, 1)])
def test_an_order_knows_no_label_beyond_those_of_the_rounds_before(ready, how, n_known):
    before, budgets = orders(ready, how)[0], sizes(ready)
    codes = ready.task.codes.copy()
    known = before[: budgets[0] if n_known else 0]
    others = np.setdiff1d(ready.task.labelled_train, known)
    codes[others] = codes[np.random.default_rng(0).permutation(others)]
    after = orders(ready, how, replace(ready.task, codes=codes))[0]
    np.testing.assert_array_equal(before[: budgets[n_known]], after[: budgets[n_known]])


def test_an_order_is_of_what_the_encoder_of_its_seed_sees(ready, encoders):
    of_input = orders(ready, TYPICAL)
    of_encoders = orders(ready, TYPICAL, encoders=encoders["swav"])
    swapped = orders(ready, TYPICAL, encoders={0: encoders["swav"][1], 1: encoders["swav"][0]})
    n = sizes(ready)[0]
    assert set(of_input[0][:n]) != set(of_encoders[0][:n])
    assert set(swapped[0][:n]) != set(of_encoders[0][:n])


def test_samples_without_a_group_are_groups_of_their_own():
    found = group_codes(np.array(["a", "", "b", "", "a"], object))
    assert found[0] == found[4]
    assert len(set(found)) == 4


def test_every_arm_learns_where_classes_have_no_label(ready, encoders):
    own = asking(ready, RANDOM)
    inputs = make_inputs(own, SEEDS, Seen(ready.features, encoders["swav"]))
    n = sizes(ready)[0]
    found = [len(set(ready.task.codes[order[:n]])) for order in inputs.orders.values()]
    fits = [fit for fit in sweep(own, encoders, SEEDS) if fit.share == min(SMALL["sweep.shares"])]
    assert {fit.arm for fit in fits} == set(SMALL["sweep.arms"])
    for fit in fits:
        rows = [row for row in fit.rows if row["metric"] == "classes"]
        assert [row["value"] for row in rows] == found
        for probabilities in fit.probabilities.values():
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert min(found) < 4, "no class lacks a label: the test is of nothing"
