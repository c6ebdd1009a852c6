"""Predict classes of new samples with a fine-tuned classifier; genes are matched by name.

Example:

  python -m launch.predict --classifier=runs/clf --data=new.h5ad --out=predictions.csv
"""

from absl import flags

from jaxssl.files import write_table
from jaxssl.runs.output import new_file
from jaxssl.studies.classifier import MAX_MISSING, predict
from jaxssl.types import InputError

from . import exit
from .screen import hooks

_CLASSIFIER = flags.DEFINE_string("classifier", "", "Folder of finetune, or its classifier/.")
_DATA = flags.DEFINE_string("data", "", "Expression file.")
_OUT = flags.DEFINE_string("out", "", "The .csv or .parquet to write.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing --out.")
_MISSING = flags.DEFINE_float(
    "max_missing", MAX_MISSING, "Share of genes that may be imputed.", 0, 1
)


def main(arguments: list[str]) -> None:
    """Align, normalise, predict, write."""
    exit.no_arguments(arguments)
    out = new_file(_OUT.value, (".csv", ".parquet"), overwrite=_OVERWRITE.value)
    if not _CLASSIFIER.value:
        raise InputError(
            "no classifier is given", "pass `classifier=RUN`, a folder of `finetune()`"
        )
    table = predict(_CLASSIFIER.value, _DATA.value, hooks(), max_missing=_MISSING.value)
    write_table(out, table)
    print(f"wrote {out}: {len(table):,} samples, {table.shape[1] - 2} classes")


if __name__ == "__main__":
    exit.run(main)
