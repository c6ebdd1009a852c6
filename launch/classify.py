"""Classify the samples of a cohort by all the labels that there are, few or many.

Example:

  python -m launch.classify --data=cohort.h5ad --label=tissue --out=runs/clf

Encoders are pretrained on all samples; every label is learnt from. Says what accuracy to expect of
new samples, and whether logistic regression would do as well. Writes predictions.parquet of all
samples, summary.json and classifier/, which `predict` reads, with its MODEL_CARD.md.
"""

from absl import flags as absl_flags

from jaxssl.runs.kinds import CLASSIFY
from jaxssl.runs.output import Output
from jaxssl.studies.recommendation import Wanted, run_classification
from jaxssl.types import ROLES

from . import exit, flags
from .screen import hooks

flags.define("data", *ROLES, "unlabelled", "out", "overwrite")
_SEED = absl_flags.DEFINE_integer(
    "seed", 0, "Seed of the encoders and of the folds.", lower_bound=0, upper_bound=2**31 - 1
)


def main() -> None:
    """Pretrain, fit, estimate, predict, write."""
    data, unlabelled = flags.value_of("data"), flags.value_of("unlabelled")
    files = [("data", data), *(("unlabelled", file) for file in unlabelled)]
    inputs = tuple((name, file) for name, file in files if file)
    again = False, flags.value_of("overwrite"), False
    output = Output(flags.value_of("out"), *again, inputs=inputs, kind=CLASSIFY)
    roles = {role: flags.value_of(role) for role in ROLES}
    run_classification(Wanted(data, unlabelled, roles, _SEED.value), output, hooks())


if __name__ == "__main__":
    exit.run(main)
