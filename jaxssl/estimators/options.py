"""The options of an estimator: a configuration, or what differs from the defaults; and its seed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from jaxssl.arguments import read_argument
from jaxssl.config import Config, from_dict, to_dict, with_method, with_options
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.idle import warn_of_idle
from jaxssl.readers import OF_TRAINING, refuse_beside_encoder
from jaxssl.studies.encoders import set_options
from jaxssl.types import FRAMES, InputError
from jaxssl.validate import check_sections, validate


def make_config(method: Any, n_prototypes: Any = None, config: Any = None) -> Config:
    """The options of a pretraining, checked."""
    config = read_argument("config", config, Config | Mapping[str, Any] | None)
    if isinstance(config, Config):
        check_sections(config)
        if config.method.name != method:
            raise InputError(
                f"`method={method}`, but `config` is of the method {config.method.name}",
                "pass that method, or a dict of the options that differ",
            )
        settled = from_dict(to_dict(config))
    else:
        settled = set_options(with_method(Config(), method), config, "encoder")
    if n_prototypes is not None:
        if isinstance(config, Mapping) and "method.n_prototypes" in config:
            raise InputError("`n_prototypes` is in `config` too", "say it once")
        read_argument("n_prototypes", n_prototypes, Sequence[int])
        n_heads = len(getattr(settled.method, "n_prototypes", ()))
        if not n_heads:
            raise InputError(f"{method} has no prototypes", "leave `n_prototypes` out")
        counts = (n_prototypes,) * n_heads if np.ndim(n_prototypes) == 0 else tuple(n_prototypes)
        counts = tuple(int(n) if isinstance(n, np.integer) else n for n in counts)
        settled = with_options(settled, {"method.n_prototypes": counts})
    warn_of_idle(settled)
    validate(settled)
    if settled.normalize.frame == "auto":  # no cohort is held out
        settled = with_options(settled, {"normalize.frame": FRAMES[0]})
    return settled


def tuned_config(given: Any, encoder: EncoderBundle, *, has_encoder: bool) -> Config:
    """The options of an encoder with those of the fine-tuning that a classifier's `config` names.

    Where that `has_encoder`, as it was given one, the others are not for it to set.
    """
    pretrained = encoder.config
    values = read_argument("config", given, Config | Mapping[str, Any] | None) or {}
    if isinstance(values, Config):
        check_sections(values)
        if has_encoder:
            names = (*OF_TRAINING, "run.root_key", "run.precision")
            n_train = encoder.provenance.get("n_train", 1)
            refuse_beside_encoder(values, pretrained, n_train, names=names)
        config = replace(pretrained, finetune=values.finetune)
    else:
        other = [name for name in values if not str(name).startswith("finetune.")]
        if other and has_encoder:
            fix = "give it to the `SSLEncoder`"
            raise InputError(f"`{other[0]}` is an option of the encoder", fix)
        tuned = {name: values[name] for name in values if name not in other}
        config = set_options(pretrained, tuned, "classifier")
    validate(config)
    return config


def seed_of(random_state: Any) -> int:
    """Seed id of an int, of None (a random one), or of a NumPy RandomState."""
    if isinstance(random_state, bool | np.bool_ | str | float):
        raise InputError(f"`random_state={random_state}` is no whole number", "pass one, or None")
    if not isinstance(random_state, int | np.integer):
        try:
            return int(check_random_state(random_state).randint(2**31 - 1))
        except ValueError as error:
            raise InputError(
                f"`random_state` is of type {type(random_state).__name__}",
                "pass a whole number, None, or a NumPy RandomState",
            ) from error
    if not 0 <= random_state < 2**31:
        raise InputError(f"`random_state={random_state}` is out of range", "choose 0 .. 2**31 - 1")
    return int(random_state)


def check_use(config: Config, cohorts: np.ndarray | None, *, is_joined: bool) -> None:
    """Refuse cohorts that a pretraining would not read, and one by cohort without them."""
    by_cohort = config.pretrain.batches == "by_cohort"
    if by_cohort and cohorts is None and not is_joined:
        raise InputError(
            "`pretrain.batches=by_cohort`, but no sample's cohort is known",
            "pass `cohorts` or `unlabelled` to `fit`, or `pretrain.batches=mixed`",
        )
    if cohorts is not None and not (by_cohort or config.normalize.frame.endswith("cohort")):
        raise InputError(
            "`cohorts` is not read by a pretraining on mixed batches in the frame "
            f"{config.normalize.frame}",
            "drop it, or pass `normalize.frame=cohort` or `pretrain.batches=by_cohort`",
        )
