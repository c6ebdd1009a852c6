"""The same pretraining and fine-tuning as a user would write them in PyTorch, one seed at a time.

Same model, batches, losses, optimizer and float32 as jaxssl, from jaxssl's initial parameters, so
that loss curves and predictions can be compared number by number. Needs the `bench` extra.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import joblib
import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]
from torch.nn.utils import parametrize  # pyright: ignore[reportMissingImports]

from jaxssl.config import FinetuneConfig
from jaxssl.methods.swav import SwAVConfig
from jaxssl.model import LAYER_NORM_EPSILON
from jaxssl.types import Params

torch.set_num_threads(joblib.cpu_count())  # all cores, as jaxssl has

Head = tuple[torch.nn.Module, Callable[[Sequence[torch.Tensor]], torch.Tensor]]
"""Prototypes, and the loss of two views' scores."""


def make_encoder(params: Params) -> torch.nn.Sequential:
    """The encoder of these parameters: dense, LayerNorm, ReLU; the embedding has no ReLU."""
    modules: list[torch.nn.Module] = []
    for layer in params.values():
        scale, bias = layer["norm"]["scale"], layer["norm"]["bias"]
        norm = torch.nn.LayerNorm(len(scale), eps=LAYER_NORM_EPSILON)
        norm.weight, norm.bias = _parameter(scale), _parameter(bias)
        modules += [make_dense(layer["dense"]), norm, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])


def make_dense(params: Params) -> torch.nn.Linear:
    """A dense layer of these parameters."""
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


class SwAVLoop:
    """A SwAV pretraining of one seed."""

    def __init__(
        self,
        make_head: Callable[[np.ndarray, SwAVConfig], Head],
        params: Params,
        options: SwAVConfig,
        noise: float,
        learning_rate: float,
    ) -> None:
        self.encoder, self.noise = make_encoder(params["encoder"]), noise
        weight = np.asarray(params["prototypes"]["head_0"])
        self.prototypes, self.swapped_loss = make_head(weight, options)
        parameters = [*self.encoder.parameters(), *self.prototypes.parameters()]
        self.optimizer = torch.optim.Adam(parameters, lr=learning_rate)
        self.loss = self._loss

    def compile(self) -> None:
        """Put `torch.compile` on the loss, forward and backward."""
        self.loss = torch.compile(self._loss)

    def run(self, pool: torch.Tensor, batches: Iterable[torch.Tensor]) -> list[float]:
        """Train on these batches of rows; returns the loss of every step."""
        losses = []
        for index in batches:
            x = pool[index]
            loss = self.loss(torch.cat([x + self.noise * torch.randn_like(x) for _ in range(2)]))
            _step(self.optimizer, loss)
            losses.append(loss.item())
        return losses

    def _loss(self, views: torch.Tensor) -> torch.Tensor:
        scores = self.prototypes(functional.normalize(self.encoder(views)))
        return self.swapped_loss(scores.chunk(2))


LOOPS = {"torch": partial(SwAVLoop, torch_head), "lightly": partial(SwAVLoop, lightly_head)}


def fit_scratch(
    encoder_params: Params,
    head_params: Params,
    x: torch.Tensor,
    y: torch.Tensor,
    batches: Iterable[torch.Tensor],
    held_out: torch.Tensor,
    options: FinetuneConfig,
) -> np.ndarray:
    """Train encoder and head on these batches of labelled rows; class probabilities held out."""
    model = torch.nn.Sequential(make_encoder(encoder_params), make_dense(head_params["output"]))
    optimizer = torch.optim.Adam(model.parameters(), lr=options.scratch_learning_rate)
    for rows in batches:
        _step(optimizer, functional.cross_entropy(model(x[rows]), y[rows]))
    with torch.no_grad():
        return torch.softmax(model(held_out), dim=1).numpy()


def _step(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
