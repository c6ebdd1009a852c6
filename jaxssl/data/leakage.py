"""What would let held-out samples speak in training: found and named."""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int, Shaped

from jaxssl.data.backed import Backed, blocks, pick, select
from jaxssl.data.frames import to_frame
from jaxssl.data.groups import find_near, join_groups, name_each
from jaxssl.data.moments import moments
from jaxssl.data.task import Task, columns_of
from jaxssl.types import Normalizer

TOLERANCE = 1e-3  # training standard deviations; a held-out share of 15 % moves means by more
MIN_TOLD = 20  # labelled samples; in fewer, genes of few values may fit the classes by chance
NO_NAMES = {"na", "n/a", "nan", "none", "null", "unknown", "unspecified", "missing", "-", "--", "?"}
NO_NAMES |= {f"not {word}" for word in ("available", "applicable", "reported", "known", "provided")}
"""What stands in tables, in small letters, where no name is known."""

MOSTLY = 0.8  # of the labels of a class, in the mean of classes
MANY_NEAR = 0.4  # share of the samples; of 16 data sets none has more than 0.21
MANY_NUMBERS = 10  # classes whose names are numbers

Leaks = dict[str, str]
"""Kind, of `types.LEAKS` → the leak in words."""


def leaks_of_split(task: Task) -> Leaks:
    """Groups and twins that stand in more than one part of the split."""
    part = np.full(len(task.codes), -1)
    for number, rows in enumerate(task.split):
        part[rows] = number
    found = {}
    spread = _in_several_parts(part, task.groups)
    if len(spread):
        found["groups"] = (
            f"{len(spread):,} groups have samples in more than one part of the split (first: "
            f"{spread[0]}); split by `split.protocol=grouped`"
        )
    together = join_groups(np.full(len(part), "", object), task.twins)
    spread = _in_several_parts(part, together)
    if len(spread):
        rows = np.flatnonzero((together == spread[0]) & (part >= 0))
        i, j = task.sample_ids[[rows[0], rows[np.argmax(part[rows] != part[rows[0]])]]]
        found["twins"] = (
            f"{len(spread):,} sets of samples that are the same or nearly so stand in different "
            f"parts (first: {i} and {j}); keep one of each, or split by "
            "`split.protocol=grouped`, which keeps them together"
        )
    return found


def leaks_of_unlabelled(task: Task) -> Leaks:
    """Held-out samples among those that joined the training without a label."""
    found = task.joined.held_out
    if not found:
        return {}
    n = len(task.split.validation) + len(task.split.test)
    return {
        "transductive": (
            f"{len(found):,} of the study's {n:,} held-out samples are among the unlabelled ones "
            f"(first: {found[0]}), so its scores are transductive; leave them out of the files"
        )
    }


def _in_several_parts(part: Int[np.ndarray, " samples"], groups: np.ndarray) -> pd.Index:
    """Names of the groups that do not lie in one part; -1 is in none."""
    used = (part >= 0) & (groups != "")
    n_parts = pd.Series(part[used]).groupby(groups[used].astype(str)).nunique()
    return n_parts.index[n_parts > 1]


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
    telling = _told_by(task, x)
    if telling:
        found.append(
            f"{len(telling):,} genes have one value in each class and tell classes apart (first: "
            f"{telling[0]}), as if made from the labels; leave them out if they are"
        )
    return found


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


def leaks_of_normalizer(task: Task, normalizer: Normalizer) -> Leaks:
    """A scaler that was fitted on other samples than the training part's."""
    columns, train = columns_of(task, normalizer), task.split.train
    x = select(task.expression, train)
    x = x if columns is None else pick(x, columns)
    mean, _ = moments(to_frame(normalizer.frame, x, task.batches[train]))
    text = (
        "scaling and components were fitted on other samples than the training part's; fit them "
        "anew by `pretrain()` on this split"
    )
    is_own = np.abs((mean - normalizer.mean) / normalizer.scale).max() < TOLERANCE
    return {} if is_own else {"fitted": text}


def leaks_of_selection(n_validation: int) -> Leaks:
    """A choice that only test samples could have made."""
    text = (
        "there is no validation part, so the best classical arm would be chosen on the test "
        "part; raise `split.validation_share`"
    )
    return {} if n_validation else {"selection": text}
