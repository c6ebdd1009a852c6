"""The command line: one thin module a verb. Installed, this folder is `jaxssl.launch`."""

import os
import sys

from . import signals

os.environ["MPLBACKEND"] = "agg"  # figures are files; a notebook's own may not exist here

if sys.argv[:1] == ["-m"]:  # the program itself, whose imports take seconds
    signals.end_at_once()
