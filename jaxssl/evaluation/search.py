"""A grid run: every point's encoders and fits, scored where the search may look.

Pretrainings that differ in option values alone run as members of one compiled program; points that
differ in fine-tuning alone share their encoders. A seed means the same at every point: the same
label subset and the same random streams, so that points are compared in pairs. What pairs have in
common is mostly the labels: after many steps, weights differ as those of two seeds do.
"""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from jaxssl.config import with_options
from jaxssl.data.task import Task
from jaxssl.engine.planning import plan_pretraining
from jaxssl.engine.prepared import Prepared, prepare
from jaxssl.engine.pretrain import Pretrained, Variant, pretrain
from jaxssl.evaluation.arms import Encoders, Inputs, make_inputs, method_of
from jaxssl.evaluation.fits import DIVERGED
from jaxssl.evaluation.grid import UNCHANGED, Point, by_program, member_options
from jaxssl.evaluation.intervals import score_interval
from jaxssl.evaluation.sweep import budgets, check_methods, sweep
from jaxssl.validate import get_option

Done = Collection[tuple[str, str, float, int]]
"""(point, arm, share, seed) that need not be computed again."""


class Found(NamedTuple):
    """Result rows of some points, and what their pretraining measured; both name their point."""

    rows: list[dict[str, Any]]
    pretraining: list[dict[str, Any]]


def search(
    task: Task,
    points: Sequence[Point],
    seeds: Sequence[int],
    parts: Sequence[str] = ("validation",),
    done: Done = (),
    log: Callable[[str], Any] = lambda shown: None,
) -> Iterator[Found]:
    """Pretrain, fit and score every point that is not done, one compiled program after the other.

    The arms and shares are those of the points. A search that chooses looks at "validation" alone.
    """
    budgets(task, points[0].config)
    for point in points:
        check_methods(point.config)
    normalized = None
    for group in by_program(points):
        config = group[0].config
        if not any(lacking(point, config.sweep.arms, seeds, done) for point in group):
            continue
        if config.normalize != normalized:
            prepared, normalized = prepare(task, config), config.normalize
            inputs = make_inputs(prepared, seeds)
            inputs = inputs._replace(parts={part: inputs.parts[part] for part in parts})
        more = f" and {len(group) - 1} more" if len(group) > 1 else ""
        log((group[0].name or UNCHANGED) + more)
        run = _Run(prepared, inputs, seeds, done)
        for point in group:
            arms = [arm for arm in config.sweep.arms if not method_of(arm)]
            if lacking(point, arms, seeds, done):
                yield Found(run.fit(point, arms, {}), [])
        yield from _with_encoders(run, group)


def lacking(point: Point, arms: Sequence[str], seeds: Sequence[int], done: Done) -> list[int]:
    """Seeds that lack a fit of one of the arms."""
    fits = itertools.product([point.name], arms, point.config.sweep.shares, seeds)
    return sorted({fit[-1] for fit in fits if fit not in done})


class _Run(NamedTuple):
    """What the fits of all points have in common."""

    prepared: Prepared
    inputs: Inputs
    seeds: Sequence[int]
    done: Done

    def fit(self, point: Point, arms: Sequence[str], encoders: Encoders) -> list[dict[str, Any]]:
        """Result rows of a point's arms: for the seeds of the encoders, or for all without any."""
        own = replace(self.prepared, config=with_options(point.config, {"sweep.arms": arms}))
        done = {(arm, share, s) for name, arm, share, s in self.done if name == point.name}
        of_method, seeds = {point.config.method.name: encoders}, list(encoders) or self.seeds
        fits = sweep(own, of_method, seeds, done, self.inputs)
        return [{"point": point.name} | row for fitted in fits for row in fitted.rows]


def _with_encoders(run: _Run, points: Sequence[Point]) -> Iterator[Found]:
    """The arms that start from an encoder: a chunk of pretrained members at a time."""
    config = points[0].config
    arms = [arm for arm in config.sweep.arms if method_of(arm)]
    varied = member_options(config)
    wanted = {}
    for point in points:
        own = {name: float(get_option(point.config, name)) for name in varied}
        missing = lacking(point, arms, run.seeds, run.done)
        wanted[point.name] = [Variant(seed, own) for seed in missing]
    members: list[Variant] = []
    for variant in itertools.chain.from_iterable(wanted.values()):
        if variant not in members:  # points that differ in fine-tuning alone have theirs in common
            members.append(variant)
    if not members:
        return
    pool, variants = run.prepared.pool, dict(enumerate(members))
    genes, batches = run.prepared.gene_pool(config), run.prepared.batches
    plan = plan_pretraining(
        config, *pool.shape, n_seeds=len(members), varied=varied, batches=batches, genes=genes
    )
    for chunk in pretrain(plan, config, pool, list(variants), variants=variants, genes=genes):
        for point in points:
            seed_of = {
                i: variants[i].seed for i in chunk.params if variants[i] in wanted[point.name]
            }
            encoders = {seed: chunk.params[i]["encoder"] for i, seed in seed_of.items()}
            if encoders:
                yield Found(run.fit(point, arms, encoders), _measured(point, chunk, seed_of))


def _measured(point: Point, chunk: Pretrained, seed_of: Mapping[int, int]) -> list[dict[str, Any]]:
    """What the last epoch of each member's pretraining measured."""
    last, rows = {row["seed"]: row for row in chunk.history}, []
    n_prototypes = get_option(point.config, "method.n_prototypes")
    for i, seed in seed_of.items():
        row = {"point": point.name, "seed": seed, "status": chunk.diagnoses[i].status}
        row |= {name: value for name, value in last[i].items() if isinstance(value, float)}
        if n_prototypes and "usage_perplexity" in last[i]:  # of the first head
            row["usage_share"] = last[i]["usage_perplexity"] / n_prototypes[0]
        rows.append(row)
    return rows


def points_table(results: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean and 95 % interval over seeds of every point, arm and share, as they were run."""
    keys, rows = ["point", "arm", "share"], []
    for key, scores in results[results["metric"] == metric].groupby(keys, sort=False):
        low, high = score_interval(scores["value"].to_numpy(), metric)
        row = {"metric": metric, "n": len(scores), "diverged": 0}
        if "fit" in scores:
            row["diverged"] = int((scores["fit"] == DIVERGED).sum())
        row["mean"] = scores["value"].mean()
        rows.append(dict(zip(keys, key, strict=True)) | row | {"ci_low": low, "ci_high": high})
    return pd.DataFrame(rows)
