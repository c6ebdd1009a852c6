"""What a study comes to: the tables of its conclusions, `summary.json`, cards and the report."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxssl.data.task import Task
from jaxssl.engine.bundle import diagnosis_of, has_diverged
from jaxssl.engine.diagnose import HEALTHY
from jaxssl.engine.embed import embed
from jaxssl.evaluation import batch
from jaxssl.evaluation.all_labels import ALL_LABELS_COLUMNS
from jaxssl.evaluation.conclusions import Conclusions, conclude
from jaxssl.evaluation.endpoint import ENDPOINT_COLUMNS
from jaxssl.evaluation.headline import in_words
from jaxssl.evaluation.intervals import doubt_of_size
from jaxssl.evaluation.labels_saved import SAVED_COLUMNS
from jaxssl.evaluation.stats import STATISTICS_COLUMNS
from jaxssl.files import plain, write_json, write_table, write_text
from jaxssl.report.render import model_card, write_report
from jaxssl.runs import journal, layout
from jaxssl.runs.merge import merge_parts
from jaxssl.runs.notes import peak_bytes
from jaxssl.runs.reading import read_run
from jaxssl.runs.result import read_predictions
from jaxssl.runs.tables import RUN, run_of, write_manifest
from jaxssl.studies.encoders import Encoders
from jaxssl.studies.pretraining import unhealthy
from jaxssl.studies.progress import Hooks
from jaxssl.studies.start import Study

FEW_SEEDS = 6  # from here on the signed-rank test can give a p below 0.05
MAX_EMBEDDED = 5  # seeds whose embedding is asked for its batch


def conclude_study(
    study: Study, bundles: Encoders, *, report: bool = True, messages: Sequence[str] | None = None
) -> dict[str, Any]:
    """Write what a comparison comes to: statistics, report, summary, cards; tell the headline.

    `messages` are on the health of encoders that are not among `bundles`, if there are any.
    """
    hooks, folder = study.hooks, study.folder
    if (study.task.batches != "").any():
        with study.notes.stage("batch"):
            _write_batch(study, bundles)
    if report:  # of several splits it is told when all are there
        _doubt_amount(study)
    with study.notes.stage("report"):
        summary = summarize(study, bundles, messages)
    try:
        with study.notes.stage("report"):
            run = read_run(folder) if report else None  # and what it warns of is told, too
        with study.notes.stage("report"):
            if run:
                run = dataclasses.replace(run, summary=plain(summary))
                write_report([run], folder / layout.REPORT)
    finally:  # a figure that cannot be written takes nothing else with it
        finish(study, bundles, summary)
    if report:
        _tell(summary, hooks)
        hooks.say(f"report: {folder / layout.REPORT}")
    return summary


def _doubt_amount(study: Study) -> None:
    """Warn of a test part that is too small to tell much, else of few seeds."""
    n_seeds = max(journal.read_results(study.folder)["seed"].nunique(), study.config.run.seeds)
    doubt = doubt_of_size(len(study.task.split.test))
    if doubt:
        study.notes.warn(doubt)
    elif n_seeds < FEW_SEEDS:
        study.notes.warn(
            f"{n_seeds} seeds are few: intervals over them are wide, and no test on ranks can "
            f"reject; use at least {FEW_SEEDS}, set before the first look"
        )


def _tell(summary: Mapping[str, Any], hooks: Hooks) -> None:
    """Say the headline, of few labels, and the verdict, at all of them."""
    hooks.say(str(summary["headline"] or "no arm was set against a reference"))
    for sentence in summary["verdict"].get("sentences", []):
        hooks.say(sentence)


def summarize(
    study: Study, bundles: Encoders, others: Sequence[str] | None = None
) -> dict[str, Any]:
    """Write the tables of what is concluded so far; returns the summary."""
    task, notes, results = study.task, study.notes, journal.read_results(study.folder)
    concluded = conclude(
        results,
        study.config.sweep.reference_arms,
        partial(read_predictions, [study.folder]),
        pd.Series(task.groups.astype(str), index=task.sample_ids, dtype=object),
        test_train_ratio=len(task.split.test) / task.n_own,
    )
    if len(results):
        for name, table in zip(layout.CONCLUSIONS, concluded, strict=True):
            write_table(study.folder / name, table)
    messages = [*(others or []), *unhealthy(bundles)]
    is_pretrained = bool(bundles) or others is not None
    verdicts = {seed: diagnosis_of(bundle) for seed, bundle in bundles.items()}
    return {
        "dataset": task.dataset,
        "task": task.label,
        "classes": list(task.classes),
        "n_train": task.n_own,
        **({"unlabelled": _of_joined(task)} if task.joined.files else {}),
        **({"encoders": study.guests.facts} if study.guests else {}),
        "n_labelled": len(task.labelled_train),
        "n_validation": len(task.split.validation),
        "n_test": len(task.split.test),
        "seeds": sorted({*map(int, results["seed"]), *bundles}),
        **_told(task, results, concluded),
        "pretraining": {
            "status": "unhealthy" if messages else "healthy" if is_pretrained else "none",
            "collapsed_seeds": [s for s, v in verdicts.items() if v.status != HEALTHY.status],
            "messages": messages,
        },
        "timings": notes.timings(),
        "peak_memory_gb": round(peak_bytes() / 1e9, 2),
        "warnings": notes.warnings,
        "allowed_leaks": notes.allowed_leaks,
    }


def _told(task: Task, results: pd.DataFrame, concluded: Conclusions) -> dict[str, Any]:
    """What the comparison comes to in words, and on how many test samples of each class."""
    names, n = np.unique(task.codes[task.split.test], return_counts=True)
    tested = {task.classes[code]: count for code, count in zip(names, n.tolist(), strict=True)}
    return {"tested": tested, **in_words(results, concluded, tested)}


def _of_joined(task: Task) -> dict[str, Any]:
    """The samples of other files that joined the training."""
    return {
        "n": len(task.joined.ids),
        "files": [
            {"name": name, "samples": n, "cohorts": n_cohorts}
            for name, n, n_cohorts in task.joined.files
        ],
        "genes": len(task.genes),
        "genes_of_study": task.joined.n_genes,
        "transductive": len(task.joined.held_out),
    }


def finish(study: Study, bundles: Encoders, summary: Mapping[str, Any]) -> None:
    """Write `summary.json`, with the seconds of all stages, and a card beside every encoder."""
    own = {RUN: run_of(study.folder), "timings": study.notes.timings()}
    write_json(study.folder / layout.SUMMARY, {**summary, **own})
    write_manifest(study.folder)
    write_cards(study.folder, bundles, summary)
    study.notes.close()


def write_cards(folder: Path, bundles: Encoders, summary: Mapping[str, Any]) -> None:
    """Write MODEL_CARD.md beside every encoder of a folder."""
    for seed, bundle in bundles.items():
        own = layout.encoder_folder(folder, seed)
        if own.is_dir():  # a sweep's encoders lie elsewhere
            write_text(own / layout.CARD, model_card(bundle, summary))


def _write_batch(study: Study, bundles: Encoders) -> None:
    """Write how well the batch is told from input and embeddings."""
    seeds = [seed for seed in sorted(bundles) if not has_diverged(bundles[seed])][:MAX_EMBEDDED]
    features = study.prepared.features
    representations = {("input", 0): features}
    seen = study.guests.features if study.guests else features
    if len(seen) == len(features):  # else they do not see those that joined
        representations |= {("embedding", seed): embed(bundles[seed], seen) for seed in seeds}
    write_table(study.folder / layout.BATCH, batch.predictability(study.task, representations))


def merge_splits(folders: Sequence[Path], parent: Path, hooks: Hooks) -> None:
    """Write the tables and the report of all splits together."""
    (run,) = merge_parts([read_run(folder) for folder in folders])
    assert run.results is not None
    write_table(parent / layout.RESULTS, run.results)
    write_table(parent / layout.RESULTS_CSV, run.results)
    summary = run.summary | {RUN: run_of(parent), "splits": [folder.name for folder in folders]}
    if run.statistics is not None:
        concluded = (run.statistics, run.endpoint, run.saved, run.all_labels)
        columns = (STATISTICS_COLUMNS, ENDPOINT_COLUMNS, SAVED_COLUMNS, ALL_LABELS_COLUMNS)
        for name, table, header in zip(layout.CONCLUSIONS, concluded, columns, strict=True):
            write_table(parent / name, pd.DataFrame(columns=header) if table is None else table)
    write_json(parent / layout.SUMMARY, summary)
    write_report([run], parent / layout.REPORT)
    _tell(summary, hooks)
    hooks.say(f"report: {parent / layout.REPORT}")
