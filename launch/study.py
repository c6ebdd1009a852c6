"""The main job, end to end: data, pretraining of all seeds, label sweep, statistics, report.

Example, on data that install with jaxssl[demo]:

  python -m launch.study --config=demo --out=runs/demo

Example, on your own:

  python -m launch.prepare --labels=labels.csv --label=label20 --group=patient_id \\
      --out=mirna.h5ad expression.npz
  python -m launch.study --data=mirna.h5ad --out=runs/mirna --seeds=10
"""

from jaxssl.studies.study import run_study

from . import exit, flags

flags.define(*flags.RUN, "unlabelled", "shares", "arms", "frames", "splits", "shard")


def main() -> None:
    """Run every stage that the folder lacks."""
    run_study(flags.job("study"))


if __name__ == "__main__":
    exit.run(main)
