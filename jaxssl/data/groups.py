"""Samples that must stay in one part of a split: of one group, or nearly the same.

Repeats, cell lines and re-uploads stand in a data set under two names; in two parts of a split, one
of such a pair gives the other's answer away.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jaxssl.data.normalize import moments

SIMILAR = 0.98  # cosine of standardised profiles; other patients' of one tissue stay below 0.97
MAX_GENES = 2000  # the most variable ones: enough to tell twins apart
MIN_GENES = 50  # with fewer, strangers are alike too
BLOCK = 1024  # rows compared at once
Pairs = Int[np.ndarray, "pairs 2"]


def find_twins(expression: Float[np.ndarray, "samples genes"]) -> Pairs:
    """Pairs (i < j) of samples whose standardised profiles have a cosine above `SIMILAR`.

    Each gene is standardised over all samples, so that what all profiles share does not count. None
    are found among fewer than `MIN_GENES` varying genes.
    """
    mean, scale = moments(expression)
    chosen = np.sort(np.argsort(scale, kind="stable")[::-1][:MAX_GENES])
    chosen = chosen[scale[chosen] > 1e-6]
    if len(chosen) < MIN_GENES:
        return np.empty((0, 2), np.int64)
    x = (expression[:, chosen] - mean[chosen]) / scale[chosen]
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    pairs = []
    for start in range(0, len(x), BLOCK):
        cosine = x[start : start + BLOCK] @ x[start:].T
        first, second = np.nonzero(np.triu(cosine, k=1) > SIMILAR)
        pairs.append(np.stack([first, second], axis=1) + start)
    return np.concatenate(pairs)


def name_each(groups: np.ndarray) -> np.ndarray:
    """Groups as text; a sample on its own has a name of its own."""
    alone = np.array([f"(sample {i})" for i in range(len(groups))])
    return np.where(groups == "", alone, groups.astype(str))


def join_groups(groups: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Groups such that both samples of every pair, with all of their groups, are in one.

    "" is a sample on its own; a group that nothing was joined to keeps its name.
    """
    if not len(pairs):
        return groups
    names, number = np.unique(name_each(groups), return_inverse=True)
    ends = number[pairs]
    links = coo_array((np.ones(len(pairs)), (ends[:, 0], ends[:, 1])), shape=(len(names),) * 2)
    _, joined = connected_components(links, directed=False)
    first = names[np.unique(joined, return_index=True)[1]]  # the name of a component's first group
    result = first[joined[number]].astype(object)
    is_alone = (groups == "") & (np.bincount(joined)[joined[number]] == 1)
    return np.where(is_alone, "", result)
