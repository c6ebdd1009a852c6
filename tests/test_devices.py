"""The seed axis over several devices, in a process that pretends to have two."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import jaxssl
from jaxssl.engine.ensemble import use_cores
from jaxssl.studies import start
from jaxssl.types import Stopped

SCRIPT = """
import jax, numpy as np
from jaxssl.engine.ensemble import over_seeds, seed_keys
from jaxssl.engine.mesh import shard
from jaxssl.engine.footprint import Footprint, plan_memory

def fn(key, x):
    w = jax.random.normal(key, (4, 3))
    return jax.numpy.tanh(x @ w).sum(axis=0)

x = np.ones((5, 4), np.float32)
assert jax.device_count() == 2
keys = shard(seed_keys(0, [0, 1, 2, 3]), per_seed=True)
data = shard(x, per_seed=False)
assert len(keys.sharding.device_set) == 2, "seeds are split over the devices"
assert data.sharding.is_fully_replicated, "the training matrix is on both"
out = over_seeds(fn, [True, False])(keys, data)
assert len(out.sharding.device_set) == 2

def step(state, x):
    return state + x.sum(), {"state": state}

state = shard(np.arange(4.0, dtype=np.float32), per_seed=True)
new, metrics = over_seeds(step, [True, False], donate=0)(state, data)
assert len(new.sharding.device_set) == 2, "updated where they are"
np.testing.assert_array_equal(new, np.arange(4.0) + 20)
np.testing.assert_array_equal(metrics["state"], np.arange(4.0))

alone = over_seeds(fn, [True, False], vectorize=False)(seed_keys(0, [2]), x)
np.testing.assert_allclose(np.asarray(out)[2], np.asarray(alone)[0], atol=1e-6)
# 10 a device fit, with their copies and what the allocator keeps; even for two
assert plan_memory(Footprint(0, 10_000_000, 0, 10_000_000), 50, memory_gb=0.3).chunk == 18
"""


def test_devices_that_the_user_asked_for_are_left_as_they_are(monkeypatch):
    changed = []
    monkeypatch.setattr("jax.config.update", lambda name, value: changed.append(name))
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=3")
    use_cores(4)
    assert changed == []
    monkeypatch.setenv("XLA_FLAGS", "")
    use_cores(4)
    assert changed == ["jax_num_cpu_devices"]


def test_a_study_of_splits_makes_devices_of_the_cores_before_it_asks_for_them(monkeypatch):
    asked = []
    monkeypatch.setattr(start, "use_cores", lambda n_seeds: asked.append(n_seeds))
    monkeypatch.setattr(jax, "devices", lambda: asked.append("devices") or _stop())
    with pytest.raises(Stopped):
        jaxssl.study("synthetic", splits=2, seeds=3, shares=(0.1,), progress=False)
    assert asked == [3, "devices"]


def _stop():
    raise Stopped


def test_seeds_are_sharded_over_devices_and_unchanged_by_it():
    flags = "--xla_force_host_platform_device_count=2"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
