"""What the parameters of an estimator stand for."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from jaxssl.config import Config, from_dict, to_dict, with_method, with_options
from jaxssl.types import InputError
from jaxssl.validate import get_option, validate


def make_config(
    method: str, n_prototypes: Any = None, config: Config | Mapping[str, Any] | None = None
) -> Config:
    """The options of a pretraining, checked."""
    if isinstance(config, Config):
        if config.method.name != method:
            raise InputError(
                f"`method={method}`, but `config` is of the method {config.method.name}",
                "pass that method, or a dict of the options that differ",
            )
        settled = from_dict(to_dict(config))
    else:
        settled = set_options(with_method(Config(), method), config or {})
    if n_prototypes is not None:
        n_heads = len(getattr(settled.method, "n_prototypes", ()))
        if not n_heads:
            raise InputError(f"{method} has no prototypes", "leave `n_prototypes` out")
        counts = np.resize(n_prototypes, n_heads) if np.ndim(n_prototypes) == 0 else n_prototypes
        settled = with_options(settled, {"method.n_prototypes": tuple(map(int, counts))})
    validate(settled)
    return settled


def set_options(config: Config, values: Mapping[str, Any]) -> Config:
    """A copy with dotted options, such as "pretrain.n_steps", set."""
    sections = [field.name for field in dataclasses.fields(config)]
    for name in values:
        section, _, option = name.partition(".")
        if section not in sections or "." in option or get_option(config, name) is None:
            raise InputError(
                f"there is no option {name!r} for {config.method.name}", "see `jaxssl.Config`"
            )
    return with_options(config, values)


def seed_of(random_state: Any) -> int:
    """Seed id of an int, of None (a random one), or of a NumPy RandomState."""
    if not isinstance(random_state, int | np.integer):
        return int(check_random_state(random_state).randint(2**31 - 1))
    if not 0 <= random_state < 2**31:
        raise InputError(f"`random_state={random_state}` is out of range", "choose 0 .. 2**31 - 1")
    return int(random_state)
