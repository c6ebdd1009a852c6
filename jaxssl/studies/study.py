"""The main job, end to end: data, pretraining of all seeds, comparison, conclusions."""

from collections.abc import Callable, Sequence
from pathlib import Path

from jaxssl.arguments import checked
from jaxssl.bounds import Share
from jaxssl.config import Config, with_options
from jaxssl.data.task import make_task
from jaxssl.evaluation.arms import BEST, check_references, method_of
from jaxssl.evaluation.sweep import check_encoders, check_methods
from jaxssl.files import read_json
from jaxssl.runs import layout
from jaxssl.runs.identity import Origin, write_identity
from jaxssl.runs.journal import load_encoders
from jaxssl.runs.output import Output, check_folder, open_folder
from jaxssl.runs.result import StudyResult
from jaxssl.runs.tables import run_of
from jaxssl.studies.comparison import by_method, compare
from jaxssl.studies.data import Data, DataSets, read_data, read_unlabelled
from jaxssl.studies.encoders import Encoders
from jaxssl.studies.guests import check_guests
from jaxssl.studies.job import Job, hooks_of, in_folder, make_job
from jaxssl.studies.pretraining import make_encoders
from jaxssl.studies.question import check_splits
from jaxssl.studies.start import begin, settle_splits, split_numbers, start_devices
from jaxssl.studies.summary import conclude_study, finish, merge_splits, summarize
from jaxssl.types import MAX_MISSING, REFUSE, InputError, OnShift
from jaxssl.validate import validate


@checked
def study(
    data: Data = None,
    *,
    out: str | Path | None = None,
    method: str = "",
    arms: Sequence[str] = (),
    frames: Sequence[str] = (),
    shares: Sequence[float] = (),
    seeds: int = 0,
    splits: int | None = None,
    shard: str = "",
    encoder: str | Path = "",
    shift: OnShift = REFUSE,
    max_missing: Share = MAX_MISSING,
    label: str = "",
    group: str = "",
    batch: str = "",
    unlabelled: DataSets = (),
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
            A classical arm may name a frame for its input, such as "logreg@rank"; without one it
            has that of the study.
        frames: that every classical arm gets beside the study's, such as ["cohort", "rank"]; by
            default all that the cohorts allow where a batch is left out, else no other.
        shares: of the training labels, each in (0, 1]; by default 0.01, 0.02, 0.05, 0.1, 0.2, 0.5
            and 1, of which those that hold fewer labels than there are classes are left out.
        seeds: repetitions; by default 10, or 2 on each of the splits that are the default.
        splits: outer splits, each with all seeds; 0: as many as there are batches, of which
            `config.split.protocol="leave_batch_out"` leaves out one after the other. By default
            five where the test part of one would have fewer than 100 samples, unless
            `config.split.seed` names one; else one.
        shard: "i/n" runs only the seeds i, i + n, ..., in a folder of its own inside `out`.
        encoder: run folder or bundle whose encoders are compared; nothing is pretrained then, and
            options of data, split and pretraining that they have otherwise are refused. Encoders
            of other data leave data and split to the study, whose held-out samples they must not
            have seen.
        shift, max_missing: as in `jaxssl.finetune`, of encoders of other data.
        label: column of classes; by default the one recorded on import.
        group: column whose samples stay in one part of the split, such as the patient.
        batch: column of technical batches, for figures and splits by batch.
        unlabelled: more samples for pretraining, scaling, components and the graphs of the
            classical arms, as for `data`: each a cohort, on the genes that all have. None of them
            may be a held-out sample, unless `allow_leaks=["transductive"]`.
        allow_leaks: kinds of leaks that do not end the study; see `data.leakage`.
        config: all other options; it stays as it is.
        resume: go on in `out`: only what is missing is computed.
        overwrite: delete the run that `out` holds; files that no run wrote stay, and nothing goes
            where an input of the run lies in `out`.
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
    output, hooks = Output(str(out or ""), resume, overwrite), hooks_of(progress, stop)
    asked = {"method": method, "arms": arms, "shares": shares, "seeds": seeds, "splits": splits}
    asked |= {"shard": shard, "encoder": encoder, "allow_leaks": allow_leaks, "frames": frames}
    asked |= {"label": label, "group": group, "batch": batch, "unlabelled": unlabelled}
    job = make_job(config, data, output, hooks, **asked)
    return in_folder(run_study, job._replace(shift=shift, max_missing=max_missing))


@checked
def pretrain(
    data: Data = None,
    *,
    out: str | Path | None = None,
    method: str = "",
    seeds: int = 0,
    shard: str = "",
    label: str = "",
    group: str = "",
    batch: str = "",
    unlabelled: DataSets = (),
    allow_leaks: Sequence[str] = (),
    config: Config | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | Callable = True,
    stop: Callable[[], bool] | None = None,
) -> StudyResult:
    """Pretrain the encoders of all seeds on the training part of a data set.

    What `jaxssl pretrain` does, with the same numbers. `SSLEncoder` trains one on all samples.

    Args:
        data, method, seeds, shard, label, group, batch, unlabelled, allow_leaks, config, resume,
            overwrite, progress, stop: as in `jaxssl.study`.
        out: folder for encoders and logs; by default one that goes with the result.

    Returns:
        Its `encoders` by seed, `metrics` of every epoch, and `pretraining`, how healthy it was.

    Raises:
        InputError, Stopped: as `jaxssl.study` does.

    Example:
        >>> jaxssl.pretrain(adata, out="runs/encoders", seeds=3).encoders[0]  # doctest: +SKIP
    """
    output, hooks = Output(str(out or ""), resume, overwrite), hooks_of(progress, stop)
    asked = {"method": method, "seeds": seeds, "shard": shard, "allow_leaks": allow_leaks}
    asked |= {"label": label, "group": group, "batch": batch, "unlabelled": unlabelled}
    asked |= {"reader": "pretrain"}
    return in_folder(run_pretraining, make_job(config, data, output, hooks, **asked))


def run_study(job: Job) -> Encoders:
    """Run every stage that the folder lacks; returns the encoders, of several splits none."""
    validate(job.config)  # first: a method that is only named has not its options
    if not job.output.resume:  # one that goes on may have compared others before
        check_references(job.config)
    if job.encoders:
        arms = [arm for arm in job.config.sweep.arms if arm != BEST]  # it makes its own
        check_encoders(arms, by_method(job.encoders.values()), job.seeds)
    else:
        check_methods(job.config)
    job = settle_splits(job)
    if job.config.split.n_splits == 1:
        return run_one_split(job)
    run_each_split(job)
    return {}


def run_each_split(job: Job) -> None:
    """Every stage on every split, in OUT/split_N; then all together, in OUT, with one report."""
    config, hooks = job.config, job.hooks
    check_folder(job.output)  # before the data are read
    start_devices(config)
    adata = read_data(config.data, hooks, job.data)
    numbers = split_numbers(config, adata)
    files = read_unlabelled(job.unlabelled, job.data or config.data.path, hooks)
    framed = check_splits(adata, config, numbers, hooks, files, job.is_open)
    config = with_options(config, {"sweep.shares": framed.sweep.shares})
    if job.encoders:
        check_guests(make_task(adata, with_options(config, {"split.seed": numbers[0]})), adata, job)
    parent = open_folder(job.output)
    kind = job.output.kind
    write_identity(parent, config, Origin(), hooks.command, kind=kind)  # each split has its own
    folders = [layout.split_folder(parent, number) for number in numbers]
    for number, folder in zip(numbers, folders, strict=True):
        hooks.say(f"split {number}: {folder}")
        own = with_options(framed, {"split.seed": number, "split.n_splits": 1})
        output = Output(str(folder), resume=True, kind=kind, part_of=run_of(parent))
        of_split = job._replace(config=own, output=output, data=adata, unlabelled=files)
        run_one_split(of_split, report=False)
    merge_splits(folders, parent, hooks)


def run_one_split(job: Job, *, report: bool = True) -> Encoders:
    """Every stage on one split."""
    study = begin(job, compares=True)
    encoders = job.encoders
    if not encoders and any(map(method_of, job.config.sweep.arms)):
        encoders = make_encoders(study)
    compare(study, encoders.values())
    # those of an earlier process too, whose rows are in the table
    everyone = load_encoders(study.folder, but=encoders) | dict(encoders)
    conclude_study(study, everyone, report=report)
    return everyone


def run_pretraining(job: Job) -> Encoders:
    """Pretrain all seeds on the training part of a split; returns the encoders."""
    study = begin(job, compares=False)
    encoders = make_encoders(study)
    summary = summarize(study, encoders)
    if summary["arms"]:  # of a study that it goes on with, whose comparison stays as it is
        told = read_json(study.folder / layout.SUMMARY)
        for name in ("warnings", "allowed_leaks"):
            summary[name] = list(dict.fromkeys([*told.get(name, []), *summary[name]]))
    finish(study, encoders, summary)
    study.hooks.say(f"encoders: {study.folder / layout.ENCODERS}")
    return encoders


def run_sweep(job: Job) -> Encoders:
    """Compare arms on encoders that are at hand: `run_study`, without a pretraining."""
    needy = [arm for arm in job.config.sweep.arms if method_of(arm)]
    if needy and not job.encoders:
        raise InputError(
            f"arm {needy[0]} needs pretrained encoders",
            "pass `encoder=RUN`, a folder of `pretrain()`, or leave the arm out of `arms`",
        )
    return run_study(job)
