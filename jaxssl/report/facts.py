"""What the page says of a run in words: headlines, facts, controls, notes, options."""

from typing import Any

import pandas as pd

from jaxssl.config import LEAKS, renamed
from jaxssl.evaluation import headline
from jaxssl.evaluation.conclusions import Conclusions
from jaxssl.evaluation.endpoint import ENDPOINT_COLUMNS
from jaxssl.evaluation.stats import ESTIMANDS
from jaxssl.runs.merge import split_number
from jaxssl.runs.result import StudyResult

PROTOCOLS = {
    "grouped": "stratified, samples of one {group} in one part",
    "stratified": "stratified, groups not kept together (the study's protocol)",
    "leave_batch_out": "one batch is the test part; samples of one {group} in one part",
}
COUNTS = {
    "n_train": "training",
    "n_labelled": "of them labelled",
    "n_validation": "validation",
    "n_test": "test",
}
Pairs = list[tuple[str, str]]


def tasks(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each task of merged runs; the first item is "" where there is but one."""
    groups = [
        (f"{d}: {t}", rows) for (d, t), rows in table.groupby(["dataset", "task"], sort=False)
    ]
    return groups if len(groups) > 1 else [("", table)]


def headlines(run: StudyResult) -> list[str]:
    """A sentence per task and tested arm; the run's own where it has no statistics."""
    if run.statistics is None:
        return [run.summary["headline"]] if run.summary.get("headline") else []
    sentences = []
    for task, rows in tasks(run.statistics):
        key = rows[["dataset", "task"]].drop_duplicates()
        concluded = Conclusions(
            *(
                pd.DataFrame(columns=ENDPOINT_COLUMNS) if table is None else table.merge(key)
                for table in (run.statistics, run.endpoint, run.saved)
            )
        )
        start = f"{task}. " if task else ""
        sentences += [start + sentence for sentence in headline.headlines(concluded)]
    return sentences


def facts(run: StudyResult) -> Pairs:
    """What was compared on what, and with which machine and code."""
    summary, environment = run.summary, run.environment
    counts = [f"{_count(summary[key])} {word}" for key, word in COUNTS.items() if key in summary]
    return _filled(
        {
            "data": run.config.get("data", {}).get("path", ""),
            "task": summary.get("task", ""),
            "classes": len(summary.get("classes", ())) or "",
            "samples": ", ".join(counts),
            "split": _protocol(run),
            "splits": len(run.folders) if split_number(run) else "",
            "seeds": _seeds(summary.get("seeds", [])),
            "pretraining": run.pretraining.get("status", ""),
            "device": environment.get("device", ""),
            "versions": ", ".join(map(" ".join, environment.get("versions", {}).items())),
            "commit": environment.get("commit", ""),
            "data hash": environment.get("data_hash", ""),
            "time": ", ".join(f"{k} {s:,.1f} s" for k, s in summary.get("timings", {}).items()),
        }
    )


def _filled(pairs: dict[str, Any]) -> Pairs:
    return [(name, str(value)) for name, value in pairs.items() if value]


def _count(value: int | list[int]) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value[0]:,} to {value[1]:,}"


def _protocol(run: StudyResult) -> str:
    """How samples came into their parts; "" where the run does not say."""
    group = run.config.get("data", {}).get("group", "")
    text = PROTOCOLS.get(renamed(run.config).get("split", {}).get("protocol", ""), "")
    if not group:
        text = text.replace("samples of one {group} in one part", "no group column")
    return text.format(group=group)


def controlled(run: StudyResult) -> Pairs:
    """What the run guarded against, and what it did not; nothing where it does not say."""
    if run.results is None or not run.config:
        return []
    leaks = run.summary.get("allowed_leaks", [])
    allowed = {kind for kind in LEAKS for text in leaks if text.startswith(f"leak ({kind})")}
    has_group = bool(run.config.get("data", {}).get("group"))
    absent = [k for k in LEAKS if k not in allowed and (has_group or k != "groups")]
    fitted = "gene filter, scaling, components, pretraining"
    chosen = "the classical arm of the primary endpoint"
    return _filled(
        {
            "same for all arms": "split, label subset of a seed, order of batches, fresh weights",
            "fitted on training samples alone": "" if "fitted" in allowed else fitted,
            "chosen on labels at hand": "penalties and neighbours of the classical arms (3 folds)",
            "chosen on validation": "" if "selection" in allowed else chosen,
            "scored once": "the test part",
            "split": _protocol(run),
            "looked for and absent": ", ".join(absent),
            "allowed leaks": "; ".join(leaks),
            "not controlled": _uncontrolled(run),
        }
    )


def _uncontrolled(run: StudyResult) -> str:
    several = run.statistics is not None and "splits" in str(run.statistics["estimand"].iloc[0])
    batch, group = (run.config.get("data", {}).get(name) for name in ("batch", "group"))
    parts = [
        "" if several else "the choice of the split (intervals are over seeds, on this one)",
        "batch and class may go together" if batch else "technical batch: no batch column",
        "" if group else "samples of one patient or donor in several parts: no group column",
        "validation labels are not counted as labels: no arm trains or stops on them",
    ]
    return "; ".join(part for part in parts if part)


def _seeds(seeds: list[int]) -> str:
    if not seeds:
        return ""
    consecutive = len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1))
    ids = f"{seeds[0]} to {seeds[-1]}" if consecutive else ", ".join(map(str, seeds))
    return f"{len(seeds)} (ids {ids})"


def interval(rows: pd.DataFrame) -> str:
    """What the intervals of differences are."""
    estimand = rows["estimand"].iloc[0]
    corrected = ", corrected for overlapping training parts (Nadeau and Bengio)"
    return f"95 % t interval {estimand}" + corrected * (estimand == ESTIMANDS[True])


def notes(run: StudyResult) -> dict[str, str]:
    """By section, how its tables are to be read."""
    told = {}
    if run.endpoint is not None:
        declared = int(run.endpoint["is_best"].sum())
        margin = f"{100 * run.endpoint['margin'].iloc[0]:g}"
        told["endpoint"] = (
            f"{declared} of the comparisons {'was' if declared == 1 else 'were'} declared: every "
            "arm against the classical arm that did best on the validation part. These alone have "
            "a verdict; p (Holm) adjusts over them. Points are percentage points of the endpoint, "
            f"the first interval is a {interval(run.endpoint)}, the one over test samples "
            "a bootstrap of groups for the same seeds. A small p (equivalence) says that the "
            f"difference is less than {margin} points either way."
        )
    if run.statistics is not None:
        told["labels"] = (
            f"Bold scores: the best mean at that share. Intervals of differences: "
            f"{interval(run.statistics)}. Holm adjusts over all comparisons of one metric "
            "in this run. An arm wins or loses only where the interval excludes 0 and the "
            "Holm-adjusted p is at most 0.05; p is blank where it cannot be computed."
        )
    if run.batch is not None:
        told["batch"] = (
            "Logistic regression fitted on training samples, classes of batches weighed alike. "
            "Batches that hold other tissues can be told without any technical effect."
        )
    return told


def options(config: dict[str, Any], prefix: str = "") -> Pairs:
    """Nested options as dotted names, the way a command line sets them."""
    pairs: Pairs = []
    for name, value in config.items():
        if isinstance(value, dict):
            pairs += options(value, f"{prefix}{name}.")
        else:
            values = value if isinstance(value, (list, tuple)) else [value]
            pairs.append((prefix + name, ", ".join(map(str, values))))
    return pairs
