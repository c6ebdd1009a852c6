"""All pretraining methods on equal terms: tuned alike, then set beside the classical arms."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxssl.arguments import checked, choose
from jaxssl.bounds import Positive
from jaxssl.config import Config, with_method, with_options
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.planning import plan_pretraining
from jaxssl.evaluation.arms import RANDOM_ENCODER, SCRATCH, SELFTRAIN, parted
from jaxssl.evaluation.baselines import BASELINES
from jaxssl.evaluation.endpoint import areas, require_shares, shares_of_endpoint
from jaxssl.evaluation.grid import combinations, options_table, points_at
from jaxssl.evaluation.headline import failures
from jaxssl.evaluation.values import in_words
from jaxssl.files import read_json, read_table, write_json, write_table
from jaxssl.methods import METHODS
from jaxssl.report.methods import write_methods
from jaxssl.runs import journal, layout
from jaxssl.runs.output import Output
from jaxssl.runs.result import StudyResult
from jaxssl.runs.tables import run_of
from jaxssl.studies.comparison import compare
from jaxssl.studies.encoders import Encoders
from jaxssl.studies.grid import Tuned, able_points, read_rows, run_points
from jaxssl.studies.job import Data, Job, hooks_of, in_folder, make_job
from jaxssl.studies.pretraining import make_encoders, unhealthy
from jaxssl.studies.start import Study, begin
from jaxssl.studies.summary import conclude_study, write_cards
from jaxssl.types import InputError

BESIDE = (*BASELINES, SCRATCH, RANDOM_ENCODER)  # what methods can be set beside
STUDENT_TRIALS: list[dict[str, Any]] = [
    {"selftrain.student": student, "selftrain.temperature": t, "selftrain.labelled_weight": w}
    for student in ("pretrained", "random")
    for t, w in ((1.0, 0.0), (2.0, 0.0), (1.0, 0.3))
]
"""Of self-training; as many as a method has."""


@checked
def compare_methods(
    data: Data = None,
    *,
    out: str | Path | None = None,
    methods: Sequence[str] = ("all",),
    trial_seeds: Positive = 3,
    arms: Sequence[str] = (),
    frames: Sequence[str] = (),
    shares: Sequence[float] = (),
    seeds: int = 0,
    label: str = "",
    group: str = "",
    batch: str = "",
    allow_leaks: Sequence[str] = (),
    config: Config | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | Callable = True,
) -> StudyResult:
    """Tune every method by as many trials each, pretrain the best of each, and compare all.

    What `jaxssl compare` does, with the same numbers; methods.md in `out` has the table.

    Args:
        data, out, frames, label, group, batch, allow_leaks, resume, overwrite, progress: as in
            `jaxssl.study`.
        methods: names, or ["all"].
        trial_seeds: seeds of a trial.
        arms: what methods are set beside; by default all classical arms and `scratch`.
        shares: of the training labels; trials use those of 1 to 10 %.
        seeds: repetitions of the comparison.
        config: all other options; those of methods and views are the methods' own.

    Returns:
        What the comparison came to.

    Raises:
        InputError: on a method or an arm that does not exist, and as `jaxssl.study` does.

    Example:
        >>> jaxssl.compare_methods(  # doctest: +SKIP
        ...     adata, methods=["swav", "simclr"], shares=[0.02, 0.1], out="runs/methods"
        ... )
    """
    output, hooks = Output(str(out or ""), resume, overwrite), hooks_of(progress)
    asked = {"arms": beside(arms), "frames": frames, "shares": shares, "seeds": seeds}
    asked |= {"label": label, "group": group, "batch": batch, "allow_leaks": allow_leaks}
    asked |= {"reader": "compare"}
    job = make_job(config, data, output, hooks, **asked)
    return in_folder(partial(run_methods, methods=methods, trial_seeds=range(trial_seeds)), job)


def run_methods(job: Job, methods: Sequence[str], trial_seeds: Sequence[int]) -> None:
    """Tune and pretrain every method, compare all, tell.

    What all methods share is in the job; its arms are what they are set beside.
    """
    methods, common = _named(methods), job.config
    for arm in common.sweep.arms:
        if parted(arm)[0] not in BESIDE:
            raise InputError(
                f"`arms={arm}`",
                "name methods with `methods`, and with `arms` what they are set beside, out of "
                f"{', '.join(BESIDE)}",
            )
    common = with_options(common, {"sweep.arms": (*common.sweep.arms, *methods)})
    require_shares(common.sweep.shares)
    grids = {method: list(combinations(METHODS[method].grid)) for method in methods}

    def check(study: Study) -> None:
        require_shares(study.asked.sweep.shares)
        if job.output.resume:
            settle_trials(study.folder, study.asked, trial_seeds, note=False)
        for method, grid in grids.items():
            points_at(_asked(study, method), grid, *study.task.shape)

    study = begin(job._replace(config=common), compares=True, check=check)
    settle_trials(study.folder, study.asked, trial_seeds)
    within = study._replace(part_of=run_of(study.folder))
    of_trials = within._replace(seeds=trial_seeds)
    tuned = {m: _tune(of_trials, _asked(study, m), m, grid) for m, grid in grids.items()}
    bundles = {method: _pretrain(within, tuned[method]) for method in methods}
    best = max(methods, key=lambda method: tuned[method].score)
    student = best + SELFTRAIN
    tuned[student] = _tune(of_trials, tuned[best].best.config, student, STUDENT_TRIALS)
    chosen = tuned[student].best.config
    within.identify(study.folder / student, chosen)
    config = with_options(study.config, {"sweep.arms": (*study.config.sweep.arms, student)})
    study = study.with_config(dataclasses.replace(config, selftrain=chosen.selftrain))
    compare(study, [b for of_method in bundles.values() for b in of_method.values()])
    messages = [f"{m}, {text}" for m, own in bundles.items() for text in unhealthy(own)]
    summary = conclude_study(study, {}, messages=messages)
    for method, of_method in bundles.items():
        write_cards(study.folder / method, of_method, summary)
    _write_comparison(study, tuned, bundles, len(trial_seeds))


def beside(arms: Sequence[str]) -> Sequence[str]:
    """The arms that are asked for, by default all that methods can be set beside."""
    return arms if arms and list(arms) != ["all"] else BESIDE


def _named(methods: Sequence[str]) -> list[str]:
    """The methods that are named, each once."""
    chosen = list(METHODS) if list(methods) == ["all"] else methods
    if not chosen:
        raise InputError("`methods` names none", "pass `methods=all`, or some of them")
    for method in chosen:
        if method not in METHODS:
            fix = choose(method, METHODS, "choose among")
            raise InputError(f"unknown method {method!r} in `methods`", fix)
    return list(dict.fromkeys(chosen))


def settle_trials(folder: Path, common: Config, seeds: Sequence[int], *, note: bool = True) -> None:
    """Note what the choice of a trial rests on; a resume must rest on the same."""
    now = {"trial_seeds": len(seeds), "shares": shares_of_endpoint(common.sweep.shares)}
    then = now | read_json(folder / layout.CHOICE)
    for name, value in now.items():
        if then[name] != value:
            raise InputError(
                f"{folder} chose its trials with {name} {then[name]}, now {value}",
                "drop the change, or pass `overwrite` or another `out`",
            )
    if note:
        write_json(folder / layout.CHOICE, now)


def _asked(study: Study, method: str) -> Config:
    """The options of the study, with those of a method and its views."""
    own = with_method(study.asked, method)
    return dataclasses.replace(study.asked, method=own.method, augment=own.augment)


def _tune(study: Study, config: Config, arm: str, trials: Sequence[Mapping[str, Any]]) -> Tuned:
    """Run the trials that the folder lacks, and choose by the validation area at few labels."""
    study.hooks.say(f"trials of {arm}")
    shares = shares_of_endpoint(config.sweep.shares)
    compared = with_options(config, {"sweep.arms": (arm,), "sweep.shares": tuple(shares)})
    study = study._replace(folder=study.folder / arm / layout.TRIALS)
    study.folder.mkdir(parents=True, exist_ok=True)
    study.identify(study.folder, compared)  # trials bear what they change
    points = run_points(study, compared, trials)
    rows = read_rows(study.folder)
    rows = rows[rows["seed"].isin(study.seeds) & rows["share"].isin(shares)]
    able = able_points(points, rows, study.notes.warn)
    of_point = {p.name: areas(rows[rows["point"] == p.name], "validation") for p in points}
    area = {name: float(table["value"].mean()) for name, table in of_point.items()}
    table = options_table(points).assign(score=list(area.values()))
    write_table(study.folder / "trials.csv", table)
    best = max(able, key=lambda point: area[point.name])
    return Tuned(best, area[best.name], table)


def _pretrain(study: Study, tuned: Tuned) -> dict[int, EncoderBundle]:
    """Pretrain all seeds by the best trial, in a run folder of its own."""
    config = tuned.best.config
    study.hooks.say(f"{config.method.name}, as chosen: {in_words(tuned.best.values)}")
    own = study.with_config(config)._replace(folder=study.folder / config.method.name)
    own.identify(own.folder, config)
    return make_encoders(own)


def _write_comparison(
    study: Study, tuned: Mapping[str, Tuned], bundles: Mapping[str, Encoders], n_seeds: int
) -> None:
    """Write methods.csv and methods.md; a trial had `n_seeds`."""
    folder = study.folder
    beside = [
        {"arm": arm}
        | (_cost(study, found, bundles[arm]) if arm in bundles else {})
        | {"chosen": in_words(found.best.values)}
        for arm, found in tuned.items()
    ]
    results = journal.read_results(folder)
    endpoint = read_table(folder / layout.ENDPOINT)
    n_trials = " or ".join(map(str, sorted({len(found.table) for found in tuned.values()})))
    length = study.config.pretrain
    notes = (
        f"{n_trials} trials of {n_seeds} seeds a method; {length.n_steps:,} steps of "
        f"{length.batch_size} samples in every trial and pretraining. Methods differ in what a "
        "step takes (views, target networks). The student has trials of its own, after its "
        "teacher's. " + " ".join(failures(results))
    )
    write_methods(folder, results, endpoint, pd.DataFrame(beside), study.hooks.command, notes)
    study.hooks.say(f"methods: {folder / layout.METHODS}")


def _cost(study: Study, tuned: Tuned, bundles: Encoders) -> dict[str, str]:
    """Time and memory of a seed's pretraining: the median epoch's, and as planned."""
    folder = study.folder / tuned.best.config.method.name
    config = journal.with_chunk_of(folder, tuned.best.config, bundles)
    n_features, batches = study.prepared.features.shape[1], study.prepared.batches
    plan = plan_pretraining(config, len(batches), n_features, len(bundles), batches=batches)
    rows = pd.DataFrame(journal.read_metrics(folder))
    seconds = rows.groupby("epoch")["seconds"].median().median()  # of a chunk's seeds together
    ms = 1e3 * seconds / plan.schedule.steps_per_epoch / min(plan.memory.chunk, len(bundles))
    footprint = plan.memory.footprint
    megabytes = (footprint.per_seed + footprint.working) / 1e6
    costs = [f"{np.round(ms, 3):.2f}", f"{megabytes:.0f}", str(len(unhealthy(bundles)))]
    return dict(zip(("ms a step and seed", "MB a seed", "unhealthy"), costs, strict=True))
