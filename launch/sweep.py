"""Compare arms over label shares and seeds, on encoders that `pretrain` left.

Example:

  python -m launch.sweep --data=mirna.h5ad --encoder=runs/encoders --out=runs/sweep \\
      --arms=scratch,swav,logreg --shares=0.01,0.05,0.1 --seeds=10

Running it again with --resume computes only the missing rows.
"""

from absl import flags as absl_flags

from jaxssl.studies.study import run_sweep

from . import exit, flags
from .screen import hooks

flags.define(*flags.RUN, "shares", "arms", "shard")
_ENCODER = absl_flags.DEFINE_string(
    "encoder", "", "Run folder or bundle; its split and normalisation are used."
)


def main(arguments: list[str]) -> None:
    """Read, pose, compare, tell."""
    exit.no_arguments(arguments)
    config, arms = flags.config_of_run(arms=()), flags.value_of("arms") or ()
    seeds = flags.seeds_of_run(config)
    run_sweep(
        config,
        flags.output(),
        seeds,
        hooks(),
        _ENCODER.value,
        arms=arms,
        method=flags.value_of("method") or "",
    )


if __name__ == "__main__":
    absl_flags.adopt_module_key_flags(flags)  # for --helpshort
    exit.run(main)
