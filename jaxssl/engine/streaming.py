"""What a pretraining trains on: samples on the devices, or on disk and read in time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, cast

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Int

from jaxssl.config import Config
from jaxssl.data.backed import Backed, Rows, blocks
from jaxssl.engine.ensemble import wait
from jaxssl.engine.mesh import shard
from jaxssl.engine.train import Schedule, probe_rows
from jaxssl.methods import METHODS
from jaxssl.methods.augment import AugmentConfig, is_off, make_pool
from jaxssl.methods.interface import Training
from jaxssl.model import make_encoder
from jaxssl.types import GenePool, InputError, Pool

AT_ONCE = 1 << 28  # bytes of the rows of some steps, of all seeds
OF_ALL = ("mean", "marginal")  # fills of a mask


class Resident:
    """Samples on the devices; `Streamed` has the same functions.

    Args:
        pool: what all seeds train on.
        mesh: the devices.
    """

    def __init__(self, pool: Pool, mesh: Mesh) -> None:
        # of which the order of batches is drawn; on which an epoch's embedding is measured
        self.all = self.probe = wait(shard(pool, per_seed=False, mesh=mesh))

    def first(self, n: int) -> Pool:
        """At least the first `n` samples, of which a seed is initialised."""
        return self.all

    def is_one_call(self, schedule: Schedule) -> bool:
        """Whether a compiled call can be a whole epoch."""
        return len(schedule.pieces()) == 1

    def pieces(
        self, schedule: Schedule, batches: Int[Array, "seeds steps batch"]
    ) -> Iterator[tuple[slice, Pool]]:
        """Steps of an epoch that a compiled call takes, each with its samples."""
        return ((piece, self.all) for piece in schedule.pieces())


class Streamed:
    """Samples on disk: the rows of the next steps are read while others compute.

    Args:
        pool: what all seeds train on; its samples are `Backed`.
        mesh: the devices.
    """

    def __init__(self, pool: Pool, mesh: Mesh) -> None:
        self._x: Any = pool.x
        self._pool, self._mesh = pool, mesh

    def __len__(self) -> int:
        return len(self._x)

    @cached_property
    def all(self) -> Pool:
        """All samples, without features."""
        return self._placed(np.zeros((len(self), 0), np.float32))

    @cached_property
    def probe(self) -> Pool:
        """The samples on which an epoch's embedding is measured."""
        return self._placed(self._x[probe_rows(len(self))])

    def first(self, n: int) -> Pool:
        """The first `n` samples, as if there were no others."""
        return self._placed(self._x[:n])

    def is_one_call(self, schedule: Schedule) -> bool:
        """Never: what is read follows from the epoch's batches."""
        return False

    def pieces(
        self, schedule: Schedule, batches: Int[Array, "seeds steps batch"]
    ) -> Iterator[tuple[slice, Pool]]:
        """Steps of an epoch, each with its samples; the next are read while these train."""
        drawn = np.asarray(batches)
        of_step = drawn[:, 0].size
        pieces = schedule.pieces(max(1, AT_ONCE // (4 * of_step * self._x.shape[1])))
        size = of_step * max(piece.stop - piece.start for piece in pieces)
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._read, drawn[:, pieces[0]], size)
            for i, piece in enumerate(pieces, start=1):
                x, rows = coming.result()
                if i < len(pieces):
                    coming = reader.submit(self._read, drawn[:, pieces[i]], size)
                yield piece, self._placed(x, rows)

    def _read(
        self, batches: Int[np.ndarray, "seeds steps batch"], size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Samples of some batches in the order of their rows, and which these are, up to `size`."""
        rows = np.unique(batches)
        padded = np.full(size, np.iinfo(np.int32).max, np.int32)
        padded[: len(rows)] = rows
        x = np.zeros((size, self._x.shape[1]), np.float32)
        for some in blocks(rows):  # so that no more than a block is there twice
            x[some] = self._x[rows[some]]
        return x, padded

    def _placed(self, x: np.ndarray, rows: np.ndarray | None = None) -> Pool:
        pool = self._pool._replace(x=x, rows=rows if rows is None else jnp.asarray(rows))
        return shard(pool, per_seed=False, mesh=self._mesh)


Source = Resident | Streamed


def make_source(pool: Pool, mesh: Mesh) -> Source:
    """The samples of a pool, on the devices of a mesh or read when it is their turn."""
    return Streamed(pool, mesh) if isinstance(pool.x, Backed) else Resident(pool, mesh)


def pool_of(x: Rows, config: Config, genes: GenePool | None) -> Pool:
    """What all seeds train on; of samples on disk, whose views are made of nothing else, these."""
    if isinstance(x, Backed):
        return Pool(cast(Any, x), {})
    return make_pool(x, config.augment, config.run.root_key, genes)


def require_streamable(config: Config, n_samples: int) -> None:
    """Refuse a pretraining of samples on disk that looks at all of them at once.

    Raises:
        InputError: if its method or its views do.
    """
    training = Training(make_encoder(config.encoder, config.run.precision), n_samples, n_steps=0)
    method = METHODS[config.method.name].make(config.method, training)
    if method.refresh is not None:
        what = f"{config.method.name} looks at all samples before an epoch"
    elif looks_at_others(config.augment):
        what = f"the views of {config.method.name} are made of other samples, too"
    else:
        return
    raise InputError(
        f"{what}, and these stay on disk",
        "pass `data.backed=never` on a machine that can hold them, or `normalize.input=spectral`",
    )


def looks_at_others(options: AugmentConfig) -> bool:
    """Whether a view is made of more than its own sample."""
    extra = options.extra_mask_rate if options.n_views > 2 else 0.0
    is_masked = not (is_off(options.mask_rate) and is_off(extra))
    is_filled = is_masked and options.mask_fill in OF_ALL
    return is_filled or not (is_off(options.latent_radius) and is_off(options.neighbour_share))
