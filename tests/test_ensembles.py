"""The encoders of `best`: a window of a sequence for every repetition."""

import jax
import numpy as np
import pytest

from jaxssl.config import Config, resolve, with_options
from jaxssl.engine import checkpoint
from jaxssl.engine.planning import plan_pretraining
from jaxssl.engine.pretrain import pretrain
from jaxssl.evaluation.ensembles import (
    MEMBERS,
    N_ENCODERS,
    ids_of,
    lacking,
    plan_ensembles,
    pretrain_ensembles,
    windows,
)

pytestmark = pytest.mark.usefixtures("numerics")
SMALL = {"encoder.hidden": (8, 4), "pretrain.n_steps": 4, "pretrain.batch_size": 16}


def pool_of(n: int = 40) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, 6)).astype(np.float32)


def test_a_window_is_of_encoders_that_differ_and_repetitions_share_them():
    windows_of = [ids_of(seed) for seed in range(20)]
    assert all(len(set(ids)) == N_ENCODERS * len(MEMBERS) for ids in windows_of)
    n = 20 + N_ENCODERS - 1
    assert lacking(range(20)) == [(method, i) for method in MEMBERS for i in range(n)]
    of_swav = [("swav", i) for i in range(20)]
    others = [("swav", i) for i in range(20, n)] + [("vicreg", i) for i in range(n)]
    assert lacking(range(20), made=of_swav) == others
    assert lacking(range(20), made=of_swav + others) == []


def test_an_encoder_is_the_same_alone_and_among_others():
    config, pool = with_options(Config(), SMALL), pool_of()

    def encoders_of(seeds: list[int]):
        ids, epochs = lacking(seeds), []
        plans, n_epochs = plan_ensembles(config, pool.shape, ids)
        made = pretrain_ensembles(plans, config, pool, ids, lambda rows, restored: epochs.append(1))
        assert len(epochs) == n_epochs
        return windows(made, seeds)

    together, alone = encoders_of([0, 1, 4]), encoders_of([4])
    assert together[4].keys() == alone[4].keys()
    for name, params in alone[4].items():
        jax.tree.map(np.testing.assert_array_equal, params, together[4][name])
    assert len(together[0].keys() & together[1].keys()) == (N_ENCODERS - 1) * len(MEMBERS)


def test_a_chunk_of_hundreds_of_seeds_is_saved(tmp_path):
    config = resolve(with_options(Config(), SMALL | {"run.chunk": 300}), 40)
    pool, seeds = pool_of(), list(range(300))
    plan = plan_pretraining(config, *pool.shape, n_seeds=len(seeds))
    assert plan.memory.chunk == 300
    [made] = pretrain(plan, config, pool, seeds, checkpoints=tmp_path)
    assert made.params.keys() == set(seeds)
    [folder] = tmp_path.iterdir()
    assert checkpoint._states(folder)
