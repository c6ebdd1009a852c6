"""What a run comes to: `summary.json`, and the tables behind its conclusions."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from jaxssl.config import Config
from jaxssl.data.task import Task
from jaxssl.engine.bundle import EncoderBundle, diagnosis_of
from jaxssl.engine.diagnose import HEALTHY
from jaxssl.evaluation import stats
from jaxssl.evaluation.conclusions import Conclusions, conclude
from jaxssl.evaluation.headline import headlines
from launch import folder as run_folder
from launch.notes import Notes, peak_memory_gb


def collapse_messages(bundles: Mapping[int, EncoderBundle]) -> list[str]:
    """One sentence for every seed whose pretraining is not healthy."""
    verdicts = {seed: diagnosis_of(bundle) for seed, bundle in bundles.items()}
    return [verdict.sentence(s) for s, verdict in verdicts.items() if verdict != HEALTHY]


def summarize(
    folder: Path, task: Task, config: Config, bundles: Mapping[int, EncoderBundle], notes: Notes
) -> dict[str, Any]:
    """Write `summary.json` and the tables of what is concluded; returns the summary."""
    results = run_folder.read_results(folder)
    concluded = conclude(
        results,
        config.sweep.reference_arms,
        partial(run_folder.read_predictions, folder),
        pd.Series(task.groups.astype(str), index=task.sample_ids, dtype=object),
        test_train_ratio=len(task.split.test) / len(task.split.train),
    )
    for name, table in concluded._asdict().items():
        run_folder.write_table(folder / f"{name}.csv", table)
    messages = collapse_messages(bundles)
    summary = {
        **{"dataset": task.dataset, "task": task.label, "classes": list(task.classes)},
        **{"n_train": len(task.split.train), "n_labelled": len(task.labelled_train)},
        **{"n_validation": len(task.split.validation), "n_test": len(task.split.test)},
        "seeds": sorted({*map(int, results["seed"]), *bundles}),
        **in_words(results, concluded),
        "pretraining": {
            "status": ("unhealthy" if messages else "healthy") if bundles else "none",
            "collapsed_seeds": [
                s for s, b in bundles.items() if diagnosis_of(b).status != HEALTHY.status
            ],
            "messages": messages,
        },
        **{"timings": notes.timings(), "peak_memory_gb": peak_memory_gb()},
        **{"warnings": notes.warnings, "allowed_leaks": notes.allowed_leaks},
    }
    run_folder.write_json(folder / "summary.json", summary)
    return summary


def in_words(results: pd.DataFrame, concluded: Conclusions) -> dict[str, Any]:
    """Headline, scores of the arms, paired differences and endpoint, as `summary.json` has them."""
    columns = ["arm", "reference", "share", "metric", "difference", "ci_low", "ci_high", "p_holm"]
    return {
        "headline": " ".join(headlines(concluded)),
        "arms": _nested(stats.summarize(results)),
        "paired": concluded.statistics[columns].to_dict("records"),
        "endpoint": concluded.endpoint.to_dict("records"),
    }


def _nested(table: pd.DataFrame) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for row in table.to_dict("records"):
        share = nested.setdefault(row["arm"], {}).setdefault(f"{row['share']:g}", {})
        share[row["metric"]] = {key: row[key] for key in ("mean", "ci_low", "ci_high")}
    return nested
