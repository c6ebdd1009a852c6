"""Find the samples whose labels would teach most.

Example:

  python -m launch.query --encoder=runs/mirna --data=mirna.h5ad --n=20 --out=next.csv

writes the samples to label, in order, and why; candidates are those without a label.
"""

from typing import get_args

from absl import flags as absl_flags

from jaxssl.files import write_table
from jaxssl.runs.output import new_file
from jaxssl.studies.query import By, query

from . import exit, flags
from .screen import hooks

OPTIONS = ("label", "group", "max_missing", "shift")
flags.define("data", "encoder", *OPTIONS)
absl_flags.DEFINE_string("batch", "", flags.OF_NEW_SAMPLES)
_N = absl_flags.DEFINE_integer("n", 20, "Samples to label.", 1)
_BY = absl_flags.DEFINE_enum("by", "auto", [*get_args(By)], "How they are chosen.")
_SEED = absl_flags.DEFINE_integer("seed", 0, "Of the clusters.", 0)
_OUT = absl_flags.DEFINE_string("out", "", "The .csv or .parquet to write.")
_OVERWRITE = absl_flags.DEFINE_bool("overwrite", False, "Replace an existing --out.")


def main() -> None:
    """Embed, cluster, choose, write."""
    encoder, data = flags.folder_of("encoder", "pretrain"), flags.value_of("data")
    inputs = [("encoder", encoder), *([("data", data)] if data else [])]
    out = new_file(_OUT.value, (".csv", ".parquet"), overwrite=_OVERWRITE.value, inputs=inputs)
    words = {name: flags.value_of(name) for name in ("batch", *OPTIONS)}
    words |= {"by": _BY.value, "seed": _SEED.value}
    table = query(encoder, data, _N.value, hooks(), **words)
    write_table(out, table)
    print(f"wrote {out}: {len(table):,} samples")


if __name__ == "__main__":
    exit.run(main)
