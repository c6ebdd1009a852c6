"""How every verb ends: 0 done, 2 the user's input or disk, 1 our bug, 130 or 143 a signal.

One line on stderr unless it is done.
"""

import logging as stdlib_logging
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from absl import app, flags, logging

from jaxssl.files import disk_trouble
from jaxssl.types import InputError, Stopped
from launch import signals

_DEBUG = flags.DEFINE_bool("debug", False, "Show the traceback of an error.")


def run(main: Callable[[list[str]], Any]) -> None:
    """Parse flags and call `main` with the program name and the positional arguments."""

    def tell(message: Warning | str, *_: Any, **__: Any) -> None:
        print(f"warning: {message}", file=sys.stderr)

    def guarded(arguments: list[str]) -> None:
        if not flags.FLAGS["verbosity"].present and not _DEBUG.value:
            _quieten()
        warnings.showwarning = tell  # a line, without the code that it came from
        try:
            main(arguments)
        except InputError as error:
            fail(str(error), 2)
        except Stopped:
            end = signals.asked()
            fail(f"{end} and saved{_how_to_go_on()}", end.code)
        except signals.Ended as end:
            fail(f"{end}{_how_to_go_on()}", end.code)
        except Exception as error:
            trouble = disk_trouble(error)
            if trouble:
                fail(f"{trouble}; what was there before is whole{_how_to_go_on()}", 2)
            hint = "" if _DEBUG.value else "; this is a bug; rerun with --debug"
            fail(f"{type(error).__name__}: {error}{hint}", 1)

    signals.install()
    app.run(guarded, flags_parser=_parse)


def _quieten() -> None:
    """Leave errors to us: orbax logs every step, and a failed one as often as it has threads."""
    logging.set_verbosity(logging.FATAL)
    stdlib_logging.getLogger("asyncio").setLevel(stdlib_logging.CRITICAL)
    sys.unraisablehook = lambda _: None  # of tasks that no one awaits after a failure


def _how_to_go_on() -> str:
    return "; the same command with --resume goes on" if "resume" in flags.FLAGS else ""


def no_arguments(arguments: list[str]) -> None:
    """Refuse what stands outside the flags, such as a misspelt one without its dashes."""
    if len(arguments) > 1:
        raise InputError(f"unexpected argument {arguments[1]!r}; options are --flag=value")


def _parse(arguments: Sequence[str]) -> list[str]:
    try:
        return flags.FLAGS(arguments)
    except Exception as error:
        # what is no flags.Error comes from --config: an unknown option, a file that does not run
        message = " ".join(str(error).removeprefix("FATAL Flags parsing error: ").split())
        fail(f"{message}; --helpshort lists the flags", 2)
    except SystemExit as stop:
        raise SystemExit(0) from stop  # --help was asked for and given; absl calls that 1


def fail(message: str, code: int) -> NoReturn:
    """End the process with one line on stderr."""
    if flags.FLAGS.is_parsed() and _DEBUG.value:
        traceback.print_exc()
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
