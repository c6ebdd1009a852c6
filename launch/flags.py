"""Flags that several verbs share."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from absl import flags
from ml_collections import config_flags
from ml_collections.config_flags.config_flags import ConfigFileFlagParser

from jaxssl.config import LEAKS, Config, to_dict
from jaxssl.evaluation.arms import SELFTRAIN, all_arms, method_of
from jaxssl.types import InputError
from launch import exit
from launch.config_files import FOLDER, config_file
from launch.folder import Output


class _ConfigParser(ConfigFileFlagParser):
    """Loads a config that jaxssl brings, by name, or the user's own, by path."""

    def parse(self, path: str) -> Any:
        return super().parse(str(config_file(path)))


def _define_config():
    """`--config`; overrides on the command line are looked at here and now."""
    text = "A config by name or path; override one option with --config.SECTION.OPTION=VALUE."
    try:
        holder = config_flags.DEFINE_config_file("config", str(FOLDER / "default.py"), text)
    except KeyError as error:
        exit.fail(exit.unknown_option(error), 2)
    flags.FLAGS["config"].parser = _ConfigParser("config")
    return holder


CONFIG = _define_config()
_DATA = flags.DEFINE_string("data", "", "Expression file (.h5ad of launch.prepare), or demo.")
_LABEL = flags.DEFINE_string("label", "", "Label column; default: what prepare recorded.")
_GROUP = flags.DEFINE_string("group", "", "Group column; default: what prepare recorded.")
_SEEDS = flags.DEFINE_integer("seeds", 0, "Repetitions; default: the config's.", lower_bound=0)
_SHARES = flags.DEFINE_list("shares", [], "Label shares, such as 0.01,0.05,1.")
ARMS = flags.DEFINE_list("arms", [], "Arms, such as scratch,swav,logreg,selftrain; or all.")
_SPLITS = flags.DEFINE_integer(
    "splits", -1, "Outer splits, each with all seeds; 0: one a batch. Default: the config's."
)
_LEAKS = flags.DEFINE_list("allow_leaks", [], f"Let these pass, out of {', '.join(LEAKS)}.")
SHARD = flags.DEFINE_string("shard", "", "i/n: run only the seeds i, i + n, … (i from 0).")
OUT = flags.DEFINE_string("out", "", "Folder to write.")
RESUME = flags.DEFINE_bool("resume", False, "Go on in --out; only what is missing is computed.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Delete what --out holds and start anew.")


def config_of_run() -> Config:
    """The configuration with the flags' overrides."""
    try:
        config: Config = CONFIG.value
        config.data.path = _DATA.value or config.data.path
    except OSError as error:  # told on first use
        raise InputError(f"--config cannot be read: {error}") from error
    config.data.label = _LABEL.value or config.data.label
    config.data.group = _GROUP.value or config.data.group
    config.split.n_splits = config.split.n_splits if _SPLITS.value < 0 else _SPLITS.value
    config.split.allow_leaks = tuple(_LEAKS.value) or config.split.allow_leaks
    config.run.seeds = _SEEDS.value or config.run.seeds
    config.sweep.arms = arms_of_run(config.method.name) or config.sweep.arms
    try:
        config.sweep.shares = tuple(map(float, _SHARES.value)) or config.sweep.shares
    except ValueError as error:
        raise InputError(f"--shares={','.join(_SHARES.value)}: not numbers ({error})") from error
    return config


def arms_of_run(method: str) -> tuple[str, ...]:
    """The arms of --arms: "all" are all with one method, "selftrain" has it as teacher."""
    if ARMS.value == ["all"]:
        return all_arms(method)
    return tuple(method + SELFTRAIN if arm == "selftrain" else arm for arm in ARMS.value)


def refuse(names: Iterable[str], reason: str) -> None:
    """Refuse flags that a verb would leave unread.

    Raises:
        InputError: if one is given.
    """
    for name in names:
        if flags.FLAGS[name].present:
            raise InputError(f"--{name} is not for {reason}")


def refuse_options(given: Config, sections: Iterable[str], reason: str) -> None:
    """Refuse options of sections that a verb would leave unread.

    Raises:
        InputError: if one is not at its default.
    """
    ours, options = to_dict(Config()), to_dict(given)
    for section in sections:
        for option, value in options[section].items():
            if value != ours[section].get(option):
                raise InputError(f"--config.{section}.{option} is not for {reason}")


def seeds_of_run(config: Config) -> list[int]:
    """Seed ids of this process: all, or those of its shard."""
    if not SHARD.value:
        return list(range(config.run.seeds))
    index, _, count = SHARD.value.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise InputError(f"--shard={SHARD.value}: write i/n with 0 <= i < n, such as 0/4")
    seeds = list(range(config.run.seeds))[int(index) :: int(count)]
    if not seeds:
        raise InputError(
            f"--shard={SHARD.value} has none of the {config.run.seeds} seeds; see --seeds"
        )
    return seeds


def output() -> Output:
    """`--out`, or this shard's folder inside it; `launch.report OUT/shard_*` merges them."""
    folder = OUT.value
    if SHARD.value and folder:
        folder = f"{folder}/shard_{SHARD.value.replace('/', '_of_')}"
    return Output(folder, RESUME.value, OVERWRITE.value)


def with_pretraining_of(config: Config, pretrained: Config) -> Config:
    """The options of a pretraining, with this run's comparison, fine-tuning and machine.

    Data, label and group are the pretraining's unless a flag names others; so is the method among
    the arms unless --arms does.
    """
    method = pretrained.method.name
    arms = [method if method_of(arm) else arm for arm in config.sweep.arms]
    arms = arms_of_run(method) or tuple(dict.fromkeys(arms))
    given = {"path": _DATA.value, "label": _LABEL.value, "group": _GROUP.value}
    given = {name: value for name, value in given.items() if value}
    data = dataclasses.replace(pretrained.data, **given)
    return dataclasses.replace(
        pretrained,
        data=data,
        sweep=dataclasses.replace(config.sweep, arms=arms),
        finetune=config.finetune,
        selftrain=config.selftrain,
        run=config.run,
    )
