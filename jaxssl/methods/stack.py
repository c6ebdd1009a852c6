"""An encoder with what stands on it: the projection head of most losses, or heads of a method."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Float, Key, PRNGKeyArray, PyTree

from jaxssl.bounds import Positive, optionclass
from jaxssl.methods.interface import Method, MethodConfig, Training
from jaxssl.model import Head, Network, Norm, make_projection
from jaxssl.types import Params


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


def make_stack(options: ProjectedConfig, encoder: Network) -> Stack:
    """The encoder with the projection head that the options describe."""
    projection = make_projection(
        options.projection,
        options.projection_hidden,
        options.projection_dim,
        encoder.precision,
        options.projection_norm,
    )
    return Stack(encoder, projection)


def init_stack(
    stack: Stack, keys: Key[Array, "2"], x: Float[Array, "batch features"]
) -> tuple[Params, Float[Array, "batch dim"]]:
    """Random parameters, and what they make of `x`."""
    key_encoder, key_projection = keys
    params = {"encoder": stack.encoder.init(key_encoder, x)}
    embeddings = stack.encoder.apply(params["encoder"], x)
    projection = stack.projection.init(key_projection, embeddings)
    if projection:  # an identity has none, and a checkpoint keeps no empty branches
        params["projection"] = projection
    return params, stack.projection.apply(projection, embeddings)


def on_stack(loss: Callable) -> Callable[[Any, Training], Method]:
    """`make` of a method that has nothing but the stack, and remembers nothing.

    Args:
        loss: of options, stack, parameters and batch.
    """

    def make(options: Any, training: Training) -> Method:
        stack = make_stack(options, training.encoder)
        return Method(init=partial(_init, stack), loss=partial(loss, options, stack))

    return make


def _init(
    stack: Stack, key: PRNGKeyArray, x: Float[Array, "batch features"]
) -> tuple[Params, PyTree]:
    params, _ = init_stack(stack, jax.random.split(key), x)
    return params, {}


def init_heads(
    encoder: Network,
    heads: Mapping[str, Network],
    key: PRNGKeyArray,
    x: Float[Array, "batch features"],
) -> Params:
    """Random parameters of an encoder and of heads on its embedding, side by side."""
    key_encoder, *keys = jax.random.split(key, 1 + len(heads))
    params = {"encoder": encoder.init(key_encoder, x)}
    embeddings = encoder.apply(params["encoder"], x)
    for key_head, (name, head) in zip(keys, heads.items(), strict=True):
        params[name] = head.init(key_head, embeddings)
    return params


def project(
    stack: Stack, params: Params, x: Float[Array, "views batch features"]
) -> Float[Array, "views batch dim"]:
    """Projections of all views, through one stacked matrix product per layer."""
    embeddings = stack.encoder.apply(params["encoder"], x.reshape(-1, x.shape[-1]))
    z = stack.projection.apply(params.get("projection", {}), embeddings)
    return z.reshape(*x.shape[:2], -1)
