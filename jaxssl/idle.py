"""Which options do nothing without another, and where that one is off."""

import warnings
from collections.abc import Callable
from typing import Any

from jaxssl.config import Config, frame_of, to_dict, with_method

SPECTRAL = ("`normalize.input=spectral`", lambda c: c.normalize.input != "genes")
BY_COHORT = ("`pretrain.batches=by_cohort`", lambda c: c.pretrain.batches == "by_cohort")
NEEDS: dict[str, tuple[str, Callable[[Config], Any]]] = {
    "normalize.n_components": SPECTRAL,
    "normalize.power": SPECTRAL,
    "normalize.scaling": ("`normalize.frame=training`", lambda c: "cohort" not in frame_of(c)),
    "augment.mask_per": ("`augment.mask_rate`", lambda c: _masks(c)),
    "augment.mask_fill": ("`augment.mask_rate`", lambda c: _masks(c)),
    "augment.extra_mask_rate": ("`augment.n_views=3`", lambda c: c.augment.n_views > 2),
    "augment.latent_dim": ("`augment.latent_radius`", lambda c: c.augment.latent_radius),
    "augment.autoencoder_steps": ("`augment.latent_radius`", lambda c: c.augment.latent_radius),
    "augment.n_neighbours": ("`augment.neighbour_share`", lambda c: c.augment.neighbour_share),
    "optimizer.weight_decay": ("`optimizer.name=adamw`", lambda c: c.optimizer.name != "adam"),
    "method.projection_hidden": ("`method.projection=mlp`", lambda c: _is_mlp(c, "projection")),
    "method.projection_norm": ("`method.projection=mlp`", lambda c: _is_mlp(c, "projection")),
    "method.projection_dim": (
        "`method.projection=linear`",
        lambda c: vars(c.method).get("projection") != "none",
    ),
    "method.predictor_hidden": ("`method.predictor=mlp`", lambda c: _is_mlp(c, "predictor")),
    "method.cohort_balance": BY_COHORT,
    "pretrain.cohort_draw": BY_COHORT,
    "method.queue_start": ("`method.queue_length`", lambda c: vars(c.method).get("queue_length")),
    "split.test_share": ("`split.protocol=grouped`", lambda c: "batch" not in c.split.protocol),
    "finetune.learning_rate": ("`finetune.n_steps`", lambda c: c.finetune.n_steps),
    "finetune.freeze_layers": ("`finetune.n_steps`", lambda c: c.finetune.n_steps),
    "finetune.schedule": (
        "`finetune.n_steps`",
        lambda c: c.finetune.n_steps or c.finetune.scratch_steps,
    ),
    "finetune.probe_learning_rate": ("`finetune.probe_steps`", lambda c: c.finetune.probe_steps),
    "finetune.probe_decay": ("`finetune.probe_steps`", lambda c: c.finetune.probe_steps),
}
"""Option → the one without which it does nothing, and whether a configuration has that."""


def _masks(config: Config) -> bool:
    views = config.augment
    return bool(views.mask_rate or (views.n_views > 2 and views.extra_mask_rate))


def _is_mlp(config: Config, head: str) -> bool:
    return vars(config.method).get(head) == "mlp"


def idle(name: str, config: Config) -> str:
    """What an option lacks to do anything in a configuration; "" where it does something."""
    lacks, has = NEEDS.get(name, ("", lambda _: True))
    return "" if has(config) else lacks


def warn_of_idle(config: Config) -> None:
    """Warn of options that are not at their defaults and do nothing beside the others."""
    ours, asked = to_dict(with_method(Config(), config.method.name)), to_dict(config)
    for name in NEEDS:
        section, option = name.split(".")
        value = asked[section].get(option)
        if value != ours[section].get(option) and idle(name, config):
            found = f"`{name}={value}` does nothing without {idle(name, config)}"
            warnings.warn(found, stacklevel=4)
