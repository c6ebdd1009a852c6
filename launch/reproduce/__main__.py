"""The paper's figures and tables: run the experiment, draw it, say whether we agree.

Example:

  python -m launch.reproduce --figure=17 --dataset=tcga --scale=cpu --data=mirna.h5ad \\
      --out=runs/study_tcga

The paper is the study of 2022 that jaxssl reimplements. --figure=all makes one report; with
--resume only what is missing is computed. --scale=full takes the paper's 89 shares and 50 seeds,
for a GPU.
"""

import dataclasses

from absl import flags as absl_flags

from .. import exit, flags
from .figures import ALL
from .run import run_figures
from .scales import CPU, DATASETS, FULL, SMOKE, setting_of

flags.define(*flags.DATA, "allow_leaks", "out", "resume", "overwrite")
_FIGURE = absl_flags.DEFINE_string("figure", ALL, "Number, table1, a name, or all.")
_DATASET = absl_flags.DEFINE_enum("dataset", "tcga", list(DATASETS), "Whose figures of the paper.")
_SCALE = absl_flags.DEFINE_enum("scale", CPU, [CPU, FULL, SMOKE], "How much is run; see scales.py.")


def main() -> None:
    """Take data, split and machine from the flags, and run every figure."""
    job = flags.job("reproduce")
    setting = setting_of(_DATASET.value, _SCALE.value)
    given = {name: getattr(job.config, name) for name in ("data", "split", "run")}
    config = dataclasses.replace(setting.config(), **given)
    run_figures(_FIGURE.value, setting, job._replace(config=config))


if __name__ == "__main__":
    exit.run(main)
