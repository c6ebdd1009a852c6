"""What a caller says of a study, as the options and calls that it comes to."""

import dataclasses
import operator
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from jaxssl.config import Config, from_dict, to_dict, with_method
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.evaluation.arms import method_of, named_arms
from jaxssl.runs import layout
from jaxssl.runs.output import Output, is_held, release
from jaxssl.runs.reading import open_study
from jaxssl.runs.result import StudyResult
from jaxssl.studies.progress import Hooks, Screen
from jaxssl.types import InputError


def with_arguments(
    config: Config | None,
    *,
    method: str = "",
    arms: Sequence[str] = (),
    shares: Sequence[float | str] = (),
    seeds: int = 0,
    splits: int | None = None,
    allow_leaks: Sequence[str] = (),
    data: Mapping[str, str] | None = None,
) -> Config:
    """A copy of the configuration with all that is said; what is left out stays as it is.

    Raises:
        InputError: on a method that does not exist, and on what is no number.
    """
    config = Config() if config is None else config
    if not isinstance(config, Config):
        kind = type(config).__name__
        raise InputError(f"`config` is of type {kind}", "pass a jaxssl.Config")
    config = from_dict(to_dict(config))  # the caller's stays as it is
    config = with_method(config, method) if method else config
    config = with_data(config, data or {})
    config.split.n_splits = config.split.n_splits if splits is None else splits
    config.split.allow_leaks = listed(allow_leaks) or config.split.allow_leaks
    config.run.seeds = _number("seeds", seeds, operator.index) or config.run.seeds
    config.sweep.arms = named_arms(arms, config.method.name) or config.sweep.arms
    given = tuple(_number("shares", share, float) for share in listed(shares))
    config.sweep.shares = given or config.sweep.shares
    return config


def _number(name: str, value: Any, read: Callable) -> Any:
    try:
        return read(value)
    except (TypeError, ValueError) as error:
        what = "whole number" if read is operator.index else "number"
        raise InputError(f"`{name}={value}` is no {what}") from error


def listed(values: Any) -> tuple:
    """Several values, or one, as a tuple."""
    return (values,) if isinstance(values, str | float | int) else tuple(values)


def path_of(data: Any) -> str:
    """The file of a data set that is one, for the record."""
    return str(data) if isinstance(data, str | Path) else ""


def with_data(config: Config, said: Mapping[str, str]) -> Config:
    """The configuration with the data options that are said; "" is not said."""
    given = {name: value for name, value in said.items() if value}
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **given))


def with_pretraining_of(config: Config, pretrained: Config, arms: Sequence[str] = ()) -> Config:
    """The options of a pretraining, with another run's comparison, fine-tuning and machine.

    Args:
        config: of the other run; data and columns that it names are used.
        pretrained: of the encoders.
        arms: that were asked for; by default the other run's, with this method for another.
    """
    method, data = pretrained.method.name, dataclasses.asdict(config.data)
    columns = {name: data[name] for name in ("path", "label", "group", "batch")}
    default = tuple(dict.fromkeys(_of_method(arm, method) for arm in config.sweep.arms))
    return dataclasses.replace(
        with_data(pretrained, columns),
        split=dataclasses.replace(pretrained.split, allow_leaks=config.split.allow_leaks),
        sweep=dataclasses.replace(config.sweep, arms=named_arms(arms, method) or default),
        finetune=config.finetune,
        selftrain=config.selftrain,
        run=config.run,
    )


def _of_method(arm: str, method: str) -> str:
    """The arm, where it is of another method the same arm of this one."""
    other = method_of(arm)
    return arm.replace(other, method, 1) if other else arm


def seeds_of(config: Config, shard: str = "") -> list[int]:
    """Seed ids to run: all, or those of a shard "i/n".

    Raises:
        InputError: on a shard that is none, or that has no seeds.
    """
    seeds = list(range(config.run.seeds))
    if not shard:
        return seeds
    index, _, count = shard.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise InputError(f"`shard={shard}`", "write i/n with 0 <= i < n, such as 0/4")
    seeds = seeds[int(index) :: int(count)]
    if not seeds:
        raise InputError(f"`shard={shard}` has none of the {config.run.seeds} seeds", "see `seeds`")
    return seeds


def hooks_of(progress: bool | Callable, stop: Callable[[], bool] | None = None) -> Hooks:
    """The calls that a Python user's arguments come to."""
    hooks = Hooks(Screen()) if progress is True else Hooks(progress) if progress else Hooks()
    return hooks._replace(patient=lambda: nullcontext(stop)) if stop else hooks


def in_folder(
    run: Callable[[Output], dict[int, EncoderBundle]],
    out: str | Path | None,
    shard: str = "",
    resume: bool = False,
    overwrite: bool = False,
) -> StudyResult:
    """Run in a folder, by default a temporary one; warns of what the summary warns of."""
    if not out and (resume or overwrite):
        raise InputError("`resume` and `overwrite` are of a folder", "pass `out`")
    temporary = "" if out else tempfile.mkdtemp(prefix="jaxssl_")
    folder = f"{temporary}/study" if temporary else str(out)
    folder = layout.shard_folder(folder, shard) if shard else folder
    if is_held(Path(folder)):
        raise InputError(f"another study of this process writes {folder}", "pass another `out`")
    try:
        bundles = run(Output(folder, resume, overwrite))
        result = dataclasses.replace(open_study(folder), fresh=bundles or None)
    except BaseException:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    finally:
        release(Path(folder))
    if temporary:
        weakref.finalize(result, shutil.rmtree, temporary, ignore_errors=True)
    for text in (*result.summary.get("warnings", []), *result.pretraining.get("messages", [])):
        warnings.warn(text, stacklevel=3)
    return result
