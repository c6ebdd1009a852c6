"""What the page says of a run in pairs of name and value: facts, controls, options."""

from typing import Any

from jaxssl.config import LEAKS
from jaxssl.report.run import Run


def facts(run: Run) -> list[tuple[str, str]]:
    """What was compared on what, and with which machine and code."""
    summary, split, data = run.summary, run.config.get("split", {}), run.config.get("data", {})
    counts = [
        f"{summary[key]:,} {word}"
        for key, word in (
            ("n_train", "training"),
            ("n_labelled", "of them labelled"),
            ("n_validation", "validation"),
            ("n_test", "test"),
        )
        if key in summary
    ]
    protocol = split.get("protocol", "")
    if protocol == "grouped" and not data.get("group"):
        protocol = "stratified, no group column"
    elif protocol:
        protocol += f" by {data['group']}" if protocol == "grouped" else " protocol, ungrouped"
    versions = run.environment.get("versions", {})
    timings = summary.get("timings", {})
    pairs = {
        "data": data.get("path", ""),
        "task": summary.get("task", ""),
        "classes": str(len(summary["classes"])) if "classes" in summary else "",
        "samples": ", ".join(counts),
        "split": protocol,
        "seeds": _seeds(summary.get("seeds", [])),
        "pretraining": run.pretraining.get("status", ""),
        "device": run.environment.get("device", ""),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "commit": run.environment.get("commit", ""),
        "data hash": run.environment.get("data_hash", ""),
        "time": ", ".join(f"{name} {seconds:,.1f} s" for name, seconds in timings.items()),
    }
    return [(name, str(value)) for name, value in pairs.items() if value]


def controlled(run: Run) -> list[tuple[str, str]]:
    """What the run guarded against, and what it did not."""
    if run.results is None:
        return []
    split, data = run.config.get("split", {}), run.config.get("data", {})
    allowed = run.summary.get("allowed_leaks", [])
    together = f"samples of one {data['group']} are in one part" if data.get("group") else ""
    if split.get("protocol") == "study":
        together = ""
    pairs = {
        "same for all arms": "split, label subset of a seed, order of batches, fresh weights",
        "fitted on training samples alone": "gene filter, scaling, components, pretraining",
        "chosen on labels at hand": "penalties and neighbours of the classical arms (3 folds)",
        "chosen on validation": "the classical arm of the primary endpoint",
        "scored once": "the test part",
        "groups": together or "not kept together: no group column, or the study's protocol",
        "looked for and absent": ", ".join(kind for kind in LEAKS if kind not in str(allowed)),
        "allowed leaks": "; ".join(allowed),
        "not controlled": _uncontrolled(run),
    }
    return [(name, value) for name, value in pairs.items() if value]


def _uncontrolled(run: Run) -> str:
    several = run.statistics is not None and "splits" in str(run.statistics["estimand"].iloc[0])
    batch = run.config.get("data", {}).get("batch")
    parts = [
        "" if several else "the choice of the split (intervals are over seeds, on this one)",
        "batch and class may go together" if batch else "technical batch: no batch column",
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
