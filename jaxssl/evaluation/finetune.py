"""From an encoder and few labels to a classifier: probe the head, then train all layers (LP-FT).

One pure function for one seed serves every arm and every label share: the number of labels, the
step counts, the rates and what is frozen are traced, so a whole sweep is one compiled program.
LP-FT: Kumar et al. 2022, arXiv 2202.10054. Plain fine-tuning: `probe_steps = 0`.
"""

from collections.abc import Callable
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from jaxssl.config import FinetuneConfig
from jaxssl.methods.noise import threefry2x32
from jaxssl.model import Network
from jaxssl.types import Params

ADAM = optax.scale_by_adam()
Carry = tuple[Params, optax.OptState]


class Recipe(NamedTuple):
    """What distinguishes the arms of one compiled program; all traced."""

    probe_steps: int | Int[Array, ""]  # of the head on the frozen encoder; 0: head from scratch
    probe_learning_rate: float | Float[Array, ""]
    probe_decay: float | Float[Array, ""]  # L2 penalty of the probe
    steps: int | Int[Array, ""]  # of head and encoder together; 0: linear probe only
    learning_rate: float | Float[Array, ""]
    layer_rates: Float[Array, " layers"]  # 1: trained, 0: frozen, first layer first


class Labelled(NamedTuple):
    """The labelled training samples of one repetition, in its nested class-proportional order."""

    x: Float[Array, "samples features"]  # training matrix shared by all seeds
    y: Int[Array, " samples"]
    order: Int[Array, " labelled"]  # positions in x; every prefix is class-proportional
    n: Int[Array, ""]  # how many of the order are labelled


def pretrained_recipe(options: FinetuneConfig, n_layers: int) -> Recipe:
    """Recipe of an arm that starts from a pretrained encoder."""
    probe = options.probe_steps, options.probe_learning_rate, options.probe_decay
    rates = (jnp.arange(n_layers) >= options.freeze_layers).astype(jnp.float32)
    return Recipe(*probe, options.n_steps, options.learning_rate, rates)


def scratch_recipe(options: FinetuneConfig, n_layers: int) -> Recipe:
    """Recipe of the `scratch` arm: every layer from random, no probe."""
    steps, rate = options.scratch_steps, options.scratch_learning_rate
    return Recipe(0, 0.0, 0.0, steps, rate, jnp.ones(n_layers))


def probe_recipe(options: FinetuneConfig, n_layers: int) -> Recipe:
    """Recipe of the `random_encoder` arm: a linear head on an encoder that never moves."""
    probe = options.probe_steps, options.probe_learning_rate, options.probe_decay
    return Recipe(*probe, 0, 0.0, jnp.zeros(n_layers))


def transfer(pretrained: Params, fresh: Params, n_layers: int) -> Params:
    """The first `n_layers` layers of the pretrained encoder, the others fresh."""
    transferred = layer_names(n_layers)
    return {name: pretrained[name] if name in transferred else fresh[name] for name in fresh}


def layer_names(n_layers: int) -> list[str]:
    """Names of the first layers of an encoder, as `jaxssl.model` gives them."""
    return [f"layer_{i}" for i in range(n_layers)]


def batch_positions(
    words: UInt32[Array, "2"], step: int | Int[Array, ""], n: Int[Array, ""], batch_size: int
) -> Int[Array, " batch"]:
    """Positions of a batch in [0, n): one drawn from each of `batch_size` equal intervals.

    As prefixes of the label order are class-proportional, so is the batch. With fewer labels
    than `batch_size`, all repeat evenly. `words` are random and the same at every step.
    """
    interval = jnp.arange(batch_size, dtype=jnp.uint32)
    # the step is half of the counter: a key of its own would cost more than drawing the batch
    bits, _ = threefry2x32(words, jnp.full_like(interval, step), interval)
    u = (bits >> 8).astype(jnp.float32) * 2.0**-24  # in [0, 1)
    positions = (jnp.arange(batch_size) + u) * (n / batch_size)
    return jnp.minimum(positions.astype(jnp.int32), n - 1)


def make_finetune(
    encoder: Network, head: Network, batch_size: int
) -> Callable[[PRNGKeyArray, Params, Labelled, Recipe], Params]:
    """Build the fine-tuning of one seed: (key, encoder parameters, labels, recipe) → parameters."""

    def finetune(
        key: PRNGKeyArray, encoder_params: Params, labelled: Labelled, recipe: Recipe
    ) -> Params:
        key_head, key_probe, key_train = jax.random.split(key, 3)
        fresh = head.init(key_head, encoder.apply(encoder_params, labelled.x[:1]))

        def probed() -> Params:
            embeddings = encoder.apply(encoder_params, labelled.x)  # frozen: once for all steps
            return probe(key_probe, head, fresh, embeddings, labelled, recipe, batch_size)

        has_probe = jnp.asarray(recipe.probe_steps) > 0
        head_params = jax.lax.cond(has_probe, probed, lambda: fresh)
        params = {"encoder": encoder_params, "head": head_params}
        return train_all(key_train, encoder, head, params, labelled, recipe, batch_size)

    return finetune


def probe(
    key: PRNGKeyArray,
    head: Network,
    fresh: Params,
    embeddings: Float[Array, "samples dim"],
    labelled: Labelled,
    recipe: Recipe,
    batch_size: int,
) -> Params:
    """Fit the head on frozen embeddings: L2-penalised logistic regression by Adam, from zero.

    It sees embeddings standardised over the training samples, labelled or not, so that the
    penalty weighs all dimensions alike; the returned head takes them as they are.
    """
    mean = embeddings.mean(axis=0, keepdims=True)
    sd = embeddings.std(axis=0, keepdims=True)
    sd = sd + 1e-3 * jnp.sqrt(jnp.mean(sd**2))  # a dead dimension must not be blown up
    standardized = (embeddings - mean) / sd

    def loss(params: Params, rows: Int[Array, " batch"]) -> Float[Array, ""]:
        logits = head.apply(params, standardized[rows])
        penalty = 0.5 * recipe.probe_decay * jnp.sum(params["output"]["kernel"] ** 2)
        return cross_entropy(logits, labelled.y[rows]) + penalty

    batch = make_batch(key, labelled, batch_size)

    def step(i: Int[Array, ""], carry: Carry) -> Carry:
        rows = batch(i)
        rate = recipe.probe_learning_rate * 0.5 * (1 + jnp.cos(jnp.pi * i / recipe.probe_steps))
        return adam_step(jax.grad(loss)(carry[0], rows), carry, rate)

    zero = jax.tree.map(jnp.zeros_like, fresh)
    params, _ = jax.lax.fori_loop(0, recipe.probe_steps, step, (zero, ADAM.init(zero)))
    kernel, bias = params["output"]["kernel"] / sd.T, params["output"]["bias"]
    return {"output": {"kernel": kernel, "bias": bias - (mean @ kernel)[0]}}


def train_all(
    key: PRNGKeyArray,
    encoder: Network,
    head: Network,
    params: Params,
    labelled: Labelled,
    recipe: Recipe,
    batch_size: int,
) -> Params:
    """Train encoder and head together at a constant rate; frozen layers do not move."""

    def loss(params: Params, rows: Int[Array, " batch"]) -> Float[Array, ""]:
        logits = head.apply(params["head"], encoder.apply(params["encoder"], labelled.x[rows]))
        return cross_entropy(logits, labelled.y[rows])

    batch = make_batch(key, labelled, batch_size)

    def step(i: Int[Array, ""], carry: Carry) -> Carry:
        grads = jax.grad(loss)(carry[0], batch(i))
        return adam_step(grads, carry, recipe.learning_rate, recipe.layer_rates)

    params, _ = jax.lax.fori_loop(0, recipe.steps, step, (params, ADAM.init(params)))
    return params


def make_predict(
    encoder: Network, head: Network
) -> Callable[[Params, Float[Array, "samples features"]], Float[Array, "samples classes"]]:
    """Build (parameters, samples) → class probabilities."""

    def predict(params: Params, x: Float[Array, "samples features"]):
        return jax.nn.softmax(head.apply(params["head"], encoder.apply(params["encoder"], x)))

    return predict


def make_batch(
    key: PRNGKeyArray, labelled: Labelled, batch_size: int
) -> Callable[[Int[Array, ""]], Int[Array, " batch"]]:
    """Step → rows of its batch in the training matrix."""
    words = jax.random.bits(key, (2,))
    return lambda step: labelled.order[batch_positions(words, step, labelled.n, batch_size)]


def cross_entropy(
    logits: Float[Array, "batch classes"], y: Int[Array, " batch"]
) -> Float[Array, ""]:
    """Of the labels, in nats, mean over the batch."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def adam_step(
    grads: Params,
    carry: Carry,
    rate: float | Float[Array, ""],
    layer_rates: Float[Array, " layers"] | None = None,
) -> Carry:
    """One step of Adam; encoder layer i moves `layer_rates[i]` times as far."""
    params, opt_state = carry
    moved, opt_state = ADAM.update(grads, opt_state)
    updates = cast(Params, moved)
    if layer_rates is not None:
        updates["encoder"] = {
            name: jax.tree.map(lambda leaf, rate=rate: rate * leaf, updates["encoder"][name])
            for name, rate in zip(layer_names(len(layer_rates)), layer_rates, strict=True)
        }
    scaled = jax.tree.map(lambda leaf: -rate * leaf, updates)
    return cast(Params, optax.apply_updates(params, scaled)), opt_state
