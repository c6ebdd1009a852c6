"""Labels of one laboratory for samples of another: every arm in every frame, within a family.

Example:

  python -m launch.transfer --data=yu.h5ad,welsh.h5ad,lapointe.h5ad --label=label \\
      --shares=0.2,1 --out=runs/prostate
  python -m launch.transfer --data=breast.h5ad --batch=series --label=er --out=runs/breast
  python -m launch.transfer --join=runs/prostate,runs/breast --out=runs/families

Each file is a cohort, or --batch names the column that tells cohorts apart. --protocol=pairs takes
every directed pair, leave_cohort_out each cohort as the target of all others. Writes
transfer.parquet (a row a score), transfer.csv, differences.csv, transfer.md and a forest plot.
With --resume only the arms that are missing are computed.
"""

import sys
from pathlib import Path

from absl import flags as absl_flags

from jaxssl.data.family import PROTOCOLS
from jaxssl.evaluation.views import FRAMES
from jaxssl.runs.kinds import TRANSFER
from jaxssl.runs.output import Output
from jaxssl.studies.cohorts import inputs_of
from jaxssl.studies.joining import join_transfers
from jaxssl.studies.transfer import (
    N_SEEDS,
    SHARES,
    options,
    run_transfer,
)
from jaxssl.types import InputError

from . import exit, flags
from .screen import hooks

flags.define("label", "batch", "out", "resume", "overwrite")
_DATA = absl_flags.DEFINE_list("data", [], "Files, a cohort each; or one with --batch.")
_NAME = absl_flags.DEFINE_string("name", "", "Of the family; default: that of --out.")
_PROTOCOL = absl_flags.DEFINE_enum("protocol", PROTOCOLS[0], PROTOCOLS, "What is the source.")
_ARMS = absl_flags.DEFINE_list("arms", [], "Arms, such as logreg,adapt; default: all.")
_FRAMES = absl_flags.DEFINE_list(
    "frames", [], f"Frames of the arms, out of {', '.join(FRAMES)}; default: all."
)
_SHARES = absl_flags.DEFINE_list("shares", [str(s) for s in SHARES], "Shares of the labels.")
_SEEDS = absl_flags.DEFINE_integer("seeds", N_SEEDS, "Draws of labels.", lower_bound=1)
_MAX_SAMPLES = absl_flags.DEFINE_integer(
    "max_samples", 0, "Samples of a cohort, drawn at random; 0: all.", lower_bound=0
)
_JOIN = absl_flags.DEFINE_list("join", [], "Runs of families to join, in the place of --data.")
JOINING = ("join", "out", "overwrite", "debug")


def main() -> None:
    """Fit and score, or join what was; tell."""
    if _JOIN.value:
        own = absl_flags.FLAGS.get_key_flags_for_module(sys.argv[0])
        for name in [flag.name for flag in own if flag.present and flag.name not in JOINING]:
            raise InputError(f"`{name}` is not for runs that are joined as they are", "drop it")
        whether = {"overwrite": flags.value_of("overwrite")}
        join_transfers(_JOIN.value, flags.value_of("out"), hooks(), **whether)
        return
    data, out = _DATA.value, flags.value_of("out")
    roles = {name: flags.value_of(name) for name in ("label", "batch")}
    words = {"name": _NAME.value or Path(out).name, **roles}
    config = options(_ARMS.value, _SHARES.value, _SEEDS.value, **words)
    again = flags.value_of("resume"), flags.value_of("overwrite")
    output = Output(out, *again, inputs=inputs_of(data), kind=TRANSFER)
    how = _PROTOCOL.value, _FRAMES.value, _MAX_SAMPLES.value
    run_transfer(config, data, output, *how, hooks=hooks())


if __name__ == "__main__":
    exit.run(main)
