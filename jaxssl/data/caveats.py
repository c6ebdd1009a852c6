"""What makes a split or its scores doubtful without being a leak for certain, in words."""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int, Shaped

from jaxssl.data.backed import Backed, blocks
from jaxssl.data.groups import find_near, name_each
from jaxssl.data.profiles import some_of
from jaxssl.data.task import Task

MIN_TOLD = 20  # labelled samples; in fewer, genes of few values may fit the classes by chance
NO_NAMES = {"na", "n/a", "nan", "none", "null", "unknown", "unspecified", "missing", "-", "--", "?"}
NO_NAMES |= {f"not {word}" for word in ("available", "applicable", "reported", "known", "provided")}
"""What stands in tables, in small letters, where no name is known."""

MOSTLY = 0.8  # of the labels of a class, in the mean of classes
MANY_NEAR = 0.4  # share of the samples; of 16 data sets none has more than 0.21
MIN_LOWEST = 0.05  # share of the values that are the lowest
LEAST_COUNT = 50  # of the values above 0: small counts are the most frequent
N_SEEN = 500  # samples
MANY_NUMBERS = 10  # classes whose names are numbers


def doubts(task: Task, x: Shaped[np.ndarray | Backed, "samples genes"]) -> list[str]:
    """What makes a split or its scores doubtful without being a leak for certain, in words.

    `x` are the values as they were given: of counts, others vary with the depth.
    """
    found = []
    names, sizes = np.unique(task.groups.astype(str), return_counts=True)
    for name, size in zip(names, sizes, strict=True):
        if size > 1 and name.strip().lower() in NO_NAMES:
            found.append(
                f"{size:,} samples are one group, {str(name)!r}, and stay together; if their group "
                "is not known, leave it empty, and each stands for itself"
            )
    labels = np.append(task.classes, "")[task.codes]
    found += nameless_classes(labels) + _doubts_of_classes(labels)
    found += _told_by_batch(task) + _sets_of_like(task) + _twins_of_two_classes(task)
    found += _detected_or_not(task, x)
    telling = _told_by(task, x)
    if telling:
        found.append(
            f"{len(telling):,} genes have one value in each class and tell classes apart (first: "
            f"{telling[0]}), as if made from the labels; leave them out if they are"
        )
    return found


def _detected_or_not(task: Task, x: Shaped[np.ndarray | Backed, "samples genes"]) -> list[str]:
    """A sentence on values that stand for what was not detected, far below all others.

    Read counts begin at 1, and logarithms of reads near their 0.
    """
    rows = some_of(np.arange(len(task.codes)), N_SEEN)
    given, values = np.asarray(x[rows]), task.expression[rows]
    lowest = values.min()
    is_lowest = values <= lowest
    share, others = is_lowest.mean(), values[~is_lowest]
    if share < MIN_LOWEST or not others.size:
        return []
    least, low, high = np.quantile(others, [0.001, 0.05, 0.95])
    are_far = least - lowest > high - low > 0
    if task.scale == "counts":
        are_far = np.quantile(given[~is_lowest], 0.001) > LEAST_COUNT
    if not are_far:
        return []
    return [
        f"{share:.0%} of the values are {given.min():g} and no other is near it, as where it "
        "stands for what was not detected: being detected then outweighs all else, in the linear "
        "models, too; leave these cells empty and import by `prepare(impute=mean)`"
    ]


def _told_by_batch(task: Task) -> list[str]:
    """Batches that tell the class: of each label, by the others of its batch."""
    known = (task.codes >= 0) & (task.batches != "")
    batches, codes = task.batches[known].astype(str), task.codes[known]
    counts = pd.crosstab(batches, codes)
    if len(counts) < 2:
        return []
    if (counts > 0).sum(axis=1).max() == 1:
        what = f"each of {len(counts):,} batches is of one class"
    else:
        own = np.searchsorted(counts.columns, codes)
        others = counts.loc[batches].to_numpy()
        others[np.arange(len(own)), own] -= 1
        is_told = (others.argmax(axis=1) == own) & others.any(axis=1)
        if pd.Series(is_told).groupby(codes).mean().mean() < MOSTLY:
            return []
        what = f"batches alone tell the class of {is_told.mean():.0%} of the labels"
    return [f"{what}, so that scores may be those of telling batches apart"]


def _sets_of_like(task: Task) -> list[str]:
    """Samples of no common group, most of which have a few others that are far nearer than all."""
    near = find_near(task.expression)
    if near is None:
        return []
    groups = name_each(task.groups)
    others = near.pairs[groups[near.pairs[:, 0]] != groups[near.pairs[:, 1]]]
    share = len(others) / near.n_looked
    if share < MANY_NEAR:
        return []
    i, j = task.sample_ids[others[0]]
    return [
        f"{share:.0%} of the samples have one to nine others that are far nearer than all the rest "
        f"(first: {i} and {j}), as repeats and samples of one patient have; if they are, name the "
        "column that says so with `group`, or scores are those of knowing the patient"
    ]


def nameless_classes(labels: np.ndarray) -> list[str]:
    """Sentences on classes that are called as what is not known."""
    names, sizes = np.unique(labels.astype(str), return_counts=True)
    return [
        f"{size:,} samples are of the class {str(name)!r}; if their class is not known, leave it "
        "empty, and they join the pretraining without a label"
        for name, size in zip(names, sizes, strict=True)
        if name and name.strip().lower() in {*NO_NAMES, "-1", ""}
    ]


def _doubts_of_classes(labels: np.ndarray) -> list[str]:
    """Sentences on classes that may be one, and on those that may be none."""
    sizes, found = pd.Series(labels[labels != ""].astype(str)).value_counts(), []
    plain = sizes.index.str.split().str.join(" ").str.lower()
    if plain.has_duplicates:
        alike = sizes.index[plain == plain[plain.duplicated()][0]]
        found.append(
            f"{' and '.join(map(repr, alike))} are classes of their own, though case or spaces are "
            "all that they differ in; spell them alike if they are one"
        )
    is_number = pd.to_numeric(sizes.index.to_series(), errors="coerce").notna().all()
    n_alone = int((sizes == 1).sum())
    if (is_number and len(sizes) > MANY_NUMBERS) or n_alone > max(sizes.sum() / 2, MANY_NUMBERS):
        found.append(
            f"{sizes.sum():,} labels are of {len(sizes):,} classes, {n_alone:,} of these with one, "
            "as if they were measurements or names; name another column with `label` if they are"
        )
    return found


def _twins_of_two_classes(task: Task) -> list[str]:
    """A sentence on samples that are nearly the same and have different labels."""
    codes = task.codes[task.twins]
    pairs = task.twins[(codes.min(axis=1) >= 0) & (codes[:, 0] != codes[:, 1])]
    if not len(pairs):
        return []
    i, j = (f"{task.sample_ids[k]} as {task.classes[task.codes[k]]!r}" for k in pairs[0])
    return [
        f"{len(pairs):,} pairs of samples are nearly the same and have different labels (first: "
        f"{i} and {j}); correct these, or leave them empty"
    ]


def _told_by(task: Task, x: Shaped[np.ndarray | Backed, "samples genes"]) -> list[str]:
    """Genes that are constant within every class, and not over all."""
    rows = np.flatnonzero(task.codes >= 0)
    # a class with one label has one value of every gene
    if np.sum(np.bincount(task.codes[rows])[task.codes[rows]] > 1) < MIN_TOLD:
        return []
    kept = np.arange(len(task.genes))
    for code in range(len(task.classes)):
        kept = kept[~_varies(x, rows[task.codes[rows] == code], kept)]
    return [str(name) for name in task.genes[kept[_varies(x, rows, kept)]]]


def _varies(
    x: Shaped[np.ndarray | Backed, "samples genes"],
    rows: Int[np.ndarray, " rows"],
    genes: Int[np.ndarray, " looked"],
) -> Bool[np.ndarray, " looked"]:
    """Whether some genes have more than one value among some samples."""
    found = np.zeros(len(genes), bool)
    for some in blocks(rows):
        block = x[np.append(rows[some], rows[:1])][:, genes[~found]]
        found[~found] = block.min(axis=0) < block.max(axis=0)
        if found.all():
            break
    return found
