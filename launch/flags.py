"""Flags that several verbs share; a verb defines those that it reads."""

import itertools
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from absl import flags
from ml_collections import config_flags

from jaxssl.config import LEAKS, Config, FinetuneConfig, to_dict, with_method, with_options
from jaxssl.runs.layout import shard_folder
from jaxssl.runs.output import Output
from jaxssl.types import InputError

from . import exit
from .config_files import load

RECORDED = "default: what prepare recorded."


def _load(config: str) -> Config:
    """A config by name or path, with the method of --method, whose options --config.method has.

    The command line is read here because overrides are parsed as soon as --config is.
    """
    loaded, method = load(config), _on_command_line("method")
    return with_method(loaded, method) if method else loaded


def _on_command_line(name: str) -> str:
    """The value that the command line gives a flag, "" for none."""
    found = ""
    words = sys.argv[1:]
    for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
        flag, is_joined, value = word.partition("=")
        if flag in (f"--{name}", f"-{name}"):
            found = value if is_joined else following
    return found


def _define_config():
    """`--config`; overrides on the command line are looked at here and now."""
    text = "A config by name or path; override one option with --config.SECTION.OPTION=VALUE."
    try:
        return config_flags.DEFINE_config_dataclass(
            "config", _load("default"), text, parse_fn=_load
        )
    except KeyError as error:
        exit.fail(exit.unknown_option(error), 2)
    except InputError as error:
        exit.fail(exit.as_flags(str(error)), 2)


CONFIG = _define_config()
_FLAGS = {
    "method": partial(flags.DEFINE_string, default="", help="Pretraining method, such as simclr."),
    "data": partial(flags.DEFINE_string, default="", help="Expression file, or demo."),
    "label": partial(flags.DEFINE_string, default="", help=f"Label column; {RECORDED}"),
    "group": partial(flags.DEFINE_string, default="", help=f"Group column; {RECORDED}"),
    "batch": partial(flags.DEFINE_string, default="", help=f"Batch column; {RECORDED}"),
    "seeds": partial(
        flags.DEFINE_integer, default=0, help="Repetitions; 0: the config's.", lower_bound=0
    ),
    "allow_leaks": partial(
        flags.DEFINE_list, default=[], help=f"Let these pass, out of {', '.join(LEAKS)}."
    ),
    "out": partial(flags.DEFINE_string, default="", help="Folder to write."),
    "resume": partial(
        flags.DEFINE_bool, default=False, help="Go on in --out; only what is missing is computed."
    ),
    "overwrite": partial(
        flags.DEFINE_bool, default=False, help="Delete what --out holds and start anew."
    ),
    "shares": partial(flags.DEFINE_list, default=[], help="Label shares, such as 0.01,0.05,1."),
    "arms": partial(
        flags.DEFINE_list, default=[], help="Arms, such as scratch,swav,logreg,selftrain; or all."
    ),
    "splits": partial(
        flags.DEFINE_integer,
        default=None,
        help="Outer splits, each with all seeds; 0: one a batch. Default: the config's.",
    ),
    "shard": partial(
        flags.DEFINE_string, default="", help="i/n: run only the seeds i, i + n, ... (i from 0)."
    ),
}
DATA = ("data", "label", "group", "batch")
RUN = (*DATA, "method", "seeds", "allow_leaks", "out", "resume", "overwrite")
"""What a verb that pretrains or compares reads."""


def define(*names: str) -> None:
    """Define those of the shared flags that a verb reads."""
    for name in names:
        _FLAGS[name](name)


def config_of_run(arms: Sequence[str] | None = None) -> Config:
    """The configuration with the flags' overrides.

    Args:
        arms: in place of `--arms`.
    """
    try:
        config: Config = CONFIG.value
    except OSError as error:  # told on first use
        raise InputError(f"--config cannot be read: {error}") from error
    from jaxssl.studies.arguments import with_arguments  # scikit-learn comes with it: not for help

    method = value_of("method") or ""  # of a file of flags, which --config has not seen
    return with_arguments(
        config,
        method=method if method != config.method.name else "",
        arms=(value_of("arms") or ()) if arms is None else arms,
        shares=value_of("shares") or (),
        seeds=value_of("seeds") or 0,
        splits=value_of("splits"),
        data=data_of_run(),
        allow_leaks=value_of("allow_leaks") or (),
    )


def value_of(name: str) -> Any:
    """Value of a flag; None where the verb does not have it."""
    return flags.FLAGS[name].value if name in flags.FLAGS else None


def refuse_options(given: Config, sections: Iterable[str], reason: str) -> None:
    """Refuse options of sections that a verb would leave unread.

    Raises:
        InputError: if one is not at its default.
    """
    ours, options = to_dict(Config()), to_dict(given)
    for section in sections:
        for option, value in options[section].items():
            if value != ours[section].get(option):
                raise InputError(f"`{section}.{option}` is not for {reason}")


def seeds_of_run(config: Config) -> list[int]:
    """Seed ids of this process: all, or those of its shard."""
    from jaxssl.studies.arguments import seeds_of

    return seeds_of(config, value_of("shard") or "")


def output() -> Output:
    """`--out`, or this shard's folder inside it."""
    folder, shard, may_resume = value_of("out"), value_of("shard"), "resume" in flags.FLAGS
    folder = shard_folder(folder, shard) if shard and folder else folder
    return Output(folder, bool(value_of("resume")), value_of("overwrite"), may_resume)


def finetune_options(pretrained: Config) -> FinetuneConfig:
    """The fine-tuning options of `--config`, or the encoder's, each as the command line has it.

    Raises:
        InputError: on another option, which the encoder decides.
    """
    overrides = config_flags.get_override_values(flags.FLAGS["config"])
    for name in overrides:
        if not name.startswith("finetune."):
            raise InputError(f"`{name}` is not for a fine-tuning, which takes it from the encoder")
    given = _on_command_line("config")
    return (CONFIG.value if given else with_options(pretrained, overrides)).finetune


def data_of_run() -> dict[str, str]:
    """The data set and the columns that flags name."""
    return {"path" if name == "data" else name: value_of(name) for name in DATA}
