"""Pretrain all seeds of one method at once on the training part of a data set.

Example:

  python -m launch.pretrain --data=mirna.h5ad --out=runs/encoders --seeds=10

writes encoder/seed_000 ..., metrics.jsonl and checkpoints/; --resume goes on where it stopped.
"""

from absl.flags import adopt_module_key_flags

from jaxssl.studies.study import run_pretraining

from . import exit, flags
from .screen import hooks

flags.define(*flags.RUN, "shard")


def main(arguments: list[str]) -> None:
    """Read, pose, pretrain."""
    exit.no_arguments(arguments)
    config = flags.config_of_run()
    run_pretraining(config, flags.output(), flags.seeds_of_run(config), hooks())


if __name__ == "__main__":
    adopt_module_key_flags(flags)  # for --helpshort
    exit.run(main)
