"""Tuning: the trials that a method's config declares, scored on the validation part alone."""

import dataclasses
import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from jaxssl.config import Config, with_options
from jaxssl.data.task import Task
from jaxssl.evaluation.endpoint import areas, shares_of_endpoint
from jaxssl.evaluation.grid import Point, in_words, options_table, points_at
from jaxssl.types import InputError
from launch import folder as run_folder
from launch.identity import write_identity
from launch.inputs import data_hash
from launch.points import read_rows, run_points
from launch.stages import Run

STUDENT_TRIALS: list[dict[str, Any]] = [
    {"selftrain.student": student, "selftrain.temperature": t, "selftrain.labelled_weight": w}
    for student in ("pretrained", "random")
    for t, w in ((1.0, 0.0), (2.0, 0.0), (1.0, 0.3))
]
"""Of self-training; as many as a method has."""


class Tuned(NamedTuple):
    """The trial that did best, and the scores of all."""

    chosen: Point
    score: float  # of the chosen one: validation area over the label curve
    trials: pd.DataFrame  # point, its options, score


def config_of_method(method: str, common: Config) -> tuple[Config, list[dict[str, Any]]]:
    """The common options with the method and the views of configs/METHOD.py, and its trials.

    The file is found by the method's name, as a user finds it for --config.
    """
    declared = importlib.import_module(f"configs.{method}")
    own = declared.get_config()
    return dataclasses.replace(common, method=own.method, augment=own.augment), declared.TRIALS


def settle_trials(folder: Path, common: Config, seeds: Sequence[int]) -> None:
    """Note what the choice of a trial rests on; a resume must rest on the same.

    Raises:
        InputError: if it does not.
    """
    now = {"trial_seeds": len(seeds), "shares": shares_of_endpoint(common.sweep.shares)}
    file = folder / "trials.json"
    then = json.loads(file.read_text()) if file.exists() else now
    for name, value in now.items():
        if then[name] != value:
            raise InputError(
                f"{folder} chose its trials with {name} {then[name]}, now {value}; drop the "
                "change, or pass --overwrite or another --out"
            )
    run_folder.write_json(file, now)


def tune(
    folder: Path,
    task: Task,
    config: Config,
    arm: str,
    trials: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
) -> Tuned:
    """Run the trials that the folder lacks, and choose.

    Args:
        folder: for the trials' results.
        task: data, labels and split.
        config: what the trials differ from.
        arm: whose scores decide.
        trials: dotted option → value.
        seeds: seed ids of a trial.

    Raises:
        InputError: where no share of 1 to 10 % is compared, or the options refuse every trial.
    """
    shares = shares_of_endpoint(config.sweep.shares)
    if not shares:
        raise InputError(
            "a trial is scored at 1 to 10 % of the labels; add such shares to --shares"
        )
    compared = with_options(config, {"sweep.arms": (arm,), "sweep.shares": tuple(shares)})
    points, refused = points_at(compared, trials, len(task.split.train))
    for values, reason in refused:
        print(f"left out: {in_words(values)}: {reason}")
    folder.mkdir(parents=True, exist_ok=True)
    write_identity(folder, compared, data_hash(task))  # trials are named by what they change
    run_points(folder, task, points, seeds)
    rows = read_rows(folder)
    rows = rows[rows["seed"].isin(list(seeds)) & rows["share"].isin(shares)]
    scores = {p.name: float(areas(rows[rows["point"] == p.name], "validation")["value"].mean())
              for p in points}  # fmt: skip
    table = options_table(points).assign(score=list(scores.values()))
    run_folder.write_table(folder / "trials.csv", table)
    chosen = max(points, key=lambda point: scores[point.name])
    return Tuned(chosen, scores[chosen.name], table)


def tune_method(run: Run, common: Config, method: str, seeds: Sequence[int]) -> Tuned:
    """The best trial of a method."""
    print(f"trials of {method}", flush=True)
    config, trials = config_of_method(method, common)
    folder = run.folder / method / "trials"
    return tune(folder, run.task, config, method, trials, seeds)


def tune_student(run: Run, teacher: Tuned, arm: str, seeds: Sequence[int]) -> Tuned:
    """The best trial of self-training on top of a method."""
    print(f"trials of {arm}", flush=True)
    folder = run.folder / arm
    found = tune(folder / "trials", run.task, teacher.chosen.config, arm, STUDENT_TRIALS,
                 seeds)  # fmt: skip
    write_identity(folder, found.chosen.config, data_hash(run.task))
    return found
