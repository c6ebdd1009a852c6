"""The same pretraining and fine-tuning as a user would write them in PyTorch, one seed at a time.

Same model, batches, losses, optimizer and float32 as jaxssl, from jaxssl's initial parameters, so
that loss curves and predictions can be compared number by number. Needs the `bench` extra.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import joblib
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]
from torch.nn.utils import parametrize  # pyright: ignore[reportMissingImports]

from jaxssl.config import Config
from jaxssl.engine.ensemble import seed_keys
from jaxssl.engine.planning import Plan
from jaxssl.engine.train import epoch_batches, streams
from jaxssl.evaluation.arms import Inputs
from jaxssl.evaluation.finetune import batch_positions
from jaxssl.methods.swav import SwAVConfig
from jaxssl.model import LAYER_NORM_EPSILON, make_encoder, make_head
from jaxssl.types import Member, Params, Pool

torch.set_num_threads(joblib.cpu_count())  # all cores, as jaxssl has

Head = tuple[torch.nn.Module, Callable[[Sequence[torch.Tensor]], torch.Tensor]]
"""Prototypes, and the loss of two views' scores."""


def torch_encoder(params: Params) -> torch.nn.Sequential:
    """The encoder of these parameters: dense, LayerNorm, ReLU; the embedding has no ReLU."""
    modules: list[torch.nn.Module] = []
    for layer in params.values():
        scale, bias = layer["norm"]["scale"], layer["norm"]["bias"]
        norm = torch.nn.LayerNorm(len(scale), eps=LAYER_NORM_EPSILON)
        norm.weight, norm.bias = _parameter(scale), _parameter(bias)
        modules += [torch_dense(layer["dense"]), norm, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])


def torch_dense(params: Params) -> torch.nn.Linear:
    dense = torch.nn.Linear(*params["kernel"].shape)
    dense.weight, dense.bias = _parameter(params["kernel"].T), _parameter(params["bias"])
    return dense


def _parameter(values: np.ndarray) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(np.ascontiguousarray(values)))


def torch_head(weight: np.ndarray, options: SwAVConfig) -> Head:
    """Prototypes of unit length, and the loss of predicting from each view the other's codes."""
    prototypes = torch.nn.Linear(*weight.T.shape)
    _make_unit(prototypes, weight)

    def loss(scores: Sequence[torch.Tensor]) -> torch.Tensor:
        with torch.no_grad():
            codes = [sinkhorn(s, options.epsilon, options.n_iterations) for s in scores]
        log_p = [functional.log_softmax(s / options.temperature, dim=1) for s in scores]
        first = -(codes[0] * log_p[1]).sum(dim=1).mean()
        return (first - (codes[1] * log_p[0]).sum(dim=1).mean()) / 2

    return prototypes, loss


def lightly_head(weight: np.ndarray, options: SwAVConfig) -> Head:
    """lightly's prototypes and loss, made to compute what jaxssl does.

    lightly scales its prototypes to unit length before a step, outside of the gradient, and gives
    them a bias; here they are of unit length in every forward pass and have none.
    """
    from lightly.loss import SwaVLoss  # pyright: ignore[reportMissingImports]
    from lightly.models.modules import SwaVPrototypes  # pyright: ignore[reportMissingImports]

    prototypes = SwaVPrototypes(*weight.T.shape)
    _make_unit(prototypes.heads[0], weight)
    loss = SwaVLoss(options.temperature, options.n_iterations, options.epsilon)
    return prototypes, lambda scores: loss(list(scores), [])


def _make_unit(layer: torch.nn.Linear, weight: np.ndarray) -> None:
    """Give a layer these weights, of unit length in every forward pass, and no bias."""
    layer.weight, layer.bias = _parameter(weight), None
    parametrize.register_parametrization(layer, "weight", _UnitRows())


class _UnitRows(torch.nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return functional.normalize(weight)


def sinkhorn(scores: torch.Tensor, epsilon: float, n_iterations: int) -> torch.Tensor:
    """Codes of a batch as SwAV's authors compute them, on masses."""
    mass = torch.exp(scores / epsilon)
    mass /= mass.sum()
    n_samples, n_prototypes = mass.shape
    for _ in range(n_iterations):
        mass /= mass.sum(dim=0, keepdim=True) * n_prototypes
        mass /= mass.sum(dim=1, keepdim=True) * n_samples
    return mass * n_samples


def swav_loop(
    head_of: Callable[[np.ndarray, Any], Head],
    plan: Plan,
    config: Config,
    pool: np.ndarray,
    *,
    compiled: bool = False,
) -> Callable[[], list[float]]:
    """A SwAV pretraining of jaxssl's seed 0, from its initial parameters and on its batches.

    Each call of what is returned trains for an epoch and returns the loss of every step.
    """
    key = seed_keys(0, [0])[0]
    state = jax.jit(plan.trainer.init)(Member(key, {}), Pool(jnp.asarray(pool), {}))
    order = jax.random.fold_in(streams(key).order, 0)
    rows = np.array(epoch_batches(order, len(pool), plan.schedule))
    samples, batches = torch.from_numpy(pool), list(torch.tensor(rows, dtype=torch.int64))
    params, noise = jax.device_get(state.params), config.augment.noise
    encoder = torch_encoder(params["encoder"])
    prototypes, loss = head_of(np.asarray(params["prototypes"]["head_0"]), config.method)
    parameters = [*encoder.parameters(), *prototypes.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=config.optimizer.learning_rate)

    def loss_of(views: torch.Tensor) -> torch.Tensor:
        return loss(prototypes(functional.normalize(encoder(views))).chunk(2))

    run = torch.compile(loss_of) if compiled else loss_of  # forward and backward

    def train() -> list[float]:
        losses = []
        for index in batches:
            x = samples[index]
            found = run(torch.cat([x + noise * torch.randn_like(x) for _ in range(2)]))
            _step(optimizer, found)
            losses.append(found.item())
        return losses

    return train


LOOPS = {"torch": partial(swav_loop, torch_head), "lightly": partial(swav_loop, lightly_head)}


def scratch_fit(
    config: Config, inputs: Inputs, n_classes: int, n_labelled: int
) -> Callable[[], np.ndarray]:
    """The `scratch` arm's fit of seed 0, which returns class probabilities of the held-out rows."""
    options, keys = config.finetune, streams(seed_keys(config.run.root_key, [0])[0])
    encoder = make_encoder(config.encoder, config.run.precision)
    head = make_head("linear", 0, n_classes, config.run.precision)
    first = jnp.asarray(inputs.features[:1])
    encoder_params = jax.jit(encoder.init)(keys.fresh, first)
    key_head, _, key_train = jax.random.split(keys.finetune, 3)
    head_params = head.init(key_head, encoder.apply(encoder_params, first))
    words = jax.random.bits(key_train, (2,))

    def positions_at(step: jax.Array) -> jax.Array:
        return batch_positions(words, step, jnp.int32(n_labelled), options.batch_size)

    positions = jax.jit(jax.vmap(positions_at))(jnp.arange(options.scratch_steps))
    batches = list(torch.tensor(inputs.orders[0][np.asarray(positions)], dtype=torch.int64))
    x, y = torch.from_numpy(inputs.features), torch.from_numpy(inputs.codes).long()
    held_out = x[torch.from_numpy(inputs.held_out)]
    encoder_params, output = jax.device_get((encoder_params, head_params["output"]))

    def fit() -> np.ndarray:
        model = torch.nn.Sequential(torch_encoder(encoder_params), torch_dense(output))
        optimizer = torch.optim.Adam(model.parameters(), lr=options.scratch_learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(batches))
        for rows in batches:
            _step(optimizer, functional.cross_entropy(model(x[rows]), y[rows]))
            schedule.step()
        with torch.no_grad():
            return torch.softmax(model(held_out), dim=1).numpy()

    return fit


def _step(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
