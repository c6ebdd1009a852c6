"""What the page says of a run in pairs of name and value: facts, controls, options."""

from typing import Any

from jaxssl.config import LEAKS
from jaxssl.report.run import Run, split_number

PROTOCOLS = {
    "grouped": "stratified, samples of one {group} in one part",
    "study": "stratified, groups not kept together (the study's protocol)",
    "leave_batch_out": "one batch is the test part; samples of one {group} in one part",
}


def facts(run: Run) -> list[tuple[str, str]]:
    """What was compared on what, and with which machine and code."""
    summary = run.summary
    counts = [
        f"{_count(summary[key])} {word}"
        for key, word in (
            ("n_train", "training"),
            ("n_labelled", "of them labelled"),
            ("n_validation", "validation"),
            ("n_test", "test"),
        )
        if key in summary
    ]
    versions = run.environment.get("versions", {})
    timings = summary.get("timings", {})
    pairs = {
        "data": run.config.get("data", {}).get("path", ""),
        "task": summary.get("task", ""),
        "classes": str(len(summary["classes"])) if "classes" in summary else "",
        "samples": ", ".join(counts),
        "split": _protocol(run),
        "splits": str(len(run.folders)) if split_number(run) else "",
        "seeds": _seeds(summary.get("seeds", [])),
        "pretraining": run.pretraining.get("status", ""),
        "device": run.environment.get("device", ""),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "commit": run.environment.get("commit", ""),
        "data hash": run.environment.get("data_hash", ""),
        "time": ", ".join(f"{name} {seconds:,.1f} s" for name, seconds in timings.items()),
    }
    return [(name, str(value)) for name, value in pairs.items() if value]


def _count(value: int | list[int]) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value[0]:,} to {value[1]:,}"


def _protocol(run: Run) -> str:
    """How samples came into their parts; "" where the run does not say."""
    protocol = run.config.get("split", {}).get("protocol", "")
    group = run.config.get("data", {}).get("group", "")
    text = PROTOCOLS.get(protocol, "")
    if not group:
        text = text.replace("samples of one {group} in one part", "no group column")
    return text.format(group=group)


def controlled(run: Run) -> list[tuple[str, str]]:
    """What the run guarded against, and what it did not; nothing where it does not say."""
    if run.results is None or not run.config:
        return []
    leaks = run.summary.get("allowed_leaks", [])
    allowed = {kind for kind in LEAKS for text in leaks if text.startswith(f"leak ({kind})")}
    absent = [kind for kind in LEAKS if kind not in allowed]
    if not run.config.get("data", {}).get("group"):
        absent.remove("groups")
    fitted = "" if "fitted" in allowed else "gene filter, scaling, components, pretraining"
    chosen = "" if "selection" in allowed else "the classical arm of the primary endpoint"
    pairs = {
        "same for all arms": "split, label subset of a seed, order of batches, fresh weights",
        "fitted on training samples alone": fitted,
        "chosen on labels at hand": "penalties and neighbours of the classical arms (3 folds)",
        "chosen on validation": chosen,
        "scored once": "the test part",
        "split": _protocol(run),
        "looked for and absent": ", ".join(absent),
        "allowed leaks": "; ".join(leaks),
        "not controlled": _uncontrolled(run),
    }
    return [(name, value) for name, value in pairs.items() if value]


def _uncontrolled(run: Run) -> str:
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


def options(config: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested options as dotted names, the way a command line sets them."""
    pairs: list[tuple[str, str]] = []
    for name, value in config.items():
        if isinstance(value, dict):
            pairs += options(value, f"{prefix}{name}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            pairs.append((prefix + name, text))
    return pairs
