"""What each option may be, checked before anything runs."""

from typing import Any

from jaxssl.config import Config
from jaxssl.types import InputError

CHOICES: dict[str, tuple[str, ...]] = {
    "split.protocol": ("grouped", "study"),
    "normalize.input": ("spectral", "genes"),
    "encoder.norm": ("layer", "none"),
    "augment.mask_per": ("batch", "sample"),
    "augment.mask_fill": ("normal", "zero", "mean", "marginal"),
    "method.projection": ("none", "linear", "mlp"),
    "optimizer.name": ("adam", "adamw", "lars"),
    "optimizer.schedule": ("cosine", "constant"),
    "run.precision": ("float32", "bfloat16"),
}

RANGES: dict[str, tuple[float, float]] = {
    "split.validation_share": (0.01, 0.5),
    "split.test_share": (0.01, 0.5),
    "normalize.clip": (0.1, 1e6),
    "normalize.n_components": (0, 1e6),
    "normalize.power": (0.0, 1.0),
    "augment.mask_rate": (0.0, 1.0),
    "augment.extra_mask_rate": (0.0, 1.0),
    "augment.noise": (0.0, 1e3),
    "augment.n_views": (2, 16),
    "method.epsilon": (1e-3, 1e3),
    "method.n_iterations": (1, 100),
    "method.temperature": (1e-3, 1e3),
    "optimizer.learning_rate": (0.0, 10.0),
    "optimizer.warmup_share": (0.0, 0.9),
    "pretrain.batch_size": (2, 1e7),
    "finetune.batch_size": (1, 1e7),
    "run.seeds": (1, 1e5),
}


def get_option(config: Config, name: str) -> Any:
    """Value of a dotted option such as "method.epsilon"; None if this method has no such option."""
    section, option = name.split(".")
    return getattr(getattr(config, section), option, None)


def validate(config: Config) -> None:
    """Check every option by itself.

    Raises:
        InputError: naming the option, its value and what is allowed.
    """
    for name, allowed in CHOICES.items():
        value = get_option(config, name)
        if value is not None and value not in allowed:
            raise InputError(f"--config.{name}={value}: choose one of {', '.join(allowed)}")
    for name, (low, high) in RANGES.items():
        value = get_option(config, name)
        if value is not None and not low <= value <= high:
            raise InputError(f"--config.{name}={value}: must lie in {low:g} .. {high:g}")
    n_layers = len(config.encoder.hidden)
    transfer, freeze = config.finetune.transfer_layers, config.finetune.freeze_layers
    if not 0 <= freeze <= transfer <= n_layers:
        raise InputError(
            f"--config.finetune.freeze_layers={freeze}, transfer_layers={transfer}: "
            f"0 <= freeze <= transfer <= {n_layers} (the encoder's layers) must hold"
        )
    for share in config.sweep.shares:
        if not 0 < share <= 1:
            raise InputError(f"label share {share}: must lie in (0, 1]")
