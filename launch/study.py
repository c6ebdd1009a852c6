"""The main job, end to end: data, pretraining of all seeds, label sweep, statistics, report.

Example, on data that install with jaxssl[demo]:

  python -m launch.study --config=configs/demo.py --out=runs/demo

Example, on your own:

  python -m launch.prepare --labels=labels.csv --label=label20 \\
      --group=patient_id --out=mirna.h5ad expression.npz
  python -m launch.study --data=mirna.h5ad --out=runs/mirna --seeds=10
"""

from collections.abc import Callable
from pathlib import Path

from absl.flags import adopt_module_key_flags

from jaxssl.config import Config
from jaxssl.evaluation.arms import method_of
from jaxssl.evaluation.sweep import check_methods
from jaxssl.report.render import build_report
from jaxssl.validate import validate
from launch import exit, flags, splits, stages
from launch.folder import Output


def main(arguments: list[str]) -> None:
    """Run every stage that the folder lacks."""
    exit.no_arguments(arguments)
    config = flags.config_of_run()
    output = flags.output()
    if config.split.n_splits == 1:
        study(config, output, build_report)
    else:
        splits.study_each(config, output, study)


def study(config: Config, output: Output, build: Callable[[list[Path], Path], None] | None) -> None:
    """One split, with a report if there is a builder."""
    seeds = flags.seeds_of_run(config)
    validate(config)  # first: a method that is only named has not its options
    check_methods(config)
    run = stages.begin(config, output, compares=True)
    bundles = {}
    if any(map(method_of, config.sweep.arms)):
        bundles = stages.pretrain(run, seeds)
    stages.compare(run, bundles.values(), seeds)
    stages.tell(run, bundles, build)


if __name__ == "__main__":
    adopt_module_key_flags(flags)  # for --helpshort
    exit.run(main)
