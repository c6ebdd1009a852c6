"""The kinds of runs: which one a folder holds, and by what names it writes what.

What a kind does not write is not its to delete, and what runs inside is its own only as a part.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jaxssl.places import Tree
from jaxssl.runs import layout
from jaxssl.types import InputError

STUDY, SEARCH, COMPARE, AUDIT, FINETUNE, REPRODUCE, TRANSFER, ADAPT, CLASSIFY, EXPLAIN = KINDS = (
    *("study", "search", "compare", "audit", "finetune", "reproduce", "transfer", "adapt"),
    *("classify", "explain"),
)
OF_READER = {"pretrain": STUDY, **dict.fromkeys(("type1", "type1_best", "variance"), AUDIT)}
"""Kind by who reads the options, where it is called otherwise."""
WORDS = {
    STUDY: "a study, sweep or pretraining",
    SEARCH: "a search over a grid",
    COMPARE: "a comparison of methods",
    AUDIT: "an audit",
    FINETUNE: "a fine-tuning",
    REPRODUCE: "a reproduction",
    TRANSFER: "transfers between cohorts",
    ADAPT: "an adaptation",
    CLASSIFY: "a classification",
    EXPLAIN: "an explanation",
}
RUN, KIND, OF = "run", "kind", "part_of"
"""In `environment.json`: the run's id, its kind, and the id of the run that it is part of."""
SIGNS = {
    layout.ENVIRONMENT: {"versions", "data_hash"},
    layout.CONFIG: {"method", "pretrain"},
    layout.SUMMARY: {"classes", "n_labelled", "share"},  # of a fine-tuning
    f"{layout.CLASSIFIER}/bundle.json": {"format", "leaves", "provenance"},
}
"""Objects that a run writes, with some of what they hold."""

ANYTHING: dict[str, Any] = {r".*": None}
ANYTHING[r"[^/]*"] = ANYTHING
HIDDEN: Tree = {
    r"\.lock(\.owner)?|\.jaxssl": None,
    r"\.jaxssl\.(before|gone)\.part": ANYTHING,
}
PARTS = {r"\d{6}\.parquet": None}
RESULTS = {r"results\.(parquet|csv)": None, "results": PARTS}
REPORTED = (
    r"(endpoint|all_labels|labels_saved|label_efficiency|paired_differences)\d*",
    *(r"(recall|calibration|batches)(_all)?", "pretraining", "prototype_usage"),
    "embedding_(class|batch|prototype)",
)
"""Names of the figures in a report, but for what is of an arm."""
SHARE = r"(\d\.\d{4,}|\d(\.\d+)?e-\d+)"  # as `layout.predictions_file` writes it
PAPER = r"\d\d[a-z]?|table\d|autoencoder|map|reason"  # by which a reproduction calls its figures
AUDITED = {r"audit\.json|(type1(_best)?|variance)(_scores)?\.csv": None}
TRIALS = {r"trials\.csv": None}
CHOSEN = {r"trials\.json|(methods|selftrain)\.csv|methods\.md": None}
CLASSIFIED = {r"predictions\.parquet|summary\.json": None}
TRANSFERS = {r"transfer\.(parquet|csv|md)|differences\.csv": None, "transfer": PARTS}
EXPLAINED = {
    r"explanation\.md|(targets|genes|deletion|sets)\.csv": None,
    "ranks": {r"(prototype|class)_.*\.rnk": None},
}
GRID = {**RESULTS, r"pretraining\.parquet": None, "pretraining": PARTS}


def signs_in(folder: Path) -> set[str]:
    """The objects in a folder that only a run writes."""
    return {name for name, keys in SIGNS.items() if keys <= _object(folder / name).keys()}


def kind_of(folder: Path) -> str:
    """The kind of the run in a folder; "" of none, and of one that has only begun."""
    record = _object(folder / layout.ENVIRONMENT)
    if record.get(KIND) in KINDS:
        return record[KIND]
    found = signs_in(folder)
    if layout.ENVIRONMENT not in found:
        return FINETUNE if f"{layout.CLASSIFIER}/bundle.json" in found else ""
    # an earlier version noted none
    if {"trial_seeds", "shares"} <= _object(folder / layout.CHOICE).keys():
        return COMPARE
    if {"audit", "timings"} <= _object(folder / layout.AUDIT).keys():
        return AUDIT
    if any(map(_has_points, (folder / "validation", folder / "test"))):
        return REPRODUCE
    if _has_points(folder):
        return SEARCH
    begun = any((folder / name).exists() for name in (*layout.PARTS, layout.SUMMARY))
    return STUDY if begun else ""


def check_kind(folder: Path, kind: str) -> None:
    """Refuse to go on in a folder of another kind of run."""
    if not can_go_on(folder, kind):
        raise InputError(
            f"{folder} holds {WORDS[kind_of(folder)]}, which {WORDS[kind]} cannot go on with",
            "pass another `out`, or `overwrite`",
        )


def can_go_on(folder: Path, kind: str) -> bool:
    """Whether a run of a kind may go on in a folder; "" is any kind."""
    return not kind or kind_of(folder) in ("", kind)


def names_of(folder: Path) -> Tree:
    """The names by which the run in a folder has written."""
    kind, signs = kind_of(folder), signs_in(folder)
    if kind or signs >= set(layout.IDENTITY):
        return names_of_kinds()[kind or STUDY]
    return {**HIDDEN, **{name.replace(".", r"\."): None for name in signs if "/" not in name}}


def part_names(folder: Path) -> list[Tree]:
    """Names of what a killed run may have left half-written in a folder."""
    kind = kind_of(folder)
    return [names_of_kinds()[kind]] if kind else [*names_of_kinds().values()]


def is_another(folder: Path) -> Callable[[Path], bool]:
    """Whether what lies in a run folder is a run of its own, and no part of that run."""
    own = _object(folder / layout.ENVIRONMENT)

    def is_other(inside: Path) -> bool:
        record = _object(inside / layout.ENVIRONMENT)
        if not record:
            return kind_of(inside) == FINETUNE
        if KIND in record:
            return not record[OF] or record[OF] != own.get(RUN)
        # an earlier version noted no more; the folder of several splits is of no one of them
        return bool(own.get("data_hash")) and record.get("data_hash") != own["data_hash"]

    return is_other


@cache
def names_of_kinds() -> dict[str, Tree]:
    """What runs write, by kind: the names of `layout` as patterns."""
    from jaxssl.engine.bundle import BUNDLE  # here, for they take seconds
    from jaxssl.engine.checkpoint import STATES
    from jaxssl.evaluation.arms import ARMS, FRAMED, SELFTRAIN
    from jaxssl.evaluation.ensemble_bundle import ENSEMBLE
    from jaxssl.methods import METHODS

    arms = "|".join([*ARMS, *FRAMED]).replace("+", "[+]")
    states = {r"chunk\.json": None, r"seeds_[\d_]+": STATES}
    common: dict[str, Any] = {
        **HIDDEN,
        r"(config|environment)\.json|splits\.parquet|report\.html": None,
        "figures": {_figures(*REPORTED, _confused(arms)): None},
    }
    study: dict[str, Any] = {
        **common,
        **RESULTS,
        r"(summary|manifest)\.json|metrics\.jsonl|embedding\.h5ad": None,
        r"(prototype_usage|batch|statistics|endpoint|saved|all_labels)\.csv": None,
        "encoder": {r"seed_\d{3,}": BUNDLE},
        "checkpoints": states | {"[0-9a-f]{16}": states},  # of a run's id
        "predictions": {rf"({arms})_{SHARE}(_\d{{3,}})?\.parquet": None},
    }
    study[r"split_\d+"] = study
    search: dict[str, Any] = {**common, **GRID, r"points\.csv": None}
    search["figures"] = {**common["figures"], _figures("search"): None}
    methods = rf"({'|'.join(METHODS)})({SELFTRAIN.replace('+', '[+]')})?"
    paper: dict[str, Any] = {rf"report(_({PAPER}))?\.(html|md)|verdicts(_({PAPER}))?\.csv": None}
    paper["figures"] = {**common["figures"], _figures(rf"figure_\d\w*|{PAPER}"): None}
    return {
        STUDY: study,
        SEARCH: search,
        COMPARE: {**study, **CHOSEN, methods: {**study, "trials": {**search, **TRIALS}}},
        AUDIT: {**common, **AUDITED},
        FINETUNE: {**common, **CLASSIFIED, "classifier": BUNDLE},
        REPRODUCE: {**common, **paper, "validation|test": GRID},
        **{kind: {**common, **CLASSIFIED, "classifier": ENSEMBLE} for kind in (ADAPT, CLASSIFY)},
        TRANSFER: {**common, **TRANSFERS, "figures": {_figures("transfer"): None}},
        EXPLAIN: {**common, **EXPLAINED, "figures": {_figures("genes_(prototype|class)"): None}},
    }


def _confused(arms: str) -> str:
    return f"confusion_({re.sub('[^a-z0-9_|]+', '-', arms)})(_all)?"


def _figures(*names: str) -> str:
    return rf"({'|'.join(names)})\.(png|svg|csv)"


def _has_points(folder: Path) -> bool:
    """Whether the scores in a folder are those of a grid."""
    import pyarrow.parquet  # here, for it takes a while

    measures, results = folder / layout.MEASURES, folder / layout.RESULTS
    if measures.is_file() or layout.parts_of(measures):
        return True
    for file in filter(Path.is_file, [results, *layout.parts_of(results)[:1]]):
        try:
            return "point" in pyarrow.parquet.read_schema(file).names
        except (OSError, ValueError):  # damaged: who reads it says so
            return False
    return False


def _object(file: Path) -> dict[str, Any]:
    """The JSON object in a file; {} where there is none."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
