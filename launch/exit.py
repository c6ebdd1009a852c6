"""How every verb ends: 0 done, 2 the user's input or disk, 1 our bug, 130 or 143 a signal.

3 where another process of the same program has ended.

One line on stderr unless it is done.
"""

import dataclasses
import difflib
import io
import logging as stdlib_logging
import os
import re
import shlex
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from absl import app, flags, logging

from jaxssl.files import disk_trouble
from jaxssl.runs import output
from jaxssl.types import NAMES_QUOTED, InputError, Stopped

from . import signals

_leaving = threading.Lock()
_DEBUG = flags.DEFINE_bool("debug", False, "Show the traceback of an error.")
_OPTION = re.compile(r"`([a-z_]+\.)?([a-z_]\w*)(?:=([^`]*))?`")
_CALL = re.compile(r"`([a-z_]+)\(([^`]*)\)`")
_VERBS = {"read": "prepare", "open_study": "report", "compare_methods": "compare", "tune": "search"}
"""Function of the library → verb, where they are called otherwise."""
_NAMES = {"n_comparisons": "comparisons"}
"""Keyword of the library → flag, where they differ."""
_WORDS = {
    r"invalid literal for int\(\) with base \d+: .*": "no whole number",
    r"could not convert string to float: .*": "no number, such as 0.1",
    r"already defined as .*": "the flag stands there twice; join the values by commas",
}
"""Words of Python and of absl about a flag's value → ours."""
ABANDONED = 3
LEAVING = 5  # seconds
_BACKQUOTE = "\ue000"  # stands for one of a name
_UNKNOWN_OPTION = re.compile(r"Field (\w+) not found|\.(\w+) does not exist")


def run(main: Callable[..., None], *, takes_files: bool = False) -> None:
    """Parse flags and call `main`, with the files that stand outside them if it takes any."""

    def guarded(arguments: list[str]) -> None:
        if not flags.FLAGS["verbosity"].present and not _DEBUG.value:
            _quieten()
        warnings.showwarning = _tell  # a line, without the code that it came from
        try:
            if len(arguments) > 1 and not takes_files:  # such as a misspelt flag without dashes
                found = f"unexpected argument {arguments[1]!r}"
                raise InputError(found, "options are --flag=value")
            if takes_files:
                main(arguments[1:])
            else:
                main()
        except InputError as error:
            fail(as_flags(str(error)), 2)
        except Stopped:
            end = signals.asked()  # None: another process of this program was told to end
            told, code = (end, end.code) if end else ("another process was ended", ABANDONED)
            fail(f"{told} and saved{_how_to_go_on()}", code)
        except signals.Ended as end:
            sys.stdout.flush()
            _leave(end)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains at its end
            fail(f"what read the output has ended{_how_to_go_on()}", 2)
        except Exception as error:
            _fail_by(error)

    _show_any_letter()
    program = sys.modules["__main__"]
    program.__doc__ = (program.__doc__ or "").replace("python -m launch.", command(""))
    signals.install()
    for flag in flags.FLAGS.get_key_flags_for_module(f"{__package__}.flags"):  # for --helpshort
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    with signals.watched(_leave):
        app.run(guarded, flags_parser=_parse)


def _fail_by(error: Exception) -> NoReturn:
    """End the process with what an error that nobody raised means."""
    if _is_one_of_several():
        time.sleep(LEAVING)  # if it is of another process's end, `abandon` says so meanwhile
    trouble = disk_trouble(error)
    if trouble:
        fail(f"{trouble}; what was there before is whole{_how_to_go_on()}", 2)
    if _lacks_device():
        platforms = os.environ["JAX_PLATFORMS"]
        fail(f"JAX finds no device of JAX_PLATFORMS={platforms}; unset it", 2)
    hint = "" if _DEBUG.value else "; this is a bug; rerun with --debug"
    fail(f"{type(error).__name__}: {error}{hint}", 1)


def _lacks_device() -> bool:
    """Whether JAX cannot start on what the environment names; its own words do not say so."""
    if "JAX_PLATFORMS" not in os.environ:
        return False
    import jax  # what fails so has it

    try:
        return not jax.devices()
    except (RuntimeError, AssertionError):
        return True


def _tell(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {as_flags(str(message))}", file=sys.stderr)


def _show_any_letter() -> None:
    """Have a terminal that does not know a letter of a name show its number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _leave(end: signals.Ended) -> NoReturn:
    """End the process at once, as a signal asks: what was compiled may still compute."""
    abandon(str(end), end.code)


def abandon(sentence: str, code: int = ABANDONED) -> NoReturn:
    """End the process at once, by default because of what happened to another of its program."""
    if not _leaving.acquire(blocking=False):
        time.sleep(60)  # another thread is at it
    os.write(2, f"error: {sentence}{_how_to_go_on()}\n".encode())
    output.release()
    os._exit(code)


def as_flags(text: str) -> str:
    """A message of the library with its options as flags and its functions as verbs.

    >>> as_flags("pass `label=COLUMN`, lower `method.epsilon` or see `doctor()`")
    'pass --label=COLUMN, lower --config.method.epsilon or see python -m launch.doctor'
    """
    # what stands in a name, or in a word of the command line, is no option
    words = {part for word in sys.argv for part in (word, *re.split("[=,]", word)) if "`" in part}
    names = {form for name in NAMES_QUOTED | words for form in (name, repr(name)[1:-1])}
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, name.replace("`", _BACKQUOTE))
    return _CALL.sub(_as_command, _OPTION.sub(_as_flag, text)).replace(_BACKQUOTE, "`")


def _as_flag(found: re.Match[str]) -> str:
    section, name, value = found.groups()
    if section and section[:-1] not in _sections():
        return found.group()
    name = _NAMES.get(name, name)
    given = "" if value is None else f"={shlex.quote(value) if value else ''}"
    return f"--config.{section}{name}{given}" if section else f"--{name}{given}"


def _as_command(found: re.Match[str]) -> str:
    verb, arguments = found.groups()
    return command(_VERBS.get(verb, verb), *re.findall(r"\w+=[^,]+", arguments))


def command(verb: str, *options: str) -> str:
    """How to run a verb from where this process was: `jaxssl VERB` or `python -m launch.VERB`."""
    in_checkout = __package__ == "launch"  # elsewhere this folder is jaxssl.launch
    start = f"python -m launch.{verb}" if in_checkout else f"jaxssl {verb}"
    return " ".join([start, *(f"--{option}" for option in options)])


def _sections() -> dict[str, list[str]]:
    """The options of every section of a configuration; of the method, those of all methods."""
    from jaxssl.config import Config  # here, since --help needs none of it
    from jaxssl.methods import METHODS

    options = {name: [*vars(section)] for name, section in vars(Config()).items()}
    for method in METHODS.values():
        options["method"] += [field.name for field in dataclasses.fields(method.options)]
    return options


def unknown_option(error: Exception) -> str:
    """What is wrong with a --config, and which option a misspelt one may have meant."""
    message = " ".join(str(error.args[0] if error.args else error).split())
    found = _UNKNOWN_OPTION.search(message)
    if not found:
        return message
    name = found[1] or found[2]
    given = next((word for word in sys.argv if f".{name}" in word), f"--config.{name}")
    given = given.partition("=")[0]
    path = given.partition(".")[2]
    known = {f"{section}.{option}" for section, names in _sections().items() for option in names}
    near = [f"--config.{option}" for option in difflib.get_close_matches(path, known - {path}, n=2)]
    hint = f"did you mean {' or '.join(near)}?" if near else "jaxssl/config.py has every option"
    return f"there is no option {given}; {hint}"


def _quieten() -> None:
    """Leave errors to us: orbax logs every step, and a failed one as often as it has threads."""
    logging.set_verbosity(logging.FATAL)
    stdlib_logging.getLogger("asyncio").setLevel(stdlib_logging.CRITICAL)
    sys.unraisablehook = lambda _: None  # of tasks that no one awaits after a failure


def _how_to_go_on() -> str:
    return "; the same command with --resume goes on" if "resume" in flags.FLAGS else ""


def _parse(arguments: Sequence[str]) -> list[str]:
    for flag in map(flags.FLAGS.__getitem__, flags.FLAGS):
        flag.allow_overwrite &= not isinstance(flag.parser, flags.ListParser)  # the last would win
    try:
        return flags.FLAGS(arguments)
    except flags.UnrecognizedFlagError as error:
        near = difflib.get_close_matches(error.flagname, flags.FLAGS, n=2, cutoff=0.55)
        meant = " or ".join(f"--{name}" for name in near)
        hint = f"did you mean {meant}?" if meant else "--helpshort lists the flags"
        fail(f"there is no flag --{error.flagname}; {hint}", 2)
    except Exception as error:
        # what is no flags.Error comes from --config: an unknown option, a file that does not run
        message = unknown_option(error).removeprefix("FATAL Flags parsing error: ")
        for theirs, ours in _WORDS.items():
            message = re.sub(theirs, ours, message)
        hint = "" if message.endswith("?") else "; --helpshort lists the flags"
        fail(f"{message}{hint}", 2)
    except SystemExit as stop:
        raise SystemExit(0) from stop  # --help was asked for and given; absl calls that 1


def _is_one_of_several() -> bool:
    """Whether other processes compute with this one."""
    return "jax" in sys.modules and sys.modules["jax"].distributed.is_initialized()


def fail(message: str, code: int) -> NoReturn:
    """End the process with one line on stderr."""
    if flags.FLAGS.is_parsed() and _DEBUG.value:
        traceback.print_exc()
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    if _is_one_of_several():
        sys.stdout.flush()
        output.release()
        os._exit(code)  # JAX would wait for the other processes, which may wait for this one
    sys.exit(code)
