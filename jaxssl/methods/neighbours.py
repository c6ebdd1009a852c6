"""Views of a profile that are, now and then, a near neighbour: codes become smooth along the data.

As in nearest-neighbour contrastive learning (Dwibedi et al. 2021, arXiv 2104.14548), but among the
input profiles, which are the same for all seeds, so that neighbours are found once.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxssl.types import Pool


def step_aside(
    key: PRNGKeyArray, index: Int[Array, " batch"], pool: Pool, share: float | Float[Array, ""]
) -> Int[Array, " batch"]:
    """Rows of the training matrix, some of which become one of their nearest neighbours.

    Args:
        key: of this view of the batch.
        index: rows of the batch.
        pool: the training matrix, with the neighbours of every row.
        share: of the rows that become a neighbour, each of its neighbours as often.

    Returns:
        As many rows.
    """
    assert pool.neighbours is not None, "make_pool finds them where views want them"
    key_which, key_rank = jax.random.split(key)
    rank = jax.random.randint(key_rank, index.shape, 0, pool.neighbours.shape[1])
    moves = jax.random.bernoulli(key_which, share, index.shape)
    return jnp.where(moves, pool.neighbours[index, rank], index)


def find_neighbours(
    x: Float[np.ndarray | Array, "samples features"], n_neighbours: int
) -> Int[Array, "samples neighbours"]:
    """Rows of the nearest samples of each, itself left out.

    Args:
        x: the training matrix, of any unit; of shapes alone, rows are zeros.
        n_neighbours: of each sample; fewer where there are fewer samples.

    Returns:
        Rows (samples x neighbours), the nearest first.
    """
    n_neighbours = min(n_neighbours, len(x) - 1)
    if isinstance(x, Tracer):
        return jnp.zeros((len(x), n_neighbours), jnp.int32)
    from sklearn.neighbors import NearestNeighbors  # takes a second, and most views want none

    search = NearestNeighbors(n_neighbors=n_neighbours).fit(np.asarray(x))
    return jnp.asarray(search.kneighbors(return_distance=False), jnp.int32)
