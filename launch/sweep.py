"""Compare arms over label shares and seeds, on encoders that `pretrain` left.

Example:

  python -m launch.sweep --data=mirna.h5ad --encoder=runs/encoders --out=runs/sweep \\
      --arms=scratch,swav,logreg --shares=0.01,0.05,0.1 --seeds=10

The encoders' split and normalisation are used; options that they have otherwise are refused. With
--resume only the missing rows are computed.
"""

from jaxssl.studies.study import run_sweep

from . import exit, flags

flags.define(*flags.RUN, "unlabelled", "shares", "arms", "shard", "encoder")


def main() -> None:
    """Read, pose, compare, tell."""
    run_sweep(flags.job("study"))


if __name__ == "__main__":
    exit.run(main)
