"""The label-efficiency comparison: arms x label shares x seeds, in tidy rows."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxssl.config import Config
from jaxssl.data.backed import Rows
from jaxssl.data.labels import label_budget
from jaxssl.data.task import Task
from jaxssl.engine.prepared import Prepared
from jaxssl.evaluation.arms import (
    BEST,
    WITH_COMPONENTS,
    Encoders,
    Fits,
    Inputs,
    check_arms,
    fit_baseline,
    fit_with_components,
    framed_inputs,
    make_inputs,
    method_of,
    parted,
)
from jaxssl.evaluation.baselines import BASELINES
from jaxssl.evaluation.ensembles import make_fit_best
from jaxssl.evaluation.fits import settle
from jaxssl.evaluation.label_orders import PROPORTIONAL, Seen
from jaxssl.evaluation.network import make_fit_network
from jaxssl.evaluation.predictions import score
from jaxssl.evaluation.stats import FLOOR
from jaxssl.types import InputError

RESULT_COLUMNS = [
    *("dataset", "task", "arm", "method", "share", "n_labelled", "seed", "split", "part"),
    *("metric", "value", "fit_seconds", "device", "fit"),  # fit: as `fits.settle` has it
]


LABELS = "labels"
"""The part that a budget labels."""


class Fitted(NamedTuple):
    """One arm at one share: tidy result rows, and test probabilities per seed."""

    arm: str
    share: float
    rows: list[dict[str, Any]]
    probabilities: dict[int, Float[np.ndarray, "test classes"]]
    seconds: float  # wall time of the fits, their scoring left out


def sweep(
    prepared: Prepared,
    encoders: Mapping[str, Encoders],
    seeds: Sequence[int],
    done: Collection[tuple[str, float, int]] = (),
    inputs: Inputs | None = None,
    of_encoders: Inputs | None = None,
) -> Iterator[Fitted]:
    """Fit and score what is missing of the configured arms, one arm and share after the other.

    `encoders` by method and seed, those of `best` under that name; `done` are arm, share and seed
    of what need not be computed again; `inputs` are those of `prepared` where they are known,
    `of_encoders` what the encoders see, where they are of other data.
    """
    task, config = prepared.task, prepared.config
    arms, labels = config.sweep.arms, budgets(task, config)
    check_encoders(arms, encoders, seeds)
    inputs = inputs or make_inputs(prepared, seeds, seen_by(prepared, encoders))
    fit = _make_fit(prepared, encoders, inputs, of_encoders or inputs)
    for arm, share, n in in_turn(arms, labels):
        missing = [seed for seed in seeds if (arm, share, seed) not in done]
        if not missing:
            continue
        started = time.perf_counter()
        fits = fit(arm, n, missing)
        seconds = time.perf_counter() - started
        head = {"dataset": task.dataset, "task": task.label, "arm": arm, "share": share}
        head |= {"method": method_of(arm), "n_labelled": n, "split": config.split.seed}
        head |= {"device": jax.devices()[0].device_kind}
        rows, probabilities = score_fits(head, inputs, fits)
        if config.sweep.label_order != PROPORTIONAL:
            rows += _classes_found(head, inputs, missing)
        yield Fitted(arm, share, rows, probabilities, seconds)


def in_turn(arms: Sequence[str], labels: Mapping[float, int]) -> list[tuple[str, float, int]]:
    """Arms and shares in the order of their fits: one frame in memory beside the own, and arms
    that see the same by the same labels one after the other.

    >>> in_turn(["pool", "pool@rank", "best"], {0.1: 5, 1.0: 50})[:3]
    [('pool', 0.1, 5), ('best', 0.1, 5), ('pool', 1.0, 50)]
    """
    frames = sorted({parted(arm)[1] for arm in arms})
    return [
        (arm, share, n)
        for frame in frames
        for share, n in labels.items()
        for arm in arms
        if parted(arm)[1] == frame
    ]


def _make_fit(
    prepared: Prepared, encoders: Mapping[str, Encoders], inputs: Inputs, seen: Inputs
) -> Callable[[str, int, Sequence[int]], Fits]:
    """The fit of any arm for some seeds at a budget; `seen` is what pretrained encoders see."""
    config = prepared.config
    fit_fresh = fit_pretrained = make_fit_network(config, inputs)
    if seen is not inputs:
        fit_pretrained = make_fit_network(config, seen)
    has_best = BEST in config.sweep.arms
    fit_best = make_fit_best(config, inputs, encoders[BEST]) if has_best else None
    framed = lru_cache(maxsize=1)(partial(framed_inputs, prepared, inputs))

    def fit(arm: str, n: int, seeds: Sequence[int]) -> Fits:
        base, frame = parted(arm)
        own, of_method = framed(frame), encoders.get(method_of(arm))
        if base in BASELINES:
            return fit_baseline(arm, own, n, seeds)
        if base == BEST and fit_best:
            return fit_best(n, seeds)
        if of_method and arm.endswith(WITH_COMPONENTS):
            return fit_with_components(config, of_method, seen, n, seeds)
        return (fit_pretrained if of_method else fit_fresh)(arm, of_method, n, seeds)

    return fit


def score_fits(
    head: Mapping[str, Any], inputs: Inputs, fits: Fits
) -> tuple[list[dict[str, Any]], dict[int, Float[np.ndarray, "test classes"]]]:
    """Rows that begin with `head`, of every fit and part; probabilities on the test part."""
    ends = np.cumsum([len(rows) for rows in inputs.parts.values()])[:-1]
    rows, test_probabilities = [], {}
    for seed, fitted in fits.items():
        probabilities, state = settle(inputs.codes[inputs.held_out], fitted)
        state = "" if head["arm"] == FLOOR else state  # which looks at no sample
        of_parts = dict(zip(inputs.parts, np.split(probabilities, ends), strict=True))
        for part, members in inputs.parts.items():
            fit = {**head, "seed": seed, "part": part, "fit_seconds": fitted.seconds}
            fit["fit"] = state
            values = score(inputs.codes[members], of_parts[part])
            rows += [fit | {"metric": name, "value": value} for name, value in values.items()]
        if "test" in of_parts:
            test_probabilities[seed] = of_parts["test"]
    return rows, test_probabilities


def _classes_found(
    head: Mapping[str, Any], inputs: Inputs, seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Rows of how many classes have a label."""
    found = {seed: inputs.codes[inputs.orders[seed][: head["n_labelled"]]] for seed in seeds}
    same = {**head, "part": LABELS, "metric": "classes", "fit_seconds": 0.0, "fit": ""}
    return [same | {"seed": s, "value": float(len(set(c.tolist())))} for s, c in found.items()]


def budgets(task: Task, config: Config) -> dict[float, int]:
    """Number of labels of every share; unknown arms and shares of too few labels are refused."""
    check_arms(config.sweep.arms)
    n_labelled, n_classes = len(task.labelled_train), len(task.classes)
    return {share: label_budget(share, n_labelled, n_classes) for share in config.sweep.shares}


def seen_by(
    prepared: Prepared, encoders: Mapping[str, Encoders], features: Rows | None = None
) -> Seen:
    """How the configured method's encoders see samples; `features` are other than the study's."""
    features = prepared.features if features is None else features
    return Seen(features, encoders.get(prepared.config.method.name, {}))


def check_methods(config: Config) -> None:
    """Refuse an arm whose encoders the configured method does not make."""
    for arm in config.sweep.arms:
        method = method_of(arm)
        if method not in ("", config.method.name):
            raise InputError(
                f"arm {arm} needs encoders of {method}, and the configuration pretrains "
                f"{config.method.name}",
                f"pass `method={method}`, or set several methods side by side with "
                "`compare_methods()`",
            )


def check_encoders(
    arms: Sequence[str], encoders: Mapping[str, Encoders], seeds: Sequence[int]
) -> None:
    """Fail before anything is computed if a self-supervised arm lacks an encoder."""
    for arm in arms:
        method = method_of(arm)
        if arm == BEST and arm not in encoders:
            found = f"arm {arm} pretrains encoders of its own, and only a study does so"
            raise InputError(found, "leave it out of `arms`")
        missing = [seed for seed in seeds if method and seed not in encoders.get(method, {})]
        if missing:
            raise InputError(
                f"arm {arm} has no encoder for seeds {missing}",
                "pretrain them by `pretrain()` and pass their folder with `encoder`",
            )
