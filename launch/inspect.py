"""Say what a file is: format, orientation, ids, scale, missing values, labels; writes nothing.

Example:

  python -m launch.inspect --labels=labels.csv expression.npz

prints what was found and the `launch.prepare` command to type next. Several files may be given;
--json prints one object per file instead.
"""

import json
import shlex
from pathlib import Path

from absl import flags

from jaxssl.data.inspect import FileReport, inspect
from jaxssl.types import InputError

from . import exit

_LABELS = flags.DEFINE_list("labels", [], "Tables of samples (csv or tsv), joined by sample id.")
_LAYER = flags.DEFINE_string("layer", "", "Which matrix of a file with several, as in prepare.")
_SHEET = flags.DEFINE_string("sheet", "", "Which sheet of a workbook.")
_NO_HEADER = flags.DEFINE_bool("no_header", False, "The first line of a csv or tsv is data.")
_IDS = flags.DEFINE_string("id_column", "", "Column with the ids of the rows, as in prepare.")
_WHOLE = flags.DEFINE_bool("whole", False, "Read long texts to their end, not the first 256 MB.")
_JSON = flags.DEFINE_bool("json", False, "Print JSON, one object a line.")


def main(files: list[str]) -> None:
    """Print the findings of every file named."""
    if not files:
        raise InputError("no file given", f"{exit.command('inspect')} [--labels=TABLE] FILE...")
    for path in files:
        report = inspect(
            path,
            _LABELS.value,
            layer=_LAYER.value,
            sheet=_SHEET.value,
            id_column=_IDS.value,
            no_header=_NO_HEADER.value,
            whole=_WHOLE.value,
        )
        if _JSON.value:
            print(json.dumps(report.to_dict() | {"next": next_command(report)}))
        else:
            print(text_of(report))


def text_of(report: FileReport) -> str:
    """The findings, and the command to type next."""
    return exit.as_flags("\n".join(report.lines())) + f"\nnext: {next_command(report)}"


def next_command(report: FileReport) -> str:
    """How to import a matrix; how to look at a matrix beside a table of samples."""
    if report.kind == "samples":
        return f"{exit.command('inspect')} {shlex.quote(f'--labels={report.file}')} EXPRESSION_FILE"
    given = {k: ",".join(v) if isinstance(v, list) else v for k, v in report.options.items()}
    name = Path(report.file).name
    out = f"{name.removesuffix('.gz').rsplit('.', 1)[0]}.h5ad"
    given["out"] = f"prepared.{out}" if out == name else out
    words = [f"--{option}={value}" for option, value in given.items()]
    return f"{exit.command('prepare')} {shlex.join([*words, report.file])}"


if __name__ == "__main__":
    exit.run(main, takes_files=True)
