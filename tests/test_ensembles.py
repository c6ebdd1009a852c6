"""The encoders of `best`: a window of a sequence for every repetition."""

import jax
import numpy as np
import pytest

from jaxssl.config import Config, resolve, with_options
from jaxssl.engine import checkpoint
from jaxssl.engine.pretrain import plan_pretraining, pretrain
from jaxssl.evaluation.ensembles import N_ENCODERS, ids_of, plan_ensembles, pretrain_ensembles

pytestmark = pytest.mark.usefixtures("numerics")
SMALL = {"encoder.hidden": (8, 4), "pretrain.n_steps": 4, "pretrain.batch_size": 16}


def pool_of(n: int = 40) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, 6)).astype(np.float32)


def test_a_window_is_of_encoders_that_differ_and_none_is_a_seed_of_the_study():
    windows = [ids_of(seed) for seed in range(20)]
    assert all(len(set(ids)) == N_ENCODERS for ids in windows)
    assert len({i for ids in windows for i in ids}) == 20 + N_ENCODERS - 1
    assert not {i for ids in windows for i in ids} & set(range(1000))


def test_an_ensemble_is_the_same_alone_and_among_others():
    config, pool = with_options(Config(), SMALL), pool_of()

    def ensembles_of(seeds: list[int]):
        plan, n_epochs = plan_ensembles(config, pool.shape, seeds)
        epochs = []
        made = pretrain_ensembles(
            plan, config, pool, seeds, lambda rows, restored: epochs.append(1)
        )
        assert len(epochs) == n_epochs
        return made

    together, alone = ensembles_of([0, 1, 4]), ensembles_of([4])
    assert together[4].keys() == alone[4].keys()
    for name, params in alone[4].items():
        jax.tree.map(np.testing.assert_array_equal, params, together[4][name])
    assert len(together[0].keys() & together[1].keys()) == N_ENCODERS - 1


def test_a_chunk_of_hundreds_of_seeds_is_saved(tmp_path):
    config = resolve(with_options(Config(), SMALL | {"run.chunk": 300}), 40)
    pool, seeds = pool_of(), list(range(300))
    plan = plan_pretraining(config, *pool.shape, n_seeds=len(seeds))
    assert plan.memory.chunk == 300
    [made] = pretrain(plan, config, pool, seeds, checkpoints=tmp_path)
    assert made.params.keys() == set(seeds)
    [folder] = tmp_path.iterdir()
    assert checkpoint._states(folder)
