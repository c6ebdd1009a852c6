"""Encoder and heads as pure functions over plain dicts of parameters; the only file with flax.

Parameters are float32 whatever the precision of the matrix products. An encoder's are
`{"layer_0": {"dense": {"kernel", "bias"}, "norm": {"scale", "bias"}}, "layer_1": …}`, so that
fine-tuning can transfer or freeze the first n layers by name.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray

from jaxssl.bounds import Positive, optionclass
from jaxssl.types import Params

MATMUL_PRECISION = {
    # HIGHEST: without it a GPU silently rounds the factors to TF32
    "float32": lax.Precision.HIGHEST,
    # factors rounded to bfloat16, sums and results in float32, backward products too; a CPU, which
    # gains nothing from it, keeps float32
    "bfloat16": lax.DotAlgorithmPreset.BF16_BF16_F32,
}

AUTOENCODER_HIDDEN = 256
LAYER_NORM_EPSILON = 1e-6
Norm = Literal["layer", "none"]  # LayerNorm after a dense layer, or nothing
Head = Literal["none", "linear", "mlp"]  # of these, "mlp" has one hidden layer
CACHE_LINE = 16  # float32 numbers
CONFLICTING_WIDTH = 256  # float32 numbers


@optionclass
class EncoderConfig:
    """MLP encoder. STUDY Fig. 11: 512-256-128."""

    hidden: tuple[Positive, ...] = (512, 256, 128)
    norm: Norm = "layer"
    activate_last: bool = False  # a ReLU on the embedding too (STUDY)


class Network(NamedTuple):
    """A network as two pure functions of one batch; output is float32."""

    init: Callable[[PRNGKeyArray, Float[Array, "batch features"]], Params]
    apply: Callable[[Params, Float[Array, "batch features"]], Float[Array, "batch dim"]]
    precision: str  # of the matrix products, for heads built on top


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def product(
    x: Float[Array, "batch features"], kernel: Float[Array, "features dim"], precision: str
) -> Float[Array, "batch dim"]:
    """`x @ kernel`; its weight gradient is computed as suits the backend."""
    return jnp.matmul(x, kernel, precision=MATMUL_PRECISION[precision])


def _product_forward(x, kernel, precision):
    return product(x, kernel, precision), (x, kernel)


def _product_backward(precision, factors, gradient):
    x, kernel = factors
    multiply = partial(jnp.matmul, precision=MATMUL_PRECISION[precision])
    of_kernel = lax.platform_dependent(
        x,
        gradient,
        cpu=lambda x, gradient: multiply(_spread(x).T, gradient)[: x.shape[1]],
        default=lambda x, gradient: multiply(x.T, gradient),
    )
    return multiply(gradient, kernel.T), of_kernel


product.defvjp(_product_forward, _product_backward)


def _spread(x: Float[Array, "batch features"]) -> Float[Array, "batch columns"]:
    """`x`, where its rows lie a multiple of 1 KiB apart with some columns repeated at the end.

    Packing the columns of such a matrix for a product, a CPU's cache holds few lines at a time:
    their addresses differ by a power of two.
    """
    if x.shape[1] % CONFLICTING_WIDTH:
        return x
    # columns of its own, not zeros: a compiler pads entry by entry, but copies by the row
    return jnp.concatenate([x, x[:, :CACHE_LINE]], axis=1)


def _dense(width: int, precision: str, name: str) -> nn.Dense:
    def dot_general(x, kernel, dimensions, **_):
        del dimensions  # a dense layer has one way to multiply
        return product(x, kernel, precision)

    return nn.Dense(width, dot_general=dot_general, name=name)


@jax.custom_vjp
def layer_norm(
    x: Float[Array, "batch dim"], scale: Float[Array, " dim"], bias: Float[Array, " dim"]
) -> Float[Array, "batch dim"]:
    """Rows of mean 0 and variance 1, scaled and shifted (Ba et al. 2016, arXiv 1607.06450).

    Its gradient is written out: derived from the operations, it takes twice as many passes.
    """
    return _layer_norm_forward(x, scale, bias)[0]


def _layer_norm_forward(x, scale, bias):
    mean = x.mean(axis=1, keepdims=True)
    variance = (x**2).mean(axis=1, keepdims=True) - mean**2
    inverse_sd = lax.rsqrt(jnp.maximum(variance, 0.0) + LAYER_NORM_EPSILON)
    y = (x - mean) * (inverse_sd * scale[None, :]) + bias[None, :]
    return y, (x, mean, inverse_sd, scale)


def _layer_norm_backward(residuals, gradient):
    x, mean, inverse_sd, scale = residuals
    normal = (x - mean) * inverse_sd
    along = gradient * normal
    to_mean, to_sd = (_weighted_mean(values, scale) for values in (gradient, along))
    of_x = inverse_sd * (gradient * scale[None, :] - to_mean - normal * to_sd)
    return of_x, along.sum(axis=0), gradient.sum(axis=0)


layer_norm.defvjp(_layer_norm_forward, _layer_norm_backward)


def _weighted_mean(
    x: Float[Array, "batch dim"], weights: Float[Array, " dim"]
) -> Float[Array, "batch 1"]:
    """Mean of `weights * x` in every row."""
    weights = weights / len(weights)
    return lax.platform_dependent(
        x,
        weights,
        # a product reads x alone; a reduction on a CPU wants the weights as a matrix like x
        cpu=lambda x, weights: jnp.matmul(x, weights[:, None], precision="highest"),
        default=lambda x, weights: (x * weights[None, :]).sum(axis=1, keepdims=True),
    )


class LayerNorm(nn.Module):
    """`layer_norm` with its parameters."""

    @nn.compact
    def __call__(self, x: Float[Array, "batch dim"]) -> Float[Array, "batch dim"]:
        """Forward."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[1],))
        bias = self.param("bias", nn.initializers.zeros, (x.shape[1],))
        return layer_norm(x, scale, bias)


class Layer(nn.Module):
    """Dense, LayerNorm if wanted, ReLU if wanted."""

    width: int
    norm: str
    precision: str
    activate: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "batch features"]) -> Float[Array, "batch dim"]:
        """Forward."""
        x = _dense(self.width, self.precision, "dense")(x)
        if self.norm == "layer":
            x = LayerNorm(name="norm")(x)
        return nn.relu(x) if self.activate else x


class MLP(nn.Module):
    """Layers `layer_0 …`, then a linear `output` unless `n_outputs` is None."""

    hidden: tuple[int, ...]
    n_outputs: int | None
    norm: str
    precision: str
    activate_last: bool = True

    @nn.compact
    def __call__(self, x: Float[Array, "batch features"]) -> Float[Array, "batch dim"]:
        """Forward."""
        for i, width in enumerate(self.hidden):
            activate = self.activate_last or i < len(self.hidden) - 1
            x = Layer(width, self.norm, self.precision, activate, name=f"layer_{i}")(x)
        if self.n_outputs is not None:
            x = _dense(self.n_outputs, self.precision, "output")(x)
        return x


def make_encoder(options: EncoderConfig, precision: str) -> Network:
    """MLP encoder; its last hidden layer is the embedding."""
    hidden, norm = tuple(options.hidden), options.norm
    return _network(MLP(hidden, None, norm, precision, options.activate_last))


def make_head(kind: Head, hidden: int, dim: int, precision: str, norm: str = "none") -> Network:
    """Head: "none" (identity, no parameters), "linear", or "mlp" (one hidden layer)."""
    if kind == "none":
        return _network(MLP((), None, "none", precision))
    return _network(MLP({"linear": (), "mlp": (hidden,)}[kind], dim, norm, precision))


def make_autoencoder(n_features: int, latent_dim: int) -> tuple[Network, Network]:
    """Encoder to `latent_dim` numbers and decoder back, one hidden layer each."""
    hidden = (max(AUTOENCODER_HIDDEN, 2 * latent_dim),)
    # no LayerNorm: how far a profile is from the mean must reach its code
    encoder = MLP(hidden, latent_dim, "none", "float32")
    return _network(encoder), _network(MLP(hidden, n_features, "none", "float32"))


def _network(module: MLP) -> Network:
    def init(key: PRNGKeyArray, x: Float[Array, "batch features"]) -> Params:
        variables: Params = module.init(key, x)  # pyright: ignore[reportAssignmentType]
        return variables.get("params", {})

    def apply(params: Params, x: Float[Array, "batch features"]) -> Float[Array, "batch dim"]:
        return module.apply({"params": params}, x)  # pyright: ignore[reportReturnType]

    return Network(init, apply, module.precision)
