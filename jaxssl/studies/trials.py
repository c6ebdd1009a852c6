"""Trials: what a method is tuned by, scored on the validation part alone."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxssl.config import Config, with_method, with_options
from jaxssl.data.task import Task
from jaxssl.evaluation.endpoint import areas, shares_of_endpoint
from jaxssl.evaluation.grid import options_table, points_at
from jaxssl.files import read_json, write_json, write_table
from jaxssl.methods import METHODS
from jaxssl.runs import layout
from jaxssl.runs.identity import hash_of, write_identity
from jaxssl.studies.grid import Tuned, read_rows, run_points, tell_refused
from jaxssl.studies.progress import Hooks
from jaxssl.studies.start import Study
from jaxssl.types import InputError

STUDENT_TRIALS: list[dict[str, Any]] = [
    {"selftrain.student": student, "selftrain.temperature": t, "selftrain.labelled_weight": w}
    for student in ("pretrained", "random")
    for t, w in ((1.0, 0.0), (2.0, 0.0), (1.0, 0.3))
]
"""Of self-training; as many as a method has."""


def settle_trials(folder: Path, common: Config, seeds: Sequence[int]) -> None:
    """Note what the choice of a trial rests on; a resume must rest on the same."""
    now = {"trial_seeds": len(seeds), "shares": shares_of_endpoint(common.sweep.shares)}
    then = now | read_json(folder / layout.CHOICE)
    for name, value in now.items():
        if then[name] != value:
            raise InputError(
                f"{folder} chose its trials with {name} {then[name]}, now {value}",
                "drop the change, or pass `overwrite` or another `out`",
            )
    write_json(folder / layout.CHOICE, now)


def tune_method(study: Study, common: Config, method: str, seeds: Sequence[int]) -> Tuned:
    """The best trial of a method."""
    study.hooks.say(f"trials of {method}")
    own = with_method(common, method)
    config = dataclasses.replace(common, method=own.method, augment=own.augment)
    folder, trials = study.folder / method / layout.TRIALS, METHODS[method].trials
    return tune_trials(folder, study.task, config, method, trials, seeds, study.hooks)


def tune_student(study: Study, teacher: Tuned, arm: str, seeds: Sequence[int]) -> Tuned:
    """The best trial of self-training on top of a method."""
    study.hooks.say(f"trials of {arm}")
    folder, config, hooks = study.folder / arm, teacher.best.config, study.hooks
    trials = folder / layout.TRIALS
    found = tune_trials(trials, study.task, config, arm, STUDENT_TRIALS, seeds, hooks)
    write_identity(folder, found.best.config, hash_of(study.task), hooks.command)
    return found


def tune_trials(
    folder: Path,
    task: Task,
    config: Config,
    arm: str,
    trials: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
    hooks: Hooks,
) -> Tuned:
    """Run the trials that the folder lacks, and choose by the validation area at few labels."""
    shares = shares_of_endpoint(config.sweep.shares)
    if not shares:
        raise InputError("a trial is scored at 1 to 10 % of the labels", "add such shares")
    compared = with_options(config, {"sweep.arms": (arm,), "sweep.shares": tuple(shares)})
    points, refused = points_at(compared, trials, len(task.split.train))
    tell_refused(refused, hooks)
    folder.mkdir(parents=True, exist_ok=True)
    write_identity(folder, compared, hash_of(task), hooks.command)  # trials bear what they change
    run_points(folder, task, points, seeds, hooks)
    rows = read_rows(folder)
    rows = rows[rows["seed"].isin(list(seeds)) & rows["share"].isin(shares)]
    area = {
        point.name: float(areas(rows[rows["point"] == point.name], "validation")["value"].mean())
        for point in points
    }
    table = options_table(points).assign(score=list(area.values()))
    write_table(folder / "trials.csv", table)
    best = max(points, key=lambda point: area[point.name])
    return Tuned(best, area[best.name], table)
