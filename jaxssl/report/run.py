"""A run folder as the report reads it; whatever a run did not write is absent, not an error."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd

from jaxssl.evaluation.conclusions import conclude
from jaxssl.types import InputError

OF_SPLIT = {
    *{("split", "seed"), ("normalize", "n_components"), ("method", "n_prototypes")},
    *{("pretrain", "n_steps"), ("pretrain", "batch_size")},
}
MARKS = ("summary.json", "results.parquet", "results.csv", "metrics.jsonl")


@dataclass(frozen=True)
class Run:
    """What one run folder holds; None or empty where the run did not write it."""

    name: str
    folders: tuple[Path, ...]  # several where shards of one run were merged
    config: dict[str, Any]
    environment: dict[str, Any]
    summary: dict[str, Any]
    metrics: pd.DataFrame | None  # one row per epoch and seed of the pretraining
    results: pd.DataFrame | None
    statistics: pd.DataFrame | None
    endpoint: pd.DataFrame | None
    saved: pd.DataFrame | None
    batch: pd.DataFrame | None  # how well the batch is told from each representation
    samples: pd.DataFrame | None  # sample_id, part, label, group, batch
    usage: pd.DataFrame | None  # seed, prototype, share
    embedding: anndata.AnnData | None

    @property
    def pretraining(self) -> dict[str, Any]:
        """Health of the pretraining: status, collapsed_seeds, messages."""
        return self.summary.get("pretraining", {})


def read_run(folder: Path) -> Run:
    """Read a folder.

    Raises:
        InputError: where it is no run folder, or a file of it cannot be read.
    """
    if not any((folder / name).is_file() for name in MARKS):
        found = "is not a run folder" if folder.is_dir() else "does not exist"
        raise InputError(f"{folder} {found}: a run folder holds one of {', '.join(MARKS)}")
    try:
        return Run(
            name=folder.resolve().name,
            folders=(folder,),
            config=_json(folder / "config.json"),
            environment=_json(folder / "environment.json"),
            summary=_json(folder / "summary.json"),
            metrics=_pretraining(folder / "metrics.jsonl"),
            results=_table(folder / "results.parquet"),
            statistics=_table(folder / "statistics.csv"),
            endpoint=_table(folder / "endpoint.csv"),
            saved=_table(folder / "saved.csv"),
            batch=_table(folder / "batch.csv"),
            samples=_table(folder / "splits.parquet"),
            usage=_table(folder / "prototype_usage.csv"),
            embedding=_h5ad(folder / "embedding.h5ad"),
        )
    except (ValueError, OSError) as error:
        raise InputError(f"{folder} holds a damaged file ({error}); run the verb again") from error


def expand(folders: Sequence[Path]) -> list[Path]:
    """The folders, a study of several splits as those of its splits."""
    expanded: list[Path] = []
    for folder in folders:
        splits = [folder / name for name in _json(folder / "summary.json").get("splits", [])]
        expanded += splits if splits and all(path.is_dir() for path in splits) else [folder]
    return expanded


def read_predictions(run: Run, arm: str, share: float) -> pd.DataFrame | None:
    """Columns sample_id, seed, label, p_CLASS… of the test part."""
    name = f"{arm}_{share:.4f}.parquet"
    return _concatenated([_table(folder / "predictions" / name) for folder in run.folders])


def groups_of(run: Run) -> "pd.Series[str]":
    """Group of every sample, by sample id; empty where the run did not write them."""
    if run.samples is None or "group" not in run.samples:
        return pd.Series(dtype=str)
    return run.samples.set_index("sample_id")["group"]


def merge_parts(runs: Sequence[Run]) -> list[Run]:
    """Join the runs whose folders are shard_I_of_N or split_N of one parent; others stay apart.

    A folder that is named twice counts once. Conclusions are those of the joined results.
    InputError where parts differ in their options or hold the same seed.
    """
    merged: dict[Path, list[Run]] = {}
    for path, run in {run.folders[0].resolve(): run for run in runs}.items():
        is_part = re.fullmatch(r"shard_\d+_of_\d+|split_\d+", path.name)
        merged.setdefault(path.parent if is_part else path, []).append(run)
    return [
        shards[0] if len(shards) == 1 else _join(shards, path) for path, shards in merged.items()
    ]


def _join(shards: list[Run], parent: Path) -> Run:
    if any(_but_its_split(shard.config) != _but_its_split(shards[0].config) for shard in shards):
        raise InputError(
            f"the parts in {parent} were run with different options; report them apart"
        )
    holder: dict[tuple[str, int], str] = {}
    for shard in shards:
        name = shard.folders[0].resolve().name
        for seed in shard.summary.get("seeds", []):
            other = holder.setdefault((split_number(shard), seed), name)
            if other != name:
                raise InputError(
                    f"{other} and {name} in {parent} both hold seed {seed}; report the shards of "
                    "one division"
                )
    results = _concatenated([shard.results for shard in shards])
    statistics = _concatenated([shard.statistics for shard in shards])
    joined = replace(
        shards[0],
        name=parent.name,
        folders=tuple(shard.folders[0] for shard in shards),
        summary=_joined_summary(shards),
        metrics=_concatenated([_with_split(shard, shard.metrics) for shard in shards]),
        results=results,
        batch=_concatenated([_with_split(shard, shard.batch) for shard in shards]),
        usage=_concatenated([_with_split(shard, shard.usage) for shard in shards]),
    )
    if results is None or statistics is None:
        return joined
    references = statistics["reference"].unique().tolist()
    sizes = [(s.summary["n_test"], s.summary["n_train"]) for s in shards if "n_test" in s.summary]
    concluded = conclude(
        results,
        references,
        partial(read_predictions, joined),
        groups_of(joined),
        test_train_ratio=float(np.mean([test / train for test, train in sizes])),
    )
    found = {name: None if t.empty else t for name, t in concluded._asdict().items()}
    return replace(joined, **found)


def _but_its_split(config: dict[str, Any]) -> dict[str, Any]:
    """The options without the split's number and the counts that follow from its size."""
    return {
        section: {name: value for name, value in options.items() if (section, name) not in OF_SPLIT}
        for section, options in config.items()
    }


def _with_split(run: Run, table: pd.DataFrame | None) -> pd.DataFrame | None:
    """The table with the split that its seeds belong to, if the run is one of several splits."""
    number = split_number(run)
    return table if table is None or not number else table.assign(split=int(number))


def split_number(run: Run) -> str:
    """Which of several splits the run is; "" for a run on its own and for a shard."""
    name = run.folders[0].resolve().name
    return name.removeprefix("split_") if name.startswith("split_") else ""


def _joined_summary(shards: list[Run]) -> dict[str, Any]:
    """What the parts' summaries say together; counts that differ as lowest and highest."""
    summaries = [shard.summary for shard in shards]
    healths = [summary.get("pretraining", {}) for summary in summaries]
    ill = [health for health in healths if health.get("messages")]
    counts = {}
    for name in ("n_train", "n_labelled", "n_validation", "n_test"):
        found = [summary[name] for summary in summaries if name in summary]
        if found:
            counts[name] = found[0] if len(set(found)) == 1 else [min(found), max(found)]
    collapsed = [
        f"{split_number(shard)}/{seed}" if split_number(shard) else seed
        for shard, health in zip(shards, healths, strict=True)
        for seed in health.get("collapsed_seeds", [])
    ]
    leaks = dict.fromkeys(leak for s in summaries for leak in s.get("allowed_leaks", []))
    return (
        summaries[0]
        | counts
        | {
            "allowed_leaks": list(leaks),
            "seeds": sorted({seed for summary in summaries for seed in summary.get("seeds", [])}),
            "warnings": list(dict.fromkeys(w for s in summaries for w in s.get("warnings", []))),
            "timings": {},  # of one shard, they would say nothing of the run
            "pretraining": {
                "status": (ill or healths)[0].get("status", ""),
                "messages": [message for health in ill for message in health["messages"]],
                "collapsed_seeds": collapsed,
            },
        }
    )


def _concatenated(tables: Sequence[pd.DataFrame | None]) -> pd.DataFrame | None:
    present = [table for table in tables if table is not None]
    return pd.concat(present, ignore_index=True) if present else None


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _pretraining(path: Path) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    # a killed run may have left half a line; its epoch was repeated
    rows = pd.DataFrame([json.loads(line) for line in lines if line.endswith("}")])
    if rows.empty:
        return None
    rows = rows[rows["phase"] == "pretrain"]
    # a resumed run repeats the epochs after its checkpoint
    return rows.drop_duplicates(["seed", "epoch"], keep="last").sort_values(["seed", "epoch"])


def _table(path: Path) -> pd.DataFrame | None:
    if path.with_suffix(".csv").is_file() and not path.is_file():
        path = path.with_suffix(".csv")
    if not path.is_file():
        return None
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
    else:
        # shares are keys: the fast parser may miss them by one bit
        # and a list of one share is no number
        table = pd.read_csv(path, float_precision="round_trip", dtype={"shares": str})
    return None if table.empty else table


def _h5ad(path: Path) -> anndata.AnnData | None:
    return anndata.read_h5ad(path) if path.is_file() else None
