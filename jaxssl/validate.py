"""What each option may be, checked before anything runs."""

from typing import Any

from jaxssl.arguments import choose
from jaxssl.bounds import check_section
from jaxssl.config import Config
from jaxssl.methods.interface import MethodConfig
from jaxssl.types import FRAMES, LEAKS, InputError


def get_option(config: Config, name: str) -> Any:
    """Value of a dotted option such as "method.epsilon"; None if this method has no such option."""
    section, option = name.split(".")
    return vars(getattr(config, section)).get(option)


def validate(config: Config) -> None:
    """Check every option by itself, then those that depend on each other."""
    check_sections(config)
    _check_lists(config)
    split, layers, method, augment = config.split, config.finetune, config.method, config.augment
    if augment.n_views < method.MIN_VIEWS:
        raise InputError(
            f"`augment.n_views={augment.n_views}`: {method.name} compares "
            f"{method.MIN_VIEWS} views of a profile"
        )
    method.check_views(augment.changes())
    if config.pretrain.batches == "by_cohort":
        method.check_cohorts()
    held_out = split.validation_share + split.test_share
    if held_out >= 1:
        raise InputError(
            f"`split.validation_share` and `split.test_share` add up to {held_out:g} and leave "
            "nothing to train on",
            "lower one",
        )
    n_layers = len(config.encoder.hidden)
    frozen, transferred = layers.freeze_layers, layers.transfer_layers
    if transferred > n_layers:
        raise InputError(
            f"`finetune.transfer_layers={transferred}` is above the encoder's {n_layers}",
            f"pass `finetune.transfer_layers={n_layers}`",
        )
    if frozen > transferred:
        raise InputError(
            f"`finetune.freeze_layers={frozen}` is above `finetune.transfer_layers={transferred}`",
            "lower it",
        )


def check_sections(config: Any) -> None:
    """Check every section and every option by itself."""
    if not isinstance(config, Config):
        raise InputError(f"`config` is of type {type(config).__name__}", "pass a jaxssl.Config")
    for name, default in vars(Config()).items():
        kind = MethodConfig if name == "method" else type(default)
        found = getattr(config, name)
        if not isinstance(found, kind):
            finding = f"`config.{name}` is of type {type(found).__name__}"
            raise InputError(finding, f"pass a {kind.__name__}")
        check_section(name, found)


def _check_lists(config: Config) -> None:
    for name in ("encoder.hidden", "method.n_prototypes", "sweep.shares", "sweep.arms"):
        values = get_option(config, name)
        if values is not None and not len(values):
            raise InputError(f"`{name}` is empty", "pass one or more")
    for name in ("sweep.shares", "sweep.arms", "sweep.reference_arms", "sweep.frames"):
        values = get_option(config, name)
        if len(set(values)) < len(values):
            raise InputError(f"`{name}={values}` holds one twice", "drop it")
    counts = get_option(config, "method.n_prototypes") or ()
    if any(n == 1 for n in counts):
        raise InputError(
            f"`method.n_prototypes={counts}` is out of its range",
            "pass whole numbers of at least 2, or 0 to leave them to the data",
        )
    for frame in config.sweep.frames:
        if frame not in FRAMES:
            raise InputError(f"`frames={frame}` is unknown", choose(frame, FRAMES, "choose among"))
    for kind in config.split.allow_leaks:
        if kind not in LEAKS:
            raise InputError(
                f"`allow_leaks={kind}` is unknown", choose(kind, LEAKS, "choose among")
            )
