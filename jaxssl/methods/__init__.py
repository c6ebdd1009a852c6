"""Pretraining methods by name; a method imports parts, never another method."""

from jaxssl.methods.byol import BYOL
from jaxssl.methods.contrastive import SCARF, SIMCLR
from jaxssl.methods.deepcluster import DEEPCLUSTER, DEEPCLUSTER_V2
from jaxssl.methods.interface import Recipe
from jaxssl.methods.moco import MOCO
from jaxssl.methods.reconstruction import DENOISING, VIME
from jaxssl.methods.redundancy import BARLOW_TWINS, VICREG
from jaxssl.methods.swav import SWAV

METHODS: dict[str, Recipe] = {
    recipe.options.name: recipe
    for recipe in (
        SWAV,
        SIMCLR,
        MOCO,
        BYOL,
        DEEPCLUSTER,
        DEEPCLUSTER_V2,
        SCARF,
        VIME,
        DENOISING,
        VICREG,
        BARLOW_TWINS,
    )
}
"""A name → its recipe; the order is that of tables."""
