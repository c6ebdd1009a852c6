"""The stages of a study, each writing its part of a run folder: begin, pretrain, compare, tell."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from anndata import AnnData

from jaxssl.config import Config, resolve
from jaxssl.data import leakage
from jaxssl.data.task import Task, encoder_features
from jaxssl.engine import pretrain as engine
from jaxssl.engine.bundle import EncoderBundle, has_diverged
from jaxssl.engine.embed import embed
from jaxssl.engine.ensemble import use_cores
from jaxssl.engine.history import divergences
from jaxssl.evaluation import batch
from jaxssl.evaluation.baselines import BASELINES
from jaxssl.evaluation.headline import percent
from jaxssl.evaluation.sweep import budgets, check_arms, sweep
from jaxssl.files import write_text
from jaxssl.report.card import model_card
from jaxssl.types import InputError, Params
from jaxssl.validate import validate
from launch import folder as run_folder
from launch import signals, training
from launch.identity import versions, write_identity
from launch.inputs import data_hash, pose, read, with_recorded_columns
from launch.maps import write_maps
from launch.notes import Notes
from launch.progress import Progress, epoch_text
from launch.summary import collapse_messages, summarize

MAX_EMBEDDED = 5  # seeds whose embedding is asked for its batch
CACHE = Path.home() / ".cache" / "jaxssl" / "programs"


class Run(NamedTuple):
    """A run that has begun: its folder, its resolved options, its data and what it noted so far."""

    folder: Path
    config: Config
    adata: AnnData
    task: Task
    notes: Notes


def begin(config: Config, output: run_folder.Output, *, compares: bool) -> Run:
    """Read the data, pose the task, open the run folder and write what identifies the run.

    The folder is opened once the input has proved usable, so that nothing half-written is left.
    `compares` says whether label shares and arms will be used.
    """
    validate(config)
    run_folder.check_folder(output)  # before the data are read: that may take long
    check_arms(config.sweep.arms)
    notes = Notes()
    with notes.stage("read"):
        adata = read(config.data)
        config = with_recorded_columns(config, adata)
        task = pose(adata, config)
        config = resolve(config, len(task.split.train))
        leaks = leakage.leaks_of_split(task)
        if compares:
            budgets(task, config)
            leaks += leakage.leaks_of_selection(len(task.split.validation))
        notes.leaks(leaks, config.split.allow_leaks)
    folder = run_folder.open_folder(output)
    announce(config)
    with notes.stage("read"):
        write_identity(folder, config, data_hash(task))
        run_folder.write_splits(folder, task)
    return Run(folder, config, adata, task, notes)


def pose_task(config: Config) -> tuple[Task, Config]:
    """The task that a configuration poses, and the options resolved on its training samples."""
    validate(config)
    adata = read(config.data)
    config = with_recorded_columns(config, adata)
    task = pose(adata, config)
    return task, resolve(config, len(task.split.train))


def announce(config: Config) -> None:
    """Say on what and how precisely this run computes; compiled programs are kept between runs."""
    cache = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(CACHE))
    jax.config.update("jax_compilation_cache_dir", cache)
    use_cores(min(config.run.seeds, config.run.chunk or config.run.seeds))
    devices = ", ".join(sorted({device.device_kind for device in jax.devices()}))
    print(f"device: {jax.device_count()} x {devices}, precision: {config.run.precision}")


def pretrain(run: Run, seeds: Sequence[int]) -> dict[int, EncoderBundle]:
    """Pretrain the seeds that have no bundle yet, and write bundles, metrics and maps."""
    done = run_folder.load_encoders(run.folder)
    missing = [seed for seed in seeds if seed not in done]
    if missing:
        with run.notes.stage("pretrain"):
            _pretrain_missing(run, missing)
    bundles = run_folder.load_encoders(run.folder)
    chosen = {seed: bundles[seed] for seed in seeds}
    sound = {seed: bundle for seed, bundle in chosen.items() if not has_diverged(bundle)}
    if sound:
        with run.notes.stage("maps"):
            write_maps(run.folder, run.task, sound)
    for message in collapse_messages(chosen):
        print(f"warning: {message}", flush=True)
    return chosen


def _pretrain_missing(run: Run, missing: Sequence[int]) -> None:
    with run.notes.stage("normalize"):
        prepared = engine.prepare(run.task, run.config)
    n_samples, n_features = prepared.pool.shape
    # cut as the interrupted run was, whatever memory is free today: its checkpoints fit no other
    config = training.with_chunk_of(run.folder, run.config, missing)
    plan = engine.plan_pretraining(config, n_samples, n_features, len(missing))
    parts = training.cut(run.folder, missing, plan.memory.chunk)
    options = ", ".join(f"{n} {v}" for n, v in dataclasses.asdict(config.method).items())
    print(f"encoder input: {n_features} features; method: {options}")
    print(plan.memory.sentence(len(missing)), flush=True)
    training.drop_metrics(run.folder, {seed for ids in parts for seed in ids})
    progress = Progress("epoch", plan.schedule.n_epochs * len(parts))
    lost: set[int] = set()

    def log(rows: list[dict[str, Any]], restored: bool) -> None:
        training.append_metrics(run.folder, rows)
        progress.advance(epoch_text(rows), len({r["epoch"] for r in rows}), restored=restored)
        for seed, when in divergences(rows).items():
            if seed not in lost:
                run.notes.warn(f"seed {seed} diverged: {when}; it counts as one that knows nothing")
            lost.add(seed)

    checkpoints = run.folder / training.CHECKPOINTS
    with signals.patient() as asked:
        for ids in parts:
            pretrained = engine.pretrain(
                plan, config, prepared.pool, ids, log, checkpoints, stop=asked
            )
            for chunk in pretrained:
                training.flush_metrics(run.folder)
                for seed in chunk.params:
                    made = engine.make_bundle(prepared, run.task, chunk, seed, versions())
                    run_folder.save_encoder(run.folder, seed, made)
    progress.close()


def compare(run: Run, bundles: Iterable[EncoderBundle], seeds: Sequence[int]) -> None:
    """Fit and score every arm, share and seed that the folder lacks.

    The bundles may be of several methods; all are of the same split and normalisation.
    """
    task, config, bundles = run.task, run.config, list(bundles)
    check_split(task, bundles)
    if bundles:
        normalizer = bundles[0].normalizer
    else:
        with run.notes.stage("normalize"):
            normalizer = engine.prepare(task, config).normalizer
    run.notes.leaks(leakage.leaks_of_normalizer(task, normalizer), config.split.allow_leaks)
    encoders: dict[str, dict[int, Params]] = {}
    for bundle in bundles:
        of_method = encoders.setdefault(bundle.config.method.name, {})
        of_method[bundle.provenance["seed"]] = bundle.params["encoder"]
    results = run_folder.read_results(run.folder)
    done = set(zip(results["arm"], results["share"], results["seed"], strict=True))
    progress = Progress("arm and share", len(config.sweep.arms) * len(config.sweep.shares))
    with run.notes.stage("evaluate"):
        for fitted in sweep(task, config, normalizer, encoders, seeds, done):
            run.notes.book("baselines" if fitted.arm in BASELINES else "finetune", fitted.seconds)
            run_folder.append_results(run.folder, fitted, task)
            rows = [
                r for r in fitted.rows if (r["metric"], r["part"]) == ("accuracy", "validation")
            ]
            accuracy = np.mean([row["value"] for row in rows])
            at = f"{fitted.arm} at {percent(fitted.share)}"
            progress.advance(f"{at}: validation accuracy {accuracy:.3f}")
    progress.close()
    run_folder.write_table(run.folder / "results.csv", run_folder.read_results(run.folder))


def check_split(task: Task, bundles: Iterable[EncoderBundle]) -> None:
    """Refuse encoders that were trained on other training samples than this split's."""
    for bundle in bundles:
        if bundle.provenance["training_samples"] != engine.fingerprint(task):
            raise InputError(
                f"the encoder of seed {bundle.provenance['seed']} was trained on other samples "
                "than this split's training part, so test samples may have been seen; use the "
                "data, label, group and split options of its pretraining"
            )


def tell(
    run: Run,
    bundles: Mapping[int, EncoderBundle],
    build_report: Callable[[list[Path], Path], None] | None,
) -> dict[str, Any]:
    """Statistics, summary and, with a builder, the report; and the headline on the screen.

    Returns:
        The summary.
    """
    if (run.task.batches != "").any():
        with run.notes.stage("batch"):
            write_batch(run, bundles)
    run.notes.count_seeds(run.config.run.seeds)
    with run.notes.stage("report"):
        summary = summarize(run.folder, run.task, run.config, bundles, run.notes)
        if build_report:
            build_report([run.folder], run.folder / "report.html")
    summary |= {"timings": run.notes.timings()}  # now with the report's
    run_folder.write_json(run.folder / "summary.json", summary)
    write_cards(run, bundles, summary)
    print(summary["headline"] or "no arm was set against a reference")
    if build_report:
        print(f"report: {run.folder / 'report.html'}")
    return summary


def write_batch(run: Run, bundles: Mapping[int, EncoderBundle]) -> None:
    """Write how well the batch is told from input and embeddings."""
    seeds = [seed for seed in sorted(bundles) if not has_diverged(bundles[seed])][:MAX_EMBEDDED]
    if bundles:
        normalizer = next(iter(bundles.values())).normalizer
    else:
        normalizer = engine.prepare(run.task, run.config).normalizer
    features = encoder_features(run.task, normalizer)
    representations = {("input", 0): features}
    representations |= {("embedding", seed): embed(bundles[seed], features) for seed in seeds}
    table = batch.predictability(run.task, representations)
    run_folder.write_table(run.folder / "batch.csv", table)


def write_cards(run: Run, bundles: Mapping[int, EncoderBundle], summary: Mapping[str, Any]) -> None:
    """Write MODEL_CARD.md beside every encoder of this folder."""
    for seed, bundle in bundles.items():
        folder = run_folder.encoder_folder(run.folder, seed)
        if folder.is_dir():  # a sweep's encoders lie elsewhere
            write_text(folder / "MODEL_CARD.md", model_card(bundle, summary))
