"""What is asked of a study: options, data, folder, seeds, and whom to tell."""

import operator
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from anndata import AnnData

from jaxssl.config import Config, from_dict, to_dict, with_method
from jaxssl.engine.bundle import EncoderBundle, is_bundle, load_bundle
from jaxssl.evaluation.arms import method_of, named_arms
from jaxssl.runs import layout
from jaxssl.runs.journal import load_encoders
from jaxssl.runs.output import Output, released
from jaxssl.runs.reading import open_study
from jaxssl.runs.result import StudyResult
from jaxssl.studies.progress import SILENT, Hooks, Screen
from jaxssl.types import ROLES, InputError

Data = AnnData | str | Path | None  # a data set, its file, or None where the options name one
Encoders = Mapping[int, EncoderBundle]  # by seed


class Job(NamedTuple):
    """What is asked of a study."""

    config: Config  # not yet resolved
    output: Output
    seeds: Sequence[int] = ()
    hooks: Hooks = SILENT
    data: Data = None  # in place of `config.data.path`
    encoders: Encoders = MappingProxyType({})  # to compare; where none are, they are pretrained


def make_job(
    config: Config | None,
    data: Data,
    output: Output,
    hooks: Hooks = SILENT,
    *,
    label: str = "",
    group: str = "",
    batch: str = "",
    method: str = "",
    arms: Sequence[str] = (),
    shares: Sequence[float | str] = (),
    seeds: int = 0,
    splits: int | None = None,
    shard: str = "",
    encoder: str | Path = "",
    allow_leaks: Sequence[str] = (),
) -> Job:
    """The job that a caller's words come to; what is left out is as in `config`.

    The options are a copy. With `encoder`, those of its pretraining are taken from it.
    """
    if not isinstance(config, Config | None):
        raise InputError(f"`config` is of type {type(config).__name__}", "pass a jaxssl.Config")
    config = from_dict(to_dict(config or Config()))
    path = str(data) if isinstance(data, str | Path) else ""
    config = with_data(config, path=path, label=label, group=group, batch=batch)
    config.run.seeds = _number("seeds", seeds, operator.index) or config.run.seeds
    config.split.n_splits = config.split.n_splits if splits is None else splits
    config.split.allow_leaks = listed(allow_leaks) or config.split.allow_leaks
    given = tuple(_number("shares", share, float) for share in listed(shares))
    config.sweep.shares = given or config.sweep.shares
    wanted = seeds_of(config, shard)
    encoders = read_encoders(encoder, wanted) if encoder else {}
    method = _method_of(encoders, method)
    config = with_method(config, method) if method else config
    config.sweep.arms = named_arms(arms, config.method.name) or _arms_of(config, encoders)
    if encoders:
        config = with_pretraining_of(config, next(iter(encoders.values())).config)
    if encoder and is_bundle(Path(encoder)):
        config.run.seeds, wanted = 1, list(encoders)  # the one that it is of
    if shard and output.folder:
        output = output._replace(folder=str(layout.shard_folder(Path(output.folder), shard)))
    return Job(config, output, wanted, hooks, data, encoders)


def _arms_of(config: Config, encoders: Encoders) -> tuple[str, ...]:
    """The configured arms; with encoders, those of another method are the same arms of theirs."""
    if not encoders:
        return config.sweep.arms
    own, others = config.method.name, [(arm, method_of(arm)) for arm in config.sweep.arms]
    return tuple(dict.fromkeys(arm.replace(o, own, 1) if o else arm for arm, o in others))


def _method_of(encoders: Encoders, asked: str) -> str:
    """The method of the encoders, by default the one that is asked for."""
    own = next((bundle.config.method.name for bundle in encoders.values()), asked)
    if asked not in ("", own):
        raise InputError(f"`method={asked}`, but the encoders are of {own}", "drop `method`")
    return own


def _number(name: str, value: Any, read: Callable) -> Any:
    try:
        return read(value)
    except (TypeError, ValueError) as error:
        what = "whole number" if read is operator.index else "number"
        raise InputError(f"`{name}={value}` is no {what}") from error


def listed(values: Any) -> tuple:
    """Several values, or one, as a tuple."""
    return (values,) if isinstance(values, str | float | int) else tuple(values)


def with_data(config: Config, **said: str) -> Config:
    """The configuration with the data options that are said; "" is not said."""
    given = {name: value for name, value in said.items() if value}
    return replace(config, data=replace(config.data, **given))


def with_pretraining_of(config: Config, pretrained: Config) -> Config:
    """The options of a pretraining, with the data, comparison and machine of another run."""
    return replace(
        with_data(pretrained, **{name: getattr(config.data, name) for name in ("path", *ROLES)}),
        # of one split: that of the encoders
        split=replace(pretrained.split, allow_leaks=config.split.allow_leaks, n_splits=1),
        sweep=config.sweep,
        finetune=config.finetune,
        selftrain=config.selftrain,
        run=config.run,
    )


def seeds_of(config: Config, shard: str) -> list[int]:
    """Seed ids to run: all, or those of a shard "i/n"."""
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


def read_encoders(folder: str | Path, seeds: Sequence[int]) -> Encoders:
    """The encoders of a run folder, or the one of a bundle."""
    given = Path(folder)
    if is_bundle(given):
        bundle = load_bundle(given)
        return {int(bundle.provenance["seed"]): bundle}
    bundles = load_encoders(given, seeds)
    if not bundles:
        raise InputError(
            f"`encoder={folder}` holds no encoders",
            "name the run folder of `pretrain()` or `study()`, the one with encoder/ in it",
        )
    return bundles


def hooks_of(progress: bool | Callable, stop: Callable[[], bool] | None = None) -> Hooks:
    """The calls that a Python user's arguments come to."""
    hooks = Hooks(Screen()) if progress is True else Hooks(progress) if progress else Hooks()
    return hooks._replace(patient=lambda: nullcontext(stop)) if stop else hooks


def in_folder(run: Callable[[Job], Encoders | None], job: Job) -> StudyResult:
    """Do a job in its folder, by default a temporary one; warns of what the summary warns of."""
    if not job.output.folder and (job.output.resume or job.output.overwrite):
        raise InputError("`resume` and `overwrite` are of a folder", "pass `out`")
    temporary = "" if job.output.folder else tempfile.mkdtemp(prefix="jaxssl_")
    folder = Path(temporary, "study") if temporary else Path(job.output.folder)
    try:
        with released(folder):
            encoders = run(job._replace(output=job.output._replace(folder=str(folder))))
            result = replace(open_study(folder), fresh=encoders or None)
    except BaseException:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    if temporary:
        weakref.finalize(result, shutil.rmtree, temporary, ignore_errors=True)
    for text in (*result.summary.get("warnings", []), *result.pretraining.get("messages", [])):
        warnings.warn(text, stacklevel=3)
    return result
