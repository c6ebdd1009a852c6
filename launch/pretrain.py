"""Pretrain all seeds of one method at once on the training part of a data set.

Example:

  python -m launch.pretrain --data=mirna.h5ad --out=runs/encoders --seeds=10

writes encoder/seed_000 ..., metrics.jsonl and checkpoints/; --resume goes on where it stopped.

Several processes, on one host or many, pretrain as one (docs/cluster.md):

  srun -n 4 python -m launch.pretrain --data=mirna.h5ad --out=runs/encoders --seeds=1
"""

from jaxssl.studies.study import run_pretraining

from . import exit, flags, together

flags.define(*flags.RUN, "unlabelled", "shard")


def main() -> None:
    """Read, pose, pretrain; of several processes the first, and the others help it."""
    with together.joined() as is_first:
        if is_first:
            run_pretraining(flags.job("pretrain"))


if __name__ == "__main__":
    exit.run(main)
