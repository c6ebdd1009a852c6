"""Say what a file is: format, orientation, ids, scale, missing values, labels; writes nothing.

Example:

  python -m launch.inspect --labels=labels.csv expression.npz

prints what was found and the `launch.prepare` command to type next. Several files may be given;
--json prints one object per file instead.
"""

import json

from absl import flags

from jaxssl.data import inspect
from jaxssl.types import InputError
from launch import exit

_LABELS = flags.DEFINE_string("labels", "", "Table of samples (csv or tsv), joined by sample id.")
_LAYER = flags.DEFINE_string("layer", "", "Which matrix of a file with several, as in prepare.")
_WHOLE = flags.DEFINE_bool("whole", False, "Read long texts to their end, not the first 256 MB.")
_JSON = flags.DEFINE_bool("json", False, "Print JSON, one object a line.")


def main(arguments: list[str]) -> None:
    """Print the findings of every file named."""
    if len(arguments) < 2:
        raise InputError("no file given; usage: python -m launch.inspect [--labels=TABLE] FILE...")
    for path in arguments[1:]:
        facts = inspect.examine(path, _LABELS.value or None, _LAYER.value, whole=_WHOLE.value)
        print(json.dumps(facts) if _JSON.value else inspect.report(facts))


if __name__ == "__main__":
    exit.run(main)
