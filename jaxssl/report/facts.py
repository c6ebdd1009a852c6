"""What the page says of a run in words: headlines, facts, controls, notes, options."""

from typing import Any

import pandas as pd

from jaxssl.evaluation import headline
from jaxssl.evaluation.conclusions import Conclusions
from jaxssl.evaluation.endpoint import ENDPOINT_COLUMNS
from jaxssl.evaluation.stats import ESTIMANDS
from jaxssl.report.templates import TEXTS
from jaxssl.runs.layout import split_number
from jaxssl.runs.result import StudyResult
from jaxssl.stored import renamed
from jaxssl.types import LEAKS

PROTOCOLS = {
    "grouped": "stratified, samples of one {group} in one part",
    "stratified": "stratified, groups not kept together (the paper's protocol)",
    "leave_batch_out": "one batch is the test part; samples of one {group} in one part",
}
LABELS = {
    "random": "drawn at random, the same for all arms of a repetition; a class may have none",
    "typical": "of typical samples, as the repetition's encoder sees them, the same for all arms; "
    "a class may have none",
    "margin": "of typical samples at the smallest share, then of those that a logistic regression "
    "on the repetition's embedding doubts, the same for all arms; a class may have none",
}
COUNTS = {"train": "training", "labelled": "of them labelled"}
COUNTS |= {"validation": "validation", "test": "test"}
Pairs = list[tuple[str, str]]


def tested_arms(run: StudyResult) -> list[str]:
    """Arms that the statistics compare with the references, as they come."""
    return [] if run.statistics is None else run.statistics["arm"].unique().tolist()


def tasks(table: pd.DataFrame | None) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each task of merged runs; the first item is "" where there is but one."""
    if table is None:
        return []
    groups = table.groupby(["dataset", "task"], sort=False)
    return [(f"{d}: {t}", rows) for (d, t), rows in groups] if len(groups) > 1 else [("", table)]


def headlines(run: StudyResult) -> list[str]:
    """A sentence per task and tested arm; the run's own where it has no statistics."""
    if run.statistics is None:
        return [run.summary["headline"]] if run.summary.get("headline") else []
    absent, sentences = pd.DataFrame(columns=ENDPOINT_COLUMNS), []
    for task, rows in tasks(run.statistics):
        key = rows[["dataset", "task"]].drop_duplicates()
        concluded = (run.statistics, run.endpoint, run.saved, run.all_labels)
        of_task = Conclusions(*(absent if t is None else t.merge(key) for t in concluded))
        start = f"{task}. " if task else ""
        said = headline.headlines(of_task)
        if run.results is not None:
            said += headline.failures(run.results.merge(key))
        sentences += [start + sentence for sentence in said]
    return sentences


def facts(run: StudyResult) -> Pairs:
    """What was compared on what, and with which machine and code."""
    summary, environment = run.summary, run.environment
    splits = {split_number(folder) for folder in run.folders}
    counts = [(summary.get(f"n_{part}"), word) for part, word in COUNTS.items()]
    pairs = {
        "data": run.config.get("data", {}).get("path", ""),
        "task": summary.get("task", ""),
        "classes": len(summary.get("classes", ())),
        "samples": ", ".join(f"{_count(n)} {word}" for n, word in counts if n is not None),
        "unlabelled samples": _joined(run),
        "labels": _labels(run),
        "encoders": _guests(run),
        "frame": _frame(run),
        "split": _protocol(run),
        "splits": len(splits) if splits != {""} else "",
        "seeds": _seeds(summary.get("seeds", [])),
        "pretraining": run.pretraining.get("status", ""),
        "device": environment.get("device", ""),
        "versions": ", ".join(map(" ".join, environment.get("versions", {}).items())),
        "commit": environment.get("commit", ""),
        "data hash": environment.get("data_hash", ""),
        "time": ", ".join(f"{k} {s:,.1f} s" for k, s in summary.get("timings", {}).items()),
    }
    if run.results is None:  # else it is told with what was controlled
        pairs["allowed leaks"] = "; ".join(summary.get("allowed_leaks", []))
    return [(name, str(value)) for name, value in pairs.items() if value]


def _joined(run: StudyResult) -> str:
    """Samples of other files in the training: who sees them, and whether they are held out."""
    joined = run.summary.get("unlabelled")
    if not joined:
        return ""
    files = ", ".join(f"{file['name']} ({file['samples']:,})" for file in joined["files"])
    lost = joined["genes_of_study"] - joined["genes"]
    return (
        f"{files} in pretraining, scaling, components, graphs and students of all arms; "
        f"{joined['genes']:,} genes in common{f' ({lost:,} of the study left out)' * (lost > 0)}; "
        + (
            f"transductive: {joined['transductive']:,} held-out samples are among them"
            if joined["transductive"]
            else "no held-out sample is among them"
        )
    )


def _labels(run: StudyResult) -> str:
    """Which samples are labelled; "" where every class has its proportion."""
    return LABELS.get(run.config.get("sweep", {}).get("label_order", ""), "")


def _guests(run: StudyResult) -> str:
    """What encoders of other data were trained on, and who has seen none of it."""
    told = run.summary.get("encoders", {}).get("told", "")
    others = "arms without an encoder have the study's own scaling and components"
    return f"{told}; {others}" if told else ""


def _frame(run: StudyResult) -> str:
    """What a gene's value is relative to; "" where no arm has another frame than training."""
    frame = renamed(run.config)["normalize"]["frame"]
    is_framed = run.results is not None and run.results["arm"].str.contains("@").any()
    told = f"{frame}; a classical arm with @ gets its input in the frame that it names"
    return told if is_framed else "" if frame == "training" else frame


def _count(value: int | list[int]) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value[0]:,} to {value[1]:,}"


def _seeds(seeds: list[int]) -> str:
    if not seeds:
        return ""
    consecutive = len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1))
    ids = f"{seeds[0]} to {seeds[-1]}" if consecutive else ", ".join(map(str, seeds))
    return f"{len(seeds)} (ids {ids})"


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
    sought = {"groups": has_group, "transductive": {"unlabelled", "encoders"} & {*run.summary}}
    absent = [kind for kind in LEAKS if kind not in allowed and sought.get(kind, True)]
    fitted = "gene filter, scaling, components, pretraining"
    chosen = "the classical arm of the primary endpoint"
    pairs = {
        "same for all arms": "split, label subset of a seed, order of batches, fresh weights",
        "fitted on training samples alone": "" if "fitted" in allowed else fitted,
        "chosen on labels at hand": "penalties and neighbours of the classical arms (3 folds)",
        "chosen on validation": "" if "selection" in allowed else chosen,
        "scored once": "the test part",
        "split": _protocol(run),
        "looked for and absent": ", ".join(absent),
        "allowed leaks": "; ".join(leaks),
        "not controlled": "; ".join(_uncontrolled(run)),
    }
    return [(name, value) for name, value in pairs.items() if value]


def _uncontrolled(run: StudyResult) -> list[str]:
    data, found = run.config.get("data", {}), []
    if run.statistics is None or "splits" not in str(run.statistics["estimand"].iloc[0]):
        found.append("the choice of the split (intervals are over seeds, on this one)")
    batch = "batch and class may go together"
    found.append(batch if data.get("batch") else "technical batch: no batch column")
    if not data.get("group"):
        found.append("samples of one patient or donor in several parts: no group column")
    return [*found, "validation labels are not counted as labels: no arm trains or stops on them"]


def interval(rows: pd.DataFrame) -> str:
    """What the intervals of differences are."""
    estimand = rows["estimand"].iloc[0]
    corrected = ", corrected for overlapping training parts (Nadeau and Bengio)"
    return f"95 % t interval {estimand}" + corrected * (estimand == ESTIMANDS[True])


def notes(run: StudyResult) -> dict[str, str]:
    """By section, how its tables are to be read."""
    words: dict[str, dict[str, Any]] = {}
    if run.endpoint is not None:
        declared = int(run.endpoint["is_best"].sum())
        words["endpoint"] = {"declared": declared, "were": "was" if declared == 1 else "were"}
        words["endpoint"]["margin"] = f"{100 * run.endpoint['margin'].iloc[0]:g}"
        words["endpoint"]["interval"] = interval(run.endpoint)
    if run.statistics is not None:
        words["labels"] = {"interval": interval(run.statistics)}
    if run.all_labels is not None:
        words["all_labels"] = {}
    if run.batch is not None:
        words["batch"] = {}
    return {key: TEXTS["sections"][key]["note"].format(**own) for key, own in words.items()}


def options(config: dict[str, dict[str, Any]]) -> Pairs:
    """Every option by its dotted name."""
    return [
        (f"{section}.{name}", ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for section, options in config.items()
        for name, value in options.items()
    ]
