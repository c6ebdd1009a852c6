"""The start of a study: its data are read, its question is posed, its folder is opened."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
from anndata import AnnData

from jaxssl.config import Config, resolve, with_options
from jaxssl.data import leakage
from jaxssl.data.samples import facts_of
from jaxssl.data.split import LEAVE_BATCH_OUT, batches_with_labels
from jaxssl.data.task import Task, take_roles
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.ensemble import check_session, use_cores
from jaxssl.engine.prepared import Prepared, is_among, prepare
from jaxssl.evaluation.arms import check_arms
from jaxssl.evaluation.intervals import SMALL_TEST
from jaxssl.files import read_json
from jaxssl.runs import layout
from jaxssl.runs.identity import Origin, check_identity, origin_of, write_identity
from jaxssl.runs.journal import samples_of
from jaxssl.runs.notes import Notes
from jaxssl.runs.output import check_folder, open_folder
from jaxssl.runs.reading import is_run, read_run
from jaxssl.runs.tables import read_own_bundle, write_parquet
from jaxssl.studies.amount import SEEDS_A_SPLIT, n_splits_for, with_shares
from jaxssl.studies.data import read_data, read_unlabelled
from jaxssl.studies.encoders import beside_guests, with_columns, with_data
from jaxssl.studies.frames import settle_frame, with_frames
from jaxssl.studies.guests import Guests, are_guests, receive_guests
from jaxssl.studies.job import Job
from jaxssl.studies.progress import Hooks
from jaxssl.studies.question import pose
from jaxssl.types import MAX_MISSING, REFUSE, ROLES, InputError
from jaxssl.validate import validate

CACHE = Path.home() / ".cache" / "jaxssl" / "programs"


class Study(NamedTuple):
    """A study under way."""

    folder: Path
    adata: AnnData
    origin: Origin
    asked: Config  # not resolved: every point of a grid settles what is left to the data by itself
    seeds: Sequence[int]  # to run
    prepared: Prepared
    notes: Notes
    hooks: Hooks
    kind: str = ""  # of the run
    part_of: str = ""  # id of the run that it is part of, if of any
    guests: Guests | None = None  # where its encoders are of other data

    @property
    def task(self) -> Task:
        """Data, labels and split."""
        return self.prepared.task

    @property
    def config(self) -> Config:
        """The options, resolved."""
        return self.prepared.config

    def with_config(self, config: Config) -> "Study":
        """The study by other options, on the same encoder input."""
        return self._replace(prepared=replace(self.prepared, config=config))

    def identify(self, folder: Path, config: Config) -> None:
        """Write what identifies a run of this study's data in a folder; see that it is that run's.

        What cannot be read at the end is refused here.
        """
        if is_run(folder):
            check_identity(folder, config, self.origin)
            with warnings.catch_warnings():  # of those that stay away the end tells
                warnings.filterwarnings("ignore", ".* lacks predictions of ")
                read_run(folder)
        whose = {"kind": self.kind, "part_of": self.part_of}
        write_identity(folder, config, self.origin, self.hooks.command, **whose)
        (folder / layout.MANIFEST).unlink(missing_ok=True)  # from here on tables change


def begin(job: Job, *, compares: bool, check: Callable[[Study], object] = lambda _: None) -> Study:
    """Read the data, pose the task, open the run folder and write what identifies the run.

    The folder is opened once the input has proved usable, so that nothing half-written is left.
    `compares` says whether label shares and arms will be used; `check` refuses what the verb
    cannot do with the data, before anything is deleted or written.
    """
    config, output, hooks = job.config, job.output, job.hooks
    validate(config)
    check_session()
    folder = check_folder(output)  # before the data are read: that may take long
    check_arms(config.sweep.arms)
    check_arms(config.sweep.reference_arms, "sweep.reference_arms")
    job = job._replace(config=settle_frame(config, output))
    notes = Notes(hooks.say)
    with notes.stage("read"):
        adata, task, config, guests = _pose(job, notes, compares=compares)
        config = with_frames(config, task) if compares else config
    asked, own = with_columns(config, task), () if guests else job.encoders.values()
    config = resolve(asked, len(task.split.train), 0 if own else len(task.genes))
    origin = origin_of(task, job.encoders.values())
    if guests:  # whose input depends on it
        origin = origin._replace(encoders=f"{origin.encoders} shift={job.shift}")
    # that of the encoders which are there: fitted on another machine, signs may differ
    normalizer = next((bundle.normalizer for bundle in own), None)
    if output.resume:
        check_identity(folder, config, origin)
        saved = layout.all_encoder_folders(folder)
        normalizer = read_own_bundle(saved[0]).normalizer if saved else normalizer
    with notes.stage("normalize"):
        prepared = prepare(task, config, normalizer)
        leaks = leakage.leaks_of_normalizer(task, prepared.normalizer) if compares else {}
        notes.leaks(leaks, config.split.allow_leaks)
    whose = output.kind, output.part_of
    study = Study(folder, adata, origin, asked, job.seeds, prepared, notes, hooks, *whose, guests)
    check(study)
    open_folder(output)
    announce(config, hooks)
    with notes.stage("read"):
        study.identify(folder, config)
        write_parquet(folder, folder / layout.SPLITS, samples_of(task))
    return study


def _pose(job: Job, notes: Notes, *, compares: bool) -> tuple[AnnData, Task, Config, Guests | None]:
    """The data, the task with the options that it is posed by, and encoders of other data."""
    config, hooks, encoders = job.config, job.hooks, job.encoders.values()
    may_stay = not (encoders or job.unlabelled)  # those of other files are joined in memory
    adata = read_data(config.data, hooks, job.data, may_stay=may_stay)
    for bundle in list(encoders)[:1]:
        config = inherit_columns(config, adata, bundle)
    files = read_unlabelled(job.unlabelled, job.data or config.data.path, hooks)
    of_data = {"unlabelled": files, "is_open": job.is_open if compares else ()}
    task = pose(adata, config, hooks, notes, compares=compares, **of_data)
    config = with_shares(config, of_data["is_open"], [task.size])
    config = with_options(config, {"split.n_splits": 1})
    for bundle in encoders:
        notes.inherit(bundle.provenance.get("allowed_leaks", []))
    if are_guests(task, encoders):
        return adata, task, beside_guests(config), receive_guests(task, adata, job, notes)
    for name, value, default in (
        ("shift", job.shift, REFUSE),
        ("max_missing", job.max_missing, MAX_MISSING),
    ):
        if value != default:
            raise InputError(f"`{name}={value}` is for encoders of other data", "drop it")
    return adata, task, config, None


def inherit_columns(config: Config, adata: AnnData, bundle: EncoderBundle) -> Config:
    """Name the columns that nobody named as the pretraining did, where the data have them.

    Other data than its own go by what is on record of them first, and may be split otherwise.
    """
    pretrained, recorded = bundle.config.data, facts_of(adata)
    seen = is_among(adata.obs_names.to_numpy(), bundle.provenance.get("training_ids", ""))
    is_own = seen is None or bool(seen.any())
    asked, has = config.split.protocol, bundle.config.split.protocol
    if seen is not None and is_own and asked != has:
        found = f"`split.protocol={asked}` is not for samples of the pretraining, which split them"
        raise InputError(f"{found} by {has}", "drop it")
    names = {
        role: getattr(pretrained, role)
        for role in ROLES
        if not getattr(config.data, role) and (is_own or not recorded.get(role))
    }
    return with_data(config, **{role: name for role, name in names.items() if name in adata.obs})


def settle_splits(job: Job) -> Job:
    """The job with as many splits, and seeds of each, as its labels call for, unless named.

    A run that goes on has those that it began with.
    """
    config, is_open, n_seeds = job.config, job.is_open, job.config.run.seeds
    if config.split.n_splits >= 0:
        return job
    before = read_json(Path(job.output.folder) / layout.CONFIG) if job.output.resume else {}
    n_splits = before.get("split", {}).get("n_splits", 1)
    if not before and config.split.protocol != LEAVE_BATCH_OUT and "split.seed" in is_open:
        check_folder(job.output)  # before the data are read
        may_stay = not (job.encoders or job.unlabelled)
        adata = read_data(config.data, job.hooks, job.data, may_stay=may_stay)
        files = read_unlabelled(job.unlabelled, job.data or config.data.path, job.hooks)
        for bundle in list(job.encoders.values())[:1]:
            config = inherit_columns(config, adata, bundle)
        n_labelled = int((take_roles(adata, config).codes >= 0).sum())
        n_splits = n_splits_for(n_labelled, config.split.test_share)
        job = job._replace(data=adata, unlabelled=files)
    if n_splits != 1 and "run.seeds" in is_open and not job.encoders:
        n_seeds = before.get("run", {}).get("seeds", SEEDS_A_SPLIT)
        job = job._replace(seeds=range(n_seeds))
    if n_splits != 1 and not before:
        job.hooks.say(
            f"splits: {n_splits} of {n_seeds} seeds each, as fewer than {SMALL_TEST} samples are "
            "left to test on; `splits` and `seeds` set other numbers"
        )
    known = {"split.n_splits": abs(n_splits), "run.seeds": n_seeds}  # -1: of a pretraining's one
    return job._replace(config=with_options(config, known))


def split_numbers(config: Config, adata: AnnData) -> range:
    """Numbers of the splits to run: those asked for, or one for every batch that has labels."""
    split = config.split
    if split.n_splits < 0:
        return range(split.seed, split.seed + 1)
    if split.n_splits and split.protocol != LEAVE_BATCH_OUT:
        return range(split.seed, split.seed + split.n_splits)
    roles = take_roles(adata, config)
    n_batches = len(batches_with_labels(roles.codes, roles.batches))
    if not n_batches:
        raise InputError(
            "`splits=0` runs a split for every batch, and no batch column is known",
            "name one with `batch`, or pass `splits=5`",
        )
    numbers = range(split.seed, split.seed + split.n_splits if split.n_splits else n_batches)
    if split.protocol == LEAVE_BATCH_OUT and (numbers.stop > n_batches or not numbers):
        raise InputError(
            f"{n_batches} batches have labels (numbers 0 to {n_batches - 1})",
            "lower `split.seed` or `splits`, or pass `splits=0` for all",
        )
    return numbers


def announce(config: Config, hooks: Hooks) -> None:
    """Say on what and how precisely this run computes."""
    start_devices(config)
    devices = ", ".join(sorted({device.device_kind for device in jax.devices()}))
    hooks.say(f"device: {jax.device_count()} x {devices}, precision: {config.run.precision}")


def start_devices(config: Config) -> None:
    """A device a core, before anything asks JAX which it has; compiled programs are kept."""
    if not getattr(jax.config, "jax_compilation_cache_dir", None):  # the user's, if there is one
        jax.config.update("jax_compilation_cache_dir", str(CACHE))
    use_cores(min(config.run.seeds, config.run.chunk or config.run.seeds))
