"""The stages of a study, each writing its part of a run folder: begin, pretrain, compare, tell."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.config import Config, resolve
from jaxssl.data import store
from jaxssl.data.task import Task, encoder_features
from jaxssl.engine import pretrain as engine
from jaxssl.engine.embed import embed, prototype_scores
from jaxssl.engine.ensemble import use_cores
from jaxssl.evaluation import stats
from jaxssl.evaluation.baselines import BASELINES
from jaxssl.evaluation.sweep import budgets, sweep
from jaxssl.methods import METHODS
from jaxssl.types import EncoderBundle, InputError
from jaxssl.validate import validate
from launch import folder as run_folder
from launch.identity import versions, write_identity
from launch.inputs import data_hash, pose, read, with_recorded_columns
from launch.notes import Notes
from launch.progress import Progress, epoch_text
from launch.summary import collapse_messages, summarize

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
    notes = Notes()
    with notes.stage("read"):
        adata = read(config.data)
        config = with_recorded_columns(config, adata)
        task = pose(adata, config)
        config = resolve(config, len(task.split.train))
        if compares:
            budgets(task, config)
    folder = run_folder.open_folder(output)
    announce(config)
    write_identity(folder, config, data_hash(task))
    run_folder.write_splits(folder, task)
    return Run(folder, config, adata, task, notes)


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
    with run.notes.stage("maps"):
        _write_maps(run, chosen)
    for message in collapse_messages(chosen):
        print(f"warning: {message}", flush=True)
    return chosen


def _pretrain_missing(run: Run, missing: Sequence[int]) -> None:
    with run.notes.stage("normalize"):
        prepared = engine.prepare(run.task, run.config)
    n_samples, n_features = prepared.pool.shape
    # cut as the interrupted run was, whatever memory is free today: its checkpoints fit no other
    config = run_folder.with_chunk_of(run.folder, run.config, len(missing))
    plan = engine.plan_pretraining(config, n_samples, n_features, len(missing))
    run_folder.write_chunk(run.folder, plan.memory.chunk)
    print(f"encoder input: {n_features} features; {config.method}")
    print(plan.memory.sentence(len(missing)), flush=True)
    n_chunks = -(-len(missing) // plan.memory.chunk)
    progress = Progress("epoch", plan.schedule.n_epochs * n_chunks)

    def log(rows: list[dict[str, Any]], restored: bool) -> None:
        if not restored:
            run_folder.append_metrics(run.folder, rows)
        progress.advance(epoch_text(rows), len({r["epoch"] for r in rows}), restored=restored)

    checkpoints = run.folder / "checkpoints"
    for chunk in engine.pretrain(plan, config, prepared.pool, missing, log, checkpoints):
        for seed in chunk.params:
            made = engine.make_bundle(prepared, run.task, chunk, seed, versions())
            run_folder.save_encoder(run.folder, seed, made)
    progress.close()


def _write_maps(run: Run, bundles: Mapping[int, EncoderBundle]) -> None:
    """Write the first seed's embedding of all samples, and every seed's prototype usage."""
    task, first = run.task, bundles[min(bundles)]
    features = encoder_features(task, first.normalizer)
    batch = run.config.data.batch
    obs = pd.DataFrame(
        {"part": run_folder.part_of(task)}, index=pd.Index(task.sample_ids, dtype=object)
    )
    obs["label"] = np.where(task.codes >= 0, np.asarray(task.classes)[task.codes], "")
    obs["batch"] = run.adata.obs[batch].to_numpy() if batch else ""
    usage = []
    for seed, bundle in bundles.items():
        scores = prototype_scores(bundle, features)
        if scores is None:
            continue
        prototype, n_prototypes = scores.argmax(axis=1), scores.shape[1]
        counts = np.bincount(prototype[task.split.train], minlength=n_prototypes)
        share = counts / len(task.split.train)
        usage.append(pd.DataFrame({"seed": seed, "prototype": range(n_prototypes), "share": share}))
        if bundle is first:
            obs["prototype"] = prototype.astype(str)
    if usage:
        run_folder.write_table(run.folder / "prototype_usage.csv", pd.concat(usage))
    out = AnnData(obs=obs)
    out.obsm["X_jaxssl"] = embed(first, features)
    store.write_h5ad(out, run.folder / "embedding.h5ad")


def compare(run: Run, bundles: Mapping[int, EncoderBundle], seeds: Sequence[int]) -> None:
    """Fit and score every arm, share and seed that the folder lacks."""
    task, config = run.task, run.config
    if bundles:
        check_split(task, bundles)
        normalizer = next(iter(bundles.values())).normalizer
    else:
        with run.notes.stage("normalize"):
            normalizer = engine.prepare(task, config).normalizer
    encoders = {
        name: {s: b.params["encoder"] for s, b in bundles.items() if b.config.method.name == name}
        for name in METHODS
    }
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
            at = f"{fitted.arm} at {stats.percent(fitted.share)}"
            progress.advance(f"{at}: validation accuracy {accuracy:.3f}")
    progress.close()
    run_folder.write_table(run.folder / "results.csv", run_folder.read_results(run.folder))


def check_split(task: Task, bundles: Mapping[int, EncoderBundle]) -> None:
    """Refuse encoders that were trained on other training samples than this split's."""
    for seed, bundle in bundles.items():
        if bundle.provenance["training_samples"] != engine.fingerprint(task):
            raise InputError(
                f"the encoder of seed {seed} was trained on other samples than this split's "
                "training part, so test samples may have been seen; use the data, label, group "
                "and split options of its pretraining"
            )


def tell(
    run: Run,
    bundles: Mapping[int, EncoderBundle],
    build_report: Callable[[list[Path], Path], None],
) -> None:
    """Statistics, summary and report, and the headline on the screen."""
    with run.notes.stage("report"):
        summarize(run.folder, run.task, run.config, bundles, run.notes)
        build_report([run.folder], run.folder / "report.html")
    # again, now with the report's seconds
    summary = summarize(run.folder, run.task, run.config, bundles, run.notes)
    print(summary["headline"] or "no arm was set against a reference")
    print(f"report: {run.folder / 'report.html'}")
