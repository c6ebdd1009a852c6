"""Every figure of a run: what it shows, and its files."""

import re
from collections.abc import Iterator

import pandas as pd

from jaxssl.evaluation.headline import percent, percents
from jaxssl.evaluation.stats import ESTIMANDS, summarize
from jaxssl.report import (
    calibration,
    confusion,
    curves,
    embedding,
    forest,
    pretraining,
    recall,
)
from jaxssl.report.drawing import Drawing
from jaxssl.report.run import Run, read_predictions, split_number
from jaxssl.report.style import styled


def draw_run(run: Run, prefix: str = "") -> Iterator[Drawing]:
    """All figures for which the run holds data; `prefix` begins the name of each file."""
    with styled():
        parts = (_endpoint, _sweep, _classes, _confusions, _batches, _pretraining, _maps)
        for drawing in (drawing for part in parts for drawing in part(run)):
            yield Drawing(**{**vars(drawing), "name": prefix + drawing.name})


BOOTSTRAP = "Thin, below: 95 % bootstrap interval over groups of test samples, for the same seeds."
OVERLAP = (
    " Training parts of several splits overlap, which makes these intervals narrow; those of the "
    "differences are corrected."
)


def interval(rows: pd.DataFrame) -> str:
    """What the intervals of differences are."""
    estimand = rows["estimand"].iloc[0]
    corrected = ", corrected for overlapping training parts (Nadeau and Bengio)"
    return f"95 % t interval {estimand}" + corrected * (estimand == ESTIMANDS[True])


def _range(counts: "pd.Series[int]") -> str:
    low, high = counts.min(), counts.max()
    return str(low) if low == high else f"{low} to {high}"


def tested_arms(run: Run) -> list[str]:
    """Arms that the statistics compare with the references, as they come."""
    return [] if run.statistics is None else run.statistics["arm"].unique().tolist()


def tasks(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each task of merged runs; the first item is "" where there is but one."""
    groups = [
        (f"{d}: {t}", rows) for (d, t), rows in table.groupby(["dataset", "task"], sort=False)
    ]
    return groups if len(groups) > 1 else [("", table)]


def _endpoint(run: Run) -> Iterator[Drawing]:
    if run.endpoint is not None:
        for i, (task, rows) in enumerate(tasks(run.endpoint)):
            yield Drawing(
                "endpoint", f"endpoint{i or ''}", f"Primary endpoint {task}".strip(),
                f"Difference in {rows['metric'].iloc[0].replace('_', ' ')}, averaged over "
                f"{percents(rows['shares'].iloc[0])} of the labels (area under the label curve). "
                f"Thick: {interval(rows)}. {BOOTSTRAP * bool(rows['group_low'].notna().any())}",
                *forest.endpoint_forest(rows),
            )  # fmt: skip
    if run.saved is not None:
        for i, (task, rows) in enumerate(tasks(run.saved)):
            yield Drawing(
                "endpoint", f"labels_saved{i or ''}", f"Labels saved {task}".strip(),
                "Labels that a reference needs to be as accurate as the arm is with fewer, with "
                "95 % bootstrap intervals over repetitions. Above the dashed line the arm saves "
                "labels.",
                *forest.labels_saved(rows),
            )  # fmt: skip


def shown_arms(run: Run) -> list[str]:
    """The arms under test and, beside them, the classical arms that were declared opponents."""
    tested = tested_arms(run)
    if run.endpoint is None:
        return tested
    best = run.endpoint.loc[run.endpoint["is_best"].astype(bool), "reference"].unique().tolist()
    return [*tested, *best]


def _classes(run: Run) -> Iterator[Drawing]:
    if run.results is None or not tested_arms(run):
        return
    share = confusion.nearest_share(run.results["share"].unique().tolist())
    predictions = _predictions(run, share)
    if not predictions:
        return
    mark = curves.arm_marks(list(predictions))
    yield Drawing(
        "classes", "recall", f"Recall of every class at {percent(share)} of the labels",
        "Mean over seeds; the bar spans the seeds.",
        *recall.class_recall(predictions, mark),
    )  # fmt: skip
    yield Drawing(
        "classes", "calibration", f"Calibration at {percent(share)} of the labels",
        "Test predictions of all seeds, by the probability of the class that is named. Below the "
        "dashed line an arm is surer than it is right.",
        *calibration.calibration(predictions, mark),
    )  # fmt: skip


def _batches(run: Run) -> Iterator[Drawing]:
    if run.results is None or run.samples is None or not tested_arms(run):
        return
    batches = run.samples.set_index("sample_id")["batch"]
    share = confusion.nearest_share(run.results["share"].unique().tolist())
    predictions = _predictions(run, share)
    if predictions and batches[batches != ""].nunique() > 1:
        yield Drawing(
            "batch", "batches", f"Accuracy in every batch at {percent(share)} of the labels",
            "Mean over seeds; the bar spans the seeds. Batches differ in their classes, so that "
            "arms compare within a batch, and batches do not compare.",
            *recall.batch_accuracy(predictions, batches, curves.arm_marks(list(predictions))),
        )  # fmt: skip


def _predictions(run: Run, share: float) -> dict[str, pd.DataFrame]:
    """Test probabilities of the shown arms, where they were kept."""
    found = {arm: read_predictions(run, arm, share) for arm in shown_arms(run)}
    return {arm: table for arm, table in found.items() if table is not None}


def _sweep(run: Run) -> Iterator[Drawing]:
    if run.results is None:
        return
    for i, (task, rows) in enumerate(tasks(summarize(run.results))):
        yield Drawing(
            "labels", f"label_efficiency{i or ''}", f"Label efficiency {task}".strip(),
            f"Mean over {_range(rows['n'])} repetitions with 95 % t interval, on the test part. "
            "Solid: arms under test; dashed: references."
            + OVERLAP * bool(split_number(run)),
            *curves.label_efficiency(rows, tested_arms(run)),
        )  # fmt: skip
    if run.statistics is None:
        return
    counts = run.results[["dataset", "task", "share", "n_labelled"]].drop_duplicates(
        ["dataset", "task", "share"]
    )
    statistics = run.statistics.merge(counts, on=["dataset", "task", "share"])
    for i, (task, rows) in enumerate(tasks(statistics)):
        yield Drawing(
            "labels", f"paired_differences{i or ''}", f"Paired differences {task}".strip(),
            f"Arm minus reference in percentage points, with {interval(rows)}. Above the line the "
            "arm is better. An interval that spans the line decides nothing.",
            *curves.paired_differences(rows),
        )  # fmt: skip


def _confusions(run: Run) -> Iterator[Drawing]:
    if run.results is None:
        return
    for arm in tested_arms(run):
        shares = run.results.loc[run.results["arm"] == arm, "share"].unique().tolist()
        share = confusion.nearest_share(shares)
        predictions = read_predictions(run, arm, share)
        if predictions is not None:
            yield Drawing(
                "classes", f"confusion_{_slug(arm)}",
                f"Confusion of {arm} at {percent(share)} of the labels",
                "Per cent of each true class, test samples pooled over seeds; the diagonal is "
                "recall. Cells that round to 0 carry no number.",
                *confusion.confusion_matrix(predictions),
            )  # fmt: skip


def _pretraining(run: Run) -> Iterator[Drawing]:
    collapsed = run.pretraining.get("collapsed_seeds", [])
    if run.metrics is not None:
        yield Drawing(
            "pretraining", "pretraining", "Pretraining",
            "One line per seed. Loss at ln K: codes or clusters say nothing. Code entropy near 1, "
            "few prototypes in use or an effective rank near 1 are signs of collapse.",
            *pretraining.pretraining_curves(run.metrics, collapsed),
        )  # fmt: skip
    if run.usage is not None:
        yield Drawing(
            "pretraining", "prototype_usage", "Prototype usage",
            "Each training sample counts for the prototype with its highest score.",
            *pretraining.prototype_usage(run.usage, collapsed),
        )  # fmt: skip


def _maps(run: Run) -> Iterator[Drawing]:
    if run.embedding is None:
        return
    table = embedding.coordinates(run.embedding)
    first = f"split {split_number(run)}, " if split_number(run) else ""
    for column, word in embedding.COLUMNS.items():
        if column not in table or table[column].nunique() < 2:
            continue
        most = " The 40 most used are coloured, the 20 most used numbered." * (word == "prototype")
        yield Drawing(
            "embedding", f"embedding_{word}", f"Embedding by {word}",
            f"{len(table):,} of {run.embedding.n_obs:,} samples, {first}first seed.{most} "
            "Distances between far groups of a t-SNE map mean nothing.",
            *embedding.embedding_map(table, column),
        )  # fmt: skip


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
