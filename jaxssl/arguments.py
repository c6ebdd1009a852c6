"""What a caller passes, held against the annotations of the function that takes it.

Python checks no types, and a wrong one ends deep inside in words that say nothing of the call.
"""

import functools
import inspect
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    ParamSpec,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from jaxssl.bounds import check_value, did_you_mean, listed, scalar
from jaxssl.types import ROLES, InputError

P = ParamSpec("P")
T = TypeVar("T")
WORDS = {
    "str": "text",
    "bool": "True or False",
    "int": "a whole number",
    "float": "a number",
    "Path": "a path",
    "Callable": "a function",
    "Mapping": "a dict with text as keys",
    "AnnData": "AnnData (`read()` makes one of a file)",
    "EncoderBundle": "an EncoderBundle (of an estimator, its bundle_)",
    "EnsembleBundle": "an EnsembleBundle",
    "Config": "a jaxssl.Config",
}
"""Types as a caller would call them, by name; the others are called by it."""


NAMED = {
    **{role: f"data.{role}" for role in ROLES},
    **{name: f"finetune.{name}" for name in ("transfer_layers", "freeze_layers")},
    **{"data": "data.path", "arms": "sweep.arms", "shares": "sweep.shares", "seeds": "run.seeds"},
    **{"splits": "split.n_splits", "allow_leaks": "split.allow_leaks"},
    **{"unlabelled": "data.unlabelled", "frames": "sweep.frames"},
}
"""Word → the option that it sets."""


class _Other(Exception):
    """A value is not of a type."""


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """A function whose arguments are compared with its annotations, and read as they say.

    None is not said where there is a default; NumPy's numbers and one value for several are fine.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        given = signature.bind(*args, **kwargs)
        hints = _hints(function)
        for name, value in [*given.arguments.items()]:
            option = signature.parameters[name]
            if value is None and option.default is not option.empty:
                del given.arguments[name]
            elif name in hints and option.kind is not option.VAR_KEYWORD:
                given.arguments[name] = read_argument(name, value, hints[name])
        return cast(Callable[..., T], function)(*given.args, **given.kwargs)

    return call


@functools.cache
def _hints(function: Callable) -> dict[str, Any]:
    return get_type_hints(function, include_extras=True)


def read_argument(name: str, value: Any, declared: Any) -> Any:
    """A value as the declared type has it; InputError for one of another type or out of range."""
    try:
        found = _read(value, declared)
    except _Other as error:
        value = error.args[0] if error.args else value
        given = f"={value}" if isinstance(value, str | int | float | None) else ""
        wanted = " or ".join(dict.fromkeys(_in_words(declared)))
        state = "says nothing" if value is None else f"is of type {type(value).__name__}"
        found = f"`{name}{given}` {state}"
        raise InputError(found, f"pass {wanted}") from error
    if get_origin(declared) in (Annotated, Literal):
        check_value(name, found, declared)
    return found


def _read(value: Any, declared: Any) -> Any:
    """A value as one of the types of an annotation."""
    value, origin, inner = scalar(value), get_origin(declared), get_args(declared)
    if declared is Any:
        return value
    if origin is Annotated:
        return _read(value, inner[0])
    if origin in (Union, types.UnionType):
        for one in inner:
            try:
                return _read(value, one)
            except _Other:
                continue
        raise _Other
    if origin is Literal:
        return _read_one(value, type(inner[0]))
    kind = origin or declared
    if kind is Sequence:
        if isinstance(value, Mapping | bytes):
            raise _Other
        items = listed(value, "") if isinstance(value, str | Real | Iterable) else (value,)
        return tuple(_read_item(item, inner[0]) for item in items)
    if kind is Mapping and isinstance(value, Mapping):
        key, item = inner
        return {_read(name, key): _read(of_name, item) for name, of_name in value.items()}
    return _read_one(value, kind)


def _read_item(value: Any, declared: Any) -> Any:
    """A value of a list, by which the list is refused."""
    try:
        return _read(value, declared)
    except _Other as error:
        raise _Other(*(error.args or (value,))) from error


def _read_one(value: Any, kind: Any) -> Any:
    """A value of a plain type."""
    if kind is Callable:
        fits = callable(value)
    elif kind is float and isinstance(value, str):
        try:
            return float(value)
        except ValueError as error:
            raise _Other from error
    else:
        kinds = {int: Integral, float: Real, Path: PathLike}
        fits = isinstance(value, kinds.get(kind, kind))
        fits = fits and isinstance(value, bool) == (kind is bool)
    if not fits:
        raise _Other
    return float(value) if kind is float else value


def _in_words(declared: Any) -> list[str]:
    """The types of an annotation, for people; None is what nobody needs to pass."""
    origin, inner = get_origin(declared), get_args(declared)
    if origin in (Union, types.UnionType):
        return [word for one in inner if one is not types.NoneType for word in _in_words(one)]
    if origin is Annotated:
        return _in_words(inner[0])
    if origin is Literal:
        return [str(choice) for choice in inner]
    if origin is Sequence:
        return [f"{' or '.join(_in_words(inner[0]))} (one, or a list of them)"]
    name = (origin or declared).__name__
    return [WORDS.get(str(name), str(name))]


def choose(value: Any, known: Iterable[Any], how: str = "choose one of") -> str:
    """What to do about an unknown name: the known ones, and which of them may be meant."""
    names = [str(name) for name in known]
    meant = did_you_mean(value, names) if isinstance(value, str) else ""
    fix = f"{how} {', '.join(names)}"
    return f"{fix}; {meant}" if meant else fix


def refuse_twice(said: Iterable[str], words: Mapping[str, Any]) -> None:
    """Refuse an option that is said by name and by its word, of which one would be left unread."""
    for word, name in NAMED.items():
        if words.get(word) and name in said:
            raise InputError(f"`{word}` and `{name}` are both given", "drop one")
