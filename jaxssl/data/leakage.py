"""What would let held-out samples speak in training: found and named."""

import numpy as np
import pandas as pd
from jaxtyping import Int

from jaxssl.data.backed import pick, select
from jaxssl.data.frames import to_frame
from jaxssl.data.groups import join_groups
from jaxssl.data.moments import moments
from jaxssl.data.task import Task, columns_of
from jaxssl.types import Normalizer

TOLERANCE = 1e-3  # training standard deviations; a held-out share of 15 % moves means by more

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
