"""Predict classes of new samples with a classifier that is at hand; genes are matched by name.

Example:

  python -m launch.predict --classifier=runs/clf --data=new.h5ad --out=predictions.csv

With --coverage=0.9 every sample has a set of classes; with --label=COLUMN, accuracy and coverage
are told as measured, of every cohort of --batch=COLUMN.
"""

from absl import flags as absl_flags

from jaxssl.files import write_table
from jaxssl.runs.output import new_file
from jaxssl.studies.prediction import predict

from . import exit, flags
from .screen import hooks

OPTIONS = ("max_missing", "shift", "coverage")
flags.define("data", *OPTIONS)
absl_flags.DEFINE_string("batch", "", flags.OF_NEW_SAMPLES)
absl_flags.DEFINE_string(
    "classifier", "", "Folder of classify, finetune or adapt, or its classifier/."
)
absl_flags.DEFINE_string("label", "", "Column of true classes, by which to measure, if any.")
_OUT = absl_flags.DEFINE_string("out", "", "The .csv or .parquet to write.")
_OVERWRITE = absl_flags.DEFINE_bool("overwrite", False, "Replace an existing --out.")


def main() -> None:
    """Align, normalise, predict, write."""
    classifier, data = flags.folder_of("classifier", "classify"), flags.value_of("data")
    inputs = [("classifier", classifier), *([("data", data)] if data else [])]
    out = new_file(_OUT.value, (".csv", ".parquet"), overwrite=_OVERWRITE.value, inputs=inputs)
    words = {name: flags.value_of(name) for name in ("batch", "label", *OPTIONS)}
    table = predict(classifier, data, hooks(), **words)
    write_table(out, table)
    print(
        f"wrote {out}: {len(table):,} samples, {table.columns.str.startswith('p_').sum()} classes"
    )


if __name__ == "__main__":
    exit.run(main)
