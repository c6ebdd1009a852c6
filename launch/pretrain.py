"""Pretrain all seeds of one method at once on the training part of a data set.

Example:

  python -m launch.pretrain --data=mirna.h5ad --out=runs/encoders --seeds=10

writes encoder/seed_000 …, metrics.jsonl and checkpoints/; --resume goes on where it stopped.
"""

from absl.flags import adopt_module_key_flags

from launch import exit, flags, stages
from launch.summary import summarize


def main(arguments: list[str]) -> None:
    """Read, pose, pretrain."""
    exit.no_arguments(arguments)
    config = flags.config_of_run()
    seeds = flags.seeds_of_run(config)
    run = stages.begin(config, flags.output(), compares=False)
    bundles = stages.pretrain(run, seeds)
    summary = summarize(run.folder, run.task, run.config, bundles, run.notes)
    stages.write_cards(run, bundles, summary)
    print(f"encoders: {run.folder / 'encoder'}")


if __name__ == "__main__":
    adopt_module_key_flags(flags)  # for --helpshort
    exit.run(main)
