"""Samples that stand in two cohorts, whose labels would be tested on themselves: found and refused.

They are told by their ids, by their groups, and by their profiles whatever was done to these: to
each gene of a cohort, or to all genes of a sample alike.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Float

from jaxssl.data.caveats import NO_NAMES
from jaxssl.data.family import Cohort, Joint
from jaxssl.data.frames import fit_frame
from jaxssl.data.groups import MIN_GENES, Pairs, find_twins, twins_by_rank
from jaxssl.data.task import is_numbered
from jaxssl.types import InputError

_FIX = "leave them out of one, or name another column with `batch=COLUMN`"


def refuse_repeats(cohorts: Sequence[Cohort]) -> None:
    """Refuse ids that stand in two cohorts, and groups, such as patients, with samples in two.

    Numbers are no names: other laboratories count theirs, too.
    """
    for one, other in combinations(cohorts, 2):
        ids = _names(one.ids) & _names(other.ids)
        if ids:
            raise InputError(
                f"{len(ids):,} samples of {one.name} and {other.name} have the same ids (first: "
                f"{min(ids)})",
                f"{_FIX}; rename them if they are others",
            )
        groups = _names(one.groups) & _names(other.groups)
        if groups:
            raise InputError(
                f"{len(groups):,} groups have samples in {one.name} and in {other.name} (first: "
                f"{min(groups)}), so that labels of theirs would be tested on them",
                f"{_FIX}; rename the groups if they are others",
            )


def refuse_copies(joint: Joint) -> None:
    """Refuse samples of two cohorts whose profiles are nearly the same."""
    pairs = _twins_in_any_frame(joint.expression, joint.cohorts)
    first, second = pairs[joint.cohorts[pairs[:, 0]] != joint.cohorts[pairs[:, 1]]].T
    if len(first):
        one, other = joint.cohorts[[first[0], second[0]]]
        n = len(np.unique(second))
        raise InputError(
            f"{n} samples stand in two cohorts, nearly the same ({one} and {other}, say)", _FIX
        )


def _twins_in_any_frame(x: Float[np.ndarray, "samples genes"], cohorts: np.ndarray) -> Pairs:
    """Pairs of samples that are alike as they are, by rank, or each gene within its cohort."""
    found = [find_twins(x), twins_by_rank(x)]
    if x.shape[1] >= MIN_GENES:
        found.append(find_twins(fit_frame(x, "cohort", cohorts)[0]))
    return np.concatenate(found)


def _names(values: np.ndarray | None) -> set[str]:
    """What a cohort calls its samples or groups, without what is no name."""
    if values is None or is_numbered(values):
        return set()
    names = set(map(str, values))
    return {n for n in names if n and not n.isdecimal() and n.strip().lower() not in NO_NAMES}
