"""The headline numbers of a run: `statistics.csv` and `summary.json`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from jaxssl.config import Config
from jaxssl.data.task import Task
from jaxssl.engine.diagnose import HEALTHY, Diagnosis
from jaxssl.evaluation import stats
from jaxssl.types import EncoderBundle
from launch import folder as run_folder
from launch.notes import Notes, peak_memory_gb

STATISTICS_METRICS = (
    *("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "ece", "auroc", "auprc", "mcc"),
)


def collapse_messages(bundles: Mapping[int, EncoderBundle]) -> list[str]:
    """One sentence for every seed whose pretraining is not healthy."""
    verdicts = {
        seed: Diagnosis(*(bundle.provenance[name] for name in Diagnosis._fields))
        for seed, bundle in bundles.items()
    }
    return [verdict.sentence(s) for s, verdict in verdicts.items() if verdict != HEALTHY]


def summarize(
    folder: Path, task: Task, config: Config, bundles: Mapping[int, EncoderBundle], notes: Notes
) -> dict[str, Any]:
    """Write `statistics.csv` and `summary.json`; returns the summary."""
    results = run_folder.read_results(folder)
    metrics = [m for m in STATISTICS_METRICS if m in set(results["metric"])]
    statistics = stats.paired_statistics(results, config.sweep.reference_arms, metrics)
    run_folder.write_table(folder / "statistics.csv", statistics)
    messages = collapse_messages(bundles)
    summary = {
        **{"dataset": task.dataset, "task": task.label, "classes": list(task.classes)},
        **{"n_train": len(task.split.train), "n_labelled": len(task.labelled_train)},
        **{"n_validation": len(task.split.validation), "n_test": len(task.split.test)},
        "seeds": sorted({*map(int, results["seed"]), *bundles}),
        "headline": _headline(statistics),
        "arms": _nested(stats.summarize(results)),
        "paired": statistics[
            ["arm", "reference", "share", "metric", "difference", "ci_low", "ci_high", "p_holm"]
        ].to_dict("records"),
        "pretraining": {
            "status": ("unhealthy" if messages else "healthy") if bundles else "none",
            "collapsed_seeds": [
                s for s, b in bundles.items() if b.provenance["status"] != HEALTHY.status
            ],
            "messages": messages,
        },
        **{"timings": notes.timings(), "peak_memory_gb": peak_memory_gb()},
        "warnings": notes.warnings,
    }
    run_folder.write_json(folder / "summary.json", summary)
    return summary


def _headline(statistics: pd.DataFrame) -> str:
    """A sentence for every arm that was set against the references."""
    return " ".join(stats.headline(statistics, arm) for arm in statistics["arm"].unique())


def _nested(table: pd.DataFrame) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for row in table.to_dict("records"):
        share = nested.setdefault(row["arm"], {}).setdefault(f"{row['share']:g}", {})
        share[row["metric"]] = {key: row[key] for key in ("mean", "ci_low", "ci_high")}
    return nested
