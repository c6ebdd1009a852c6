"""Every figure of a run: what it shows, and its files."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from jaxssl.evaluation.arms import parted
from jaxssl.evaluation.headline import averaged, percent, percents
from jaxssl.evaluation.stats import FLOOR, summarize
from jaxssl.report import classes, curves, health, maps
from jaxssl.report.drawing import Drawing, styled
from jaxssl.report.facts import interval, tasks, tested_arms
from jaxssl.report.templates import TEXTS
from jaxssl.runs.layout import split_number
from jaxssl.runs.result import StudyResult

BOOTSTRAP = "Thin, below: 95 % bootstrap interval over groups of test samples, for the same seeds."
OVERLAP = (
    " Training parts of several splits overlap, which makes these intervals narrow; those of the "
    "differences are corrected."
)
BARS = (
    "Wilson's of a proportion of the different test samples, or Student's t over repetitions "
    "where that reaches further"
)
FRAMED = " Of arms in several frames, the study's and the opponent's are drawn; tables have all."
MOST_USED = " The 40 most used are coloured, the 20 most used numbered."


def draw_run(run: StudyResult, prefix: str = "") -> Iterator[Drawing]:
    """All figures for which the run holds data; `prefix` begins the name of each file."""
    with styled():
        for part in (_endpoint, _curves, _classes, _confusions, _health, _maps):
            for drawing in part(run):
                yield replace(drawing, name=prefix + drawing.name)


def _drawing(
    kind: str,
    data: pd.DataFrame,
    draw: Callable[..., Any],
    *others: Any,
    of: str = "",
    task: str = "",
    more: str = "",
    **words: Any,
) -> Drawing:
    """The figure that `draw` makes of the data and of `others`; `words` complete its texts."""
    figure, texts = Figure(layout="constrained"), TEXTS["figures"][kind]
    draw(figure, data, *others)
    title = f"{texts['title'].format(**words)} {task}".strip()
    caption = texts["caption"].format(**words) + more
    return Drawing(texts["section"], kind + of, title, caption, figure, data)


def _numbered(table: pd.DataFrame | None) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """The rows of each task, with what tells its figure from those of other tasks."""
    for i, (task, rows) in enumerate(tasks(table)):
        yield {"of": str(i or ""), "task": task}, rows


def _endpoint(run: StudyResult) -> Iterator[Drawing]:
    for own, rows in _numbered(run.endpoint):
        own["metric"] = rows["metric"].iloc[0].replace("_", " ")
        own |= {"area": averaged(rows["shares"].iloc[0]), "interval": interval(rows)}
        own["thin"] = BOOTSTRAP if rows["group_low"].notna().any() else ""
        yield _drawing("endpoint", rows, curves.endpoint_forest, **own)
    for own, rows in _numbered(run.all_labels):
        rows = rows[rows["reference"] != FLOOR]
        if rows.empty:
            continue
        own["metric"] = rows["metric"].iloc[0].replace("_", " ")
        own |= {"shares": percents(rows["shares"].iloc[0]), "interval": interval(rows)}
        own["thin"] = BOOTSTRAP if rows["group_low"].notna().any() else ""
        own["labels"] = f"{run.verdict.get('n_labelled', 'these')} labels"
        yield _drawing("all_labels", rows, curves.endpoint_forest, **own)
    for own, rows in _numbered(run.saved):
        rows, own["more"] = _thinned(run, rows, "reference")
        yield _drawing("labels_saved", rows, curves.labels_saved, **own)


def _thinned(run: StudyResult, rows: pd.DataFrame, column: str) -> tuple[pd.DataFrame, str]:
    """The rows of few enough arms to tell their curves apart, and a sentence if some are gone."""
    names = set(rows[column])
    gone = {arm for arm in names if "@" in arm and parted(arm)[0] in names} - {*_declared(run)}
    return rows[~rows[column].isin(gone)], FRAMED * bool(gone)


def _declared(run: StudyResult) -> list[str]:
    """The opponents of the primary endpoint."""
    if run.endpoint is None:
        return []
    return run.endpoint.loc[run.endpoint["is_best"].astype(bool), "reference"].unique().tolist()


def _curves(run: StudyResult) -> Iterator[Drawing]:
    if run.results is None:
        return
    overlap = OVERLAP if split_number(run.folders[0]) else ""
    for own, rows in _numbered(curves.shown_metrics(summarize(run.results, run.tested))):
        least, most = rows["n"].min(), rows["n"].max()
        own |= {"n": str(most) if least == most else f"{least} to {most}", "overlap": overlap}
        own["bars"] = BARS if run.tested else "Student's t over repetitions"
        rows, own["more"] = _thinned(run, rows, "arm")
        yield _drawing("label_efficiency", rows, curves.label_efficiency, tested_arms(run), **own)
    if run.statistics is None:
        return
    key = ["dataset", "task", "share"]
    counts = run.results[[*key, "n_labelled"]].drop_duplicates(key)
    for own, rows in _numbered(curves.shown_metrics(run.statistics.merge(counts, on=key))):
        own["interval"] = interval(rows)
        rows, own["more"] = _thinned(run, rows, "reference")
        yield _drawing("paired_differences", rows, curves.paired_differences, **own)


def _shares(run: StudyResult, arm: str = "") -> Iterator[tuple[float, dict[str, str]]]:
    """The shares that predictions are shown at, with words: the one near 10 %, and the largest."""
    if run.results is None:
        return
    rows = run.results[run.results["arm"] == arm] if arm else run.results
    shares = rows["share"].unique().tolist()
    few, most = classes.nearest_share(shares), max(shares)
    yield few, {"of": "", "share": percent(few)}
    if most > few:
        yield most, {"of": "_all", "share": percent(most)}


def _classes(run: StudyResult) -> Iterator[Drawing]:
    arms = [*tested_arms(run), *_declared(run)] if tested_arms(run) else []
    for share, words in _shares(run):
        found = {arm: run.predictions(arm, share) for arm in arms}
        predictions = {arm: table for arm, table in found.items() if table is not None}
        if predictions:
            yield from _of_predictions(run, predictions, words)


def _of_predictions(
    run: StudyResult, predictions: dict[str, pd.DataFrame], words: dict[str, str]
) -> Iterator[Drawing]:
    """Recall, calibration and batches of the arms at a share."""
    table = classes.by_arm(classes.part_accuracy, predictions, "label")
    yield _drawing("recall", table, classes.part_scores, "recall on the test part", **words)
    bins = classes.by_arm(classes.reliability, predictions)
    bins = bins[["arm", "bin", "confidence", "accuracy", "n"]]
    yield _drawing("calibration", bins, classes.calibration, **words)
    if run.samples is None:
        return
    batches = run.samples.set_index("sample_id")["batch"]
    if batches[batches != ""].nunique() > 1:
        of_batches = {
            arm: of_arm.assign(batch=of_arm["sample_id"].map(batches).fillna(""))
            for arm, of_arm in predictions.items()
        }
        table = classes.by_arm(classes.part_accuracy, of_batches, "batch")
        if not table.empty:  # as where only samples that joined the training have one
            what = "accuracy on the test part"
            yield _drawing("batches", table, classes.part_scores, what, **words)


def _confusions(run: StudyResult) -> Iterator[Drawing]:
    for arm in tested_arms(run) if run.results is not None else []:
        for share, words in _shares(run, arm):
            predictions = run.predictions(arm, share)
            if predictions is None:
                continue
            counts, n_seeds = classes.confusion_counts(predictions), predictions["seed"].nunique()
            own = words | {"of": "_" + re.sub(r"[^A-Za-z0-9_.-]+", "-", arm) + words["of"]}
            draw = classes.confusion_matrix
            yield _drawing("confusion", counts, draw, n_seeds, arm=arm, **own)


def _health(run: StudyResult) -> Iterator[Drawing]:
    collapsed = run.pretraining.get("collapsed_seeds", [])
    if run.metrics is not None:
        yield _drawing("pretraining", run.metrics, health.pretraining_curves, collapsed)
    if run.usage is not None:
        usage = health.ranked_usage(run.usage)
        yield _drawing("prototype_usage", usage, health.prototype_usage, collapsed)


def _maps(run: StudyResult) -> Iterator[Drawing]:
    if run.embedding is None:
        return
    table = maps.coordinates(run.embedding)
    places = [place for pair in maps.MAPS.values() for place in pair if place in table]
    split = split_number(run.folders[0])
    words: dict[str, Any] = {"shown": len(table), "n": run.embedding.n_obs}
    words["split"] = f"split {split}, " if split else ""
    for column, word in maps.COLUMNS.items():
        if column in table and table[column].nunique() > 1:
            own = {"of": f"_{word}", "word": word, "most": MOST_USED * (word == "prototype")}
            data = table[["sample_id", column, *places]]
            yield _drawing("embedding", data, maps.embedding_map, column, **words, **own)
