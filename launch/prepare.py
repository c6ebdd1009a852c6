"""Import an expression file once, to a sample-major .h5ad that every other verb reads.

Example:

  python -m launch.prepare --labels=labels.csv --label=label20 \\
      --group=patient_id --batch=platform --out=mirna.h5ad expression.npz

writes mirna.h5ad, and mirna.prepare.json with all that was found, dropped and merged.
`python -m launch.inspect FILE` proposes the flags.
"""

import re
import sys
from inspect import Parameter, signature
from pathlib import Path

from absl import flags
from tqdm import tqdm

from jaxssl.data.expression import inputs_of, prepare, read
from jaxssl.data.import_options import CHOICES
from jaxssl.runs.output import new_file
from jaxssl.types import ROLES, InputError

from . import exit

_OPTIONS = dict(list(signature(read).parameters.items())[1:])
_ARGUMENT = re.compile(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", re.MULTILINE)


def _define(name: str, option: Parameter, text: str) -> None:
    """A flag for a keyword of `read`."""
    default = option.default
    if name in CHOICES:
        flags.DEFINE_enum(name, default, list(CHOICES[name]), text)
    elif name in ("labels", "text_columns", "rename_classes"):
        # of two, the first would be forgotten
        flags.DEFINE_list(name, [], text)
    elif isinstance(default, bool):
        flags.DEFINE_bool(name, default, text)
    elif isinstance(default, int):
        flags.DEFINE_integer(name, default, text, lower_bound=0)
    elif isinstance(default, float):
        flags.DEFINE_float(name, default, text, 0, 1)
    else:
        flags.DEFINE_string(name, default or "", text)


for _name, _text in _ARGUMENT.findall(read.__doc__ or ""):
    if _name in _OPTIONS:
        _define(_name, _OPTIONS[_name], exit.as_flags(" ".join(_text.split())))
for _role in ROLES:  # the names of these flags before they were those of every verb
    flags.DEFINE_alias(f"{_role}_column", _role)
_OUT = flags.DEFINE_string("out", "", "The .h5ad to write.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing --out.")


def main(files: list[str]) -> None:
    """Read the files and write the .h5ad and its record, each whole or not at all."""
    if not files:
        raise InputError("no file given", "name one or several, and `out=NAME.h5ad`")
    options = {name: flags.FLAGS[name].value for name in _OPTIONS}
    inputs = inputs_of(files, options["labels"], options["gene_map"])
    out = new_file(_OUT.value, (".h5ad",), overwrite=_OVERWRITE.value, inputs=inputs)
    with tqdm(unit="B", unit_scale=True, disable=not sys.stderr.isatty()) as bar:
        done: dict[Path, int] = {}

        def advance(path: Path, n_bytes: int) -> None:
            if path not in done:
                bar.total = (bar.total or 0) + path.stat().st_size
                bar.set_description(path.name)
            bar.update(n_bytes - done.get(path, 0))
            done[path] = n_bytes

        record = prepare(files, out, advance, **options)
    print(exit.as_flags(record["notes"]))
    label, classes = record["label"], record["classes"]
    if not label:
        print("no --label was given: new samples to predict or embed need none, all else does")
    elif len(classes) > record["n_labelled"] / 2:
        print(
            f"warning: column {label} has {len(classes):,} different values in "
            f"{record['n_labelled']:,} samples; is it a class?"
        )
    labelled = f"{record['n_labelled']:,} labelled in {len(classes)} classes"
    size = f"{record['n_samples']:,} samples x {record['n_genes']:,} genes"
    print(f"wrote {out}: {size}, {labelled}")


if __name__ == "__main__":
    exit.run(main, takes_files=True)
