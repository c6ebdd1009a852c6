"""Import an expression file once, to a sample-major .h5ad that every other verb reads.

Example:

  python -m launch.prepare --labels=labels.csv --label=label20 \\
      --group=patient_id --batch=platform --out=mirna.h5ad expression.npz

writes mirna.h5ad, and mirna.prepare.json with all that was found, dropped and merged.
`python -m launch.inspect FILE` proposes the flags.
"""

import sys
from pathlib import Path

from absl import flags
from tqdm import tqdm

from jaxssl.data import missing, orientation, scale
from jaxssl.data.expression import import_expression
from jaxssl.data.import_options import DUPLICATE_POLICIES, OPTION_DEFAULTS, SAMPLE_POLICIES
from jaxssl.data.rules import RULES
from jaxssl.runs.output import new_file
from jaxssl.types import InputError
from launch import exit


def _text(name: str, what: str) -> None:
    flags.DEFINE_string(name, OPTION_DEFAULTS[name] or "", what)


def _choice(name: str, choices: tuple[str, ...], what: str) -> None:
    flags.DEFINE_enum(name, OPTION_DEFAULTS[name], list(choices), what)


flags.DEFINE_list("labels", [], "Tables of samples; default: the file's own columns.")
_text("label", "Column of class labels.")
_text("group", "Column kept in one part of a split (patient).")
_text("batch", "Column of technical batches, for figures.")
_text("sample_column", "Column of sample ids; default: found by match.")
_choice("label_rule", ("", *RULES), "Derive labels: tcga20 of TCGA, cancer of an SDRF.")
_text(
    "layer", "Which matrix of a file with several: a layer or raw of an .h5ad, a column of the GDC."
)
flags.DEFINE_list("text_columns", [], "Columns of the file beside expression, kept as text.")
_choice("orientation", ("auto", *orientation.ORIENTATIONS), "Which way the file lies.")
_choice("scale", ("auto", *scale.SCALES), "Scale of the values.")
_text("read_length", "Bases, or a column of --labels: turns recount3's coverage into counts.")
_text("gene_map", "Table that renames genes: a probemap, HGNC, GPL or ADF.")
_text("gene_column", "Column of --gene_map with the new names; default: of symbols.")
_choice("duplicates", DUPLICATE_POLICIES, "What to keep of duplicate genes.")
_choice("duplicate_samples", SAMPLE_POLICIES, "What to keep of samples called alike.")
_choice("impute", missing.POLICIES, "Fill for missing values; mean is over all samples.")
flags.DEFINE_integer(
    "min_class_size",
    OPTION_DEFAULTS["min_class_size"],
    "Samples; the labels of smaller classes are blanked.",
    lower_bound=0,
)
flags.DEFINE_float(
    "min_match", OPTION_DEFAULTS["min_match"], "Share of samples that the labels must know.", 0, 1
)
_OUT = flags.DEFINE_string("out", "", "The .h5ad to write.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing --out.")


def main(arguments: list[str]) -> None:
    """Read the files and write the .h5ad and its record, each whole or not at all."""
    if len(arguments) < 2:
        raise InputError("no file given; name one or several, and --out=NAME.h5ad")
    out = new_file(_OUT.value, (".h5ad",), overwrite=_OVERWRITE.value)
    options = {name: flags.FLAGS[name].value for name in OPTION_DEFAULTS}
    with Progress() as progress:
        record = import_expression(arguments[1:], out, progress.advance, **options)
    print(exit.as_flags(record["notes"]))
    label, classes = record["label"], record["classes"]
    if not label:
        print("no --label: name one here or later, to compare arms")
    elif len(classes) > record["n_labelled"] / 2:
        print(
            f"warning: column {label} has {len(classes):,} different values in "
            f"{record['n_labelled']:,} samples; is it a class?"
        )
    labelled = f"{record['n_labelled']:,} labelled in {len(classes)} classes"
    size = f"{record['n_samples']:,} samples x {record['n_genes']:,} genes"
    print(f"wrote {out}: {size}, {labelled}")


class Progress:
    """Bytes read, as a bar; silent where no one looks."""

    def __init__(self):
        self.bar = tqdm(unit="B", unit_scale=True, disable=not sys.stderr.isatty())
        self.path: Path | None = None
        self.before = 0  # bytes of the files before this one

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def advance(self, path: Path, done: int) -> None:
        """Show that `done` bytes of `path` are read."""
        if path != self.path:
            self.before = self.bar.n
            self.path = path
            self.bar.set_description(path.name)
            self.bar.total = self.before + path.stat().st_size
        self.bar.update(self.before + done - self.bar.n)


if __name__ == "__main__":
    exit.run(main)
