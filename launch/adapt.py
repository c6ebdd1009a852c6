"""Classify the samples of another laboratory by the labels of a source.

Example:

  python -m launch.adapt --classifier=runs/clf --data=new.h5ad --out=runs/adapted
  python -m launch.adapt --source=tcga.h5ad --label=pam50 --data=new.h5ad --out=runs/adapted

Encoders are pretrained on the profiles of both, without labels; heads are fitted on the source's.
Writes predictions.parquet, summary.json and classifier/, which `predict` reads for later samples of
that laboratory. Labels that the data have in the column of --label are only held against it.
"""

from absl import flags as absl_flags

from jaxssl.evaluation.adaptation import N_SEEDS
from jaxssl.runs.kinds import ADAPT
from jaxssl.runs.output import Output
from jaxssl.studies.source import Asked
from jaxssl.studies.target import run_adaptation

from . import exit, flags
from .screen import hooks

flags.define("data", "label", "batch", "out", "overwrite")
_CLASSIFIER = absl_flags.DEFINE_string("classifier", "", "Folder of finetune, or its classifier/.")
_SOURCE = absl_flags.DEFINE_string("source", "", "Data with labels; default: the classifier's.")
_SEEDS = absl_flags.DEFINE_integer(
    "seeds", N_SEEDS, "Encoders a frame and way of batching.", lower_bound=1
)


def main() -> None:
    """Pretrain, fit, predict, write."""
    data, out = flags.value_of("data"), flags.value_of("out")
    files = {"classifier": _CLASSIFIER.value, "source": _SOURCE.value, "data": data}
    inputs = tuple((name, file) for name, file in files.items() if file)
    again = False, flags.value_of("overwrite"), False
    output = Output(out, *again, inputs=inputs, kind=ADAPT)
    roles = flags.value_of("label"), flags.value_of("batch")
    classifier, source = _CLASSIFIER.value or None, _SOURCE.value or None
    run_adaptation(Asked(data, source, classifier, *roles, _SEEDS.value), output, hooks())


if __name__ == "__main__":
    exit.run(main)
