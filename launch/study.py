"""The main job, end to end: data, pretraining of all seeds, label sweep, statistics, report.

Example, on data that install with jaxssl[demo]:

  python -m launch.study --config=configs/demo.py --out=runs/demo

Example, on your own:

  python -m launch.prepare --labels=labels.csv --label_column=label20 \\
      --group_column=patient_id --out=mirna.h5ad expression.npz
  python -m launch.study --data=mirna.h5ad --out=runs/mirna --seeds=10
"""

from jaxssl.methods import METHODS
from jaxssl.report.html import build_report
from launch import exit, flags, stages


def main(arguments: list[str]) -> None:
    """Run every stage that the folder lacks."""
    exit.no_arguments(arguments)
    config = flags.config_of_run()
    seeds = flags.seeds_of_run(config)
    run = stages.begin(config, flags.output(), compares=True)
    bundles = {}
    if set(config.sweep.arms) & set(METHODS):
        bundles = stages.pretrain(run, seeds)
    stages.compare(run, bundles, seeds)
    stages.tell(run, bundles, build_report)


if __name__ == "__main__":
    exit.run(main)
