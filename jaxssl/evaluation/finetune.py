"""From an encoder and few labels to a classifier: probe the head, then train all layers (LP-FT).

One pure function for one seed serves every arm and every label share: the number of labels, the
step counts, the rates and what is frozen are traced, so a whole sweep is one compiled program.
LP-FT: Kumar et al. 2022, arXiv 2202.10054. Plain fine-tuning: `probe_steps = 0`.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from jaxssl.config import Config, EncoderConfig
from jaxssl.methods.noise import threefry2x32
from jaxssl.model import Network, make_encoder, make_head
from jaxssl.types import Params

ADAM = optax.scale_by_adam()
GIVEN_FOR, GROWS_TO = 1000, 4000  # labels, of a rate that grows with their number
Step = Int[Array, ""]
Rate = float | Float[Array, ""]


class Recipe(NamedTuple):
    """What distinguishes the arms of one compiled program; all traced."""

    probe_steps: int | Step  # of the head on the frozen encoder; 0: head from scratch
    probe_learning_rate: Rate
    probe_decay: Rate  # L2 penalty of the probe
    steps: int | Step  # of head and encoder together; 0: linear probe only
    learning_rate: Rate
    layer_rates: Float[Array, " layers"]  # 1: trained, 0: frozen, first layer first
    class_balance: Rate = 0.0  # of `class_weights`
    decay: Rate = 0.0  # share of `learning_rate` that falls to 0 by a cosine
    growth: Rate = 0.0  # power of the number of labels by which it grows


class Labelled(NamedTuple):
    """The labelled training samples of one repetition, in its nested class-proportional order."""

    x: Float[Array, "samples features"]  # training matrix shared by all seeds
    y: Int[Array, " samples"]
    order: Int[Array, " labelled"]  # positions in x; every prefix is class-proportional
    n: Int[Array, ""]  # how many of the order are labelled


def transfer(pretrained: Params, fresh: Params, n_layers: int) -> Params:
    """The first `n_layers` layers of the pretrained encoder, the others fresh."""
    transferred = layer_names(n_layers)
    return {name: pretrained[name] if name in transferred else fresh[name] for name in fresh}


def layer_names(n_layers: int) -> list[str]:
    """Names of the first layers of an encoder, as `jaxssl.model` gives them."""
    return [f"layer_{i}" for i in range(n_layers)]


def batch_positions(
    words: UInt32[Array, "2"], step: int | Step, n: Int[Array, ""], batch_size: int
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


class Networks(NamedTuple):
    """What is fine-tuned, and on how many labels at once."""

    encoder: Network
    head: Network
    batch_size: int

    def logits(
        self, params: Params, x: Float[Array, "samples features"]
    ) -> Float[Array, "samples classes"]:
        """Of the classes, before the softmax."""
        return self.head.apply(params["head"], self.encoder.apply(params["encoder"], x))

    def predict(
        self, params: Params, x: Float[Array, "samples features"]
    ) -> Float[Array, "samples classes"]:
        """Class probabilities."""
        return jax.nn.softmax(self.logits(params, x))


def make_networks(config: Config, n_classes: int) -> Networks:
    """What the options describe; one object for the same shapes, so that its programs are found."""
    batch_size = config.finetune.batch_size
    return _make_networks(config.encoder, config.run.precision, batch_size, n_classes)


@lru_cache(maxsize=32)
def _make_networks(
    options: EncoderConfig, precision: str, batch_size: int, n_classes: int
) -> Networks:
    encoder = make_encoder(options, precision)
    return Networks(encoder, make_head("linear", 0, n_classes, precision), batch_size)


def finetune(
    networks: Networks,
    key: PRNGKeyArray,
    encoder_params: Params,
    labelled: Labelled,
    recipe: Recipe,
) -> Params:
    """Fine-tune one seed from its encoder: the probe if the recipe has one, then all layers."""
    encoder, head, batch_size = networks
    key_head, key_probe, key_train = jax.random.split(key, 3)
    fresh = head.init(key_head, encoder.apply(encoder_params, labelled.x[:1]))
    weights = class_weights(labelled, len(fresh["output"]["bias"]), recipe.class_balance)

    def probed() -> Params:
        embeddings = encoder.apply(encoder_params, labelled.x)  # frozen: once for all steps
        return probe(key_probe, head, fresh, embeddings, labelled, recipe, batch_size, weights)

    has_probe = jnp.asarray(recipe.probe_steps) > 0
    head_params = jax.lax.cond(has_probe, probed, lambda: fresh)
    params = {"encoder": encoder_params, "head": head_params}
    batch = make_batch(key_train, labelled, batch_size)

    def loss(params: Params, step: Step) -> Float[Array, ""]:
        rows = batch(step)
        return cross_entropy(networks.logits(params, labelled.x[rows]), labelled.y[rows], weights)

    peak = recipe.learning_rate * (jnp.minimum(labelled.n, GROWS_TO) / GIVEN_FOR) ** recipe.growth

    def rate(step: Step) -> Rate:
        return recipe.decay * cosine(peak, recipe.steps, step) + (1 - recipe.decay) * peak

    return descend(loss, params, recipe.steps, rate, recipe.layer_rates)


def probe(
    key: PRNGKeyArray,
    head: Network,
    fresh: Params,
    embeddings: Float[Array, "samples dim"],
    labelled: Labelled,
    recipe: Recipe,
    batch_size: int,
    weights: Float[Array, " classes"],
) -> Params:
    """Fit the head on frozen embeddings: L2-penalised logistic regression by Adam, from zero.

    It sees embeddings standardised over the training samples, labelled or not, so that the
    penalty weighs all dimensions alike; the returned head takes them as they are.
    """
    mean = embeddings.mean(axis=0, keepdims=True)
    sd = embeddings.std(axis=0, keepdims=True)
    sd = sd + 1e-3 * jnp.sqrt(jnp.mean(sd**2))  # a dead dimension must not be blown up
    standardized = (embeddings - mean) / sd

    batch = make_batch(key, labelled, batch_size)

    def loss(params: Params, step: Step) -> Float[Array, ""]:
        rows = batch(step)
        logits = head.apply(params, standardized[rows])
        penalty = 0.5 * recipe.probe_decay * jnp.sum(params["output"]["kernel"] ** 2)
        return cross_entropy(logits, labelled.y[rows], weights) + penalty

    zero, steps = jax.tree.map(jnp.zeros_like, fresh), recipe.probe_steps
    rate = partial(cosine, recipe.probe_learning_rate, steps)
    params = descend(loss, zero, steps, rate)
    kernel, bias = params["output"]["kernel"] / sd.T, params["output"]["bias"]
    return {"output": {"kernel": kernel, "bias": bias - (mean @ kernel)[0]}}


def make_batch(
    key: PRNGKeyArray, labelled: Labelled, batch_size: int
) -> Callable[[Step], Int[Array, " batch"]]:
    """Step → rows of its batch in the training matrix."""
    words = jax.random.bits(key, (2,))
    return lambda step: labelled.order[batch_positions(words, step, labelled.n, batch_size)]


def class_weights(labelled: Labelled, n_classes: int, balance: Rate) -> Float[Array, " classes"]:
    """What a label of each class weighs: 1 on the average of the labels.

    A class of n labels has n^-balance a label. With 1 all classes count alike, however many labels
    they have, as balanced accuracy counts them; with 0 all labels do.
    """
    is_labelled = jnp.arange(len(labelled.order)) < labelled.n
    counts = jnp.zeros(n_classes).at[labelled.y[labelled.order]].add(is_labelled)
    weights = jnp.maximum(counts, 1.0) ** -balance
    return weights * labelled.n / jnp.vdot(weights, counts)


def cross_entropy(
    logits: Float[Array, "batch classes"],
    y: Int[Array, " batch"],
    weights: Float[Array, " classes"] | None = None,
) -> Float[Array, ""]:
    """Of the labels, in nats, mean over the batch; each by the weight of its class, if given."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
    return (losses if weights is None else weights[y] * losses).mean()


def judge(
    networks: Networks, params: Params, labelled: Labelled, x: Float[Array, "samples features"]
) -> tuple[Float[Array, "samples classes"], Float[Array, ""]]:
    """Class probabilities of samples, and the loss on an even batch of the fit's own labels."""
    at = jnp.arange(networks.batch_size) * (labelled.n / networks.batch_size)
    rows = labelled.order[at.astype(jnp.int32)]
    loss = cross_entropy(networks.logits(params, labelled.x[rows]), labelled.y[rows])
    return networks.predict(params, x), loss


def cosine(peak: Rate, n_steps: int | Step, step: Step) -> Rate:
    """A learning rate that falls from its peak to 0."""
    return peak * 0.5 * (1 + jnp.cos(jnp.pi * step / n_steps))


def descend(
    loss: Callable[[Params, Step], Float[Array, ""]],
    params: Params,
    n_steps: int | Step,
    rate: Callable[[Step], Rate],
    layer_rates: Float[Array, " layers"] | None = None,
) -> Params:
    """Minimise a loss of parameters and step by Adam; `layer_rates` scale the encoder's steps."""

    def step(i: Step, carry: tuple[Params, optax.OptState]) -> tuple[Params, optax.OptState]:
        params, opt_state = carry
        moved, opt_state = ADAM.update(jax.grad(loss)(params, i), opt_state)
        updates, now = cast(Params, moved), rate(i)
        if layer_rates is not None:
            updates["encoder"] = {
                name: jax.tree.map(lambda leaf, rate=rate: rate * leaf, updates["encoder"][name])
                for name, rate in zip(layer_names(len(layer_rates)), layer_rates, strict=True)
            }
        scaled = jax.tree.map(lambda leaf: -now * leaf, updates)
        return cast(Params, optax.apply_updates(params, scaled)), opt_state

    params, _ = jax.lax.fori_loop(0, n_steps, step, (params, ADAM.init(params)))
    return params
