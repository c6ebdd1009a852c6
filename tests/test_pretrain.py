"""The pretraining of many seeds: independence, resume, learning, collapse."""

import copy
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxssl.config import Config, resolve
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine import train
from jaxssl.engine.checkpoint import load_state
from jaxssl.engine.ensemble import chunks, over_seeds
from jaxssl.engine.footprint import Footprint, _left_in_groups, free_memory, plan_memory
from jaxssl.engine.planning import plan_pretraining
from jaxssl.engine.prepared import prepare
from jaxssl.engine.pretrain import (
    Variant,
    make_bundle,
    make_members,
    merge,
    over_all_seeds,
    pretrain,
)
from jaxssl.runs import journal
from jaxssl.types import InputError, Pool, Stopped, TrainState

pytestmark = pytest.mark.usefixtures("standard_promotion")


def small_config(**method) -> Config:
    config = Config()
    config.encoder.hidden = (32, 16)
    config.finetune.transfer_layers = 2
    config.method.n_prototypes = (12,)
    config.pretrain.batch_size = 32
    config.pretrain.n_steps = 80
    config.pretrain.checkpoint_every = 1
    for name, value in method.items():
        setattr(config.method, name, value)
    return config


@pytest.fixture(scope="module")
def task():
    return make_task(make_synthetic(n_samples=240, n_genes=80), Config())


def run(task, seeds, config=None, **kwargs):
    prepared = prepare(task, config or small_config())
    n_samples, n_features = prepared.pool.shape
    plan = plan_pretraining(prepared.config, n_samples, n_features, len(seeds))
    return merge(pretrain(plan, prepared.config, prepared.pool, seeds, **kwargs))


def largest_difference(a, b) -> float:
    gaps = jax.tree.map(lambda x, y: np.abs(x - y).max(), a, b)
    return max(jax.tree.leaves(gaps))


def test_seed_result_does_not_depend_on_how_many_seeds_run_or_how_they_are_cut(task):
    together = run(task, [0, 1, 5])
    alone = run(task, [5])
    config = small_config()
    config.run.chunk = 2
    chunked = run(task, [0, 1, 5], config)
    assert largest_difference(together.params[5], alone.params[5]) <= 1e-5
    assert largest_difference(together.params[5], chunked.params[5]) <= 1e-5


def test_members_of_an_ensemble_differ(task):
    result = run(task, [0, 1])
    assert largest_difference(result.params[0], result.params[1]) > 0.01


@pytest.mark.parametrize("donate", [None, 0])
def test_vectorised_and_looped_seeds_agree(donate):
    def fn(state, factor, scale):
        new = state["w"] @ state["w"].T * scale
        return {"w": new, "steps": state["steps"] + 1}, {"sum": new.sum() * factor}

    rng = np.random.default_rng(0)
    start = {"w": rng.normal(size=(3, 4, 4)).astype(np.float32), "steps": np.arange(3)}
    factors = np.array([1.0, 2.0, 3.0], np.float32)
    looped, vectorised = (
        over_seeds(fn, [True, True, False], donate, vectorize)(
            jax.tree.map(jnp.asarray, start), factors, 2.0
        )
        for vectorize in (False, True)
    )
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5), looped, vectorised)
    expected = 2 * start["w"] @ start["w"].transpose(0, 2, 1)
    np.testing.assert_allclose(looped[0]["w"], expected, rtol=1e-5)
    np.testing.assert_allclose(looped[1]["sum"], expected.sum((1, 2)) * factors, rtol=1e-4)
    assert looped[0]["steps"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("queue_length", [0, 64])
def test_a_resumed_run_is_bitwise_the_uninterrupted_one(task, tmp_path, queue_length):
    class Killed(Exception):
        pass

    def kill_after_one_epoch(rows, restored):
        if rows[0]["epoch"] == 1:
            raise Killed

    restored_rows = []

    def note(rows, restored):
        restored_rows.extend(rows if restored else [])

    config = small_config(queue_length=queue_length)
    whole = run(task, [0, 1], config)
    with pytest.raises(Killed):
        run(task, [0, 1], config, log=kill_after_one_epoch, checkpoints=tmp_path)
    resumed = run(task, [0, 1], config, log=note, checkpoints=tmp_path)
    assert len(restored_rows) == 2, "one epoch of two seeds came from the checkpoint"
    assert largest_difference(whole.params[1], resumed.params[1]) == 0
    assert [r["loss"] for r in whole.history] == [r["loss"] for r in resumed.history]


def nearest_neighbour_purity(embedding, codes) -> float:
    distances = ((embedding[:, None, :] - embedding[None, :, :]) ** 2).sum(-1)
    np.fill_diagonal(distances, np.inf)
    return float(np.mean(codes[distances.argmin(1)] == codes))


def test_swav_learns_planted_structure(task):
    config = small_config()
    config.pretrain.n_steps = 400
    prepared = prepare(task, config)
    plan = plan_pretraining(prepared.config, *prepared.pool.shape, 1)
    result = merge(pretrain(plan, prepared.config, prepared.pool, [0]))
    first, last = result.history[0], result.history[-1]
    assert last["loss_ratio"] < first["loss_ratio"] - 0.2
    assert result.diagnoses[0].status == "healthy"


def test_masking_everything_collapses_and_says_so(task):
    config = small_config()
    config.augment.noise = 0.0
    config.augment.mask_rate = 1.0
    config.pretrain.n_steps = 200
    verdict = run(task, [0], config).diagnoses[0]
    assert verdict.status == "collapsed"
    assert "mask_rate" in verdict.fix


def test_a_large_epsilon_is_named_as_uniform_codes(task):
    assert run(task, [0], small_config(epsilon=5.0)).diagnoses[0].status == "uniform codes"


def test_a_bundle_says_where_it_comes_from(task):
    prepared = prepare(task, small_config())
    plan = plan_pretraining(prepared.config, *prepared.pool.shape, 1)
    pretrained = merge(pretrain(plan, prepared.config, prepared.pool, [7]))
    bundle = make_bundle(prepared, pretrained, 7, {"jax": jax.__version__})
    assert bundle.provenance["seed"] == 7
    assert bundle.provenance["status"] == pretrained.diagnoses[7].status
    assert bundle.normalizer.genes == tuple(task.genes)


def test_chunks_are_equal_and_the_last_repeats_its_last_seed():
    assert chunks([3, 4, 5, 6, 7], 2) == [[3, 4], [5, 6], [7, 7]]


def test_the_largest_even_cut_that_fits_the_memory_is_chosen():
    mb = 10**6
    footprint = Footprint(shared=100 * mb, per_seed=10 * mb, working=20 * mb, copied=10 * mb)
    # on a CPU a checkpoint copies all seeds, and the allocator keeps some: 100 + 2 * 10 n + 100
    plan = plan_memory(footprint, n_seeds=50, memory_gb=0.4)
    assert plan.chunk == 10  # ten fit: five even chunks
    assert plan.total == 400 * mb
    assert plan_memory(footprint, n_seeds=50, memory_gb=0.54).chunk == 17
    # one seed is computed in its own memory: 100 + 10 + 20 + 100
    assert plan_memory(footprint, n_seeds=1, memory_gb=0.54).total == 230 * mb
    # without a copy, each in its turn beside all others: 100 + 10 (n + 1) + 20 + 100
    alone = footprint._replace(copied=0)
    assert plan_memory(alone, n_seeds=50, memory_gb=0.4).total == (100 + 10 * 18 + 20 + 100) * mb
    # on a GPU all at once, and nothing kept: 100 + 30 n
    together = plan_memory(footprint, n_seeds=50, memory_gb=0.4, vectorized=True)
    assert (together.chunk, together.total) == (10, 400 * mb)
    assert plan_memory(Footprint(0, 10**12, 0), n_seeds=50, memory_gb=1e-3).chunk == 1


def test_memory_is_that_of_the_device_where_it_has_its_own(monkeypatch):
    class Device:
        def memory_stats(self):
            return {"bytes_limit": 80, "bytes_in_use": 30}

    monkeypatch.setattr("jax.local_devices", lambda: [Device()])
    assert free_memory() == 50


@pytest.mark.parametrize(
    ("line", "folder", "names"),
    [
        ("0::/job", "job", ("memory.max", "memory.current", "inactive_file")),
        (
            "9:memory:/job",
            "memory/job",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ],
)
def test_a_control_group_leaves_its_limit_less_what_is_used(tmp_path, line, folder, names):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"8:pids:/job\n{line}\n")
    group = tmp_path / "sys/fs/cgroup" / folder
    group.mkdir(parents=True)
    limit, used, files = names
    (group / limit).write_text("100\n")
    (group / used).write_text("70\n")
    (group / "memory.stat").write_text(f"anon 40\n{files} 20\n")
    assert _left_in_groups(tmp_path) == [50]
    (group / limit).write_text("max\n")
    assert _left_in_groups(tmp_path) == []


@pytest.mark.parametrize("text", ["{", '{"leaves": {}}', "[]"])
def test_a_damaged_checkpoint_is_refused_with_what_trains_the_seeds_anew(tmp_path, text):
    fresh = TrainState({}, {}, {}, make_members(0, [0]))
    assert load_state(tmp_path, fresh, [0]) == (fresh, [])
    (tmp_path / "save_000003").mkdir()
    (tmp_path / "save_000003" / "progress.json").write_text(text)
    with pytest.raises(InputError, match=f"is no record of a training .* delete {tmp_path}"):
        load_state(tmp_path, fresh, [0])


def test_the_memory_plan_is_what_the_compiled_epoch_takes():
    n_samples, n_features = 2000, 3000  # so that nothing that is left out of the plan matters
    config = resolve(small_config(), n_samples)
    config.run.chunk = 4
    plan = plan_pretraining(config, n_samples, n_features, 4)
    pool = Pool(jax.ShapeDtypeStruct((n_samples, n_features), np.float32), {})
    init, epoch, *_ = [made.program for made in cast(Any, over_all_seeds(plan.trainer))]
    state = jax.eval_shape(init, make_members(0, range(4)), pool)
    taken = epoch.lower(state, np.int32(0), pool).compile().memory_analysis()
    total = taken.argument_size_in_bytes + taken.temp_size_in_bytes
    assert taken.alias_size_in_bytes >= 4 * plan.memory.footprint.per_seed, "updated in place"
    shared, per_seed, working, _ = plan.memory.footprint
    assert shared + (4 + 1) * per_seed + working == pytest.approx(total, rel=0.2)


def test_the_same_training_of_other_values_finds_its_programs_compiled():
    config = resolve(small_config(), 100)
    other = copy.deepcopy(config)
    other.run.root_key, other.run.seeds = 1, 5
    programs = [over_all_seeds(plan_pretraining(c, 100, 20, 2).trainer) for c in (config, other)]
    assert programs[0] is programs[1]
    other.augment.noise += 0.1
    assert over_all_seeds(plan_pretraining(other, 100, 20, 2).trainer) is not programs[0]


def test_options_left_to_the_data_are_settled():
    config = resolve(Config(), 6571)
    assert config.method.n_prototypes[0] > 0
    assert config.pretrain.n_steps > 0
    assert Config().pretrain.n_steps == 0, "resolve works on a copy"


def test_a_seed_that_diverges_is_named_and_touches_no_other(task):
    config = small_config()
    prepared = prepare(task, config)
    name = "optimizer.learning_rate"
    plan = plan_pretraining(prepared.config, *prepared.pool.shape, 2, [name])

    def train(rates):
        variants = {i: Variant(i, {name: rate}) for i, rate in enumerate(rates)}
        found = pretrain(plan, prepared.config, prepared.pool, [0, 1], variants=variants)
        return merge(found)

    sound, ill = train([1e-3, 1e-3]), train([1e-3, 1e30])
    assert largest_difference(sound.params[0], ill.params[0]) == 0
    assert sound.diagnoses[0] == ill.diagnoses[0]
    assert ill.diagnoses[1].status == "diverged"
    assert "in epoch 1, after step 1" in ill.diagnoses[1].cause
    assert not any("last_finite_step" in row for row in sound.history)


def test_a_run_that_is_told_to_stop_has_saved_and_goes_on_to_the_same_end(task, tmp_path):
    config = small_config()
    config.pretrain.checkpoint_every = 1000
    whole = run(task, [0, 1], config)
    with pytest.raises(Stopped):
        run(task, [0, 1], config, checkpoints=tmp_path, stop=lambda: True)
    resumed = run(task, [0, 1], config, checkpoints=tmp_path)
    assert largest_difference(whole.params[1], resumed.params[1]) == 0
    assert [r["loss"] for r in whole.history] == [r["loss"] for r in resumed.history]


def test_a_begun_chunk_goes_on_where_devices_make_it_wider(task, tmp_path):
    config = small_config()
    config.run.chunk = 3
    whole = run(task, [0, 1, 2], config)
    with pytest.raises(Stopped):
        run(task, [0, 1, 2], config, checkpoints=tmp_path, stop=lambda: True)
    journal.cut(tmp_path, [0, 1, 2], 3)
    assert journal.cut(tmp_path, [0, 1, 2], 5) == [[0, 1, 2]]
    assert journal.cut(tmp_path, [0, 1, 2], 2) == [[0, 1], [2]], "which holds no three"
    config.run.chunk = 5
    told = []
    resumed = run(task, [0, 1, 2], config, checkpoints=tmp_path, log=lambda *of: told.append(of))
    assert told[0][1], "the first epoch is restored"
    assert largest_difference(whole.params[2], resumed.params[2]) <= 1e-5
    assert [r["loss"] for r in whole.history][:3] == [r["loss"] for r in resumed.history][:3]


def test_an_epoch_in_pieces_is_the_epoch_and_ends_early_when_told_to(task, tmp_path, monkeypatch):
    config = small_config()
    whole = run(task, [0, 1], config)
    monkeypatch.setattr(train, "MAX_STEPS", 7)
    in_pieces = run(task, [0, 1], config)
    assert largest_difference(whole.params[1], in_pieces.params[1]) == 0
    for row, other in zip(whole.history, in_pieces.history, strict=True):
        assert row | {"seconds": 0} == other | {"seconds": 0}
    asked = iter([False] * 10)  # then, within an epoch
    with pytest.raises(Stopped):
        run(task, [0, 1], config, checkpoints=tmp_path, stop=lambda: next(asked, True))
    resumed = run(task, [0, 1], config, checkpoints=tmp_path)
    assert largest_difference(in_pieces.params[1], resumed.params[1]) == 0
    assert [r["loss"] for r in in_pieces.history] == [r["loss"] for r in resumed.history]
