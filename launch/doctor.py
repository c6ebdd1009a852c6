"""Versions, devices, memory, and what will fit: here, and on cards of 12, 24 and 80 GB.

Example:

  python -m launch.doctor --seeds=50
  python -m launch.doctor --data=mirna.h5ad --config=study_tcga
  python -m launch.doctor --data=mirna.h5ad --batch=platform --config.pretrain.batches=by_cohort

With --data, its size is planned for; else those of the README's studies, and with --config its
options on the first of them.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
import psutil

from jaxssl.config import Config, count_components, resolve, with_options
from jaxssl.engine.ensemble import use_cores
from jaxssl.engine.footprint import FREE_SHARE, MemoryPlan, free_memory, plan_memory
from jaxssl.engine.planning import plan_pretraining
from jaxssl.runs.identity import versions
from jaxssl.types import GenePool, InputError

from . import exit, flags
from .config_files import load

flags.define("config", "data", "batch", "seeds")
CARDS_GB = (12, 24, 80)
N_SEEDS = 50  # where --seeds says nothing


class Size(NamedTuple):
    """A pretraining to plan for."""

    what: str
    config: Config
    n_samples: int  # training samples
    n_features: int  # of the encoder input
    n_genes: int = 0
    n_cohorts: int = 0  # that mini-batches may be of; 0: unknown


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
    if flags.value_of("batch") and not path:
        raise InputError("`batch` names a column of the data", "pass `data` too, or drop it")
    sizes = [size_of_data(path, config, flags.value_of("batch"))] if path else known_sizes(config)
    for size in sizes:
        print(f"\n{size.what}, {n_seeds} seeds:")
        for line in plans(size, n_seeds):
            print(f"  {line}")


def known_sizes(config: Config) -> list[Size]:
    """The README's studies, and the paper's at full size; first the options that are given."""
    tcga, microarray = load("study_tcga"), load("study_microarray")
    n_features = width(config, 6_546, 2_000)
    given = Size("--config on 6,546 samples, 2,000 genes", config, 6_546, n_features, 2_000)
    return [
        *([given] if config != Config() else []),
        Size("the default on 6,546 samples", Config(), 6_546, 100),
        Size("2,000 genes, the study's recipe", tcga, 6_546, 2_000),
        Size("the study's TCGA, 57,387 genes", tcga, 6_546, 57_387),
        Size("the study's microarrays, 54,675 probe sets", microarray, 14_870, 54_675),
    ]


def size_of_data(path: str, config: Config, batch: str = "") -> Size:
    """The pretraining of a file: its samples less the held-out shares, its genes as configured.

    Its cohorts are those of the column `batch`.
    """
    from jaxssl.data.inspect import inspect  # what reads takes a second to import
    from jaxssl.data.samples import require_column
    from jaxssl.studies.data import EMBEDDED

    if path in EMBEDDED:
        adata = EMBEDDED[path]()
        (n_all, n_genes), columns = adata.shape, {name: adata.obs[name] for name in adata.obs}
    else:
        facts = inspect(path)
        n_all, n_genes, columns = facts.n_samples, facts.n_genes, facts.columns
    if batch:
        require_column([*columns], batch, "batch")
    n_cohorts = _count(columns[batch]) if batch else 0
    held_out = config.split.validation_share + config.split.test_share
    n_samples = round(n_all * (1 - held_out))
    n_features = width(config, n_samples, n_genes)
    what = f"{path}: about {n_samples:,} training samples, {n_features:,} features"
    return Size(what, config, n_samples, n_features, n_genes, n_cohorts)


def _count(column: Any) -> int:
    """How many values a column has, of a table or as `inspect` describes it."""
    if isinstance(column, dict):
        return column["n_groups"] if column["role"] == "group" else len(column["classes"])
    return int(column.nunique())


def width(config: Config, n_samples: int, n_genes: int) -> int:
    """Features of the encoder input."""
    if config.normalize.input == "spectral":
        return count_components(config.normalize, n_samples, n_genes)
    return min(n_genes, config.normalize.max_genes or n_genes)


def plans(size: Size, n_seeds: int) -> Iterator[str]:
    """What fits here and on each card, a line each."""
    config, batches = resolve(size.config, size.n_samples), None
    if config.pretrain.batches != "mixed" and not size.n_cohorts:
        yield "planned for mixed batches: name the column with the cohorts by --data and --batch"
        config = with_options(config, {"pretrain.batches": "mixed"})
    elif config.pretrain.batches != "mixed":
        batches = (np.arange(size.n_samples) % size.n_cohorts).astype(str)
    widths = config, size.n_samples, size.n_features
    genes = _genes(*widths, size.n_genes)
    here = plan_pretraining(*widths, n_seeds, batches=batches, genes=genes).memory
    yield _line("here", n_seeds, here)
    for gigabytes in CARDS_GB:
        usable = FREE_SHARE * gigabytes
        plan = plan_memory(here.footprint, n_seeds, usable, n_devices=1, vectorized=True)
        yield _line(f"a card of {gigabytes} GB", n_seeds, plan)


def _genes(config: Config, n_samples: int, n_features: int, n_genes: int) -> GenePool | None:
    """The shapes of what views that lack genes are made of."""
    if not config.augment.drop_genes or config.normalize.input == "genes":
        return None
    n_genes = min(n_genes, config.normalize.max_genes or n_genes)
    shapes = (n_samples, n_genes), (n_genes, n_features), (n_features,), (n_features,)
    arrays: Any = [jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes]
    return GenePool(*arrays)


def _line(where: str, n_seeds: int, plan: MemoryPlan) -> str:
    n_chunks, total, budget = -(-n_seeds // plan.chunk), plan.total, plan.n_devices * plan.budget
    rounds = "all at once" if n_chunks == 1 else f"{plan.chunk} at a time, {n_chunks} times"
    fits = "" if total <= budget else "; does not fit: set --config.normalize.max_genes=20000, say"
    return f"{where}: {rounds}, {total / 1e9:.2f} of {budget / 1e9:.1f} GB{fits}"


if __name__ == "__main__":
    exit.run(main)
