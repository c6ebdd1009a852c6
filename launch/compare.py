"""All pretraining methods on equal terms: tuned alike, then set beside the classical arms.

Example:

  python -m launch.compare --data=mirna.h5ad --out=runs/methods --shares=0.01,0.02,0.05,0.1,1

Every method takes its views, options and trials from configs/METHOD.py and all else from --config.
Each trial is scored on the validation part at 1 to 10 % of the labels over the first --trial_seeds
seeds; the best one is pretrained with all seeds, in OUT/METHOD. The method that did best in its
trials then teaches a student (arm METHOD+selftrain), tuned by as many trials. The test part is
looked at once, at the end. With --resume only what is missing is computed.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from absl import flags as absl_flags

from jaxssl.config import Config
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.pretrain import plan_pretraining
from jaxssl.evaluation.arms import RANDOM_ENCODER, SCRATCH, SELFTRAIN, method_of
from jaxssl.evaluation.baselines import BASELINES
from jaxssl.evaluation.grid import in_words
from jaxssl.methods import METHODS
from jaxssl.report.methods import Pretraining, write_methods
from jaxssl.report.render import build_report
from jaxssl.types import InputError
from launch import exit, flags, stages
from launch import folder as run_folder
from launch.identity import command_line, write_identity
from launch.inputs import data_hash
from launch.stages import Run
from launch.summary import collapse_messages
from launch.training import with_chunk_of
from launch.tuning import Tuned, settle_trials, tune_method, tune_student

_METHODS = absl_flags.DEFINE_list("methods", ["all"], "Methods to compare, or all.")
_TRIAL_SEEDS = absl_flags.DEFINE_integer("trial_seeds", 3, "Seeds of a trial.", lower_bound=1)
BESIDE = (*BASELINES, SCRATCH, RANDOM_ENCODER)


def main(arguments: list[str]) -> None:
    """Tune and pretrain every method, compare all, tell."""
    exit.no_arguments(arguments)
    flags.refuse(["splits", "shard"], "launch.compare: it runs all its seeds on one split")
    methods, common = methods_of_run(), common_config()
    common.sweep.arms = (*(common.sweep.arms if flags.ARMS.value else BESIDE), *methods)
    run = stages.begin(common, flags.output(), compares=True)
    seeds, trial_seeds = flags.seeds_of_run(common), range(_TRIAL_SEEDS.value)
    settle_trials(run.folder, common, trial_seeds)
    common = dataclasses.replace(common, data=run.config.data)  # unresolved, as trials resolve anew
    tuned = {method: tune_method(run, common, method, trial_seeds) for method in methods}
    bundles = {method: pretrain(run, tuned[method], seeds) for method in methods}
    best = max(methods, key=lambda method: tuned[method].score)
    student = tune_student(run, tuned[best], best + SELFTRAIN, trial_seeds)
    run = with_student(run, student, best + SELFTRAIN)
    stages.compare(run, [b for of_method in bundles.values() for b in of_method.values()], seeds)
    summary = stages.tell(run, {}, build_report)
    tell(run, tuned | {best + SELFTRAIN: student}, bundles, summary, trial_seeds)


def common_config() -> Config:
    """What all methods share.

    Raises:
        InputError: on an option or an arm that belongs to a method.
    """
    config = flags.config_of_run()
    flags.refuse_options(
        config,
        ("method", "augment"),
        "launch.compare, which takes methods and views from configs/METHOD.py",
    )
    of_methods = [arm for arm in flags.ARMS.value if method_of(arm) or arm in ("all", "selftrain")]
    if of_methods:
        raise InputError(
            f"--arms={of_methods[0]}: name methods with --methods, and with --arms what they are "
            f"set beside, out of {', '.join(BESIDE)}"
        )
    return config


def methods_of_run() -> list[str]:
    """The methods that --methods names.

    Raises:
        InputError: on one that does not exist.
    """
    chosen = list(METHODS) if _METHODS.value == ["all"] else _METHODS.value
    for method in chosen:
        if method not in METHODS:
            raise InputError(f"unknown method {method!r} in --methods: choose among "
                             f"{', '.join(METHODS)}")  # fmt: skip
    return list(dict.fromkeys(chosen))


def pretrain(run: Run, tuned: Tuned, seeds: Sequence[int]) -> dict[int, EncoderBundle]:
    """Pretrain all seeds by the chosen trial, in a run folder of its own."""
    config = tuned.chosen.config
    print(f"{config.method.name}, as chosen: {in_words(tuned.chosen.values)}", flush=True)
    own = run._replace(folder=run.folder / config.method.name, config=config)
    write_identity(own.folder, config, data_hash(run.task))
    return stages.pretrain(own, seeds)


def with_student(run: Run, student: Tuned, arm: str) -> Run:
    """The run with one arm more, which follows the chosen options."""
    arms = (*run.config.sweep.arms, arm)
    config = dataclasses.replace(
        run.config,
        sweep=dataclasses.replace(run.config.sweep, arms=arms),
        selftrain=student.chosen.config.selftrain,
    )
    return run._replace(config=config)


def tell(
    run: Run,
    tuned: Mapping[str, Tuned],
    bundles: Mapping[str, Mapping[int, EncoderBundle]],
    summary: dict[str, Any],
    trial_seeds: Sequence[int],
) -> None:
    """Write methods.csv, methods.md, the cards of all encoders, and how healthy they are."""
    messages = [f"{m}, {text}" for m, own in bundles.items() for text in collapse_messages(own)]
    status = "unhealthy" if messages else "healthy"
    summary |= {"pretraining": {"status": status, "collapsed_seeds": [], "messages": messages}}
    run_folder.write_json(run.folder / "summary.json", summary)
    for method, own in bundles.items():
        stages.write_cards(run._replace(folder=run.folder / method), own, summary)
    costs = {
        method: cost(run.folder / method, tuned[method], bundles[method]) for method in bundles
    }
    chosen = {arm: in_words(found.chosen.values) for arm, found in tuned.items()}
    results = run_folder.read_results(run.folder)
    endpoint = pd.read_csv(run.folder / "endpoint.csv")
    n_trials = " or ".join(map(str, sorted({len(found.trials) for found in tuned.values()})))
    length = run.config.pretrain
    notes = (
        f"{n_trials} trials of {len(trial_seeds)} seeds a method; {length.n_steps:,} steps of "
        f"{length.batch_size} samples in every trial and pretraining. Methods differ in what a "
        "step takes (views, target networks). The student has trials of its own, after its "
        "teacher's."
    )
    write_methods(run.folder, results, endpoint, chosen, costs, command_line(), notes)
    print(f"methods: {run.folder / 'methods.md'}")


def cost(folder: Path, tuned: Tuned, bundles: Mapping[int, EncoderBundle]) -> Pretraining:
    """Time and memory of a seed's pretraining: the median epoch's, and as planned."""
    config = tuned.chosen.config
    bundle = next(iter(bundles.values()))
    n_features = bundle.params["encoder"]["layer_0"]["dense"]["kernel"].shape[0]
    ran = with_chunk_of(folder, config, bundles)
    plan = plan_pretraining(ran, bundle.provenance["n_train"], n_features, len(bundles))
    rows = pd.read_json(folder / "metrics.jsonl", lines=True)
    seconds = rows.groupby("epoch")["seconds"].median().median()  # of a chunk's seeds together
    ms = 1e3 * seconds / plan.schedule.steps_per_epoch / min(plan.memory.chunk, len(bundles))
    footprint = plan.memory.footprint
    megabytes = (footprint.per_seed + footprint.working) / 1e6
    unhealthy = len(collapse_messages(bundles))
    return Pretraining(float(np.round(ms, 3)), megabytes, unhealthy)


if __name__ == "__main__":
    absl_flags.adopt_module_key_flags(flags)  # for --helpshort
    exit.run(main)
