"""Samples that must stay in one part of a split: of one group, or nearly the same.

Repeats, cell lines and re-uploads stand in a data set under two names; in two parts of a split, one
of such a pair gives the other's answer away.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jaxssl.data.backed import Backed, Expression, blocks, pick, pieces
from jaxssl.data.frames import FLAT, MIN_COHORT, normal_scores
from jaxssl.data.moments import moments
from jaxssl.data.near import similar_pairs

SIMILAR = 0.98  # cosine of standardised profiles; other patients' of one tissue stay below 0.97
SIMILAR_WITHIN = 0.5  # cosine beside the samples of one batch alone; of strangers it is about 0
MAX_GENES = 2000  # the most variable ones: enough to tell twins apart
N_LOOKED = 1024  # samples whose nearest ones are looked at
MIN_GENES = 50  # with fewer, strangers are alike too: only what is closer than chance allows counts
CLOSE = 0.1  # standard deviations, in every one of few genes: copies, rounded or with little noise
CHANCE = 0.05  # pairs of strangers that may be expected to be as close as one that counts
UNSEEN = 0.1  # samples: how many have a value that no stranger has
LARGEST_SET = 9  # others that a sample of a small set has
NEAR, FAR = 0.4, 0.5  # cosine distance to the few, at most, and over that to the next
Pairs = Int[np.ndarray, "pairs 2"]


def find_twins(expression: Expression, batches: np.ndarray | None = None) -> Pairs:
    """Pairs (i < j) of samples whose standardised profiles have a cosine above `SIMILAR`.

    Each gene is standardised over all samples, so that what all profiles share does not count; nor
    does what a platform does to those of one of the `batches` ("": unknown). Among fewer than
    `MIN_GENES` varying genes, those of copies: closer in every gene than strangers would come by
    chance. Of more than two copies, each is paired with the next.
    """
    x, chosen = _varying(expression)
    if len(chosen) < MIN_GENES:
        return _copies(x[:])
    pairs = _similar(x)
    own = pick(expression, chosen)
    return pairs if batches is None else pairs[_alike_within(own, pairs, batches)]


class Near(NamedTuple):
    """Samples that have a few others far nearer than all the rest."""

    pairs: Pairs  # such a sample, and the nearest of the few
    n_looked: int


def find_near(expression: Expression) -> Near | None:
    """Look for small sets of samples that are like each other and no other.

    Those of one patient and repeats that are no copies make such sets; classes make large ones.

    Args:
        expression: log2 (samples x genes).

    Returns:
        What some of the samples, all where there are few, showed; None of too few to tell.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = np.repeat(rng.normal(size=(30, 200)), 2, axis=0) + 0.3 * rng.normal(size=(60, 200))
        >>> near = find_near(x)
        >>> len(near.pairs), near.pairs[0].tolist()
        (60, [0, 1])
    """
    if len(expression) <= 2 * LARGEST_SET:
        return None
    x, chosen = _varying(expression)
    if len(chosen) < MIN_GENES:
        return None
    looked = np.sort(np.random.default_rng(0).permutation(len(x))[:N_LOOKED])
    steps, nearest = _next_to(_to_length_1(x), looked, LARGEST_SET + 1)
    steps = np.maximum(steps, 1e-6)
    is_far = (steps[:, :-1] < FAR * steps[:, 1:]) & (steps[:, :-1] < NEAR)
    found = is_far.any(axis=1)
    return Near(np.stack([looked[found], nearest[found]], axis=1), len(looked))


def _next_to(
    x: Expression, looked: Int[np.ndarray, " looked"], n: int
) -> tuple[Float[np.ndarray, "looked n"], Int[np.ndarray, " looked"]]:
    """Cosine distances of some samples to their `n` nearest others, in order, and the nearest."""
    own, nearest = x[looked], np.zeros(len(looked), np.int64)
    best = np.full((len(looked), n), np.inf, np.float32)
    for rows in pieces(x):
        distance = 1 - own @ x[rows].T
        inside = np.flatnonzero((looked >= rows.start) & (looked < rows.stop))
        distance[inside, looked[inside] - rows.start] = np.inf
        at = np.argmin(distance, axis=1)
        is_nearer = distance[np.arange(len(at)), at] < best[:, 0]
        nearest[is_nearer] = at[is_nearer] + rows.start
        both = np.concatenate([best, distance], axis=1)
        best = np.sort(np.partition(both, n - 1, axis=1)[:, :n], axis=1)
    return best, nearest


def _varying(expression: Expression) -> tuple[Any, Int[np.ndarray, " chosen"]]:
    """The most variable genes, standardised over all samples, and which they are."""
    mean, scale = moments(expression)
    chosen = np.sort(np.argsort(scale, kind="stable")[::-1][:MAX_GENES])
    chosen = chosen[scale[chosen] > 1e-6]
    mean, scale, x = mean[chosen], scale[chosen], pick(expression, chosen)
    if isinstance(x, Backed):
        return x.map(lambda block, _: (block - mean) / scale), chosen
    return (x - mean) / scale, chosen


def _to_length_1(x: Expression) -> Expression:
    """Rows of length 1, in place; those at the mean of all genes stay there."""
    if isinstance(x, Backed):
        return x.map(lambda block, _: _to_length_1(block))
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return x


def _alike_within(x: Expression, pairs: Pairs, batches: np.ndarray) -> Bool[np.ndarray, " pairs"]:
    """Whether pairs are alike beside the samples of their batch, too, where most have a twin in it.

    Most samples of a batch are no copies: where its genes differ from all others', they look it.
    """
    is_kept = np.full(len(pairs), True)
    for name in set(batches) - {""}:
        rows = np.flatnonzero(batches == name)
        of = np.flatnonzero((batches[pairs] == name).all(axis=1))
        if len(rows) < MIN_COHORT or len(np.unique(pairs[of])) <= len(rows) / 2:
            continue
        own = x[rows]
        mean, scale = moments(own)
        z = _to_length_1((own - mean) / np.maximum(scale, FLAT))
        for block in blocks(of):
            first, second = z[np.searchsorted(rows, pairs[of[block]].T)]
            is_kept[of[block]] = np.einsum("pg,pg->p", first, second) > SIMILAR_WITHIN
    return is_kept


def twins_by_rank(expression: Expression) -> Pairs:
    """Pairs as `find_twins` has them, of profiles that are alike on some scale of each sample.

    A logarithm to another base, an offset or a factor leave the ranks within a sample as they are.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few genes may have the same ranks by chance
        return find_twins(normal_scores(expression))


def _similar(x: Expression) -> Pairs:
    """Pairs by cosine; profiles at the mean of all genes, which have none, are alike."""
    lengths = np.concatenate([np.linalg.norm(x[rows], axis=1) for rows in blocks(x)])
    pairs, x = [_chained(np.flatnonzero(lengths < 1e-12))], _to_length_1(x)
    if isinstance(x, Backed):
        return np.concatenate([*pairs, similar_pairs(x, SIMILAR)])
    for rows in blocks(x):
        cosine = x[rows] @ x[rows.start :].T
        first, second = np.nonzero(np.triu(cosine, k=1) > SIMILAR)
        pairs.append(np.stack([first, second], axis=1) + rows.start)
    return np.concatenate(pairs)


def _copies(x: Expression) -> Pairs:
    """Pairs of profiles that are the same in few genes, up to rounding; warns where chance may be.

    A gene in which a single sample differs from all others tells of no pair.
    """
    from scipy.spatial import KDTree  # here: few data sets need it

    none = np.empty((0, 2), np.int64)
    if len(x) < 3:
        return none
    ordered = np.sort(x, axis=0)
    x = x[:, (ordered[1] != ordered[-1]) & (ordered[0] != ordered[-2])].astype(np.float64)
    n_samples, n_genes = x.shape
    if not n_genes:
        return none
    profiles, number, sizes = np.unique(x, axis=0, return_inverse=True, return_counts=True)
    # beyond, strangers would be as close; half of it, for genes of one tissue go together
    reach = min(CLOSE, (2 * CHANCE / n_samples**2) ** (1 / n_genes) / 2)
    near = KDTree(profiles).query_pairs(reach, p=np.inf, output_type="ndarray")
    same = np.flatnonzero(sizes > 1)
    is_copied = _strangers_as_close(x, profiles, sizes, np.stack([same, same], axis=1)) < CHANCE
    near = near[_strangers_as_close(x, profiles, sizes, near) < CHANCE]
    order = np.argsort(number.ravel(), kind="stable")
    members = np.split(order, np.cumsum(sizes)[:-1])
    n_alike = int(sizes[same[~is_copied]].sum())
    if n_alike:
        warnings.warn(
            f"{n_alike:,} samples have the profile of another, as happens by chance among so few "
            f"or coarse genes ({n_genes} vary): copies cannot be told there and may stand in "
            "several parts of the split; name what belongs together with `group`",
            stacklevel=4,
        )
    pairs = [_chained(members[i]) for i in same[is_copied]]
    pairs += [np.sort([[members[i][0], members[j][0]]]) for i, j in near]
    return np.concatenate([none, *pairs])


def _strangers_as_close(
    x: Expression,
    profiles: Float[np.ndarray, "profiles genes"],
    sizes: Int[np.ndarray, " profiles"],
    pairs: Pairs,
) -> Float[np.ndarray, " pairs"]:
    """How many pairs of all samples chance would bring as close as two profiles are in every gene.

    Genes are taken as independent; a profile paired with itself stands for its copies.
    """
    n, (i, j) = len(x), pairs.T
    own = np.where(i == j, sizes[i], sizes[i] + sizes[j])
    reach = np.abs(profiles[i] - profiles[j]).max(axis=1)
    expected = np.full(len(pairs), np.log(n * n / 2))
    for of_all, value in zip(np.sort(x, axis=0).T, profiles[i].T, strict=True):
        ends = np.searchsorted(of_all, value + reach, "right")
        strangers = ends - np.searchsorted(of_all, value - reach, "left") - own
        expected += np.log(np.maximum(strangers, UNSEEN) / (n - own))
    return np.exp(expected)


def _chained(rows: Int[np.ndarray, " rows"]) -> Pairs:
    """Each row paired with the next."""
    return np.stack([rows[:-1], rows[1:]], axis=1)


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
