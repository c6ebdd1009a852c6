"""Several processes that pretrain as one program."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import jax
import numpy as np
import pytest
from verbs import PRETRAIN, ROOT, launch

from jaxssl.config import Config, with_options
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine import hosts, request
from jaxssl.engine.launchers import Process, find_process
from jaxssl.engine.planning import plan_pretraining, with_cohorts
from jaxssl.engine.prepared import prepare
from jaxssl.methods.augment import make_pool
from jaxssl.types import InputError
from launch.benchmark.kills import differences
from launch.benchmark.processes import losses, start


@pytest.mark.parametrize(
    ("environ", "process"),
    [
        ({}, Process(0, 1)),
        ({"JAX_NUM_PROCESSES": "3", "JAX_PROCESS_ID": "2"}, Process(2, 3)),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"}, Process(0, 2)),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, Process(0, 1)),
        ({"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, Process(0, 1)),
    ],
)
def test_a_launcher_says_which_process_this_is(environ, process):
    assert find_process(environ) == process


def test_a_connection_that_says_nothing_is_no_process(monkeypatch):
    process, held, met = Process(0, 2), [], []
    monkeypatch.setattr(hosts, "STRAY", 0.2)
    monkeypatch.setattr(hosts, "_hold", lambda line, name, _: held.append((line, name)))
    monkeypatch.setattr(hosts, "broadcast", met.append)
    first = threading.Thread(target=hosts._connect, args=(process, print))
    first.start()
    while not met:
        time.sleep(0.01)
    at = ("127.0.0.1", met[0][1])
    with socket.create_connection(at), socket.create_connection(at) as other:
        other.sendall((1).to_bytes(4))
        first.join(timeout=30)
    assert [name for _, name in held] == ["process 1 of 2"]
    held[0][0].close()


@pytest.mark.parametrize(
    "environ",
    [
        {"JAX_NUM_PROCESSES": "2"},
        {"JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "2"},
        {"JAX_NUM_PROCESSES": "two", "JAX_PROCESS_ID": "0"},
        {"JAX_COORDINATOR_ADDRESS": "node:1234"},
    ],
)
def test_half_of_what_a_launcher_says_is_refused(environ):
    with pytest.raises(InputError, match="unset JAX_"):
        find_process(environ)


def test_a_step_whose_rows_are_split_is_that_of_one_device_by_every_method():
    environ = os.environ | {
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2",
        "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(ROOT)]),
        "JAX_PLATFORMS": "cpu",
    }
    words = [sys.executable, ROOT / "tests" / "split_rows.py"]
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("standard_promotion")
def test_what_the_first_process_asks_for_arrives_as_it_was(monkeypatch):
    task = make_task(make_synthetic(n_samples=120, n_genes=40), with_roles())
    changes = {"pretrain.batches": "by_cohort", "augment.drop_genes": 0.1}
    changes |= {"augment.latent_radius": 0.2, "augment.autoencoder_steps": 5}
    prepared = prepare(task, with_options(with_roles(), changes))
    config, genes = prepared.config, prepared.gene_pool(prepared.config)
    shape, batches = prepared.pool.shape, prepared.batches
    plan = plan_pretraining(config, *shape, n_seeds=2, batches=batches, genes=genes)
    pool = with_cohorts(make_pool(prepared.pool, config.augment, 0, genes), plan.schedule)
    sent: list[bytes] = []
    monkeypatch.setattr(hosts, "_broadcast_bytes", lambda message: sent.append(message) or message)
    request.send(request.Request(plan, config, pool, [3, 5]))
    monkeypatch.setattr(hosts, "_broadcast_bytes", lambda _: sent.pop(0))
    found = request.receive()
    assert found is not None
    assert not sent
    assert found.seeds == [3, 5]
    assert found.plan.trainer is plan.trainer, "the same programs"
    assert found.plan.memory.chunk == plan.memory.chunk
    assert jax.tree.structure(found.pool) == jax.tree.structure(pool)
    jax.tree.map(np.testing.assert_array_equal, found.pool, pool)


def with_roles():
    """Options that name the columns of the simulated data."""
    config = Config()
    config.data.label, config.data.group, config.data.batch = "class", "donor", "batch"
    return config


def test_the_rows_of_one_seed_are_split_over_two_processes(tmp_path):
    options = [*PRETRAIN, "--seeds=1"]
    split, whole = tmp_path / "split", tmp_path / "whole"
    processes = start([*options, f"--out={split}"], 2)
    ends = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    assert "chunks of 1 take" in ends[0][0], "two devices have one seed"
    launch("pretrain", *options, f"--out={whole}")
    np.testing.assert_allclose(losses(split), losses(whole), rtol=1e-5)


@pytest.mark.parametrize("n_left", [1, 2])
def test_processes_go_on_without_one_that_is_killed_once_they_are_started_again(tmp_path, n_left):
    options = [*PRETRAIN, "--config.pretrain.n_steps=600", "--config.pretrain.checkpoint_every=1"]
    cut, whole = tmp_path / "cut", tmp_path / "whole"
    first, other = start([*options, f"--out={cut}"], 2)
    assert first.stdout is not None
    assert any(", step 84:" in line for line in first.stdout), "the second epoch's end"
    other.kill()
    _, error = first.communicate(timeout=60)
    other.communicate()
    assert first.returncode == 3, error
    assert "process 1 of 2 has ended" in error
    assert "the same command with --resume goes on" in error
    assert not (cut / ".lock").exists()
    again = start([*options, f"--out={cut}", "--resume"], n_left)
    ends = [process.communicate(timeout=200) for process in again]
    assert {process.returncode for process in again} == {0}, ends
    launch("pretrain", *options, f"--out={whole}")
    assert differences(cut, whole) == []


def test_processes_of_different_commands_are_refused_by_name(tmp_path):
    own = [["--seeds=1"], ["--seeds=2"]]
    ends = start([*PRETRAIN, f"--out={tmp_path / 'run'}"], 2, own)
    for process in ends:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 2
        assert "process 1 of 2, on " in error
        assert "has command" in error
    assert not (tmp_path / "run").exists()


def test_a_signal_to_one_process_ends_both_once_the_state_is_saved(tmp_path):
    options = [*PRETRAIN, "--config.pretrain.n_steps=600", f"--out={tmp_path / 'run'}"]
    first, other = start(options, 2)
    assert first.stdout is not None
    assert any(", step 42:" in line for line in first.stdout)
    other.send_signal(signal.SIGTERM)
    errors = [process.communicate(timeout=60)[1] for process in (first, other)]
    assert other.returncode == 128 + signal.SIGTERM
    assert first.returncode == 3
    assert all("and saved" in error for error in errors), errors
    printed = launch("pretrain", *options, "--resume")
    assert ", step 42:" not in printed


def test_the_port_of_another_run_is_refused(monkeypatch):
    with socket.create_server(("", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port} cannot be used .*a free port"):
            hosts._require_free(f"127.0.0.1:{port}")
    hosts._require_free(f"127.0.0.1:{port}")
    with pytest.raises(InputError, match="node cannot be used"):
        hosts._require_free("node")


def test_several_processes_submit_no_jobs(monkeypatch):
    monkeypatch.setenv("JAX_NUM_PROCESSES", "2")
    monkeypatch.setenv("JAX_PROCESS_ID", "1")
    error = launch("study", "--cluster=local", code=2)
    assert "each of 2 processes would submit the same jobs; start one process" in error
