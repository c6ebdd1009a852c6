"""An encoder with what stands on it, and what is remembered of that from step to step.

On it stands a projection head with prototypes, or heads of a method. Prototypes are unit vectors
that projections are scored against, `{"head_0": (K, D), …}`; rows are scaled to unit length before
every use.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key, PRNGKeyArray, PyTree, Shaped

from jaxssl.bounds import Positive, optionclass
from jaxssl.methods.interface import Batch, Loss, Method, MethodConfig, Start, Training
from jaxssl.methods.losses import l2_normalize
from jaxssl.model import Head, Network, Norm, make_head
from jaxssl.types import Params, Profiles


@optionclass
class ProjectedConfig(MethodConfig):
    """A method whose loss is on the output of a projection head."""

    projection: Head = "mlp"
    projection_hidden: Positive = 256
    projection_dim: Positive = 128
    projection_norm: Norm = "layer"  # of the hidden layer


class Stack(NamedTuple):
    """An encoder and a projection head; their parameters are `encoder` and `projection`."""

    encoder: Network
    projection: Network

    @classmethod
    def of(cls, options: ProjectedConfig, encoder: Network) -> "Stack":
        """The encoder with the projection head that the options describe."""
        kind, hidden, dim = options.projection, options.projection_hidden, options.projection_dim
        norm, precision = options.projection_norm, encoder.precision
        return cls(encoder, make_head(kind, hidden, dim, precision, norm))

    def init(self, keys: Key[Array, "2"], x: Profiles) -> tuple[Params, Float[Array, "batch dim"]]:
        """Random parameters, and what they make of `x`."""
        params, embeddings = init_heads(self.encoder, {"projection": self.projection}, keys, x)
        return params, self.projection.apply(params.get("projection", {}), embeddings)

    def project(
        self, params: Params, x: Float[Array, "views batch features"]
    ) -> Float[Array, "views batch dim"]:
        """Projections of all views, through one stacked matrix product per layer."""
        embeddings = self.encoder.apply(params["encoder"], x.reshape(-1, x.shape[-1]))
        z = self.projection.apply(params.get("projection", {}), embeddings)
        return z.reshape(*x.shape[:2], -1)

    def embed(
        self, params: Params, x: Float[Array, "views batch features"]
    ) -> Float[Array, "views batch dim"]:
        """L2-normalised projections z of all views."""
        return l2_normalize(self.project(params, x))

    def first_scores(self, params: Params, x: Profiles) -> Float[Array, "batch prototypes"]:
        """Scores of samples on the first head's prototypes; the arg-max is the assigned one."""
        z = l2_normalize(self.project(params, x[None])[0])
        return score(z, params["prototypes"]["head_0"])


def on_stack(
    loss: Callable[[Any, Stack, Params, Batch], Loss],
) -> Callable[[Any, Training], Method]:
    """`make` of a method that has nothing but the stack, and remembers nothing."""

    def make(options: Any, training: Training) -> Method:
        stack = Stack.of(options, training.encoder)

        def init(key: PRNGKeyArray, x: Profiles) -> Start:
            return stack.init(jax.random.split(key), x)[0], {}

        return Method(init, partial(loss, options, stack))

    return make


def init_heads(
    encoder: Network, heads: Mapping[str, Network], keys: Key[Array, " networks"], x: Profiles
) -> tuple[Params, Float[Array, "batch dim"]]:
    """Random parameters of an encoder and of heads on its embedding, and the embedding of `x`."""
    params = {"encoder": encoder.init(keys[0], x)}
    embeddings = encoder.apply(params["encoder"], x)
    for key, (name, head) in zip(keys[1:], heads.items(), strict=True):
        own = head.init(key, embeddings)
        if own:  # an identity has none, and a checkpoint keeps no empty branches
            params[name] = own
    return params, embeddings


def init_prototypes(key: PRNGKeyArray, counts: Sequence[int], dim: int) -> Params:
    """Prototypes of every head, uniform on the sphere."""
    return {
        f"head_{i}": l2_normalize(jax.random.normal(jax.random.fold_in(key, i), (k, dim)))
        for i, k in enumerate(counts)
    }


def score(
    z: Float[Array, "*rows dim"], prototypes: Float[Array, "prototypes dim"]
) -> Float[Array, "*rows prototypes"]:
    """Cosine of every embedding of unit length with every prototype."""
    # full float32: a temperature divides these by 0.05 and less
    return jnp.matmul(z, l2_normalize(prototypes).T, precision="highest")


def push(
    queue: Shaped[Array, "length *item"], new: Shaped[Array, "batch *item"]
) -> Shaped[Array, "length *item"]:
    """Put a batch at the front; as many leave at the back."""
    return jnp.concatenate([new, queue])[: len(queue)]


def moving_average(
    slow: PyTree, fast: PyTree, momentum: float | Float[Array, ""]
) -> PyTree[Float[Array, "..."]]:
    """momentum · slow + (1 - momentum) · fast, leaf by leaf."""
    return jax.tree.map(lambda s, f: momentum * s + (1 - momentum) * f, slow, fast)
