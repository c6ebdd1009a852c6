"""How an option is declared: its type, its default and, beside them, what it may be."""

import dataclasses
from numbers import Integral, Real
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from jaxssl.types import InputError

KINDS: dict[type, Any] = {int: Integral, float: Real, tuple: (tuple, list)}
"""Type of an option → types of its values; where there is none, the type itself."""

T = TypeVar("T")


class Range(NamedTuple):
    """The smallest and the largest value of a number."""

    low: float
    high: float


Share = Annotated[float, Range(0, 1)]
Weight = Annotated[float, Range(0, 1e6)]
Temperature = Annotated[float, Range(1e-3, 1e3)]
LearningRate = Annotated[float, Range(0, 10)]
Positive = Annotated[int, Range(1, 1e7)]
Count = Annotated[int, Range(0, 1e9)]


@dataclass_transform(eq_default=False)  # which alone tells a type checker of the hash
def optionclass(cls: type[T]) -> type[T]:
    """Make a dataclass of options, whose fields have the plain types that flags can parse."""
    # hashed by its values: compiled programs are kept by their options
    made = dataclasses.dataclass(unsafe_hash=True)(cls)
    for field in dataclasses.fields(made):  # pyright: ignore[reportArgumentType]
        field.type = _plain(field.type)
    return made


def _plain(declared: Any) -> Any:
    if get_origin(declared) is Annotated:
        return get_args(declared)[0]
    return type(get_args(declared)[0]) if get_origin(declared) is Literal else declared


def check_section(name: str, options: Any) -> None:
    """Compare every option of a section with its declaration."""
    for option, declared in get_type_hints(type(options), include_extras=True).items():
        if option in vars(options):
            value = getattr(options, option)
            _check(f"`{name}.{option}={value}`", value, declared)


def _check(shown: str, value: Any, declared: Any) -> None:
    if get_origin(declared) is Literal:
        if value not in get_args(declared):
            choices = ", ".join(map(str, get_args(declared)))
            raise InputError(f"{shown} is unknown", f"choose one of {choices}")
        return
    plain = _plain(declared)
    kind = get_origin(plain) or plain
    if not isinstance(value, KINDS.get(kind, kind)) or isinstance(value, bool) != (kind is bool):
        raise InputError(f"{shown} is of another type", f"pass {kind.__name__}")
    if kind is tuple:
        for item in value:
            _check(shown, item, get_args(plain)[0])
    for bounds in get_args(declared)[1:] if get_origin(declared) is Annotated else ():
        if not bounds.low <= value <= bounds.high:
            low, high = f"{bounds.low:,.10g}", f"{bounds.high:,.10g}"
            raise InputError(f"{shown} is out of its range", f"choose a number in {low} .. {high}")
