"""From an encoder and few labels to a classifier: probe the head, then train all layers (LP-FT).

One pure function for one seed serves every arm and every label share: the number of labels, the
step counts, the rates and what is frozen are traced, so a whole sweep is one compiled program.
LP-FT: Kumar et al. 2022, arXiv 2202.10054. Plain fine-tuning: `probe_steps = 0`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxssl.config import FinetuneConfig
from jaxssl.model import Network
from jaxssl.types import Params


class Recipe(NamedTuple):
    """What distinguishes the arms of one compiled program; all traced."""

    probe_steps: int | Int[Array, ""]  # of the head on the frozen encoder; 0: head from scratch
    probe_learning_rate: float | Float[Array, ""]
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
    rates = (jnp.arange(n_layers) >= options.freeze_layers).astype(jnp.float32)
    return Recipe(
        options.probe_steps,
        options.probe_learning_rate,
        options.n_steps,
        options.learning_rate,
        rates,
    )


def scratch_recipe(options: FinetuneConfig, n_layers: int) -> Recipe:
    """Recipe of the `scratch` arm: every layer from random, no probe."""
    return Recipe(
        0, 0.0, options.scratch_steps, options.scratch_learning_rate, jnp.ones(n_layers)
    )


def transfer(pretrained: Params, fresh: Params, n_layers: int) -> Params:
    """The first `n_layers` layers of the pretrained encoder, the others fresh."""
    names = [f"layer_{i}" for i in range(n_layers)]
    return {name: pretrained[name] if name in names else fresh[name] for name in fresh}


def batch_positions(
    key: PRNGKeyArray, n: Int[Array, ""], batch_size: int
) -> Int[Array, " batch"]:
    """Positions of a batch in [0, n): one drawn from each of `batch_size` equal intervals.

    As prefixes of the label order are class-proportional, so is the batch. With fewer labels
    than `batch_size`, all repeat evenly.
    """
    u = jax.random.uniform(key, (batch_size,))
    positions = (jnp.arange(batch_size) + u) * (n / batch_size)
    return jnp.minimum(positions.astype(jnp.int32), n - 1)


def make_finetune(
    encoder: Network, head: Network, options: FinetuneConfig
) -> Callable[[PRNGKeyArray, Params, Labelled, Recipe], Params]:
    """Build the fine-tuning of one seed: (key, encoder parameters, labels, recipe) → parameters."""

    def logits_of(params: Params, x: Float[Array, "batch features"]):
        return head.apply(params["head"], encoder.apply(params["encoder"], x))

    def loss(params: Params, x: Float[Array, "batch features"], y: Int[Array, " batch"]):
        losses = optax.softmax_cross_entropy_with_integer_labels(logits_of(params, x), y)
        return losses.mean()

    def head_loss(head_params: Params, z: Float[Array, "batch dim"], y: Int[Array, " batch"]):
        losses = optax.softmax_cross_entropy_with_integer_labels(head.apply(head_params, z), y)
        return losses.mean() + options.probe_decay * optax.tree.norm(head_params, squared=True)

    def finetune(
        key: PRNGKeyArray, encoder_params: Params, labelled: Labelled, recipe: Recipe
    ) -> Params:
        key_head, key_probe, key_train = jax.random.split(key, 3)
        x, y, order, n = labelled
        embeddings = encoder.apply(encoder_params, x)  # frozen: once for all probe steps

        def batch(key: PRNGKeyArray) -> Int[Array, " batch"]:
            return order[batch_positions(key, n, options.batch_size)]

        def probe_step(i, carry):
            rows = batch(jax.random.fold_in(key_probe, i))
            grads = jax.grad(head_loss)(carry[0], embeddings[rows], y[rows])
            rate = recipe.probe_learning_rate * _cosine(i, recipe.probe_steps)
            return _adam_step(grads, carry, lambda updates: _times(updates, rate))

        def train_step(i, carry):
            rows = batch(jax.random.fold_in(key_train, i))
            grads = jax.grad(loss)(carry[0], x[rows], y[rows])
            rate = recipe.learning_rate * _cosine(i, recipe.steps)
            return _adam_step(
                grads, carry, lambda updates: _times(_freeze(updates, recipe.layer_rates), rate)
            )

        head_params = head.init(key_head, embeddings[:1])
        head_params, _ = jax.lax.fori_loop(
            0, recipe.probe_steps, probe_step, (head_params, ADAM.init(head_params))
        )
        params = {"encoder": encoder_params, "head": head_params}
        params, _ = jax.lax.fori_loop(
            0, recipe.steps, train_step, (params, ADAM.init(params))
        )
        return params

    return finetune


def make_predict(
    encoder: Network, head: Network
) -> Callable[[Params, Float[Array, "samples features"]], Float[Array, "samples classes"]]:
    """Build (parameters, samples) → class probabilities."""

    def predict(params: Params, x: Float[Array, "samples features"]):
        return jax.nn.softmax(head.apply(params["head"], encoder.apply(params["encoder"], x)))

    return predict


ADAM = optax.scale_by_adam()


def _adam_step(grads, carry, scale):
    params, opt_state = carry
    updates, opt_state = ADAM.update(grads, opt_state)
    return optax.apply_updates(params, scale(updates)), opt_state


def _cosine(i: Int[Array, ""], n_steps: int | Int[Array, ""]) -> Float[Array, ""]:
    """Cosine decay from 1 to 0 over a traced number of steps."""
    return 0.5 * (1 + jnp.cos(jnp.pi * i / n_steps))


def _times(updates: Params, rate: float | Float[Array, ""]) -> Params:
    return jax.tree.map(lambda leaf: -rate * leaf, updates)


def _freeze(updates: Params, layer_rates: Float[Array, " layers"]) -> Params:
    scaled = {
        f"layer_{i}": jax.tree.map(lambda leaf, rate=layer_rates[i]: rate * leaf, layer)
        for i, layer in enumerate(updates["encoder"][f"layer_{i}"] for i in range(len(layer_rates)))
    }
    return updates | {"encoder": scaled}
