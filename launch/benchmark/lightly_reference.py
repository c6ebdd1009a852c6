"""The same pretraining with the parts that lightly has for SwAV: its prototypes and its loss."""

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from lightly.loss import SwaVLoss  # pyright: ignore[reportMissingImports]
from lightly.models.modules import SwaVPrototypes  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]
from torch.nn.utils import parametrize  # pyright: ignore[reportMissingImports]

from jaxssl.options import SwAVConfig
from jaxssl.types import Params
from launch.benchmark import torch_reference


class SwAVLoop(torch_reference.SwAVLoop):
    """A SwAV pretraining of one seed."""

    def make_head(self, params: Params, options: SwAVConfig) -> torch_reference.Head:
        """lightly's prototypes and loss, made to compute what jaxssl does.

        lightly scales its prototypes to unit length before a step, outside of the gradient, and
        gives them a bias; here they are of unit length in every forward pass and have none.
        """
        weight = np.asarray(params["prototypes"]["head_0"])
        prototypes = SwaVPrototypes(weight.shape[1], weight.shape[0])
        (layer,) = prototypes.heads
        layer.weight, layer.bias = torch.nn.Parameter(torch.tensor(weight)), None
        parametrize.register_parametrization(layer, "weight", _UnitRows())
        loss = SwaVLoss(options.temperature, options.n_iterations, options.epsilon)
        return prototypes, lambda scores: loss(list(scores), [])


class _UnitRows(torch.nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return functional.normalize(weight)
