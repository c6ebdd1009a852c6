"""A task ready to be trained on: its options settled, its normalizer fitted, its input computed."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from jaxssl.config import Config, resolve, with_options
from jaxssl.data.adapting import adapt
from jaxssl.data.arrival import Arrival
from jaxssl.data.backed import Backed, Expression, Rows, select
from jaxssl.data.frames import to_frame
from jaxssl.data.normalize import fit_normalizer, normalize, normalize_framed, standardize
from jaxssl.data.shift import Reference
from jaxssl.data.shift_limits import fit_reference, rows_of
from jaxssl.data.task import Task, columns_of, is_numbered
from jaxssl.engine import hosts
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.cohorts import find_cohorts
from jaxssl.engine.streaming import require_streamable
from jaxssl.types import ADAPT, GenePool, InputError, Normalizer, OnShift, Split

_DIGITS = 10  # of a hash: two of a million samples share one, once in two such sets


@dataclass(frozen=True)
class Prepared:
    """What pretraining and all arms of a comparison start from; nothing is trained."""

    task: Task
    config: Config  # resolved
    normalizer: Normalizer

    @cached_property
    def _columns(self) -> Int[np.ndarray, " kept"] | None:
        return columns_of(self.task, self.normalizer)

    @property
    def pool(self) -> Rows:
        """Encoder input of all training samples, labelled or not; computed at every call."""
        return self._apply(normalize, self.task.split.train)

    @property
    def batches(self) -> np.ndarray:
        """Technical batch of all training samples; "" where unknown."""
        return self.task.batches[self.task.split.train]

    @cached_property
    def features(self) -> Rows:
        """Encoder input of all samples."""
        return self._apply(normalize)

    @cached_property
    def genes(self) -> Expression:
        """Genes of all samples as the linear models see them: scaled and clipped, no rotation."""
        return self.features if self.normalizer.rotation is None else self._apply(standardize)

    def in_frame(self, frame: str) -> "Prepared":
        """The same task and options in another frame."""
        return prepare(self.task, with_options(self.config, {"normalize.frame": frame}))

    def gene_pool(self, config: Config) -> GenePool | None:
        """What views of training samples that lack genes are made of; None where none do."""
        rotation = self.normalizer.rotation
        if not config.augment.drop_genes or rotation is None:
            return None
        z = self._apply(standardize, self.task.split.train)
        bounds = self.normalizer.lower_component, self.normalizer.upper_component
        return GenePool(*map(jnp.asarray, (z, rotation, *bounds)))

    @cached_property
    def reference(self) -> Reference | None:
        """Profiles of the training cohort and limits, by which new samples are held against it."""
        task, columns = self.task, self._columns

        def framed(rows: Int[np.ndarray, " rows"]) -> Float[np.ndarray, "rows genes"]:
            x = task.expression[rows] if columns is None else task.expression[rows][:, columns]
            return to_frame(self.normalizer.frame, x, task.batches[rows])

        train, held_out = rows_of(task.split, task.batches)
        groups, clip = task.groups[train], self.config.normalize.clip
        return fit_reference(self.normalizer, framed(train), groups, framed(held_out), clip)

    def _apply(self, apply: Callable, rows: Any = slice(None)) -> Any:
        """Samples, by default all, as a map of the normalizer makes them."""
        x, cohorts = select(self.task.expression, rows), self.task.batches[rows]
        return apply(self.normalizer, x, self._columns, cohorts)


def prepare(task: Task, config: Config, normalizer: Normalizer | None = None) -> Prepared:
    """Settle what follows from the training samples, and fit the normalizer unless one is given."""
    rows = task.split.train
    config = resolve(config, len(rows), 0 if normalizer else len(task.genes))
    stays = isinstance(task.expression, Backed) and config.normalize.input == "genes"
    # what cannot be is refused here, before anything is written
    if stays and hosts.is_joined():
        found = "several processes take the matrix in memory, and it stays on disk"
        raise InputError(found, "start one, or pass `data.backed=never`")
    if normalizer is None:  # else the encoders are given, too
        find_cohorts(config.pretrain, task.batches[rows])
        if stays:
            require_streamable(config, len(rows))
        train = select(task.expression, rows)
        normalizer = fit_normalizer(
            train, task.genes, config.normalize, task.scale, task.batches[rows]
        )
    return Prepared(task, config, normalizer)


def settle_in(
    bundle: EncoderBundle,
    arrival: Arrival,
    shift: OnShift,
    split: Split,
    groups: np.ndarray,
    batches: np.ndarray,
) -> tuple[EncoderBundle, Arrival]:
    """An encoder among other data than its own, and what it sees of them.

    Where they have shifted, they are what new samples are held against; adapted, their training
    part has means and deviations in the place of the pretraining's.
    """
    if not (arrival.is_shifted or shift == ADAPT):
        return bundle, arrival
    normalizer, framed = bundle.normalizer, arrival.framed
    if shift == ADAPT:
        normalizer, framed = adapt(normalizer, framed, arrival.cohorts, split.train)
        arrival = arrival._replace(x=normalize_framed(normalizer, framed), framed=framed)
    rows, held_out = rows_of(split, batches)
    clip = bundle.config.normalize.clip
    reference = fit_reference(normalizer, framed[rows], groups[rows], framed[held_out], clip)
    return replace(bundle, normalizer=normalizer, reference=reference), arrival


def fingerprint(task: Task) -> str:
    """Hash of the training samples' ids, to tell whether an encoder has seen a test row."""
    ids = "\n".join(sorted(map(str, task.sample_ids[task.split.train])))
    return hashlib.sha256(ids.encode()).hexdigest()[:16]


def hashes_of(ids: Sequence[str] | np.ndarray) -> list[str]:
    """A short hash of each sample's id, by which a bundle knows a sample again.

    Numbers of rows are no ids: of these there are none.
    """
    if is_numbered(ids):
        return []
    return [hashlib.sha256(str(name).encode()).hexdigest()[:_DIGITS] for name in ids]


def is_among(ids: Sequence[str] | np.ndarray, recorded: str) -> Bool[np.ndarray, " samples"] | None:
    """Which samples' hashes are among those that a bundle has on record; None: it cannot tell."""
    known = {recorded[i : i + _DIGITS] for i in range(0, len(recorded), _DIGITS)}
    hashes = hashes_of(ids)
    return np.isin(hashes, list(known)) if known and hashes else None


def record_of(ids: Sequence[str] | np.ndarray, rows: Int[np.ndarray, " rows"]) -> str:
    """The hashes of some samples' ids, for `is_among`."""
    hashes = hashes_of(ids)
    return "".join(sorted(hashes[row] for row in rows)) if hashes else ""
