"""The autoencoder that views may be drawn through, trained on training profiles alone."""

from functools import partial
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxssl.config import Config
from jaxssl.model import make_autoencoder
from jaxssl.types import Params, Pool

SEED = 2**31 - 1  # in the key of what all seeds share
LEARNING_RATE = 1e-3  # decays to 0 by a cosine
BATCH_SIZE = 256


def make_pool(x: Float[np.ndarray, "samples features"], config: Config) -> Pool:
    """What all seeds train on; an autoencoder, where views want one, is the same for all seeds."""
    if config.augment.latent_radius == 0:
        return Pool(cast(Array, x), {})
    key = jax.random.fold_in(jax.random.key(config.run.root_key), SEED)
    options = config.augment
    fitted = fit_autoencoder(key, jnp.asarray(x), options.latent_dim, options.autoencoder_steps)
    return Pool(cast(Array, x), fitted)


@partial(jax.jit, static_argnames=("latent_dim", "n_steps"))
def fit_autoencoder(
    key: PRNGKeyArray, x: Float[Array, "samples features"], latent_dim: int, n_steps: int
) -> Params:
    """Minimise the mean squared error of the reconstruction by Adam: `encoder` and `decoder`.

    `unit` is the root mean square distance of the codes from their mean, in which
    `augment.latent_radius` is counted.
    """
    encoder, decoder = make_autoencoder(x.shape[1], latent_dim)
    key_encoder, key_decoder, key_batches = jax.random.split(key, 3)
    codes = jnp.zeros((1, latent_dim))
    params = {
        "encoder": encoder.init(key_encoder, x[:1]),
        "decoder": decoder.init(key_decoder, codes),
    }
    optimizer = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, n_steps))
    batch_size = min(BATCH_SIZE, len(x))

    def loss(params: Params, batch: Float[Array, "batch features"]) -> Float[Array, ""]:
        decoded = decoder.apply(params["decoder"], encoder.apply(params["encoder"], batch))
        return jnp.mean((decoded - batch) ** 2)

    def step(i: Int[Array, ""], carry: tuple[Params, optax.OptState]):
        params, state = carry
        rows = jax.random.randint(jax.random.fold_in(key_batches, i), (batch_size,), 0, len(x))
        updates, state = optimizer.update(jax.grad(loss)(params, x[rows]), state)
        return optax.apply_updates(params, updates), state

    params, _ = jax.lax.fori_loop(0, n_steps, step, (params, optimizer.init(params)))
    codes = encoder.apply(params["encoder"], x)
    spread = jnp.sum((codes - codes.mean(axis=0, keepdims=True)) ** 2, axis=1)
    return params | {"unit": jnp.sqrt(spread.mean())}
