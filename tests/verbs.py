"""Verbs in a process of their own, as a user runs them, without a network."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TINY = [
    "--config=configs/demo_synthetic.py",
    "--seeds=2",
    "--shares=0.1,1",
    "--arms=majority,scratch,pca_logreg,swav",
    "--config.pretrain.n_steps=80",
    "--config.encoder.hidden=(32,16)",
    "--config.finetune.transfer_layers=2",
    "--config.finetune.scratch_steps=20",
    "--config.finetune.n_steps=10",
    "--config.finetune.probe_steps=20",
]


def at_most(kib):
    """A command that runs another, which the system lets write no larger file."""
    return ["bash", "-c", 'ulimit -f "$0" && exec "$@"', str(kib)]


def launch(verb, *args, code=0, prefix=()):
    """Run a verb, by a command that runs it; returns its standard output, or a failure's error."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", f"launch.{verb}", *map(str, args)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr
