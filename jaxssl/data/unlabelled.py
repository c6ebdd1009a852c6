"""Samples of other files join the training samples, without a label: each file a cohort."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Bool, Float, Int

from jaxssl.data.align import CONVERSIONS, match_genes, unlike_ids
from jaxssl.data.formats.matrix import as_text
from jaxssl.data.frames import FLAT, MIN_COHORT, takes
from jaxssl.data.groups import MIN_GENES, Pairs, find_twins, join_groups, twins_by_rank
from jaxssl.data.moments import moments
from jaxssl.data.normalize import log2_expression
from jaxssl.data.samples import facts_of
from jaxssl.data.scale import finite_values, recorded_scale, refuse_flat
from jaxssl.data.task import Joined, Task, check_axes, is_numbered
from jaxssl.types import Frame, InputError


class _File(NamedTuple):
    """A file beside the study's data."""

    name: str
    expression: Float[np.ndarray, "samples genes"]  # log2
    columns: Int[np.ndarray, " genes"]  # of it, by the study's genes; -1: it lacks the gene
    ids: np.ndarray
    groups: np.ndarray  # "" where unknown
    batches: np.ndarray  # its cohorts, by names of their own

    @property
    def has(self) -> Bool[np.ndarray, " genes"]:
        """Which of the study's genes it has."""
        return self.columns >= 0


def join(task: Task, files: Sequence[AnnData], frame: str, batch: str = "") -> Task:
    """A task whose training samples are joined by those of other files.

    Its genes are those that all files share. No label is read; rows that join are in no part but
    the training's. Scaling, components and the graph of label spreading are of them too.

    Args:
        task: of the study's own data.
        files: samples x genes; genes are matched by name. A file is a cohort, or several where it
            has the column `batch`, one on record, or the study's.
        frame: `normalize.frame`; those of a cohort take values on another scale.
        batch: the column of batches that was asked for; "" is none.

    Returns:
        The task with the rows of the files after its own, and `joined` about them.

    Raises:
        InputError: on files without samples or shared genes, on another scale, or with samples
            that the study has among its training samples already.

    Example:
        >>> join(task, [jaxssl.read("compendium.h5ad")], "cohort")  # doctest: +SKIP
    """
    if not files:
        return task
    named = zip(files, _names(files), strict=True)
    others = [_read(adata, name, task, frame, batch) for adata, name in named]
    shared = np.logical_and.reduce([other.has for other in others])
    if not shared.any():
        raise InputError(
            f"no gene of the study is in all of the {len(others)} unlabelled files",
            "join fewer, or name their genes alike",
        )
    _refuse_repeats(task, others)
    x = [other.expression[:, other.columns[shared]] for other in others]
    batches = np.concatenate([other.batches for other in others])
    ids = np.concatenate([other.ids for other in others])
    n_own, n = len(task.codes), len(ids)
    files_told = tuple((o.name, len(o.ids), len(np.unique(o.batches))) for o in others)
    seen = {i: text for other in others for i, text in _held_out_in(task, other).items()}
    return replace(
        task,
        sample_ids=np.concatenate([task.sample_ids, _unlike(ids, batches, task.sample_ids)]),
        genes=task.genes[shared],
        expression=np.concatenate([task.expression[:, shared], *x]),
        codes=np.concatenate([task.codes, np.full(n, -1, task.codes.dtype)]),
        groups=np.concatenate([task.groups, *map(_own_groups, others)]),
        batches=np.concatenate([task.batches, batches]),
        split=task.split._replace(train=np.concatenate([task.split.train, n_own + np.arange(n)])),
        joined=Joined(files_told, ids, len(task.genes), tuple(seen.values())),
    )


def _names(files: Sequence[AnnData]) -> list[str]:
    """A name for each file, none of them another's."""
    names: list[str] = []
    for i, adata in enumerate(files, 1):
        name = str(facts_of(adata).get("name", "")) or f"unlabelled {i}"
        names.append(f"{name} ({i})" if name in names else name)
    return names


def _read(adata: AnnData, name: str, task: Task, frame: str, batch: str = "") -> _File:
    """A file as the study sees it."""
    try:
        check_axes(adata)
        values = finite_values(adata)
        refuse_flat(values, adata.obs_names)
        scale = recorded_scale(adata, values)
        if not takes(Frame(frame), scale, task.scale):
            how = CONVERSIONS.get((scale, task.scale), "as the study's data were made")
            raise InputError(
                f"the samples are on the {scale} scale, the study's on {task.scale}",
                f"give values on that scale ({how}), or pass `normalize.frame=cohort`",
            )
        genes = adata.var_names.to_numpy(dtype=object)
        columns = match_genes(genes, task.genes)
        if (columns < 0).all():
            found = f"none of their {len(genes)} genes is one of the study's {len(task.genes)} "
            found += f"(first: {genes[0]} and {task.genes[0]})"
            found += unlike_ids(task.genes, genes, "the study's")
            raise InputError(found, "name the genes alike, such as by `read(gene_map=TABLE)`")
        expression = log2_expression(values, scale)
    except InputError as error:
        raise InputError(f"unlabelled samples of {name}: {error.finding}", error.fix) from error
    obs = as_text(cast(pd.DataFrame, adata.obs))
    columns_of_batches = (batch, str(facts_of(adata).get("batch", "")), task.batch)
    batch = next((name for name in columns_of_batches if name and name in obs), "")
    none, ids = np.full(len(obs), "", object), adata.obs_names.to_numpy(dtype=object)
    groups = obs[task.group].to_numpy(object) if task.group in obs else none
    within = obs[batch].to_numpy(object) if batch else none
    batches = np.array([f"{name}: {value}" if value else name for value in within], object)
    ids = np.array([f"{name}:{i}" for i in ids], object) if is_numbered(ids) else ids
    return _File(name, expression, columns, ids, groups, batches)


def _refuse_repeats(task: Task, others: Sequence[_File]) -> None:
    """Refuse samples that would be among the training samples twice, by their ids."""
    known = dict.fromkeys(task.sample_ids[task.split.train], "the study's training samples")
    for other in others:
        twice = [i for i in other.ids if i in known]
        if twice:
            raise InputError(
                f"{len(twice):,} unlabelled samples of {other.name} have the ids of others among "
                f"{known[twice[0]]} (first: {twice[0]}) and would be there twice",
                "leave them out, or rename them if they are others",
            )
        known |= dict.fromkeys(other.ids, f"those of {other.name}")


def _own_groups(other: _File) -> np.ndarray:
    """The groups of a file, none of them another's."""
    return np.array([f"{other.name}: {group}" if group else "" for group in other.groups], object)


def _unlike(ids: np.ndarray, batches: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Ids of samples that join, with their cohort where the study has one called alike."""
    known = pd.Index(ids).isin(own)
    return np.array(
        [f"{i} ({b})" if k else i for i, b, k in zip(ids, batches, known, strict=True)], object
    )


def held_out_among(task: Task, adata: AnnData, frame: str) -> dict[str, str]:
    """The held-out samples of a task that a data set has, each with where: see `_held_out_in`."""
    return _held_out_in(task, _read(adata, _names([adata])[0], task, frame))


def _held_out_in(task: Task, other: _File) -> dict[str, str]:
    """The held-out samples that a file has: by id, by group, or as nearly the same profile."""
    held = np.sort(np.concatenate([task.split.validation, task.split.test]))
    found = {i: f"{i} of {other.name}" for i in task.sample_ids[held] if i in set(other.ids)}
    of_group = {g: i for g, i in zip(other.groups, other.ids, strict=True) if g}
    for i, group in zip(task.sample_ids[held], task.groups[held], strict=True):
        if group in of_group and not group.isdecimal():  # other studies number theirs too
            found.setdefault(i, f"{i}, with {of_group[group]} of {other.name} of {group}")
    own = task.expression[:, other.has]
    theirs = other.expression[:, other.columns[other.has]]
    # as they are, and by rank: on another scale, however few
    pairs = near_twins(own[held], theirs) + near_twins(own[held], theirs, twins_by_rank)
    if own.shape[1] >= MIN_GENES and len(theirs) >= MIN_COHORT:
        # shifted gene by gene: each relative to those beside it
        within = _standardized(own)[held], _standardized(theirs)
        pairs += near_twins(*within)
    for row, column in pairs:
        i = task.sample_ids[held[row]]
        found.setdefault(i, f"{i}, as {other.ids[column]} of {other.name}")
    return found


def near_twins(
    own: Float[np.ndarray, "samples genes"],
    others: Float[np.ndarray, "others genes"],
    find: Callable[[np.ndarray], Pairs] = find_twins,
) -> list[tuple[int, int]]:
    """Rows of one matrix that are nearly the same as rows of another, with the first of these."""
    n = len(own)
    both = np.concatenate([own, others])
    together = join_groups(np.full(len(both), "", object), find(both))
    first = {name: i for i, name in reversed(list(enumerate(together[n:]))) if name}
    return [(i, first[name]) for i, name in enumerate(together[:n]) if name in first]


def _standardized(x: Float[np.ndarray, "samples genes"]) -> Float[np.ndarray, "samples genes"]:
    """Every gene by its own mean and deviation; 0 where it does not vary."""
    mean, scale = moments(x)
    return (x - mean) * np.where(scale > FLAT, 1 / np.maximum(scale, FLAT), 0).astype(np.float32)
