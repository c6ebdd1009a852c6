"""The genes behind an encoder's prototypes, or behind classes.

Example:

  python -m launch.explain --encoder=runs/mirna --data=mirna.h5ad --out=runs/explained

writes explanation.md with heat maps, targets.csv, genes.csv, deletion.csv, and ranks/, a .rnk of
each prototype and class for GSEA or gseapy. --gmt=SETS.gmt adds sets.csv: gene sets that are
over-represented among the first genes. --classifier=RUN explains the classes of a classifier.
"""

from absl import flags as absl_flags

from jaxssl.runs.kinds import EXPLAIN
from jaxssl.runs.output import Output
from jaxssl.studies.explanation import explain_into

from . import exit, flags
from .screen import hooks

OPTIONS = ("label", "batch", "max_missing", "shift")
flags.define("data", "encoder", "label", "max_missing", "shift", "out", "overwrite")
absl_flags.DEFINE_string("classifier", "", "Folder of classify or finetune.")
absl_flags.DEFINE_string("batch", "", flags.OF_NEW_SAMPLES)
absl_flags.DEFINE_string("gmt", "", "File of gene sets.")


def main() -> None:
    """Align, attribute, take genes away, write."""
    names = ("encoder", "classifier", "data", "gmt")
    given = {name: flags.value_of(name) for name in names if flags.value_of(name)}
    again = False, flags.value_of("overwrite"), False
    output = Output(flags.value_of("out"), *again, inputs=tuple(given.items()), kind=EXPLAIN)
    words = {name: flags.value_of(name) for name in OPTIONS}
    explain_into(output, given.pop("data", ""), hooks(), **words, **given)


if __name__ == "__main__":
    exit.run(main)
