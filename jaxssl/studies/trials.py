"""Trials: what a method is tuned by, scored on the validation part alone."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxssl.config import Config, with_method, with_options
from jaxssl.evaluation.endpoint import areas, shares_of_endpoint
from jaxssl.evaluation.grid import options_table
from jaxssl.files import read_json, write_json, write_table
from jaxssl.methods import METHODS
from jaxssl.runs import layout
from jaxssl.studies.grid import Tuned, read_rows, run_points
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


def tune_method(study: Study, method: str) -> Tuned:
    """The best trial of a method."""
    own = with_method(study.asked, method)
    config = dataclasses.replace(study.asked, method=own.method, augment=own.augment)
    return _tune(study, config, method, METHODS[method].trials)


def tune_student(study: Study, teacher: Tuned, arm: str) -> Tuned:
    """The best trial of self-training on top of a method."""
    found = _tune(study, teacher.best.config, arm, STUDENT_TRIALS)
    study.identify(study.folder / arm, found.best.config)
    return found


def _tune(study: Study, config: Config, arm: str, trials: Sequence[Mapping[str, Any]]) -> Tuned:
    """Run the trials that the folder lacks, and choose by the validation area at few labels."""
    study.hooks.say(f"trials of {arm}")
    shares = shares_of_endpoint(config.sweep.shares)
    if not shares:
        raise InputError("a trial is scored at 1 to 10 % of the labels", "add such shares")
    compared = with_options(config, {"sweep.arms": (arm,), "sweep.shares": tuple(shares)})
    study = study._replace(folder=study.folder / arm / layout.TRIALS)
    study.folder.mkdir(parents=True, exist_ok=True)
    study.identify(study.folder, compared)  # trials bear what they change
    points = run_points(study, compared, trials)
    rows = read_rows(study.folder)
    rows = rows[rows["seed"].isin(study.seeds) & rows["share"].isin(shares)]
    area = {
        point.name: float(areas(rows[rows["point"] == point.name], "validation")["value"].mean())
        for point in points
    }
    table = options_table(points).assign(score=list(area.values()))
    write_table(study.folder / "trials.csv", table)
    best = max(points, key=lambda point: area[point.name])
    return Tuned(best, area[best.name], table)
