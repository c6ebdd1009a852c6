"""Compare arms over label shares and seeds, on encoders that launch.pretrain left.

Example:

  python -m launch.sweep --data=mirna.h5ad --encoder=runs/encoders --out=runs/sweep \\
      --arms=scratch,swav,logreg --shares=0.01,0.05,0.1 --seeds=10

Running it again with --resume computes only the missing rows.
"""

from pathlib import Path

from absl import flags as absl_flags

from jaxssl.evaluation.arms import method_of
from jaxssl.report.render import build_report
from jaxssl.types import InputError
from launch import exit, flags, stages
from launch import folder as run_folder

_ENCODER = absl_flags.DEFINE_string(
    "encoder", "", "Run folder of launch.pretrain; its split and normalisation are used."
)


def main(arguments: list[str]) -> None:
    """Read, pose, compare, tell."""
    exit.no_arguments(arguments)
    config = flags.config_of_run()
    seeds = flags.seeds_of_run(config)
    bundles = run_folder.load_encoders(Path(_ENCODER.value)) if _ENCODER.value else {}
    if _ENCODER.value and not bundles:
        raise InputError(
            f"--encoder={_ENCODER.value} holds no encoders; name the run folder of launch.pretrain "
            "or launch.study, the one with encoder/ in it"
        )
    needs_encoders = [arm for arm in config.sweep.arms if method_of(arm)]
    if needs_encoders and not bundles:
        raise InputError(
            f"arm {needs_encoders[0]} needs pretrained encoders; pass --encoder=RUN, a folder of "
            "launch.pretrain, or leave the arm out of --arms"
        )
    if bundles:
        config = flags.with_pretraining_of(config, next(iter(bundles.values())).config)
    run = stages.begin(config, flags.output(), compares=True)
    stages.compare(run, bundles.values(), seeds)
    stages.tell(run, bundles, build_report)


if __name__ == "__main__":
    absl_flags.adopt_module_key_flags(flags)  # for --helpshort
    exit.run(main)
