"""Versions, devices, memory, and what will fit: here, and on cards of 12, 24 and 80 GB.

Example:

  python -m launch.doctor --seeds=50
"""

from typing import NamedTuple

import jax
import psutil
from absl import flags

from jaxssl.config import Config, resolve
from jaxssl.engine.ensemble import use_cores
from jaxssl.engine.footprint import FREE_SHARE, free_memory, plan_memory
from jaxssl.engine.pretrain import plan_pretraining
from launch import exit
from launch.config_files import load
from launch.identity import versions

_SEEDS = flags.DEFINE_integer("seeds", 50, "Repetitions to plan for.", lower_bound=1)
CARDS_GB = (12, 24, 80)


class Size(NamedTuple):
    """A pretraining to plan for."""

    what: str
    config: Config
    n_samples: int  # training samples
    n_features: int


SIZES = (
    Size("the default on 6,546 samples", Config(), 6_546, 100),
    Size("2,000 genes, the study's recipe", load("study_tcga"), 6_546, 2_000),
    Size("the study's TCGA, 57,387 genes", load("study_tcga"), 6_546, 57_387),
    Size("the study's microarrays, 54,675 probe sets", load("study_microarray"), 14_870, 54_675),
)


def main(arguments: list[str]) -> None:
    """Print what a bug report should hold, then the memory plans."""
    exit.no_arguments(arguments)
    use_cores(_SEEDS.value)
    for package, version in versions().items():
        print(f"{package:18} {version}")
    for device in jax.devices():
        print(f"device {device.id}: {device.device_kind} ({device.platform})")
    memory = psutil.virtual_memory()
    print(f"memory: {memory.total / 1e9:.1f} GB, {memory.available / 1e9:.1f} GB free")
    print(
        f"a run may take {FREE_SHARE:.0%} of what is free: {FREE_SHARE * free_memory() / 1e9:.1f} "
        f"GB on each of {jax.device_count()} devices (cores of a CPU share its memory)"
    )
    for size in SIZES:
        print(f"\n{size.what}, {_SEEDS.value} seeds:")
        for line in plans(size, _SEEDS.value):
            print(f"  {line}")


def plans(size: Size, n_seeds: int) -> list[str]:
    """What fits here and on each card, a line each."""
    config = resolve(size.config, size.n_samples)
    here = plan_pretraining(config, size.n_samples, size.n_features, n_seeds).memory
    lines = [_line("here", n_seeds, here.chunk, here.total, here.n_devices * here.budget)]
    for gigabytes in CARDS_GB:
        usable = FREE_SHARE * gigabytes
        plan = plan_memory(here.footprint, n_seeds, usable, n_devices=1, vectorized=True)
        lines.append(
            _line(f"a card of {gigabytes} GB", n_seeds, plan.chunk, plan.total, plan.budget)
        )
    return lines


def _line(where: str, n_seeds: int, chunk: int, total: int, budget: int) -> str:
    n_chunks = -(-n_seeds // chunk)
    rounds = "all at once" if n_chunks == 1 else f"{chunk} at a time, {n_chunks} times"
    fits = "" if total <= budget else "; does not fit: set --config.normalize.max_genes=20000, say"
    return f"{where}: {rounds}, {total / 1e9:.2f} of {budget / 1e9:.1f} GB{fits}"


if __name__ == "__main__":
    exit.run(main)
