"""What is asked of a study: options, data, folder, seeds, and whom to tell."""

import shutil
import tempfile
import warnings
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from anndata import AnnData

from jaxssl.arguments import refuse_twice
from jaxssl.bounds import count_of, listed, share_of
from jaxssl.config import Config, from_dict, to_dict, with_method
from jaxssl.engine.bundle import is_bundle
from jaxssl.evaluation.arms import method_of, named_arms
from jaxssl.evaluation.grid import refuse_unread_by
from jaxssl.idle import warn_of_idle
from jaxssl.readers import refuse_beside_method, refuse_settled, refuse_unread
from jaxssl.runs import layout
from jaxssl.runs.kinds import OF_READER
from jaxssl.runs.notes import WARNING
from jaxssl.runs.output import Output, released
from jaxssl.runs.reading import open_study
from jaxssl.runs.result import StudyResult
from jaxssl.studies.amount import left_open, seeds_of
from jaxssl.studies.data import EMBEDDED, Data, read_data
from jaxssl.studies.encoders import Encoders, given_encoders, with_data, with_pretraining_of
from jaxssl.studies.frames import settle_frame
from jaxssl.studies.progress import SILENT, Event, Hooks, Screen
from jaxssl.types import MAX_MISSING, REFUSE, InputError, OnShift
from jaxssl.validate import check_sections


class Job(NamedTuple):
    """What is asked of a study."""

    config: Config  # not yet resolved
    output: Output
    seeds: Sequence[int] = ()
    hooks: Hooks = SILENT
    data: Data = None  # in place of `config.data.path`
    encoders: Encoders = MappingProxyType({})  # to compare; where none are, they are pretrained
    unlabelled: Sequence[Data] = ()  # samples that join the training
    shift: OnShift = REFUSE  # what to do about samples unlike those of given encoders
    max_missing: float = MAX_MISSING  # share of their genes that may be
    is_open: Collection[str] = ()  # options that nobody named, of `amount.OPEN`


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
    frames: Sequence[str] = (),
    shares: Sequence[float | str] = (),
    seeds: int = 0,
    splits: int | None = None,
    shard: str = "",
    encoder: str | Path = "",
    unlabelled: Sequence[Data] = (),
    allow_leaks: Sequence[str] = (),
    reader: str = "study",
    said: Collection[str] = (),
) -> Job:
    """The job that a caller's words come to; what is left out is as in `config`.

    The options are a copy. With `encoder`, those of its pretraining are taken from it. What the
    `reader` leaves unread is refused; `said` are the options that were named one by one.
    """
    roles = {"label": label, "group": group, "batch": batch}
    words = {"method": method, "seeds": seeds, "arms": arms, "frames": frames, "shares": shares}
    words |= {"unlabelled": unlabelled, "allow_leaks": allow_leaks, **roles}
    _refuse(reader, said, data, splits, words)
    config = with_data(_options(config, reader, data), **roles)
    counts = {"splits": splits, "seeds": seeds, "shard": shard}
    is_open, wanted = _set_words(config, words | counts, said), seeds_of(config, shard)
    encoders, adata = _given(encoder, config, wanted, counts, said, data, hooks)
    config = _of_method(config, encoders, method)
    arms = _named(arms, config, "" if encoders else method) or _arms_of(config, encoders)
    config.sweep.arms = refuse_unread_by(arms, said if reader == "study" else ())
    for given in list(encoders.values())[:1]:
        config = with_pretraining_of(config, given, adata)
    if encoder and is_bundle(Path(encoder)):
        config.run.seeds, wanted = 1, list(encoders)  # the one that it is of
    output, files = _settle(output, reader, shard, config, data, encoder), config.data.unlabelled
    of_data = data if adata is None else adata, encoders, unlabelled or files
    return Job(settle_frame(config, output), output, wanted, hooks, *of_data, is_open=is_open)


def _given(
    encoder: str | Path,
    config: Config,
    seeds: Sequence[int],
    counts: Mapping[str, Any],
    said: Collection[str],
    data: Data,
    hooks: Hooks,
) -> tuple[Encoders, AnnData | None]:
    """The encoders that are asked for, and the data, which tell whether they are of others."""
    if not encoder:
        return {}, None
    is_given = isinstance(data, AnnData) or config.data.path
    adata = read_data(config.data, hooks, data) if is_given else None
    return given_encoders(encoder, config, seeds, counts, said, adata), adata


def _refuse(
    reader: str, said: Collection[str], data: Data, splits: int | None, words: dict[str, Any]
) -> None:
    """Refuse what the reader leaves unread, and what is said twice."""
    words["splits"] = "" if splits is None else str(splits)  # 0 says something
    words["data"] = "" if isinstance(data, AnnData) or not data else str(data)
    refuse_unread(reader, said, words)
    refuse_twice(said, words)


def _settle(
    output: Output, reader: str, shard: str, config: Config, data: Data, encoder: str | Path
) -> Output:
    """The output, of a shard its own, that knows the files which the run reads by their options."""
    if shard and output.folder:
        output = output._replace(folder=str(layout.shard_folder(Path(output.folder), shard)))
    file = data.filename if isinstance(data, AnnData) else data or config.data.path
    named: list[tuple[str, Any]] = [("data", file), ("encoder", encoder)]
    named += [("unlabelled", path) for path in config.data.unlabelled]
    inputs = [(name, path) for name, path in named if path and str(path) not in EMBEDDED]
    kind = OF_READER.get(reader, reader)
    return output._replace(inputs=(*output.inputs, *inputs), kind=kind)


def _options(config: Config | None, reader: str, data: Data) -> Config:
    """A copy of the options, with the file of the data."""
    config = Config() if config is None else config
    check_sections(config)
    refuse_settled(reader, config)
    config = from_dict(to_dict(config))
    warn_of_idle(config)
    if isinstance(data, AnnData):  # whatever file the options were of
        config.data.path = str(data.filename or "")
    return with_data(config, path=str(data) if isinstance(data, str | Path) else "")


def _set_words(config: Config, words: Mapping[str, Any], said: Collection[str]) -> frozenset[str]:
    """Set what a caller says of the options for which there are words; returns what stays open."""
    config.run.seeds = count_of("seeds", words["seeds"]) or config.run.seeds
    if words["splits"] is not None:
        config.split.n_splits = count_of("splits", words["splits"])
    leaks, shares = listed(words["allow_leaks"], "allow_leaks"), listed(words["shares"], "shares")
    config.split.allow_leaks = leaks or config.split.allow_leaks
    config.sweep.shares = tuple(map(share_of, shares)) or config.sweep.shares
    config.sweep.frames = listed(words["frames"], "frames") or config.sweep.frames
    files = tuple(str(one) for one in words["unlabelled"] if not isinstance(one, AnnData))
    config.data.unlabelled = files or config.data.unlabelled
    return left_open(config, said, words)


def _named(arms: Sequence[str], config: Config, method: str) -> tuple[str, ...]:
    """The arms that are asked for, one of them of the method that is asked for beside them."""
    named = named_arms(arms, config.method.name)
    if method and named and not any(map(method_of, named)):
        raise InputError(f"`method={method}`, and no arm of it is in `arms`", "name it, or drop it")
    return named


def _arms_of(config: Config, encoders: Encoders) -> tuple[str, ...]:
    """The configured arms; with encoders, those of another method are the same arms of theirs."""
    if not encoders:
        return config.sweep.arms
    own, others = config.method.name, [(arm, method_of(arm)) for arm in config.sweep.arms]
    return tuple(dict.fromkeys(arm.replace(o, own, 1) if o else arm for arm, o in others))


def _of_method(config: Config, encoders: Encoders, asked: str) -> Config:
    """The options, of the method of the encoders, by default of the one that is asked for."""
    own = next((bundle.config.method.name for bundle in encoders.values()), asked)
    if asked not in ("", own):
        raise InputError(f"`method={asked}`, but the encoders are of {own}", "drop `method`")
    if own in ("", config.method.name):
        return config
    refuse_beside_method(config, own, is_asked=not encoders)
    return with_method(config, own)


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
    told: list[str] = []

    def tell(event: Event) -> None:
        told.append(event.text)
        job.hooks.tell(event)

    try:
        with released(folder):
            hooks = job.hooks._replace(tell=tell)
            output = job.output._replace(folder=str(folder))
            encoders = run(job._replace(output=output, hooks=hooks))
            result = replace(open_study(folder), fresh=encoders or None)
    except BaseException:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
        found = [text.removeprefix(WARNING) for text in told if text.startswith(WARNING)]
        warn_again({"warnings": found})  # no summary will
        raise
    if temporary:
        weakref.finalize(result, shutil.rmtree, temporary, ignore_errors=True)
    warn_again(result.summary)
    return result


def warn_again(summary: Mapping[str, Any]) -> None:
    """Warn a Python user of what a summary warns of."""
    messages = summary.get("pretraining", {}).get("messages", [])
    for text in (*summary.get("warnings", []), *messages):
        warnings.warn(text, stacklevel=5)  # of the caller of a function that is `checked`
