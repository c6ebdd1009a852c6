"""The pretraining of a study: seeds without an encoder, logged, saved, diagnosed, embedded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.config import to_dict
from jaxssl.data.backed import Backed
from jaxssl.data.expression import write_h5ad
from jaxssl.data.task import Task
from jaxssl.engine import pretrain as engine
from jaxssl.engine.bundle import EncoderBundle, diagnosis_of, has_diverged, save_bundle
from jaxssl.engine.diagnose import HEALTHY, divergences
from jaxssl.engine.embed import embed, prototype_scores
from jaxssl.engine.planning import plan_pretraining
from jaxssl.engine.prepared import fingerprint
from jaxssl.evaluation.arms import BEST
from jaxssl.evaluation.ensembles import (
    alike,
    ids_of,
    lacking,
    plan_ensembles,
    pretrain_ensembles,
    windows,
)
from jaxssl.files import flush, write_table
from jaxssl.runs import journal, layout
from jaxssl.runs.identity import versions
from jaxssl.runs.tables import RUN, run_of
from jaxssl.studies.encoders import Encoders
from jaxssl.studies.progress import Count
from jaxssl.studies.start import Study
from jaxssl.types import InputError, Params

MEASURES = ("loss", "loss_ratio", "code_entropy_ratio", "usage_perplexity", "effective_rank")
"""What is told of an epoch."""


def make_encoders(study: Study) -> dict[int, EncoderBundle]:
    """Pretrain the seeds that have no bundle yet; write bundles, metrics, embedding and usage."""
    bundles = journal.load_encoders(study.folder, study.seeds)
    check_split(study.task, bundles.values())
    missing = [seed for seed in study.seeds if seed not in bundles]
    if missing:
        with study.notes.stage("pretrain"):
            bundles |= _make_missing(study, missing)
    bundles = {seed: bundles[seed] for seed in study.seeds}
    sound = {seed: bundle for seed, bundle in bundles.items() if not has_diverged(bundle)}
    if sound:
        with study.notes.stage("maps"):
            _write_embedding(study, sound)
    for message in unhealthy(bundles):
        study.hooks.say(f"warning: {message}")
    return bundles


def make_ensembles(study: Study, bundles: Iterable[EncoderBundle]) -> dict[int, dict[str, Params]]:
    """The encoders of the arm `best`: those of the study that are pretrained alike, and others.

    The others are kept as checkpoints alone.
    """
    config, pool = study.config, study.prepared.pool
    encoders = {} if study.guests else alike(config, len(pool), bundles)
    ids = lacking(study.seeds, encoders)
    if ids:
        plans, n = plan_ensembles(config, pool.shape, ids, study.prepared.batches)
        log = _log_of(study, Count(study.hooks.tell, "epoch", n), is_kept=False)
        # apart from those of the study's own encoders, which have the same seeds
        checkpoints = study.folder / layout.CHECKPOINTS / run_of(study.folder) / BEST
        study.hooks.say(
            f"best: {len(ids_of(0))} encoders a repetition, {len(ids)} are still to be pretrained"
        )
        with study.notes.stage("pretrain"), study.hooks.patient() as stop:
            encoders |= pretrain_ensembles(plans, config, pool, ids, log, checkpoints, stop)
    return windows(encoders, study.seeds)


def check_split(task: Task, bundles: Iterable[EncoderBundle]) -> None:
    """Refuse encoders that were trained on other training samples than this split's."""
    for bundle in bundles:
        if bundle.provenance["training_samples"] != fingerprint(task):
            raise InputError(
                f"the encoder of seed {bundle.provenance['seed']} was trained on other samples "
                "than this split's training part, so test samples may have been seen",
                "use the data, label, group and split options of its pretraining",
            )


def unhealthy(bundles: Encoders) -> list[str]:
    """One sentence for every seed whose pretraining is not healthy."""
    verdicts = {seed: diagnosis_of(bundle) for seed, bundle in bundles.items()}
    return [verdict.sentence(s) for s, verdict in verdicts.items() if verdict != HEALTHY]


def _make_missing(study: Study, missing: Sequence[int]) -> dict[int, EncoderBundle]:
    prepared, folder, pool = study.prepared, study.folder, study.prepared.pool
    # cut as the interrupted run was, whatever memory is free today: its checkpoints fit no other
    config = journal.with_chunk_of(folder, study.config, missing)
    genes = prepared.gene_pool(config)
    plan = plan_pretraining(
        config,
        *pool.shape,
        n_seeds=len(missing),
        batches=prepared.batches,
        genes=genes,
        is_streamed=isinstance(pool, Backed),
    )
    parts = journal.cut(folder, missing, plan.memory.chunk)
    options = ", ".join(f"{n} {v}" for n, v in to_dict(config)["method"].items())
    study.hooks.say(f"encoder input: {pool.shape[1]} features; method: {options}")
    study.hooks.say(plan.memory.sentence(len(missing)))
    journal.drop_metrics(folder, {seed for ids in parts for seed in ids})
    log = _log_of(study, Count(study.hooks.tell, "epoch", plan.schedule.n_epochs * len(parts)))
    made: dict[int, EncoderBundle] = {}
    run = run_of(folder)
    origin = {RUN: run, **study.notes.found()}  # before it begins: of the data and the split
    checkpoints = folder / layout.CHECKPOINTS / run  # states of another run are not found
    with study.hooks.patient() as stop:
        for ids in parts:
            for chunk in engine.pretrain(
                plan, config, pool, ids, log, checkpoints, stop=stop, genes=genes
            ):
                flush(folder / layout.METRICS)  # before the encoders that it is about
                for seed in chunk.params:
                    bundle = engine.make_bundle(prepared, chunk, seed, versions())
                    made[seed] = replace(bundle, provenance=bundle.provenance | origin)
                    save_bundle(layout.encoder_folder(folder, seed), made[seed])
    return made


def _write_embedding(study: Study, bundles: Encoders) -> None:
    """Write the first seed's embedding of all samples, and the prototypes that every seed uses."""
    task, features, first = study.task, study.prepared.features, min(bundles)
    index = pd.Index(task.sample_ids, dtype=object)
    obs = journal.samples_of(task)[["part", "label", "batch"]].set_axis(index)
    usage = []
    for seed, bundle in bundles.items():
        scores = prototype_scores(bundle, features)
        if scores is None:
            continue
        prototype, n_prototypes = scores.argmax(axis=1), scores.shape[1]
        counts = np.bincount(prototype[task.split.train], minlength=n_prototypes)
        share = counts / len(task.split.train)
        usage.append(pd.DataFrame({"seed": seed, "prototype": range(n_prototypes), "share": share}))
        if seed == first:
            obs["prototype"] = prototype.astype(str)
    if usage:
        write_table(study.folder / layout.USAGE, pd.concat(usage))
    out = AnnData(obs=obs, uns={RUN: run_of(study.folder)})
    out.obsm["X_jaxssl"] = embed(bundles[first], features)
    write_h5ad(out, study.folder / layout.EMBEDDING)


def _log_of(study: Study, count: Count, *, is_kept: bool = True) -> engine.LogFn:
    """What notes every epoch in the folder, counts it, and warns of seeds that diverge."""
    lost: set[int] = set()
    advance = by_epoch(count)

    def log(rows: list[dict[str, Any]], restored: bool) -> None:
        if is_kept:
            journal.append_metrics(study.folder, rows)
        advance(rows, restored)
        for seed, when in divergences(rows).items():
            if seed not in lost:
                study.notes.warn(
                    f"seed {seed} diverged: {when}; it counts as one that knows nothing"
                )
            lost.add(seed)

    return log


def by_epoch(count: Count) -> engine.LogFn:
    """What counts every epoch and shows its measures."""

    def log(rows: list[dict[str, Any]], restored: bool) -> None:
        count.advance(_in_a_line(rows), len({row["epoch"] for row in rows}), restored=restored)

    return log


def _in_a_line(rows: Sequence[Mapping[str, Any]]) -> str:
    """The last epoch among `rows`, as means over its seeds."""
    rows = [row for row in rows if row["epoch"] == rows[-1]["epoch"]]
    seeds = [row["seed"] for row in rows]
    means = {name: sum(r[name] for r in rows) / len(rows) for name in MEASURES if name in rows[0]}
    values = ", ".join(f"{name} {value:.3g}" for name, value in means.items())
    return f"seeds {min(seeds)}-{max(seeds)}, step {rows[0]['step']}: {values}"
