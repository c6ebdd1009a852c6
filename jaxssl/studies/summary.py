"""What a study comes to: the tables of its conclusions, `summary.json`, cards and the report."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from jaxssl.engine.bundle import EncoderBundle, diagnosis_of
from jaxssl.engine.diagnose import HEALTHY
from jaxssl.evaluation.conclusions import conclude
from jaxssl.evaluation.headline import in_words
from jaxssl.files import plain, write_json, write_table, write_text
from jaxssl.report.render import model_card, write_report
from jaxssl.runs import journal, layout
from jaxssl.runs.notes import peak_bytes
from jaxssl.runs.reading import read_run
from jaxssl.runs.result import read_predictions
from jaxssl.studies.embeddings import write_batch
from jaxssl.studies.pretraining import unhealthy
from jaxssl.studies.start import Study


def conclude_study(
    study: Study,
    bundles: Mapping[int, EncoderBundle],
    *,
    report: bool = True,
    messages: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Write what a comparison comes to: statistics, report, summary, cards; tell the headline.

    `messages` are on the health of encoders that are not among `bundles`, if there are any.
    """
    hooks, folder = study.hooks, study.folder
    if (study.task.batches != "").any():
        with study.notes.stage("batch"):
            write_batch(study, bundles)
    n_seeds = journal.read_results(folder)["seed"].nunique()
    study.notes.count_seeds(max(n_seeds, study.config.run.seeds))
    with study.notes.stage("report"):
        summary = summarize(study, bundles, messages)
    try:
        with study.notes.stage("report"):
            if report:
                run = dataclasses.replace(read_run(folder), summary=plain(summary))
                write_report([run], folder / layout.REPORT)
    finally:  # a figure that cannot be written takes nothing else with it
        finish(study, bundles, summary)
    hooks.say(summary["headline"] or "no arm was set against a reference")
    if report:
        hooks.say(f"report: {folder / layout.REPORT}")
    return summary


def summarize(
    study: Study, bundles: Mapping[int, EncoderBundle], others: Sequence[str] | None = None
) -> dict[str, Any]:
    """Write the tables of what is concluded so far; returns the summary."""
    task, notes, results = study.task, study.notes, journal.read_results(study.folder)
    concluded = conclude(
        results,
        study.config.sweep.reference_arms,
        partial(read_predictions, [study.folder]),
        pd.Series(task.groups.astype(str), index=task.sample_ids, dtype=object),
        test_train_ratio=len(task.split.test) / len(task.split.train),
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
        "n_train": len(task.split.train),
        "n_labelled": len(task.labelled_train),
        "n_validation": len(task.split.validation),
        "n_test": len(task.split.test),
        "seeds": sorted({*map(int, results["seed"]), *bundles}),
        **in_words(results, concluded),
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


def finish(study: Study, bundles: Mapping[int, EncoderBundle], summary: Mapping[str, Any]) -> None:
    """Write `summary.json`, with the seconds of all stages, and a card beside every encoder."""
    write_json(study.folder / layout.SUMMARY, {**summary, "timings": study.notes.timings()})
    write_cards(study.folder, bundles, summary)
    study.notes.close()


def write_cards(
    folder: Path, bundles: Mapping[int, EncoderBundle], summary: Mapping[str, Any]
) -> None:
    """Write MODEL_CARD.md beside every encoder of a folder."""
    for seed, bundle in bundles.items():
        own = layout.encoder_folder(folder, seed)
        if own.is_dir():  # a sweep's encoders lie elsewhere
            write_text(own / layout.CARD, model_card(bundle, summary))
