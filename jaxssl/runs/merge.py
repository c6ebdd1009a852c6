"""Shards and splits of one run, joined to what they come to together."""

import os
import warnings
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxssl.evaluation.conclusions import conclude
from jaxssl.evaluation.fits import failed_fits
from jaxssl.evaluation.headline import failure_notes, in_words
from jaxssl.evaluation.intervals import doubt_of_size
from jaxssl.runs.identity import MAY_CHANGE
from jaxssl.runs.kinds import OF
from jaxssl.runs.layout import split_number, whole_folder
from jaxssl.runs.result import StudyResult, read_predictions
from jaxssl.types import InputError

OF_PART = MAY_CHANGE - {
    ("sweep", "arms"),
    ("sweep", "shares"),
    ("run", "seeds"),
    ("split", "allow_leaks"),
}
"""Options in which all parts of one study may differ: they decide nothing."""
OF_SPLIT = OF_PART | {
    ("split", "seed"),
    ("normalize", "n_components"),
    ("method", "n_prototypes"),
    ("pretrain", "n_steps"),
    ("pretrain", "batch_size"),
}
"""Options in which its splits may differ: their numbers, and counts that follow from their size."""


def merge_parts(runs: Sequence[StudyResult]) -> list[StudyResult]:
    """Join the runs whose folders are shard_I_of_N or split_N of one parent; others stay apart.

    A folder named twice counts once; parts that differ in options or share a seed are refused.
    """
    merged: dict[Path, list[StudyResult]] = {}
    for run in {run.folders[0].resolve(): run for run in runs}.values():
        # by its name in the run: it may lie elsewhere, and be linked
        merged.setdefault(_whole_of(run).resolve(), []).append(run)
    return [
        shards[0] if len(shards) == 1 else _join(shards, path) for path, shards in merged.items()
    ]


def _whole_of(part: StudyResult) -> Path:
    return whole_folder(Path(os.path.abspath(part.folders[0])))


def _check_parts(shards: Sequence[StudyResult], parent: Path) -> None:
    """Refuse parts of different options or data, and those that hold the same seed."""
    _check_options(shards, parent)
    for name, what in (("data", "different data"), ("encoders", "different encoders")):
        if len({shard.environment.get(name) for shard in shards} - {None}) > 1:
            raise InputError(f"the parts in {parent} are of {what}", "report them apart")
    hash_of: dict[str, str] = {}  # by split
    holder: dict[tuple[str, int], str] = {}
    for shard in shards:
        split, data_hash = split_number(shard.folders[0]), shard.environment.get("data_hash", "")
        own = shard.config.get("split", {}).get("seed", split)
        if split and str(own) != split:
            raise InputError(
                f"{shard.folders[0]} holds split {own}",
                f"name it split_{own}, or put split {split} there",
            )
        if hash_of.setdefault(split, data_hash) != data_hash:
            raise InputError(
                f"the parts in {parent} are of different data or splits", "report them apart"
            )
        place = Path(os.path.abspath(shard.folders[0]))
        name = place.relative_to(_whole_of(shard)).as_posix()
        for seed in shard.seeds:
            other = holder.setdefault((split, seed), name)
            if other != name:
                raise InputError(
                    f"{other} and {name} in {parent} both hold seed {seed}",
                    "report the shards of one division",
                )


def _check_options(shards: Sequence[StudyResult], parent: Path) -> None:
    """Refuse parts of different options, of one split or at all, and of different runs."""
    options = [_without(shard.config, OF_SPLIT) for shard in shards]
    of_split: dict[str, Any] = {}
    run_of: dict[Path, str] = {}  # by folder of the splits
    for shard, own in zip(shards, options, strict=True):
        number, within = split_number(shard.folders[0]), shard.folders[0].parent
        all_own = _without(shard.config, OF_PART)
        if own != options[0] or of_split.setdefault(number, all_own) != all_own:
            raise InputError(
                f"the parts in {parent} were run with different options", "report them apart"
            )
        whose = shard.environment.get(OF, "")
        if number and run_of.setdefault(within, whose) != whose:
            raise InputError(
                f"the splits in {within} are not of one run", "run its study again with `resume`"
            )


def _warn_of_gaps(shards: Sequence[StudyResult], parent: Path) -> None:
    """Warn of seeds that lack a split which others have."""
    held = {(split_number(shard.folders[0]), seed) for shard in shards for seed in shard.seeds}
    seeds = sorted({seed for _, seed in held})
    for split in sorted({split for split, _ in held}):
        lacking = [str(seed) for seed in seeds if (split, seed) not in held]
        if split and lacking:
            warnings.warn(
                f"{parent} lacks split {split} of seeds {', '.join(lacking)}", stacklevel=5
            )


def _join(shards: Sequence[StudyResult], parent: Path) -> StudyResult:
    _check_parts(shards, parent)
    _warn_of_gaps(shards, parent)
    results, statistics = _together(shards, "results"), _together(shards, "statistics")
    joined = replace(
        shards[0],
        name=parent.name,
        folders=tuple(shard.folders[0] for shard in shards),
        summary=_joined_summary(shards, failed_fits(results)),
        results=results,
        **{name: _together(shards, name) for name in ("metrics", "batch", "usage")},
    )
    if results is None:
        return joined
    if statistics is None:  # no arm under test; what is said of the arms is of all parts, too
        references = joined.config.get("sweep", {}).get("reference_arms", [])
    else:
        references = statistics["reference"].unique().tolist()
    return conclude_anew(joined, references, shards)


def conclude_anew(
    run: StudyResult, references: Sequence[str], parts: Sequence[StudyResult]
) -> StudyResult:
    """The run with the tables and the headline that its results come to."""
    assert run.results is not None
    sizes = [(s.summary["n_test"], s.summary["n_train"]) for s in parts if "n_test" in s.summary]
    concluded = conclude(
        run.results,
        references,
        partial(read_predictions, run.folders),
        run.groups(),
        test_train_ratio=float(np.mean([test / train for test, train in sizes] or np.nan)),
    )
    found = {name: None if t.empty else t for name, t in concluded._asdict().items()}
    found_words = in_words(run.results, concluded, run.tested)
    return replace(run, summary=run.summary | found_words, **found)


def _without(config: dict[str, Any], names: Collection[tuple[str, str]]) -> dict[str, Any]:
    """The options but those that are named."""
    return {
        section: {name: value for name, value in options.items() if (section, name) not in names}
        for section, options in config.items()
    }


def _joined_summary(shards: Sequence[StudyResult], failed: pd.DataFrame) -> dict[str, Any]:
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
        f"{split_number(shard.folders[0])}/{seed}" if split_number(shard.folders[0]) else seed
        for shard, health in zip(shards, healths, strict=True)
        for seed in health.get("collapsed_seeds", [])
    ]
    told = dict.fromkeys(text for summary in summaries for text in _warnings(summary))
    tested = _tested(shards)
    n_splits = len({split_number(shard.folders[0]) for shard in shards})
    if n_splits > 1 and (doubt := doubt_of_size(sum(tested.get("tested", {}).values()), n_splits)):
        told = {doubt: None, **told}
    leaks = dict.fromkeys(leak for s in summaries for leak in s.get("allowed_leaks", []))
    return {
        **summaries[0],
        **counts,
        **tested,
        "allowed_leaks": list(leaks),
        "seeds": sorted({seed for shard in shards for seed in shard.seeds}),
        "warnings": [*told, *failure_notes(failed)],
        "timings": {},  # of one shard, they would say nothing of the run
        "pretraining": {
            "status": (ill or healths)[0].get("status", ""),
            "messages": [message for health in ill for message in health["messages"]],
            "collapsed_seeds": collapsed,
        },
    }


def _tested(parts: Sequence[StudyResult]) -> dict[str, dict[str, int]]:
    """How many different test samples each class has over all parts."""
    tables = [part.samples for part in parts if part.samples is not None]
    if len(tables) < len(parts) or not all({"part", "label"} <= {*table} for table in tables):
        return {}
    of_test = pd.concat([table[table["part"] == "test"] for table in tables])
    counts = of_test.drop_duplicates("sample_id")["label"].value_counts(sort=False)
    return {"tested": {str(name): int(n) for name, n in counts.items()}}


def _warnings(summary: dict[str, Any]) -> list[str]:
    """What a part warns of, without its failed fits: they are counted over all parts."""
    of_fits = failure_notes(pd.DataFrame(summary.get("failed_fits", [])))
    return [text for text in summary.get("warnings", []) if text not in of_fits]


def _together(shards: Sequence[StudyResult], name: str) -> pd.DataFrame | None:
    """A table of all parts, with the split that its seeds belong to where there are several."""
    tables = []
    for shard in shards:
        table, number = getattr(shard, name), split_number(shard.folders[0])
        of_split = {"split": int(number)} if number else {}
        tables += [] if table is None else [table.assign(**of_split)]
    return pd.concat(tables, ignore_index=True) if tables else None
