"""Values of options as a user writes them, and names of what differs by them."""

from collections.abc import Mapping
from typing import Any

from jaxssl.bounds import listed
from jaxssl.config import Config
from jaxssl.types import InputError
from jaxssl.validate import get_option


def read_value(text: Any, default: Any, name: str) -> Any:
    """A value of the type that the option has, of a text or as it is; a number may be a list."""
    if not isinstance(text, str):
        return listed(text) if isinstance(default, tuple) else text
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(default, tuple):
            return tuple(int(part) for part in text.split("-"))
        return type(default)(text)
    except (ValueError, KeyError) as error:
        kinds = {bool: "true or false", tuple: "a list such as 512-256"}
        kind = kinds.get(type(default), "a number")
        raise InputError(f"{name}: {text!r} is not {kind}") from error


def as_text(value: Any) -> str:
    """A value as `check_grid` reads it."""
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return repr(value) if isinstance(value, float) else str(value)


def name_of(values: Mapping[str, Any], config: Config) -> str:
    """The name of the point that differs from `config` by these values.

    The same options have the same name: those that differ from the configuration, by alphabet, such
    as "method.epsilon=0.05 method.n_prototypes=50"; "" where none does.
    """
    changed = {option: v for option, v in values.items() if v != get_option(config, option)}
    return " ".join(f"{option}={as_text(changed[option])}" for option in sorted(changed))


def in_words(values: Mapping[str, Any]) -> str:
    """Options and their values, without the sections: "n prototypes 50, epsilon 0.05"."""
    return ", ".join(
        f"{name.split('.')[-1].replace('_', ' ')} {as_text(value)}"
        for name, value in values.items()
    )
