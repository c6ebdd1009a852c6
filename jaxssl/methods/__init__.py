"""Pretraining methods by name; a method imports parts, never another method."""

from jaxssl.methods import (
    barlow_twins,
    byol,
    deepcluster,
    deepcluster_v2,
    denoising,
    moco,
    scarf,
    simclr,
    swav,
    vicreg,
    vime,
)
from jaxssl.methods.interface import Recipe

METHODS: dict[str, Recipe] = {
    "swav": swav.RECIPE,
    "simclr": simclr.RECIPE,
    "moco": moco.RECIPE,
    "byol": byol.RECIPE,
    "deepcluster": deepcluster.RECIPE,
    "deepcluster_v2": deepcluster_v2.RECIPE,
    "scarf": scarf.RECIPE,
    "vime": vime.RECIPE,
    "denoising": denoising.RECIPE,
    "vicreg": vicreg.RECIPE,
    "barlow_twins": barlow_twins.RECIPE,
}
"""A name → its recipe; the order is that of tables."""
