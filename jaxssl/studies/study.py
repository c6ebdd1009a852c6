"""The main job, end to end: data, pretraining of all seeds, comparison, conclusions."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from jaxssl.config import Config
from jaxssl.engine.bundle import EncoderBundle, is_bundle
from jaxssl.evaluation.arms import method_of, named_arms
from jaxssl.evaluation.sweep import check_arms, check_encoders, check_methods
from jaxssl.runs import layout
from jaxssl.runs.identity import write_identity
from jaxssl.runs.journal import load_encoders
from jaxssl.runs.output import Output, check_folder, open_folder
from jaxssl.runs.result import StudyResult
from jaxssl.studies.arguments import (
    hooks_of,
    in_folder,
    path_of,
    seeds_of,
    with_arguments,
    with_pretraining_of,
)
from jaxssl.studies.comparison import by_method, compare
from jaxssl.studies.pretraining import pretrain
from jaxssl.studies.progress import Hooks
from jaxssl.studies.splits import merge_splits, split_numbers
from jaxssl.studies.start import Data, begin, read_data, read_encoders
from jaxssl.studies.summary import conclude_study, finish, summarize
from jaxssl.types import InputError
from jaxssl.validate import validate


def study(
    data: Data = None,
    *,
    out: str | Path | None = None,
    method: str = "",
    arms: Sequence[str] = (),
    shares: Sequence[float] = (),
    seeds: int = 0,
    splits: int | None = None,
    shard: str = "",
    encoder: str | Path = "",
    label: str = "",
    group: str = "",
    batch: str = "",
    allow_leaks: Sequence[str] = (),
    config: Config | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | Callable = True,
    stop: Callable[[], bool] | None = None,
) -> StudyResult:
    """Pretrain on all training profiles, compare with training from scratch and classical arms.

    What `jaxssl study` does, with the same numbers; with `encoder`, what `jaxssl sweep` does.

    Args:
        data: AnnData (samples x genes, such as `jaxssl.read` returns), a file, "demo" or
            "synthetic"; by default `config.data.path`.
        out: folder for everything that the study writes; by default one that goes with the result.
        method: pretraining method, such as "swav" or "simclr", with its own default options and
            views; by default the one of `config`.
        arms: what is compared, such as ["scratch", "swav", "logreg"]; ["all"] is all there is.
        shares: of the training labels, each in (0, 1].
        seeds: repetitions; 10 by default.
        splits: outer splits, each with all seeds; 0: as many as there are batches, of which
            `config.split.protocol="leave_batch_out"` leaves out one after the other.
        shard: "i/n" runs only the seeds i, i + n, ..., in a folder of its own inside `out`.
        encoder: run folder or bundle whose encoders are compared; nothing is pretrained then.
        label: column of classes; by default the one recorded on import.
        group: column whose samples stay in one part of the split, such as the patient.
        batch: column of technical batches, for figures and splits by batch.
        allow_leaks: kinds of leaks that do not end the study; see `data.leakage`.
        config: all other options; it stays as it is.
        resume: go on in `out`: only what is missing is computed.
        overwrite: delete what `out` holds.
        progress: show it (True), do not (False), or a function of a `progress.Event`.
        stop: asked after every epoch whether to save and end.

    Returns:
        What it came to.

    Raises:
        InputError: where data, labels, options or `out` do not allow the study, and on leaks.
        Stopped: if `stop` said so; with `out`, `resume=True` goes on.

    Example:
        >>> result = jaxssl.study(  # doctest: +SKIP
        ...     adata, arms=["scratch", "swav", "logreg"], shares=[0.01, 0.05, 0.1], seeds=10
        ... )
        >>> result.headline  # doctest: +SKIP
    """
    if encoder and splits is not None:
        raise InputError("`splits` is not for given encoders, which are of one split", "drop it")
    said = {"label": label, "group": group, "batch": batch, "path": path_of(data)}
    config = with_arguments(
        config,
        method=method,
        arms=() if encoder else arms,
        shares=shares,
        seeds=seeds,
        splits=splits,
        allow_leaks=allow_leaks,
        data=said,
    )
    how = {"seeds": seeds_of(config, shard), "hooks": hooks_of(progress, stop), "data": data}
    run = partial(run_study, config, **how)
    if encoder:
        run = partial(run_sweep, config, **how, encoder=encoder, arms=arms, method=method)
    return in_folder(run, out, shard, resume, overwrite)


def run_study(
    config: Config, output: Output, seeds: Sequence[int], hooks: Hooks, data: Data = None
) -> dict[int, EncoderBundle]:
    """Run every stage that the folder lacks, of one split or of several.

    Args:
        config: all options, not yet resolved.
        output: where to write.
        seeds: seed ids.
        hooks: what to call on the way.
        data: in place of `config.data.path`.

    Returns:
        The encoders, by seed; of several splits, none.
    """
    validate(config)  # first: a method that is only named has not its options
    check_methods(config)
    if config.split.n_splits != 1:
        run_each_split(config, output, seeds, hooks, data)
        return {}
    return run_one_split(config, output, seeds, hooks, data)


def run_each_split(
    config: Config, output: Output, seeds: Sequence[int], hooks: Hooks, data: Data = None
) -> None:
    """Every stage on every split, in OUT/split_N; then all together, in OUT, with one report."""
    check_folder(output)  # before the data are read
    adata = read_data(config.data, hooks, data)
    numbers = split_numbers(config, adata)
    parent = open_folder(output)
    write_identity(parent, config, data_hash="", command=hooks.command)  # each split has its own
    folders = [layout.split_folder(parent, number) for number in numbers]
    for number, folder in zip(numbers, folders, strict=True):
        hooks.say(f"split {number}: {folder}")
        own = replace(config, split=replace(config.split, seed=number, n_splits=1))
        run_one_split(own, Output(str(folder), resume=True), seeds, hooks, adata, report=False)
    merge_splits(folders, parent, hooks)


def run_one_split(
    config: Config,
    output: Output,
    seeds: Sequence[int],
    hooks: Hooks,
    data: Data = None,
    *,
    report: bool = True,
) -> dict[int, EncoderBundle]:
    """Every stage on one split."""
    study = begin(config, output, hooks, compares=True, data=data)
    bundles: dict[int, EncoderBundle] = {}
    if any(map(method_of, config.sweep.arms)):
        bundles = pretrain(study, seeds)
    compare(study, bundles.values(), seeds)
    # those of an earlier process too, whose rows are in the table
    everyone = load_encoders(study.folder, but=bundles) | bundles
    conclude_study(study, everyone, report=report)
    return everyone


def run_pretraining(
    config: Config, output: Output, seeds: Sequence[int], hooks: Hooks, data: Data = None
) -> dict[int, EncoderBundle]:
    """Pretrain all seeds on the training part of a split; as `run_study`."""
    study = begin(config, output, hooks, compares=False, data=data)
    bundles = pretrain(study, seeds)
    finish(study, bundles, summarize(study, bundles))
    hooks.say(f"encoders: {study.folder / layout.ENCODERS}")
    return bundles


def run_sweep(
    config: Config,
    output: Output,
    seeds: Sequence[int],
    hooks: Hooks,
    encoder: str | Path = "",
    data: Data = None,
    arms: Sequence[str] = (),
    method: str = "",
) -> dict[int, EncoderBundle]:
    """Compare arms on encoders that are at hand; as `run_study`.

    Args:
        config: comparison, fine-tuning and machine; all else is the encoders'.
        output: where to write.
        seeds: seed ids.
        hooks: what to call on the way.
        encoder: run folder or bundle; "" where no arm needs an encoder.
        data: in place of `config.data.path`, or of the encoders' data.
        arms: that were asked for; by default the configured ones.
        method: that was asked for, if any; it must be the encoders'.

    Raises:
        InputError: if an arm needs an encoder and none is given.
    """
    bundles = read_encoders(encoder, seeds) if encoder else {}
    if not bundles:
        asked = named_arms(arms, config.method.name) or config.sweep.arms
        config = replace(config, sweep=replace(config.sweep, arms=asked))
    needy = [arm for arm in config.sweep.arms if method_of(arm)]
    if needy and not bundles:
        raise InputError(
            f"arm {needy[0]} needs pretrained encoders",
            "pass `encoder=RUN`, a folder of `pretrain()`, or leave the arm out of `arms`",
        )
    normalizer = None
    if bundles:
        first = next(iter(bundles.values()))
        own = first.config.method.name
        if method not in ("", own):
            raise InputError(f"`method={method}`, but the encoders are of {own}", "drop `method`")
        config, normalizer = with_pretraining_of(config, first.config, arms), first.normalizer
    if encoder and is_bundle(Path(encoder)):
        seeds = list(bundles)  # the one that it is of
        config = replace(config, run=replace(config.run, seeds=1))
    check_arms(config.sweep.arms)
    check_encoders(config.sweep.arms, by_method(bundles.values()), seeds)
    study = begin(config, output, hooks, compares=True, data=data, normalizer=normalizer)
    compare(study, bundles.values(), seeds)
    conclude_study(study, bundles)
    return bundles
