"""What each option may be, checked before anything runs."""

from typing import Any

from jaxssl.bounds import check_section
from jaxssl.config import LEAKS, Config
from jaxssl.types import InputError


def get_option(config: Config, name: str) -> Any:
    """Value of a dotted option such as "method.epsilon"; None if this method has no such option."""
    section, option = name.split(".")
    return vars(getattr(config, section)).get(option)


def validate(config: Config) -> None:
    """Check every option by itself, then those that depend on each other."""
    for name, section in vars(config).items():
        check_section(name, section)
    _check_lists(config)
    split, layers, method, augment = config.split, config.finetune, config.method, config.augment
    if augment.n_views < method.MIN_VIEWS:
        raise InputError(
            f"`augment.n_views={augment.n_views}`: {method.name} compares "
            f"{method.MIN_VIEWS} views of a profile"
        )
    method.check_views(augment.changes())
    held_out = split.validation_share + split.test_share
    if held_out >= 1:
        raise InputError(
            f"`split.validation_share` and `split.test_share` add up to {held_out:g} and leave "
            "nothing to train on",
            "lower one",
        )
    n_layers = len(config.encoder.hidden)
    if not 0 <= layers.freeze_layers <= layers.transfer_layers <= n_layers:
        raise InputError(
            f"`finetune.freeze_layers={layers.freeze_layers}` and "
            f"`finetune.transfer_layers={layers.transfer_layers}` do not fit",
            f"0 <= freeze <= transfer <= {n_layers} (the encoder's layers) must hold",
        )


def _check_lists(config: Config) -> None:
    for name in ("encoder.hidden", "method.n_prototypes", "sweep.shares", "sweep.arms"):
        values = get_option(config, name)
        if values is not None and not len(values):
            raise InputError(f"`{name}` is empty", "pass one or more")
    for name in ("sweep.shares", "sweep.arms"):
        values = get_option(config, name)
        if len(set(values)) < len(values):
            raise InputError(f"`{name}={values}` holds one twice", "drop it")
    counts = get_option(config, "method.n_prototypes") or ()
    if any(n < 0 or n == 1 for n in counts):
        raise InputError(
            f"`method.n_prototypes={counts}` is out of its range",
            "pass whole numbers of at least 2, or 0 to leave them to the data",
        )
    for kind in config.split.allow_leaks:
        if kind not in LEAKS:
            raise InputError(f"`allow_leaks={kind}` is unknown", f"choose among {', '.join(LEAKS)}")
    for share in config.sweep.shares:
        if not 0 < share <= 1:
            hint = f"{share:g} % is {share / 100:g}" if 1 < share <= 100 else ""
            raise InputError(f"`shares={share:g}`: a label share lies in (0, 1]", hint)
