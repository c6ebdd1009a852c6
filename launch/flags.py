"""Flags that several verbs share; a verb defines those that it reads."""

import itertools
import sys
from collections.abc import Iterable, Sequence

from absl import flags
from ml_collections import config_flags

from jaxssl.config import LEAKS, Config, FinetuneConfig, to_dict, with_method, with_options
from jaxssl.runs.layout import shard_folder
from jaxssl.runs.output import Output
from jaxssl.types import InputError

from . import exit
from .config_files import load


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
flags.DEFINE_string("method", "", "Pretraining method, such as simclr; default: the config's.")
DATA = flags.DEFINE_string("data", "", "Expression file (.h5ad of prepare), or demo.")
LABEL = flags.DEFINE_string("label", "", "Label column; default: what prepare recorded.")
GROUP = flags.DEFINE_string("group", "", "Group column; default: what prepare recorded.")
BATCH = flags.DEFINE_string("batch", "", "Batch column; default: what prepare recorded.")
SEEDS = flags.DEFINE_integer("seeds", 0, "Repetitions; default: the config's.", lower_bound=0)
LEAK = flags.DEFINE_list("allow_leaks", [], f"Let these pass, out of {', '.join(LEAKS)}.")
OUT = flags.DEFINE_string("out", "", "Folder to write.")
RESUME = flags.DEFINE_bool("resume", False, "Go on in --out; only what is missing is computed.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Delete what --out holds and start anew.")


def define_shares() -> None:
    """`--shares`, of a verb that compares."""
    flags.DEFINE_list("shares", [], "Label shares, such as 0.01,0.05,1.")


def define_arms() -> None:
    """`--arms`, of a verb that compares arms."""
    flags.DEFINE_list("arms", [], "Arms, such as scratch,swav,logreg,selftrain; or all.")


def define_splits() -> None:
    """`--splits`, of a verb that can repeat itself on other splits."""
    flags.DEFINE_integer(
        "splits", None, "Outer splits, each with all seeds; 0: one a batch. Default: the config's."
    )


def define_shard() -> None:
    """`--shard`, of a verb whose seeds can be shared out."""
    flags.DEFINE_string("shard", "", "i/n: run only the seeds i, i + n, ... (i from 0).")


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

    listed = value_of("shares") or []
    try:
        shares = tuple(map(float, listed))
    except ValueError as error:
        raise InputError(f"--shares={','.join(listed)}: not numbers ({error})") from error
    return with_arguments(
        config,
        arms=(value_of("arms") or ()) if arms is None else arms,
        shares=shares,
        seeds=SEEDS.value,
        splits=value_of("splits"),
        **data_of_run(),
        allow_leaks=LEAK.value,
    )


def value_of(name: str):
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
    folder, shard = OUT.value, value_of("shard")
    folder = shard_folder(folder, shard) if shard and folder else folder
    return Output(folder, RESUME.value, OVERWRITE.value)


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
    return {
        "path": DATA.value,
        "label": LABEL.value,
        "group": GROUP.value,
        "batch": BATCH.value,
    }
