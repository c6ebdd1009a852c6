"""Compare arms over label shares and seeds, on encoders that `pretrain` left.

Example:

  python -m launch.sweep --data=mirna.h5ad --encoder=runs/encoders --out=runs/sweep \\
      --arms=scratch,swav,logreg --shares=0.01,0.05,0.1 --seeds=10

The encoders' split and normalisation are used; options that they have otherwise are refused. With
--resume only the missing rows are computed. Encoders of other data are compared on this one's own
split, of which they must have seen no held-out sample.
"""

from jaxssl.studies.study import run_sweep

from . import exit, flags

flags.define(
    *(*flags.RUN, "unlabelled", "shares", "arms", "frames", "shard", "encoder"),
    *("max_missing", "shift", "splits"),
)


def main() -> None:
    """Read, pose, compare, tell."""
    job = flags.job("study")
    allowed = {"shift": flags.value_of("shift"), "max_missing": flags.value_of("max_missing")}
    run_sweep(job._replace(**allowed))


if __name__ == "__main__":
    exit.run(main)
