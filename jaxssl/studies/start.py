"""The start of a study: its data are read, its question is posed, its folder is opened."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, cast

import jax
import pandas as pd
from anndata import AnnData

from jaxssl.config import Config, DataConfig, resolve, with_options
from jaxssl.data import leakage
from jaxssl.data.expression import read
from jaxssl.data.formats.matrix import as_text, dense
from jaxssl.data.inspect import possible_groups
from jaxssl.data.samples import facts_of
from jaxssl.data.scale import check_matrix
from jaxssl.data.split import LEAVE_BATCH_OUT, batches_with_labels
from jaxssl.data.task import Task, make_task, take_roles
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.cohorts import find_cohorts
from jaxssl.engine.ensemble import check_session, use_cores
from jaxssl.engine.prepared import Prepared, is_among, prepare
from jaxssl.evaluation.arms import check_arms
from jaxssl.evaluation.sweep import budgets
from jaxssl.runs import layout
from jaxssl.runs.identity import Origin, check_identity, origin_of, write_identity
from jaxssl.runs.journal import samples_of
from jaxssl.runs.notes import Notes
from jaxssl.runs.output import check_folder, open_folder
from jaxssl.runs.reading import is_run, read_run
from jaxssl.runs.tables import read_own_bundle, write_parquet
from jaxssl.studies.encoders import with_columns, with_data
from jaxssl.studies.job import EMBEDDED, Data, Job
from jaxssl.studies.progress import SILENT, Hooks
from jaxssl.types import ROLES, InputError
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
    notes = Notes(hooks.say)
    with notes.stage("read"):
        adata = read_data(config.data, hooks, job.data)
        for bundle in list(job.encoders.values())[:1]:
            config = inherit_columns(config, adata, bundle)
        task = pose(adata, config, hooks, notes, compares=compares)
        for bundle in job.encoders.values():
            notes.inherit(bundle.provenance.get("allowed_leaks", []))
    asked = with_columns(config, task)
    config = resolve(asked, len(task.split.train), 0 if job.encoders else len(task.genes))
    origin = origin_of(task, job.encoders.values())
    # that of the encoders which are there: fitted on another machine, signs may differ
    normalizer = next((bundle.normalizer for bundle in job.encoders.values()), None)
    if output.resume:
        check_identity(folder, config, origin)
        saved = layout.all_encoder_folders(folder)
        normalizer = read_own_bundle(saved[0]).normalizer if saved else normalizer
    with notes.stage("normalize"):
        prepared = prepare(task, config, normalizer)
        leaks = leakage.leaks_of_normalizer(task, prepared.normalizer) if compares else {}
        notes.leaks(leaks, config.split.allow_leaks)
    whose = output.kind, output.part_of
    study = Study(folder, adata, origin, asked, job.seeds, prepared, notes, hooks, *whose)
    check(study)
    open_folder(output)
    announce(config, hooks)
    with notes.stage("read"):
        study.identify(folder, config)
        write_parquet(folder, folder / layout.SPLITS, samples_of(task))
    return study


def read_data(options: DataConfig, hooks: Hooks, data: Data = None) -> AnnData:
    """A data set, with its name on record; says what was found in a file."""
    if isinstance(data, AnnData):
        check_matrix(data)
        return data.to_memory() if data.isbacked else data
    path = str(data or options.path)
    if not path:
        raise InputError("no data are given", "pass `data=FILE.h5ad`, or `data=demo`")
    if path in EMBEDDED:
        adata = EMBEDDED[path]()
        adata.uns["jaxssl"]["name"] = path
    else:
        adata = read(path, **{role: getattr(options, role) for role in ROLES})
    hooks.say(adata.uns["jaxssl"]["notes"])
    return adata


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


def split_numbers(config: Config, adata: AnnData) -> range:
    """Numbers of the splits to run: those asked for, or one for every batch that has labels."""
    split = config.split
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


def pose(
    adata: AnnData, config: Config, hooks: Hooks, notes: Notes, *, compares: bool = False
) -> Task:
    """The task, described in three lines; a split that leaks is refused unless that is allowed."""
    task = make_task(adata, config)
    parts = {name: len(rows) for name, rows in task.split._asdict().items()}
    hooks.say(f"data: {task.dataset}, {len(task.codes):,} samples x {len(task.genes):,} genes")
    n_labels = (task.codes >= 0).sum()
    hooks.say(f"task: {task.label}, {len(task.classes)} classes, {n_labels:,} labels")
    together = f", by {task.group}" if task.group else ", no group column"
    hooks.say(
        f"split: {parts['train']:,} train ({len(task.labelled_train):,} labelled), "
        f"{parts['validation']:,} validation, {parts['test']:,} test{together}"
    )
    if not task.group and config.split.protocol == "grouped":
        columns = possible_groups(as_text(cast(pd.DataFrame, adata.obs)))
        if columns:
            warnings.warn(
                f"no group column is used, so samples of one {columns[0]} may stand in several "
                f"parts of the split; pass `group={columns[0]}`",
                stacklevel=2,
            )
    n_out = len(task.codes) - sum(parts.values())
    if n_out:
        why = " whose group is held out" if config.data.use_unlabelled else ""
        hooks.say(f"left out: {n_out:,} samples without a label{why}")
    for doubt in leakage.doubts(task, dense(adata.X)):
        warnings.warn(doubt, stacklevel=2)
    look_for_leaks(task, config, notes, compares=compares)
    return task


def check_splits(adata: AnnData, config: Config, numbers: Sequence[int]) -> None:
    """Refuse what the comparison on any of several splits would be refused for."""
    notes = Notes(SILENT.say)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the split's own run will say it
        for number in numbers:
            own = with_options(config, {"split.seed": number})
            task = make_task(adata, own)
            look_for_leaks(task, own, notes, compares=True)
            resolve(own, *task.shape)
            find_cohorts(own.pretrain, task.batches[task.split.train])
    notes.close()


def look_for_leaks(task: Task, config: Config, notes: Notes, *, compares: bool = False) -> None:
    """Refuse a split in which held-out samples would speak; for a comparison, shares too."""
    leaks = leakage.leaks_of_split(task)
    if compares:
        budgets(task, config)
        leaks |= leakage.leaks_of_selection(len(task.split.validation))
    notes.leaks(leaks, config.split.allow_leaks)


def announce(config: Config, hooks: Hooks) -> None:
    """Say on what and how precisely this run computes; compiled programs are kept between runs."""
    if not getattr(jax.config, "jax_compilation_cache_dir", None):  # the user's, if there is one
        jax.config.update("jax_compilation_cache_dir", str(CACHE))
    use_cores(min(config.run.seeds, config.run.chunk or config.run.seeds))
    devices = ", ".join(sorted({device.device_kind for device in jax.devices()}))
    hooks.say(f"device: {jax.device_count()} x {devices}, precision: {config.run.precision}")
