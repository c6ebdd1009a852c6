"""What each option may be, checked before anything runs."""

from typing import Any

from jaxssl.config import LEAKS, Config
from jaxssl.types import InputError

CHOICES: dict[str, tuple[str, ...]] = {
    "split.protocol": ("grouped", "stratified", "leave_batch_out"),
    "normalize.input": ("spectral", "genes"),
    "encoder.norm": ("layer", "none"),
    "augment.mask_per": ("batch", "sample"),
    "augment.mask_fill": ("normal", "zero", "mean", "marginal"),
    "method.projection": ("none", "linear", "mlp"),
    "method.projection_norm": ("layer", "none"),
    "method.predictor": ("none", "linear", "mlp"),
    "method.target": ("all", "changed"),
    "selftrain.student": ("pretrained", "random"),
    "optimizer.name": ("adam", "adamw", "lars"),
    "optimizer.schedule": ("cosine", "constant"),
    "run.precision": ("float32", "bfloat16"),
}

RANGES: dict[str, tuple[float, float]] = {
    "split.validation_share": (0.01, 0.5),
    "split.test_share": (0.01, 0.5),
    "split.n_splits": (0, 1e4),
    "normalize.clip": (0.1, 1e6),
    "normalize.max_genes": (0, 1e7),
    "normalize.n_components": (0, 1e6),
    "normalize.power": (0.0, 1.0),
    "augment.mask_rate": (0.0, 1.0),
    "augment.extra_mask_rate": (0.0, 1.0),
    "augment.noise": (0.0, 1e3),
    "augment.n_views": (1, 16),
    "augment.latent_radius": (0.0, 1e3),
    "augment.latent_dim": (1, 1e5),
    "augment.autoencoder_steps": (1, 1e7),
    "method.epsilon": (1e-3, 1e3),
    "method.n_iterations": (1, 100),
    "method.temperature": (1e-3, 1e3),
    "method.momentum": (0.0, 1.0),
    "method.projection_hidden": (1, 1e5),
    "method.projection_dim": (1, 1e5),
    "method.predictor_hidden": (1, 1e5),
    "method.decoder_hidden": (0, 1e5),
    "method.alpha": (0.0, 1e6),
    "method.invariance": (0.0, 1e6),
    "method.variance": (0.0, 1e6),
    "method.covariance": (0.0, 1e6),
    "method.redundancy": (0.0, 1e6),
    "optimizer.learning_rate": (0.0, 10.0),
    "optimizer.warmup_share": (0.0, 0.9),
    "pretrain.batch_size": (2, 1e7),
    "finetune.batch_size": (1, 1e7),
    "finetune.probe_steps": (0, 1e7),
    "finetune.n_steps": (0, 1e7),
    "finetune.scratch_steps": (0, 1e7),
    "selftrain.temperature": (1e-2, 1e3),
    "selftrain.labelled_weight": (0.0, 1.0),
    "selftrain.n_steps": (1, 1e7),
    "selftrain.learning_rate": (0.0, 10.0),
    "pretrain.n_steps": (0, 1e9),
    "pretrain.checkpoint_every": (0, 1e9),
    "method.queue_length": (0, 1e7),
    "method.cluster_every": (1, 1e9),
    "method.queue_start": (0, 1e9),
    "method.freeze_steps": (0, 1e9),
    "run.seeds": (1, 1e5),
    "run.chunk": (0, 1e5),
    "run.memory_gb": (0, 1e6),
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
    _check_lists(config)
    if config.augment.n_views < config.method.MIN_VIEWS:
        raise InputError(
            f"--config.augment.n_views={config.augment.n_views}: {config.method.name} compares "
            f"{config.method.MIN_VIEWS} views of a profile"
        )
    own = type(config.method).name
    if config.method.name != own:
        raise InputError(
            f"--config.method.name={config.method.name}: the options are those of {own}; pass "
            f"--config=configs/{config.method.name}.py"
        )
    views = ("noise", "mask_rate", "latent_radius")
    config.method.check_views([name for name in views if get_option(config, f"augment.{name}")])
    held_out = config.split.validation_share + config.split.test_share
    if held_out >= 1:
        raise InputError(
            f"--config.split.validation_share and test_share add up to {held_out:g} and leave "
            "nothing to train on; lower one"
        )
    n_layers = len(config.encoder.hidden)
    transfer, freeze = config.finetune.transfer_layers, config.finetune.freeze_layers
    if not 0 <= freeze <= transfer <= n_layers:
        raise InputError(
            f"--config.finetune.freeze_layers={freeze}, transfer_layers={transfer}: "
            f"0 <= freeze <= transfer <= {n_layers} (the encoder's layers) must hold"
        )


def _check_lists(config: Config) -> None:
    for name, allowed in (("encoder.hidden", "1"), ("method.n_prototypes", "2, or 0")):
        counts = get_option(config, name)
        least, zero = int(allowed[0]), allowed.endswith("0")
        if counts is None:
            continue
        if not counts or any(
            not isinstance(n, int) or (n < least and not (zero and n == 0)) for n in counts
        ):
            raise InputError(f"--config.{name}={counts}: whole numbers of at least {allowed}")
    for kind in config.split.allow_leaks:
        if kind not in LEAKS:
            raise InputError(f"--allow_leaks={kind}: choose among {', '.join(LEAKS)}")
    for name in ("sweep.shares", "sweep.arms"):
        values = get_option(config, name)
        if not values or len(set(values)) < len(values):
            raise InputError(f"--config.{name}={values}: one or more, none of them twice")
    for share in config.sweep.shares:
        if not 0 < share <= 1:
            hint = f"; {share:g} % is {share / 100:g}" if 1 < share <= 100 else ""
            raise InputError(f"--shares={share:g}: a label share lies in (0, 1]{hint}")
