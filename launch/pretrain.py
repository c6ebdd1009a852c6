"""Pretrain all seeds of one method at once on the training part of a data set.

Example:

  python -m launch.pretrain --data=mirna.h5ad --out=runs/encoders --seeds=10

writes encoder/seed_000 ..., metrics.jsonl and checkpoints/; --resume goes on where it stopped.
"""

from jaxssl.studies.study import run_pretraining

from . import exit, flags

flags.define(*flags.RUN, "unlabelled", "shard")


def main() -> None:
    """Read, pose, pretrain."""
    run_pretraining(flags.job("pretrain"))


if __name__ == "__main__":
    exit.run(main)
