"""The stages of a study, each writing its part of a run folder: read, pretrain, compare, tell."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.config import Config, DataConfig, resolve
from jaxssl.data import formats, store
from jaxssl.data.demo import load_demo
from jaxssl.data.normalize import normalize
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import Task, columns_of, make_task
from jaxssl.engine import pretrain as engine
from jaxssl.engine.embed import embed, prototype_scores
from jaxssl.evaluation import stats
from jaxssl.evaluation.sweep import budgets, sweep
from jaxssl.methods import METHODS
from jaxssl.types import EncoderBundle, InputError
from launch import flags
from launch import folder as run_folder
from launch.notes import Notes
from launch.progress import Progress, epoch_text
from launch.summary import collapse_messages, summarize

CACHE = str(Path.home() / ".cache" / "jaxssl" / "programs")
EMBEDDED = {"demo": load_demo, "synthetic": make_synthetic}


def announce(config: Config) -> None:
    """Say on what and how precisely this run computes; compiled programs are kept between runs."""
    cache = os.environ.get("JAX_COMPILATION_CACHE_DIR", CACHE)
    jax.config.update("jax_compilation_cache_dir", cache)
    devices = ", ".join(sorted({device.device_kind for device in jax.devices()}))
    print(f"device: {jax.device_count()} x {devices}, precision: {config.run.precision}")


def begin(config: Config) -> tuple[Path, AnnData, Task, Notes]:
    """Read the data, pose the task, open the run folder and write what identifies the run.

    The folder is opened once the input has proved usable, so that nothing half-written is left.
    """
    notes = Notes()
    with notes.stage("read"):
        adata = read(config.data)
        task = pose(adata, config)
        resolve(config, len(task.split.train))
        budgets(task, config)
    folder = run_folder.open_folder(
        flags.shard_folder(), resume=flags.RESUME.value, overwrite=flags.OVERWRITE.value
    )
    announce(config)
    run_folder.write_environment(folder, data_hash(adata))
    run_folder.write_splits(folder, task)
    return folder, adata, task, notes


def read(options: DataConfig) -> AnnData:
    """An expression file, or the embedded data set "demo" or "synthetic"; says what it found."""
    if not options.path:
        raise InputError("no data are given; pass --data=FILE.h5ad, or --data=demo")
    if options.path in EMBEDDED:
        adata = EMBEDDED[options.path]()
    else:
        adata = formats.read_expression(
            options.path,
            label_column=options.label,
            group_column=options.group,
            batch_column=options.batch,
        )
    print(adata.uns["jaxssl"]["notes"])
    adata.uns["jaxssl"]["name"] = options.name or Path(options.path).stem
    return adata


def new_file(name: str, suffixes: Sequence[str], *, overwrite: bool) -> Path:
    """Path of a file to write; refused if it exists or is of another kind."""
    path = Path(name)
    if path.suffix not in suffixes:
        raise InputError(f"--out={name} must end in {' or '.join(suffixes)}")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists; pass --overwrite, or another --out")
    return path


def pose(adata: AnnData, config: Config) -> Task:
    """The task, described in three lines."""
    task = make_task(adata, config)
    parts = {name: len(rows) for name, rows in task.split._asdict().items()}
    print(f"data: {task.dataset}, {len(task.codes):,} samples x {len(task.genes):,} genes")
    print(f"task: {task.label}, {len(task.classes)} classes, {(task.codes >= 0).sum():,} labels")
    print(
        f"split: {parts['train']:,} train ({len(task.labelled_train):,} labelled), "
        f"{parts['validation']:,} validation, {parts['test']:,} test"
    )
    return task


def data_hash(adata: AnnData) -> str:
    """Hash of the expression matrix and its names."""
    digest = hashlib.sha256(np.ascontiguousarray(adata.X).tobytes())
    digest.update("\n".join([*adata.obs_names, *adata.var_names]).encode())
    return digest.hexdigest()[:16]


def pretrain(
    folder: Path, task: Task, config: Config, seeds: Sequence[int], adata: AnnData
) -> dict[int, EncoderBundle]:
    """Pretrain the seeds that have no bundle yet, and write bundles, metrics and maps."""
    bundles = run_folder.load_encoders(folder)
    missing = [seed for seed in seeds if seed not in bundles]
    if missing:
        prepared = engine.prepare(task, config)
        run_folder.write_config(folder, prepared.config)
        n_samples, n_features = prepared.pool.shape
        plan = engine.plan_pretraining(prepared.config, n_samples, n_features, len(missing))
        print(f"encoder input: {n_features} features; {prepared.config.method}")
        print(plan.memory.sentence(len(missing)), flush=True)
        n_chunks = -(-len(missing) // plan.memory.chunk)
        progress = Progress("epoch", plan.schedule.n_epochs * n_chunks)

        def log(rows: list[dict[str, Any]]) -> None:
            if rows:
                run_folder.append_metrics(folder, rows)
                n_epochs = len({row["epoch"] for row in rows})
                progress.advance(epoch_text(rows), n_epochs, restored=n_epochs > 1)

        pretrained = engine.pretrain(
            plan, prepared.config, prepared.pool, missing, log, folder / "checkpoints"
        )
        progress.close()
        for seed in missing:
            made = engine.make_bundle(prepared, task, pretrained, seed, run_folder.versions())
            run_folder.save_encoder(folder, seed, made)
        bundles = run_folder.load_encoders(folder)
    chosen = {seed: bundles[seed] for seed in seeds}
    _write_maps(folder, task, chosen, adata)
    for message in collapse_messages(chosen):
        print(f"warning: {message}", flush=True)
    return chosen


def _write_maps(
    folder: Path, task: Task, bundles: Mapping[int, EncoderBundle], adata: AnnData
) -> None:
    """Write the first seed's embedding of all samples, and every seed's prototype usage."""
    first = bundles[min(bundles)]
    features = normalize(first.normalizer, columns_of(task, first.normalizer))
    batch = adata.uns["jaxssl"].get("batch", "")
    part = np.full(len(task.codes), "", dtype=object)
    for name, rows in task.split._asdict().items():
        part[rows] = name
    obs = pd.DataFrame({"part": part}, index=pd.Index(task.sample_ids, dtype=object))
    obs["label"] = np.where(task.codes >= 0, np.asarray(task.classes)[task.codes], "")
    obs["batch"] = adata.obs[batch].to_numpy() if batch else ""
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
        run_folder.write_table(folder / "prototype_usage.csv", pd.concat(usage))
    out = AnnData(obs=obs)
    out.obsm["X_jaxssl"] = embed(first, features)
    store.write_h5ad(out, folder / "embedding.h5ad")


def compare(
    folder: Path,
    task: Task,
    config: Config,
    bundles: Mapping[int, EncoderBundle],
    seeds: Sequence[int],
) -> None:
    """Fit and score every arm, share and seed that the folder lacks."""
    if bundles:
        check_split(task, bundles)
        normalizer = next(iter(bundles.values())).normalizer
    else:
        normalizer = engine.prepare(task, config).normalizer
    encoders = {
        name: {s: b.params["encoder"] for s, b in bundles.items() if b.config.method.name == name}
        for name in METHODS
    }
    results = run_folder.read_results(folder)
    done = set(zip(results["arm"], results["share"], results["seed"], strict=True))
    progress = Progress("arm and share", len(config.sweep.arms) * len(config.sweep.shares))
    for fitted in sweep(task, config, normalizer, encoders, seeds, done):
        run_folder.append_results(folder, fitted, task)
        accuracy = [
            r["value"] for r in fitted.rows if (r["metric"], r["part"]) == ("accuracy", "test")
        ]
        progress.advance(
            f"{fitted.arm} at {stats.percent(fitted.share)}: test accuracy {np.mean(accuracy):.3f}"
        )
    progress.close()
    run_folder.write_table(folder / "results.csv", run_folder.read_results(folder))


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
    folder: Path,
    task: Task,
    config: Config,
    bundles: Mapping[int, EncoderBundle],
    notes: Notes,
    build_report: Callable[[list[Path], Path], None],
) -> None:
    """Statistics, summary and report, and the headline on the screen."""
    with notes.stage("report"):
        summarize(folder, task, config, bundles, notes)
        build_report([folder], folder / "report.html")
    summary = summarize(folder, task, config, bundles, notes)  # now with the report's seconds
    print(summary["headline"] or "no arm was set against a reference")
    print(f"report: {folder / 'report.html'}")
