"""A grid run: every point's encoders and fits, scored where the search may look.

Pretrainings that differ in option values alone run as members of one compiled program; points that
differ in fine-tuning alone share their encoders. A seed means the same at every point: the same
label subset and the same random streams, so that points are compared in pairs. What pairs have in
common is mostly the labels: after many steps, weights differ as those of two seeds do.
"""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from jaxssl.config import Config
from jaxssl.data.task import Task
from jaxssl.engine.prepared import Prepared, prepare
from jaxssl.engine.pretrain import Pretrained, Variant, plan_pretraining, pretrain
from jaxssl.evaluation.arms import Encoders, Inputs, make_inputs, method_of
from jaxssl.evaluation.grid import Point, by_program, key_of, member_options
from jaxssl.evaluation.network import make_fit_network
from jaxssl.evaluation.stats import t_interval
from jaxssl.evaluation.sweep import budgets, check_methods, fit_arm, score_fits
from jaxssl.validate import get_option

Done = Collection[tuple[str, str, float, int]]
"""(point, arm, share, seed) that need not be computed again."""


class Found(NamedTuple):
    """Result rows of some points, and what their pretraining measured; both name their point."""

    rows: list[dict[str, Any]]
    pretraining: list[dict[str, Any]]


def silent(message: str) -> None:
    """Say nothing of what begins."""


def search(
    task: Task,
    points: Sequence[Point],
    seeds: Sequence[int],
    parts: Sequence[str] = ("validation",),
    done: Done = (),
    log: Callable[[str], None] = silent,
) -> Iterator[Found]:
    """Pretrain, fit and score every point that is not done, one compiled program after the other.

    Args:
        task: data, labels and split.
        points: of `grid.make_points`; the arms and shares are those of their `config.sweep`.
        seeds: seed ids.
        parts: held-out parts that are scored; a search that chooses looks at "validation" alone.
        done: fits to leave out.
        log: told what begins.

    Raises:
        InputError: on an arm that is unknown or of another method, or a share with fewer labels
            than classes.
    """
    budgets(task, points[0].config)
    for point in points:
        check_methods(point.config)
    ground, normalized = None, ""
    for group in by_program(points):
        config, missing = group[0].config, _missing(group, seeds, done)
        if not missing:
            continue
        if ground is None or key_of(dataclasses.asdict(config.normalize)) != normalized:
            ground = _lay_ground(prepare(task, config), seeds, parts)
            normalized = key_of(dataclasses.asdict(config.normalize))
        run = _Group(task, group, missing, ground)
        log(group[0].shown + (f" and {len(group) - 1} more" if len(group) > 1 else ""))
        yield from _without_encoders(run)
        yield from _with_encoders(run)


class _Ground(NamedTuple):
    """What all points that normalise alike share."""

    pool: Float[np.ndarray, "samples features"]
    inputs: Inputs  # with the label orders of all seeds


class _Group(NamedTuple):
    """Points of one program, and what is missing of each."""

    task: Task
    points: list[Point]
    missing: set[tuple[str, str, float, int]]  # (point, arm, share, seed)
    ground: _Ground

    def seeds(self, point: Point, arms: Sequence[str]) -> list[int]:
        """Seeds that lack a fit of one of the arms."""
        lacking = {key[3] for key in self.missing if key[0] == point.name and key[1] in arms}
        return sorted(lacking)


def _lay_ground(prepared: Prepared, seeds: Sequence[int], parts: Sequence[str]) -> _Ground:
    inputs = make_inputs(prepared, seeds)
    inputs = inputs._replace(parts={part: inputs.parts[part] for part in parts})
    return _Ground(prepared.pool, inputs)


def _missing(
    points: Sequence[Point], seeds: Sequence[int], done: Done
) -> set[tuple[str, str, float, int]]:
    keys = {
        (point.name, arm, share, seed)
        for point in points
        for arm in point.config.sweep.arms
        for share in point.config.sweep.shares
        for seed in seeds
    }
    return keys.difference(done)


def _without_encoders(run: _Group) -> Iterator[Found]:
    """The arms that start from nothing, a point at a time."""
    for point in run.points:
        arms = [arm for arm in point.config.sweep.arms if not method_of(arm)]
        seeds = run.seeds(point, arms)
        if seeds:
            yield Found(_fit_all(run, point, arms, None, seeds), [])


def _with_encoders(run: _Group) -> Iterator[Found]:
    """The arms that start from an encoder: a chunk of pretrained members at a time."""
    arms = [arm for arm in run.points[0].config.sweep.arms if method_of(arm)]
    lacking = {point.name: run.seeds(point, arms) for point in run.points}
    if not any(lacking.values()):
        return
    varied = member_options(run.points[0].config)
    own = {
        point.name: tuple(float(get_option(point.config, name)) for name in varied)
        for point in run.points
    }
    # points that differ in fine-tuning alone have their members in common
    wanted = dict.fromkeys(
        (own[point.name], seed) for point in run.points for seed in lacking[point.name]
    )
    variants = {
        i: Variant(seed, dict(zip(varied, values, strict=True)))
        for i, (values, seed) in enumerate(wanted)
    }
    config, pool = run.points[0].config, run.ground.pool
    n_samples, n_features = pool.shape
    plan = plan_pretraining(config, n_samples, n_features, len(variants), varied)
    for chunk in pretrain(plan, config, pool, list(variants), variants=variants):
        encoders = {i: params["encoder"] for i, params in chunk.params.items()}
        for point in run.points:
            seed_of = {
                i: variants[i].seed
                for i in encoders
                if tuple(variants[i].options.values()) == own[point.name]
                and variants[i].seed in lacking[point.name]
            }
            if seed_of:
                of_seeds = {seed: encoders[i] for i, seed in seed_of.items()}
                rows = _fit_all(run, point, arms, of_seeds, list(of_seeds))
                yield Found(rows, _measured(point, chunk, seed_of))


def _fit_all(
    run: _Group,
    point: Point,
    arms: Sequence[str],
    encoders: Encoders | None,
    seeds: Sequence[int],
) -> list[dict[str, Any]]:
    """Result rows of a point: every arm and share."""
    task, config, rows, inputs = run.task, point.config, [], run.ground.inputs
    fit_network = make_fit_network(config, inputs, len(task.classes))
    for arm in arms:
        for share, n in budgets(task, config).items():
            lacking = [s for s in seeds if (point.name, arm, share, s) in run.missing]
            if not lacking:
                continue
            fits = fit_arm(arm, config, inputs, fit_network, encoders, n, lacking)
            fitted = score_fits(task, config, arm, share, n, inputs, fits)
            rows += [{"point": point.name} | row for row in fitted.rows]
    return rows


def _measured(point: Point, chunk: Pretrained, seed_of: Mapping[int, int]) -> list[dict[str, Any]]:
    """What the last epoch of each member's pretraining measured."""
    last = {row["seed"]: row for row in chunk.history}
    return [
        {"point": point.name, "seed": seed, "status": chunk.diagnoses[i].status}
        | {name: value for name, value in last[i].items() if isinstance(value, float)}
        | _usage_share(point.config, last[i])
        for i, seed in seed_of.items()
    ]


def _usage_share(config: Config, measured: Mapping[str, Any]) -> dict[str, float]:
    """Effectively used prototypes of the first head, as a share of all it has."""
    counts = get_option(config, "method.n_prototypes")
    perplexity = measured.get("usage_perplexity")
    return {} if not counts or perplexity is None else {"usage_share": perplexity / counts[0]}


def points_table(results: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Mean and 95 % t interval over seeds of every point, arm and share, in the order of running.

    Args:
        results: rows of `Found`, of one part.
        metric: which scores.
    """
    keys, rows = ["point", "arm", "share"], []
    for key, scores in results[results["metric"] == metric].groupby(keys, sort=False):
        low, high = t_interval(scores["value"].to_numpy())
        row = {"metric": metric, "n": len(scores), "mean": scores["value"].mean()}
        rows.append(dict(zip(keys, key, strict=True)) | row | {"ci_low": low, "ci_high": high})
    return pd.DataFrame(rows)
