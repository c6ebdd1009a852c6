"""The label-efficiency comparison: arms x label shares x seeds, in tidy rows."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Float

from jaxssl.config import Config
from jaxssl.data.labels import label_budget
from jaxssl.data.task import Task
from jaxssl.engine.prepared import Prepared
from jaxssl.evaluation.arms import (
    ARMS,
    WITH_COMPONENTS,
    Encoders,
    Fits,
    Inputs,
    fit_baseline,
    fit_with_components,
    make_inputs,
    method_of,
)
from jaxssl.evaluation.baselines import BASELINES
from jaxssl.evaluation.metrics import score
from jaxssl.evaluation.network import FitNetwork, make_fit_network
from jaxssl.types import InputError, Params

RESULT_COLUMNS = (
    *("dataset", "task", "arm", "method", "share", "n_labelled", "seed", "split", "part"),
    *("metric", "value", "fit_seconds", "device"),
)
Done = Collection[tuple[str, float, int]]
"""(arm, share, seed) that need not be computed again."""


class Fitted(NamedTuple):
    """One arm at one share: tidy result rows, and test probabilities per seed."""

    arm: str
    share: float
    rows: list[dict[str, Any]]
    probabilities: dict[int, Float[np.ndarray, "test classes"]]
    seconds: float  # wall time of the fits, their scoring left out


def sweep(
    prepared: Prepared,
    encoders: Mapping[str, Mapping[int, Params]],
    seeds: Sequence[int],
    done: Done = (),
) -> Iterator[Fitted]:
    """Fit and score what is missing, one arm and share after the other.

    Args:
        prepared: data, options (arms and shares are those of `config.sweep`) and the normalizer
            that the encoders were trained with.
        encoders: encoder parameters by method and seed, for the self-supervised arms.
        seeds: seed ids.
        done: fits to leave out.

    Raises:
        InputError: on an unknown arm, a share with fewer labels than classes, or a missing encoder.
    """
    task, config = prepared.task, prepared.config
    labels_at = budgets(task, config)
    check_encoders(config.sweep.arms, encoders, seeds)
    inputs = make_inputs(prepared, seeds)
    fit_network = make_fit_network(config, inputs, len(task.classes))
    for arm in config.sweep.arms:
        for share, n in labels_at.items():
            missing = [seed for seed in seeds if (arm, share, seed) not in done]
            if not missing:
                continue
            started = time.perf_counter()
            fit = partial(fit_arm, arm, config, inputs, fit_network)
            fits = fit(encoders.get(method_of(arm)), n, missing)
            seconds = time.perf_counter() - started
            yield score_fits(task, config, arm, share, n, inputs, fits)._replace(seconds=seconds)


def fit_arm(
    arm: str,
    config: Config,
    inputs: Inputs,
    fit_network: FitNetwork,
    encoders: Encoders | None,
    n: int,
    seeds: Sequence[int],
) -> Fits:
    """Fit any arm for every seed on its first `n` labels."""
    if arm in BASELINES:
        return fit_baseline(arm, inputs, n, seeds)
    if encoders and arm.endswith(WITH_COMPONENTS):
        return fit_with_components(config, encoders, inputs, n, seeds)
    return fit_network(arm, encoders, n, seeds)


def budgets(task: Task, config: Config) -> dict[float, int]:
    """Number of labels of every share.

    Raises:
        InputError: on an unknown arm or a share with fewer labels than classes.
    """
    check_arms(config.sweep.arms)
    n_labelled, n_classes = len(task.labelled_train), len(task.classes)
    return {share: label_budget(share, n_labelled, n_classes) for share in config.sweep.shares}


def check_arms(arms: Sequence[str]) -> None:
    """Refuse an arm that does not exist."""
    for arm in arms:
        if arm not in ARMS:
            raise InputError(f"unknown arm {arm!r} in `arms`: choose among {', '.join(ARMS)}")


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
    arms: Sequence[str], encoders: Mapping[str, Mapping[int, Params]], seeds: Sequence[int]
) -> None:
    """Fail before anything is computed if a self-supervised arm lacks an encoder."""
    for arm in arms:
        method = method_of(arm)
        missing = [seed for seed in seeds if method and seed not in encoders.get(method, {})]
        if missing:
            raise InputError(
                f"arm {arm} has no encoder for seeds {missing}",
                "pretrain them by `pretrain()` and pass their folder with `encoder`",
            )


def results_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a table with its columns in their order."""
    return pd.DataFrame(rows, columns=list(RESULT_COLUMNS))


def score_fits(
    task: Task, config: Config, arm: str, share: float, n: int, inputs: Inputs, fits: Fits
) -> Fitted:
    """Tidy rows of every fit on every part of `inputs`, and its probabilities on the test part."""
    head = {
        **{"dataset": task.dataset, "task": task.label, "arm": arm, "share": share},
        **{"method": method_of(arm), "n_labelled": n},
        **{"split": config.split.seed, "device": jax.devices()[0].device_kind},
    }
    ends = np.cumsum([len(rows) for rows in inputs.parts.values()])[:-1]
    rows, test_probabilities = [], {}
    for seed, (probabilities, seconds) in fits.items():
        # a seed that diverged stays in the mean, as one that knows nothing
        finite = np.isfinite(probabilities).all(axis=1, keepdims=True)
        probabilities = np.where(finite, probabilities, 1 / len(task.classes))
        of_parts = dict(zip(inputs.parts, np.split(probabilities, ends), strict=True))
        for part, members in inputs.parts.items():
            fit = head | {"seed": seed, "part": part, "fit_seconds": seconds}
            values = score(inputs.codes[members], of_parts[part])
            rows += [fit | {"metric": name, "value": value} for name, value in values.items()]
        if "test" in of_parts:
            test_probabilities[seed] = of_parts["test"]
    return Fitted(arm, share, rows, test_probabilities, seconds=0.0)
