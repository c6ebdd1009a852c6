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
    flags.no_arguments(arguments)
    config = flags.config_of_run()
    seeds = flags.seeds_of_run(config)
    folder, adata, task, notes = stages.begin(config)
    bundles = {}
    if set(config.sweep.arms) & set(METHODS):
        with notes.stage("pretrain"):
            bundles = stages.pretrain(folder, task, config, seeds, adata)
        config = flags.with_pretraining_of(config, bundles[seeds[0]].config)
    with notes.stage("sweep"):
        stages.compare(folder, task, config, bundles, seeds)
    stages.tell(folder, task, config, bundles, notes, build_report)


if __name__ == "__main__":
    exit.run(main)
