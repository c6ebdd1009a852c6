"""Mini-batches of one cohort: how they are drawn, what is refused, what they are good for."""

import re
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

import jaxssl
from jaxssl.config import Config, PretrainConfig, with_method, with_options
from jaxssl.data.frames import MIN_COHORT
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.cohorts import draw_cohorts, find_cohorts
from jaxssl.engine.embed import prototype_scores
from jaxssl.engine.planning import plan_pretraining
from jaxssl.engine.prepared import prepare
from jaxssl.engine.pretrain import Variant, make_bundle, merge, pretrain
from jaxssl.engine.train import epoch_batches, make_schedule
from jaxssl.evaluation.grid import refuse_unread_by
from jaxssl.idle import idle
from jaxssl.methods import METHODS
from jaxssl.readers import refuse_unread
from jaxssl.types import InputError
from jaxssl.validate import validate

BY_COHORT = {"pretrain.batches": "by_cohort"}
SIZES = {"large": 301, "middle": 150, "small": 20, "": 29}  # a batch is 32
NAMES = np.random.default_rng(0).permutation(
    np.repeat(np.array(list(SIZES), object), list(SIZES.values()))
)


def drawn(draw="size", names=NAMES, seed=0, n_steps=600):
    """An epoch's batches by name of the cohort and by position, and the schedule."""
    cohorts = find_cohorts(PretrainConfig(batches="by_cohort", cohort_draw=draw), names)
    schedule = make_schedule(len(names), 32, n_steps)._replace(cohorts=cohorts)
    of_samples = jnp.asarray(cohorts.of_samples, jnp.int32)
    made = jax.jit(lambda key: epoch_batches(key, len(names), schedule, of_samples))
    return np.asarray(made(jax.random.key(seed))), schedule


@pytest.mark.parametrize("draw", ["size", "even"])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_batch_is_of_one_cohort_and_steps_fall_to_cohorts_by_rule(draw, seed):
    batches, schedule = drawn(draw, seed=seed)
    assert batches.shape == (schedule.steps_per_epoch, 32)
    of_steps = [set(NAMES[batch]) for batch in batches]
    assert all(len(names) == 1 for names in of_steps)
    counts = Counter(names.pop() for names in of_steps)
    for name, size in SIZES.items():
        share = size / len(NAMES) if draw == "size" else 1 / len(SIZES)
        assert abs(counts[name] - share * len(batches)) < 1


def test_steps_are_shuffled_and_a_cohort_worth_less_than_one_has_its_turn_in_some_epochs():
    shares = (0.98, 0.02)
    counts = [np.asarray(draw_cohorts(jax.random.key(i), shares, 10)).sum() for i in range(200)]
    assert set(counts) == {0, 1}
    assert 0.1 < np.mean(counts) < 0.3  # 0.2
    even = np.asarray(draw_cohorts(jax.random.key(0), (0.5, 0.5), 40))
    assert even.sum() == 20
    assert 5 < np.abs(np.diff(even)).sum() < 35


def test_a_cohort_is_gone_through_in_passes_and_a_small_one_fills_its_batches_evenly():
    batches, _ = drawn("even")
    by_name = {
        name: [batch for batch in batches if NAMES[batch[0]] == name]
        for name in ("middle", "small")
    }
    for i in range(0, len(by_name["middle"]) - 3, 4):  # 150 // 32 a pass
        assert len(np.unique(by_name["middle"][i : i + 4])) == 128
    for batch in by_name["small"]:
        assert set(np.unique(batch, return_counts=True)[1]) == {1, 2}  # 20 samples, 32 places
    assert not np.array_equal(*by_name["small"][:2])
    visits = np.bincount(np.concatenate(by_name["small"]), minlength=len(NAMES))
    visits = visits[NAMES == "small"]
    assert visits.min() >= len(by_name["small"])
    assert visits.max() <= 2 * len(by_name["small"])


def test_batches_of_the_only_cohort_are_the_mixed_ones_and_follow_the_seed():
    names = np.full(100, "one", object)
    batches, schedule = drawn(names=names)
    mixed = epoch_batches(jax.random.key(0), 100, schedule._replace(cohorts=None))
    np.testing.assert_array_equal(batches, mixed)
    np.testing.assert_array_equal(drawn(seed=3)[0], drawn(seed=3)[0])
    assert not np.array_equal(drawn(seed=3)[0], drawn(seed=4)[0])


@pytest.mark.parametrize(
    ("names", "finding"),
    [
        (None, "no training sample's cohort is known; name the column with `batch=COLUMN`"),
        (np.full(30, "", object), "no training sample's cohort is known"),
        (
            np.repeat([f"c{i:03d}" for i in range(100)], 3).astype(object),
            rf"100 of 100 cohorts have fewer than {MIN_COHORT} training samples "
            r"\(first: c000 \(3\)\).* name a coarser column",
        ),
        (np.repeat(np.array(["a", ""], object), [40, 9]), r"1 of 2 .* without a name \(9\)"),
    ],
)
def test_samples_without_a_cohort_and_small_cohorts_are_refused(names, finding):
    assert find_cohorts(PretrainConfig(), names) is None
    with pytest.raises(InputError, match=finding):
        find_cohorts(PretrainConfig(batches="by_cohort"), names)


def test_cohorts_of_the_training_samples_are_looked_at_before_anything_is_written():
    adata = make_synthetic(n_samples=120, n_genes=30, n_batches=30, n_classes=4)
    config = with_options(Config(), BY_COHORT)
    with pytest.raises(InputError, match="too few to be spread"):
        prepare(make_task(adata, config), config)


@pytest.mark.parametrize("name", METHODS)
def test_methods_that_mix_cohorts_beside_the_batches_are_refused(name):
    config = with_options(with_method(Config(), name), BY_COHORT)
    if name.startswith("deepcluster"):
        with pytest.raises(InputError, match=f"does not reach the clusters of {name}"):
            validate(config)
    else:
        validate(config)


def test_a_queue_of_swav_is_refused_beside_batches_of_one_cohort():
    config = with_options(Config(), BY_COHORT | {"method.queue_length": 64})
    with pytest.raises(
        InputError, match=r"`method\.queue_length=64` puts samples of other cohorts"
    ):
        validate(config)
    validate(with_options(config, {"pretrain.batches": "mixed"}))


@pytest.mark.parametrize("name", ["pretrain.cohort_draw", "method.cohort_balance"])
def test_options_of_cohorts_do_nothing_where_batches_are_mixed(name):
    assert idle(name, Config()) == "`pretrain.batches=by_cohort`"
    assert not idle(name, with_options(Config(), BY_COHORT))


def test_a_grid_over_batches_is_read_by_pretrained_arms_and_refused_without_cohorts(tmp_path):
    assert refuse_unread_by(("logreg", "swav"), ["pretrain.batches", "pretrain.cohort_draw"])
    with pytest.raises(InputError, match=r"`pretrain\.batches` is not read"):
        refuse_unread_by(("logreg", "scratch"), ["pretrain.batches"])
    adata = make_synthetic(n_samples=240, n_genes=30, n_classes=4)
    adata.uns["jaxssl"]["batch"] = ""
    grid, out = {"pretrain.batches": ["mixed", "by_cohort"]}, tmp_path / "run"
    with pytest.raises(InputError, match="no training sample's cohort is known"):
        jaxssl.tune(adata, grid=grid, shares=[1.0], seeds=1, out=out, progress=False)
    assert not out.exists()


def test_a_pretraining_by_cohort_without_cohorts_is_refused():
    with pytest.raises(InputError, match=r"no sample's cohort is known; .*`unlabelled"):
        jaxssl.SSLEncoder(config=BY_COHORT).fit(make_synthetic(n_samples=60, n_genes=30))
    refuse_unread("pretrain", ["pretrain.batches", "method.cohort_balance"])


def test_an_audit_of_the_tests_trains_from_scratch_and_needs_no_cohorts(tmp_path, numerics):
    adata = make_synthetic(n_samples=240, n_genes=30, n_classes=4)
    adata.uns["jaxssl"]["batch"] = ""
    words = {"n_comparisons": 10, "shares": [1.0], "seeds": 2, "progress": False}
    config = with_options(Config(), {"finetune.scratch_steps": 20} | BY_COHORT)
    table = jaxssl.audit(adata, out=tmp_path / "run", config=config, **words)
    assert set(table["share"]) == {1.0}


def test_a_plan_of_memory_counts_a_queue_a_cohort():
    from launch.doctor import Size, plans

    options = {"method.queue_length": 4096, "pretrain.batches": "by_cohort"}
    config = with_options(with_method(Config(), "moco"), options)
    of_many, of_one = ([*plans(Size("", config, 600, 50, n_cohorts=n), 2)] for n in (20, 0))
    gigabytes = [
        float(re.search(r"80 GB: .* ([\d.]+) of", "".join(lines))[1]) for lines in (of_many, of_one)
    ]
    queue = 2 * 4 * 4096 * (config.method.projection_dim + 1) / 1e9  # of two seeds
    assert gigabytes[0] - gigabytes[1] == pytest.approx(19 * queue, abs=0.02)
    assert any("--batch" in line for line in of_one)


# --- two platforms: the same classes, each gene shifted by the platform

SEEDS = [0, 1]


def prepared_by(options, name="swav", n_steps=600):
    adata = make_synthetic(n_samples=240, n_genes=80, batch_effect=2.0, n_classes=6)
    config = with_method(Config(), name)
    config.encoder.hidden, config.finetune.transfer_layers = (32, 16), 2
    config.pretrain.batch_size, config.pretrain.n_steps = 32, n_steps
    config.pretrain.checkpoint_every = 1
    for option, value in {"n_prototypes": (12,), "queue_length": 48}.items():
        if getattr(config.method, option, None):
            setattr(config.method, option, value)
    return prepare(make_task(adata, config), with_options(config, options))


def planned(prepared):
    config, shape = prepared.config, prepared.pool.shape
    return plan_pretraining(config, *shape, len(SEEDS), batches=prepared.batches)


def trained(prepared, seeds=SEEDS, plan=None, **words):
    plan = plan or planned(prepared)
    return merge(pretrain(plan, prepared.config, prepared.pool, seeds, **words))


@pytest.mark.usefixtures("standard_promotion")
def test_prototypes_mean_platforms_where_batches_are_mixed_and_not_where_they_are_of_one():
    told = {}
    for batches in ("mixed", "by_cohort"):
        prepared = prepared_by({"pretrain.batches": batches})
        pretrained = trained(prepared)
        for seed in SEEDS:
            scores = prototype_scores(make_bundle(prepared, pretrained, seed, {}), prepared.pool)
            told[batches, seed] = mutual_info_score(prepared.batches, scores.argmax(axis=1))
    for seed in SEEDS:  # of at most ln 2 = 0.69 nats
        assert told["by_cohort", seed] < 0.5 * told["mixed", seed], told
        assert told["mixed", seed] > 0.3, told


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize(
    ("name", "options"), [("swav", {"method.cohort_balance": 0.5}), ("moco", {})]
)
def test_a_resumed_run_by_cohort_is_bitwise_the_uninterrupted_one(name, options, tmp_path):
    class Killed(Exception):
        pass

    def kill(rows, restored):
        if rows[0]["epoch"] == 1:
            raise Killed

    prepared = prepared_by(BY_COHORT | options, name, n_steps=120)
    plan = planned(prepared)
    whole = trained(prepared, plan=plan)
    with pytest.raises(Killed):
        trained(prepared, plan=plan, log=kill, checkpoints=tmp_path)
    resumed = trained(prepared, plan=plan, checkpoints=tmp_path)
    jax.tree.map(np.testing.assert_array_equal, whole.params, resumed.params)
    assert [row["loss"] for row in whole.history] == [row["loss"] for row in resumed.history]
    alone = trained(prepared, [1])  # in chunks of another length
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), whole.params[1], alone.params[1]
    )


@pytest.mark.usefixtures("standard_promotion")
def test_members_that_differ_in_the_balance_are_each_what_it_says():
    def losses(result):
        return np.array([row["loss"] for row in result.history])

    name = "method.cohort_balance"
    prepared = prepared_by(BY_COHORT, n_steps=40)
    words = {"batches": prepared.batches, "varied": [name]}
    plan = plan_pretraining(prepared.config, *prepared.pool.shape, 2, **words)
    variants = {i: Variant(0, {name: float(i)}) for i in range(2)}
    together = merge(pretrain(plan, prepared.config, prepared.pool, [0, 1], variants=variants))
    soft, even = losses(together)
    np.testing.assert_allclose(even, losses(trained(prepared, [0]))[0], rtol=1e-4)
    assert abs(soft - even) > 1e-3


@pytest.mark.usefixtures("standard_promotion")
def test_names_of_batches_change_nothing_where_mini_batches_are_mixed():
    prepared = prepared_by({}, n_steps=40)
    plan = plan_pretraining(prepared.config, *prepared.pool.shape, 1)
    without = merge(pretrain(plan, prepared.config, prepared.pool, [0]))
    jax.tree.map(np.testing.assert_array_equal, trained(prepared, [0]).params, without.params)
