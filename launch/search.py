"""Hyper-parameter curves and grids: any option, scored on the validation part alone.

Example:

  python -m launch.search --data=mirna.h5ad --out=runs/prototypes --seeds=5 --shares=0.02,0.1 \\
      --grid=method.n_prototypes:16,50,100,200

Several --grid flags are crossed; the members of a list are joined by a dash
(--grid=encoder.hidden:512,512-256). Without --arms, the config's method runs; an option that no arm
reads is refused. Values that change no shape run together in one compiled program. With --resume
only what is missing is computed.
"""

from absl import flags as absl_flags

from jaxssl.evaluation.grid import parse_grid
from jaxssl.studies.grid import METRICS, run_grid
from jaxssl.types import InputError

from . import exit, flags

flags.define(*flags.RUN, "shares", "arms")
_GRID = absl_flags.DEFINE_multi_string("grid", [], "section.option:value,value; may be repeated.")
_METRIC = absl_flags.DEFINE_enum(
    "metric", "balanced_accuracy", list(METRICS), "What the figure and the table show."
)


def main() -> None:
    """Read, lay out the grid, run what is missing, tell."""
    job, grid = flags.job("search"), parse_grid(_GRID.value)
    for name in grid:
        if name in flags.said():
            raise InputError(f"`{name}` is given, and varied by `grid` too", "drop one")
    run_grid(job, grid, _METRIC.value, flags.value_of("arms"))


if __name__ == "__main__":
    exit.run(main)
