"""Flags that several verbs share; a verb defines those that it reads."""

import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from absl import flags
from ml_collections import config_flags

from jaxssl.config import Config, with_method, with_options
from jaxssl.readers import refuse_unread
from jaxssl.runs.output import Output
from jaxssl.types import FRAMES, LEAKS, MAX_MISSING, REFUSE, ROLES, InputError, OnShift
from jaxssl.validate import get_option

from . import exit
from .config_files import load

if TYPE_CHECKING:
    from jaxssl.engine.bundle import EncoderBundle
    from jaxssl.studies.job import Job

RECORDED = "default: what prepare recorded."
OF_NEW_SAMPLES = "Column with each sample's cohort; default: they are of one."


def _load(config: str) -> Config:
    """A config by name or path, with the method of --method, whose options --config.method has.

    The command line is read here because overrides are parsed as soon as --config is.
    """
    loaded, method = load(config), _on_command_line("method")
    return with_method(loaded, method) if method else loaded


def _on_command_line(name: str) -> str:
    """The value that the command line gives a flag, "" for none."""
    found = ""
    for word, following in itertools.zip_longest(sys.argv[1:], sys.argv[2:], fillvalue=""):
        flag, is_joined, value = word.partition("=")
        if flag in (f"--{name}", f"-{name}"):
            found = value if is_joined else following
    return found


def _define_config(name: str) -> None:
    """`--config`; overrides on the command line are looked at here and now."""
    text = "A config by name or path; override one option with --config.SECTION.OPTION=VALUE."
    try:
        config_flags.DEFINE_config_dataclass(name, _load("default"), text, parse_fn=_load)
        flags.FLAGS[name].default_as_str = "'default'"  # not every option that there is
    except KeyError as error:
        exit.fail(exit.unknown_option(error), 2)
    except InputError as error:
        exit.fail(exit.as_flags(str(error)), 2)


_FLAGS: dict[str, tuple[Any, ...]] = {
    "config": (_define_config,),
    "method": (flags.DEFINE_string, "", "Pretraining method, such as simclr."),
    "data": (flags.DEFINE_string, "", "Expression file, or demo."),
    "label": (flags.DEFINE_string, "", f"Label column; {RECORDED}"),
    "group": (flags.DEFINE_string, "", f"Group column; {RECORDED}"),
    "batch": (flags.DEFINE_string, "", f"Batch column; {RECORDED}"),
    "seeds": (flags.DEFINE_integer, 0, "Repetitions; 0: the config's.", 0),
    "unlabelled": (flags.DEFINE_list, [], "Files that join the pretraining, each a cohort."),
    "allow_leaks": (flags.DEFINE_list, [], f"Let these pass, out of {', '.join(LEAKS)}."),
    "out": (flags.DEFINE_string, "", "Folder to write."),
    "resume": (flags.DEFINE_bool, False, "Go on in --out; only what is missing is computed."),
    "overwrite": (
        flags.DEFINE_bool,
        False,
        "Delete the run in --out and start anew; files that no run wrote stay.",
    ),
    "shares": (flags.DEFINE_list, [], "Label shares, such as 0.01,0.05,1."),
    "arms": (flags.DEFINE_list, [], "Arms, such as scratch,swav,logreg@rank,selftrain; or all."),
    "frames": (
        flags.DEFINE_list,
        [],
        f"Frames that every classical arm gets beside the study's, out of {', '.join(FRAMES)}. "
        "Default: all that the cohorts allow where a batch is left out, else no other.",
    ),
    "splits": (
        flags.DEFINE_integer,
        None,
        "Outer splits, each with all seeds; 0: one a batch. Default: the config's.",
    ),
    "shard": (flags.DEFINE_string, "", "i/n: run only the seeds i, i + n, ... (i from 0)."),
    "encoder": (flags.DEFINE_string, "", "Bundle, or a run folder with encoders."),
    "coverage": (
        flags.DEFINE_float,
        None,
        "Share of each class whose sets of classes are to hold the true one, such as 0.9.",
    ),
    "max_missing": (flags.DEFINE_float, MAX_MISSING, "Share of genes that may be imputed.", 0, 1),
    "shift": (
        flags.DEFINE_enum,
        REFUSE,
        get_args(OnShift),
        "What to do about samples unlike the encoder's; adapt: each gene standardised within them.",
    ),
}
"""How a flag is defined: by which call, and with which default, help and bounds."""
DATA = ("config", "data", *ROLES)
RUN = (*DATA, "method", "seeds", "allow_leaks", "out", "resume", "overwrite")
"""What a verb that pretrains or compares reads."""
ASKED = (*ROLES, "arms", "frames", "shares", "seeds", "splits", "shard", "encoder", "unlabelled")
ASKED += ("allow_leaks",)
"""Flags that say what `make_job` says, in the same words."""


def define(*names: str) -> None:
    """Define those of the shared flags that a verb reads."""
    for name in names:
        call, *rest = _FLAGS[name]
        call(name, *rest)


def said() -> dict[str, Any]:
    """The options that the command line overrides one by one."""
    return config_flags.get_override_values(flags.FLAGS["config"])


def config(reader: str) -> Config:
    """The options of `--config`, with those that the command line overrides, for a reader."""
    refuse_unread(reader, said())
    try:
        return value_of("config")
    except OSError as error:  # told on first use
        raise InputError(f"--config cannot be read: {error}") from error


def job(reader: str, of_encoder: Config | None = None, **words: Any) -> "Job":
    """What the flags ask for, on `--config` or an encoder's options; `words` go before flags."""
    from jaxssl.studies.job import make_job  # scikit-learn comes with it: not for help

    from .screen import hooks

    options = of_encoder or config(reader)
    given = {name: value_of(name) for name in ASKED} | words
    return make_job(
        options,
        value_of("data"),
        Output(value_of("out"), bool(value_of("resume")), value_of("overwrite"), inputs=_files()),
        hooks(),
        method=value_of("method") or "",
        reader=reader,
        said=said(),
        **{name: value for name, value in given.items() if value is not None},
    )


def _files() -> tuple[tuple[str, str], ...]:
    """The files that the command line names, beside the data."""
    config, encoder = _on_command_line("config"), value_of("encoder")
    named = [("config", config if Path(config).is_file() else ""), ("encoder", encoder)]
    return tuple((name, path) for name, path in named if path)


def value_of(name: str) -> Any:
    """Value of a flag; None where the verb does not have it."""
    return flags.FLAGS[name].value if name in flags.FLAGS else None


def folder_of(name: str, maker: str) -> str:
    """Value of a flag that names what `maker` wrote, and that the verb cannot do without."""
    if not value_of(name):
        raise InputError(f"no {name} is given", f"pass `{name}=RUN`, a folder of `{maker}()`")
    return value_of(name)


def options_beside(encoder: "EncoderBundle") -> Config:
    """The encoder's options, with the fine-tuning and the data of `--config` where it is given."""
    from jaxssl.studies.encoders import options_of

    if _on_command_line("config"):
        split = {name: get_option(encoder.config, name) for name in said() if "split." in name}
        return with_options(options_of(encoder, with_options(config("finetune"), split)), said())
    refuse_unread("finetune", said())
    return with_options(encoder.config, said())
