"""Import an expression file once, to a sample-major .h5ad that every other verb reads.

Example:

  python -m launch.prepare --labels=labels.csv --label_column=label20 \\
      --group_column=patient_id --batch_column=platform --out=mirna.h5ad expression.npz

writes mirna.h5ad, and mirna.prepare.json with all that was found, dropped and merged.
`python -m launch.inspect FILE` proposes the flags.
"""

from absl import flags

from jaxssl.data import formats, missing, orientation, scale, store
from jaxssl.types import InputError
from launch import exit
from launch.folder import new_file

_LABELS = flags.DEFINE_string("labels", "", "Table of samples; default: the file's own columns.")
_LABEL = flags.DEFINE_string("label_column", "", "Column of class labels.")
_GROUP = flags.DEFINE_string("group_column", "", "Column kept in one part of a split (patient).")
_BATCH = flags.DEFINE_string("batch_column", "", "Column of technical batches, for figures.")
_SAMPLE = flags.DEFINE_string("sample_column", "", "Column of sample ids; default: found by match.")
_ORIENTATION = flags.DEFINE_enum(
    "orientation", "auto", ["auto", *orientation.ORIENTATIONS], "Which way the file lies."
)
_SCALE = flags.DEFINE_enum("scale", "auto", ["auto", *scale.SCALES], "Scale of the values.")
_DUPLICATES = flags.DEFINE_enum(
    "duplicates", "error", list(formats.DUPLICATE_POLICIES), "What to keep of duplicate genes."
)
_IMPUTE = flags.DEFINE_enum(
    "impute", "error", list(missing.POLICIES), "Fill for missing values; mean is over all samples."
)
_MIN_CLASS_SIZE = flags.DEFINE_integer(
    "min_class_size", 0, "Samples; the labels of smaller classes are blanked.", lower_bound=0
)
_MIN_MATCH = flags.DEFINE_float(
    "min_match", 0.5, "Share of samples that the labels must know.", 0, 1
)
_OUT = flags.DEFINE_string("out", "", "The .h5ad to write.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing --out.")


def main(arguments: list[str]) -> None:
    """Read one file and write the .h5ad and its record, both whole or not at all."""
    if len(arguments) != 2:
        raise InputError(f"{len(arguments) - 1} files given; name one, and --out=NAME.h5ad")
    out = new_file(_OUT.value, (".h5ad",), overwrite=_OVERWRITE.value)
    adata = formats.read_expression(
        arguments[1],
        labels=_LABELS.value or None,
        label_column=_LABEL.value,
        group_column=_GROUP.value,
        batch_column=_BATCH.value,
        sample_column=_SAMPLE.value,
        orientation=_ORIENTATION.value,
        scale=_SCALE.value,
        duplicates=_DUPLICATES.value,
        impute=_IMPUTE.value,
        min_class_size=_MIN_CLASS_SIZE.value,
        min_match=_MIN_MATCH.value,
    )
    store.write_h5ad(adata, out)
    record = store.write_record(adata, out.with_suffix(".prepare.json"))
    print(record["notes"])
    if not _LABEL.value:
        print("no --label_column: name one here, or with --label later, to compare arms")
    elif len(record["classes"]) > record["n_labelled"] / 2:
        print(
            f"warning: column {_LABEL.value} has {len(record['classes']):,} different values in "
            f"{record['n_labelled']:,} samples; is it a class?"
        )
    labelled = f"{record['n_labelled']:,} labelled in {len(record['classes'])} classes"
    print(f"wrote {out}: {adata.n_obs:,} samples x {adata.n_vars:,} genes, {labelled}")


if __name__ == "__main__":
    exit.run(main)
