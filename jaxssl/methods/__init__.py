"""Pretraining methods by name; a method imports parts, never another method."""

from collections.abc import Callable
from typing import Any

from jaxssl.methods.barlow_twins import barlow_twins
from jaxssl.methods.byol import byol
from jaxssl.methods.deepcluster import deepcluster
from jaxssl.methods.deepcluster_v2 import deepcluster_v2
from jaxssl.methods.denoising import denoising
from jaxssl.methods.interface import Extent, Method
from jaxssl.methods.moco import moco
from jaxssl.methods.scarf import scarf
from jaxssl.methods.simclr import simclr
from jaxssl.methods.swav import swav
from jaxssl.methods.vicreg import vicreg
from jaxssl.methods.vime import vime
from jaxssl.model import Network

METHODS: dict[str, Callable[[Any, Network, Extent], Method]] = {
    "swav": swav,
    "simclr": simclr,
    "moco": moco,
    "byol": byol,
    "deepcluster": deepcluster,
    "deepcluster_v2": deepcluster_v2,
    "scarf": scarf,
    "vime": vime,
    "denoising": denoising,
    "vicreg": vicreg,
    "barlow_twins": barlow_twins,
}
"""Options, encoder and extent to `Method`."""
