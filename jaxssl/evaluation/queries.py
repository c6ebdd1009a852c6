"""Which samples to label next: first one in the middle of each cluster, later those in doubt."""

import heapq
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

MAX_CLUSTERS = 500  # more say no more of where samples lie: Hacohen et al. 2022
SMALL = 5  # samples; smaller clusters are outliers, and wait until all others have a label
CENTRAL = 0.25  # of a cluster's samples, the nearest to its centre, may be labelled for a cohort
N_ITERATIONS = 30
SURE = 1e-6  # least weight, of samples that are in no doubt
IN_DOUBT = 10  # candidates a query, of the smallest margins: Zhdanov 2019


class Pool(NamedTuple):
    """Samples that are labelled or may be."""

    x: Float[np.ndarray, "samples dim"]  # outputs of an encoder, of unit length
    groups: Int[np.ndarray, " samples"]  # patient, donor: one of each comes first
    cohorts: Int[np.ndarray, " samples"]  # so far as the middle of a cluster has several, in turn


class Query(NamedTuple):
    """Samples to label, the most useful first, and the cluster for which each stands."""

    rows: Int[np.ndarray, " queried"]
    cluster: Int[np.ndarray, " queried"]
    size: Int[np.ndarray, " queried"]  # samples of the cluster


def directions_of(outputs: Float[np.ndarray, "samples dim"]) -> Float[np.ndarray, "samples dim"]:
    """Outputs relative to their mean, of unit length."""
    centred = outputs - outputs.mean(axis=0)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)


def typical(pool: Pool, n: int, is_labelled: Bool[np.ndarray, " samples"], seed: int) -> Query:
    """The middle of every cluster that has no label yet, of the largest cluster first.

    There are as many clusters (k-means) as there will be labels, up to `MAX_CLUSTERS`. As TypiClust
    (Hacohen et al. 2022, arXiv 2202.02794), but for what is typical: the nearest to the centre.

    Args:
        pool: all samples.
        n: how many to query, at most those that have no label.
        is_labelled: which samples have a label.
        seed: of the clusters.

    Returns:
        n samples without a label.

    Example:
        >>> x = np.repeat(np.eye(2, dtype=np.float32), [6, 9], axis=0)
        >>> pool = Pool(x, np.arange(15), np.zeros(15, int))
        >>> typical(pool, 2, np.zeros(15, bool), seed=0).size.tolist()
        [9, 6]
    """
    n_clusters = min(int(is_labelled.sum()) + n, MAX_CLUSTERS)
    cluster, distance = _clusters(pool.x, n_clusters, seed)
    return _pick(pool, n, is_labelled, cluster, distance, small=SMALL)


def doubtful(
    pool: Pool,
    n: int,
    is_labelled: Bool[np.ndarray, " samples"],
    probabilities: Float[np.ndarray, "samples classes"],
    seed: int,
) -> Query:
    """Samples between two classes, unlike each other.

    Of the samples without a label whose two most probable classes are nearest, ten a query, those
    in the middle of as many clusters as are asked for, weighted by doubt (Zhdanov 2019, arXiv
    1901.05954). Args and Returns as of `typical`; `probabilities` are a model's, of all samples.

    Example:
        >>> x = np.eye(4, dtype=np.float32)
        >>> pool = Pool(x, np.arange(4), np.zeros(4, int))
        >>> known = np.array([True, True, False, False])
        >>> p = np.array([[1, 0], [0, 1], [0.9, 0.1], [0.6, 0.4]])
        >>> doubtful(pool, 1, known, p, seed=0).rows.tolist()
        [3]
    """
    margin = margins(probabilities)
    free = np.flatnonzero(~is_labelled)
    candidates = np.sort(free[np.argsort(margin[free], kind="stable")[: IN_DOUBT * n]])
    inner, distance = _clusters(
        pool.x[candidates], n, seed, np.maximum(1 - margin[candidates], SURE)
    )
    cluster, far = np.full(len(pool.x), -1), np.zeros(len(pool.x))
    cluster[candidates], far[candidates] = inner, distance
    return _pick(pool, n, is_labelled, cluster, far)


def margins(probabilities: Float[np.ndarray, "samples classes"]) -> Float[np.ndarray, " samples"]:
    """How much more probable the first class is than the second: 0 in full doubt."""
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    return first - second


def _clusters(
    x: Float[np.ndarray, "samples dim"], n: int, seed: int, weights: np.ndarray | None = None
) -> tuple[Int[np.ndarray, " samples"], Float[np.ndarray, " samples"]]:
    """The cluster of every sample, and its squared distance from the centre."""
    n = min(n, len(np.unique(x, axis=0)))
    with threadpool_limits(1):  # the order of sums, and so the clusters, depend on the threads
        found = KMeans(
            n,
            n_init=1,  # pyright: ignore[reportArgumentType]
            max_iter=N_ITERATIONS,
            random_state=seed,
        ).fit(x, sample_weight=weights)
    labels = np.asarray(found.labels_)
    return labels, np.sum((x - found.cluster_centers_[labels]) ** 2, axis=1)


def _pick(
    pool: Pool,
    n: int,
    is_labelled: Bool[np.ndarray, " samples"],
    cluster: Int[np.ndarray, " samples"],
    distance: Float[np.ndarray, " samples"],
    small: int = 0,
) -> Query:
    """Samples of the clusters that have the fewest labels; a group twice only after all others."""
    sizes = np.bincount(cluster[cluster >= 0])
    labels = np.bincount(cluster[is_labelled & (cluster >= 0)], minlength=len(sizes))
    of_cohort = np.bincount(pool.cohorts[is_labelled], minlength=pool.cohorts.max() + 1)
    used = np.isin(pool.groups, pool.groups[is_labelled])
    gone = is_labelled | (cluster < 0)

    def turn(k: int) -> tuple[int, int, int]:  # what decides which cluster is next
        return int(labels[k] + (sizes[k] < small)), -int(sizes[k]), k

    order = np.lexsort((distance, cluster))[(cluster < 0).sum() :]
    members, rows = np.split(order, np.cumsum(sizes)[:-1]), []
    for closed in (used, np.zeros_like(used)):
        waiting = [turn(k) for k in range(len(sizes))]
        heapq.heapify(waiting)
        while waiting and len(rows) < n:
            k = heapq.heappop(waiting)[-1]
            free = members[k][~(gone | closed)[members[k]]]
            if not len(free):
                continue
            middle = free[: int(np.ceil(CENTRAL * len(free)))]
            row = int(middle[np.argmin(of_cohort[pool.cohorts[middle]])])
            rows.append(row)
            gone[row], labels[k] = True, labels[k] + 1
            used |= pool.groups == pool.groups[row]
            of_cohort[pool.cohorts[row]] += 1
            heapq.heappush(waiting, turn(k))
    found = np.array(rows, np.int64)
    return Query(found, cluster[found], sizes[cluster[found]])
