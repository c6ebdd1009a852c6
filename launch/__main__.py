"""The command `jaxssl`: one verb after the other, each a module of this folder.

In a checkout `python -m launch VERB` is the same, and so is `python -m launch.VERB`. Nothing heavy
is imported before the verb is known.
"""

import ast
import difflib
import runpy
import sys
from importlib.metadata import version
from pathlib import Path

from . import signals

VERBS = (
    "study",
    "inspect",
    "prepare",
    "pretrain",
    "sweep",
    "report",
    "finetune",
    "predict",
    "embed",
    "explain",
    "query",
    "search",
    "compare",
    "classify",
    "adapt",
    "transfer",
    "audit",
    "reproduce",
    "benchmark",
    "doctor",
)
PROGRAM = "python -m launch" if __package__ == "launch" else "jaxssl"


def main() -> None:
    """Run the verb that the command line names, as its module is run by `python -m`."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb in ("--help", "-h", "help", "--helpshort"):
        print(overview())
    elif verb == "--version":
        print(f"jaxssl {version('jaxssl')}")
    elif verb in VERBS:
        signals.end_at_once()
        del sys.argv[1]
        runpy.run_module(f"{__package__}.{verb}", run_name="__main__", alter_sys=True)
    else:
        close = difflib.get_close_matches(verb, VERBS, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        print(f"error: no verb {verb}; {meant}{PROGRAM} --help lists them", file=sys.stderr)
        sys.exit(2)


def overview() -> str:
    """How to call it, and every verb with the first line of its docstring."""
    lines = [f"  {verb:10} {_summary(verb)}" for verb in VERBS]
    usage = f"usage: {PROGRAM} VERB [--flag=value ...]"
    flags = (
        f"`{PROGRAM} VERB --helpshort` shows an example and the flags of a verb, --help all flags."
    )
    return "\n".join([usage, "", *lines, "", flags])


def _summary(verb: str) -> str:
    """First line of a verb's docstring, read without importing the module."""
    file = Path(__file__).with_name(f"{verb}.py")
    file = file if file.exists() else Path(__file__).with_name(verb) / "__main__.py"
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


if __name__ == "__main__":
    main()
