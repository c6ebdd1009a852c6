"""Versions, devices, memory, and what will fit: here, and on cards of 12, 24 and 80 GB.

Example:

  python -m launch.doctor --seeds=50
  python -m launch.doctor --data=mirna.h5ad --config=study_tcga

With --data, its size is planned for; else those of the README's studies, and with --config its
options on the first of them.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import psutil

from jaxssl.config import Config, count_components, resolve, with_options
from jaxssl.engine.ensemble import use_cores
from jaxssl.engine.footprint import FREE_SHARE, MemoryPlan, free_memory, plan_memory
from jaxssl.engine.pretrain import plan_pretraining
from jaxssl.runs.identity import versions

from . import exit, flags
from .config_files import load

flags.define("config", "data", "seeds")
CARDS_GB = (12, 24, 80)
N_SEEDS = 50  # where --seeds says nothing


class Size(NamedTuple):
    """A pretraining to plan for."""

    what: str
    config: Config
    n_samples: int  # training samples
    n_features: int  # of the encoder input


def main() -> None:
    """Print what a bug report should hold, then the memory plans."""
    n_seeds = flags.value_of("seeds") or N_SEEDS
    use_cores(n_seeds)
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
    path, config = flags.value_of("data"), flags.config("doctor")
    for size in [size_of_data(path, config)] if path else known_sizes(config):
        print(f"\n{size.what}, {n_seeds} seeds:")
        for line in plans(size, n_seeds):
            print(f"  {line}")


def known_sizes(config: Config) -> list[Size]:
    """The README's studies, and the paper's at full size; first the options that are given."""
    tcga, microarray = load("study_tcga"), load("study_microarray")
    given = Size(
        "--config on 6,546 samples, 2,000 genes", config, 6_546, width(config, 6_546, 2_000)
    )
    return [
        *([given] if config != Config() else []),
        Size("the default on 6,546 samples", Config(), 6_546, 100),
        Size("2,000 genes, the study's recipe", tcga, 6_546, 2_000),
        Size("the study's TCGA, 57,387 genes", tcga, 6_546, 57_387),
        Size("the study's microarrays, 54,675 probe sets", microarray, 14_870, 54_675),
    ]


def size_of_data(path: str, config: Config) -> Size:
    """The pretraining of a file: its samples less the held-out shares, its genes as configured."""
    from jaxssl.data.inspect import inspect  # what reads takes a second to import
    from jaxssl.studies.job import EMBEDDED

    if path in EMBEDDED:
        n_all, n_genes = EMBEDDED[path]().shape
    else:
        facts = inspect(path)
        n_all, n_genes = facts.n_samples, facts.n_genes
    held_out = config.split.validation_share + config.split.test_share
    n_samples = round(n_all * (1 - held_out))
    n_features = width(config, n_samples, n_genes)
    what = f"{path}: about {n_samples:,} training samples, {n_features:,} features"
    return Size(what, config, n_samples, n_features)


def width(config: Config, n_samples: int, n_genes: int) -> int:
    """Features of the encoder input."""
    if config.normalize.input == "spectral":
        return count_components(config.normalize, n_samples, n_genes)
    return min(n_genes, config.normalize.max_genes or n_genes)


def plans(size: Size, n_seeds: int) -> Iterator[str]:
    """What fits here and on each card, a line each."""
    # of which cohort a sample is, a size does not say
    config = with_options(size.config, {"pretrain.batches": "mixed"})
    config = resolve(config, size.n_samples)
    here = plan_pretraining(config, size.n_samples, size.n_features, n_seeds).memory
    yield _line("here", n_seeds, here)
    for gigabytes in CARDS_GB:
        usable = FREE_SHARE * gigabytes
        plan = plan_memory(here.footprint, n_seeds, usable, n_devices=1, vectorized=True)
        yield _line(f"a card of {gigabytes} GB", n_seeds, plan)


def _line(where: str, n_seeds: int, plan: MemoryPlan) -> str:
    n_chunks, total, budget = -(-n_seeds // plan.chunk), plan.total, plan.n_devices * plan.budget
    rounds = "all at once" if n_chunks == 1 else f"{plan.chunk} at a time, {n_chunks} times"
    fits = "" if total <= budget else "; does not fit: set --config.normalize.max_genes=20000, say"
    return f"{where}: {rounds}, {total / 1e9:.2f} of {budget / 1e9:.1f} GB{fits}"


if __name__ == "__main__":
    exit.run(main)
