"""How an option is declared: its type, its default and, beside them, what it may be."""

import dataclasses
import difflib
from collections.abc import Iterable, Set
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

import numpy as np

from jaxssl.types import InputError

KINDS: dict[type, Any] = {int: Integral, float: Real, tuple: (tuple, list)}
"""Type of an option → types of its values; where there is none, the type itself."""

T = TypeVar("T")


class Range(NamedTuple):
    """The smallest and the largest value of a number."""

    low: float
    high: float
    is_open: bool = False  # whether the smallest itself is too small

    def sentence(self, value: Any) -> str:
        """Where a number lies, unlike this one."""
        low, high = f"{self.low:,.10g}", f"{self.high:,.10g}"
        if not self.is_open:
            return f"in {low} .. {high}"
        percent = f"; {value:g} % is {value / 100:g}" if 1 < value <= 100 else ""
        return f"that lies in ({low}, {high}]{percent}"


Share = Annotated[float, Range(0, 1)]
LabelShare = Annotated[float, Range(0, 1, is_open=True)]
Coverage = Annotated[float, Range(0, 0.999, is_open=True)]
Weight = Annotated[float, Range(0, 1e6)]
Temperature = Annotated[float, Range(1e-3, 1e3)]
LearningRate = Annotated[float, Range(0, 10)]
Positive = Annotated[int, Range(1, 1e7)]
Count = Annotated[int, Range(0, 1e9)]
Seed = Annotated[int, Range(0, 2**31 - 1)]


@dataclass_transform(eq_default=False)  # which alone tells a type checker of the hash
def optionclass(cls: type[T]) -> type[T]:
    """Make a dataclass of options, whose fields have the plain types that flags can parse."""
    # hashed by its values: compiled programs are kept by their options
    made = dataclasses.dataclass(unsafe_hash=True)(cls)
    for field in dataclasses.fields(made):  # pyright: ignore[reportArgumentType]
        field.type = _plain(field.type)
    made.__setattr__ = _set_known  # pyright: ignore[reportAttributeAccessIssue]
    return made


def _set_known(self: Any, name: str, value: Any) -> None:
    """Set an option; a misspelt one would be ignored."""
    known = [field.name for field in dataclasses.fields(self)]
    if name not in known:
        hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
        raise InputError(f"{type(self).__name__} has no option {name!r}", hint)
    object.__setattr__(self, name, value)


def did_you_mean(name: str, known: Iterable[str], n: int = 1) -> str:
    """The names that are nearest to an unknown one, as a question; "" where none is near."""
    near = difflib.get_close_matches(name, list(known), n=n)
    return f"did you mean {' or '.join(near)}?" if near else ""


def _plain(declared: Any) -> Any:
    if get_origin(declared) is Annotated:
        return get_args(declared)[0]
    return type(get_args(declared)[0]) if get_origin(declared) is Literal else declared


def check_section(name: str, options: Any) -> None:
    """Compare every option of a section with its declaration."""
    for option, declared in get_type_hints(type(options), include_extras=True).items():
        if option in vars(options):
            check_value(f"{name}.{option}", getattr(options, option), declared)


def check_value(name: str, value: Any, declared: Any) -> None:
    """Compare the value of an option, or of a keyword, with its declaration."""
    _check(f"`{name}={value}`", value, declared)


def _check(shown: str, value: Any, declared: Any) -> None:
    if get_origin(declared) is Literal:
        if not any(value == choice for choice in get_args(declared)):
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
        too_low = value <= bounds.low if bounds.is_open else value < bounds.low
        if too_low or not value <= bounds.high:  # nan is neither
            fix = f"choose a number {bounds.sentence(value)}"
            raise InputError(f"{shown} is out of its range", fix)


def count_of(name: str, value: Any) -> int:
    """A whole number that a caller gives for an option."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(f"`{name}={value}` is no whole number")
    check_value(name, value, Count)
    return int(value)


def share_of(value: Any) -> float:
    """A label share, which may be a text."""
    try:
        share = float("" if isinstance(value, bool) else value)
    except (TypeError, ValueError) as error:
        raise InputError(f"`shares={value}` is no number") from error
    check_value("shares", share, LabelShare)
    return share


def listed(values: Any, name: str = "grid") -> tuple:
    """Several values, or one, as a tuple; a set in a settled order."""
    values = scalar(values)
    if isinstance(values, str | Real):
        return (values,)
    if not isinstance(values, Iterable):
        raise InputError(f"`{name}={values}` is no list", "pass one, such as [0.1, 1.0]")
    if isinstance(values, Set):
        values = sorted(values, key=str)
    return tuple(scalar(value) for value in values)


def scalar(value: Any) -> Any:
    """A number of NumPy as Python has it, float32 by the digits that it shows; others as is."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.floating) and not isinstance(value, float):
        return float(str(value))
    return value.item() if isinstance(value, np.generic) else value
