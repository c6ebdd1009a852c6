"""The command line: one thin module a verb. Installed, this folder is `jaxssl.launch`."""

import sys

from . import signals

if sys.argv[:1] == ["-m"]:  # the program itself, whose imports take seconds
    signals.end_at_once()
