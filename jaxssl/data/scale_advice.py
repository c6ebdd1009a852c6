"""Which scales values exclude, and what to do where they leave several."""

import warnings

from jaxssl.data.extent import LEAST_LINEAR, Range
from jaxssl.types import InputError

LOG2, LOG_RATIO = "log2", "log_ratio"
_LEAST_INTENSITY = 1000  # that the largest of a sample reaches
_BACKGROUND = 0.1  # of the largest intensity: how far below 0 others lie less their background


def how_to_tell(values: Range, *, are_cycles: bool, is_lifted: bool) -> str:
    """What to do where the scale cannot be told: no scale that the values exclude is named."""
    if values.apart:
        is_linear = ", or pass `scale=linear` if none is a logarithm"
        return values.apart.fix + (is_linear if values.lowest >= 0 else "")
    if values.highest > LEAST_LINEAR:
        is_negative, linear = values.lowest < 0, "pass `scale=linear` or counts"
        return _how_to_lift(values, is_lifted=is_lifted) if is_negative else linear
    if are_cycles:
        return "write them as 40 - Ct, or -dCt, and pass `scale=log2`"
    if values.lowest >= 0:
        return "pass `scale=counts`, linear or log2"
    return "pass `scale=log_ratio`, or `scale=log2` if they are logarithms relative to nothing"


def is_less_background(values: Range) -> bool:
    """Whether values may be intensities less their background: some are a little below 0.

    >>> [is_less_background(Range(low, 20000.0, False)) for low in (-80.5, -15000.0, 0.5)]
    [True, False, False]
    """
    low, high = values.lowest, values.highest
    return high > _LEAST_INTENSITY and 0 < -low < _BACKGROUND * high and not values.apart


def _how_to_lift(values: Range, *, is_lifted: bool) -> str:
    """What to do about values below 0 beside large ones."""
    if not is_less_background(values):
        return "correct the values"
    if not is_lifted:
        return "set values below 0 to 0 if a background was subtracted"
    return "pass `scale=linear` if a background was subtracted: values below 0 become 0"


def require_consistent(
    wanted: str, found: str, reason: str, values: Range, *, is_lifted: bool
) -> None:
    """Refuse a scale that the values exclude; warn of one that they hardly are of."""
    said = f"`scale={wanted}` contradicts the data ({reason}"
    is_large, lift = values.highest > LEAST_LINEAR, _how_to_lift(values, is_lifted=is_lifted)
    if values.apart and (wanted in (LOG2, LOG_RATIO) or values.lowest < 0):
        raise InputError(f"{said})", values.apart.fix)
    if wanted in (LOG2, LOG_RATIO) and is_large:
        raise InputError(f"{said})", f"pass `scale={found}`" if found else lift)
    if wanted == LOG_RATIO and values.lowest >= 0:
        raise InputError(f"{said}: none negative)", f"pass `scale={found or LOG2}`")
    if wanted == "linear" and is_lifted and is_less_background(values):
        return
    if wanted in ("counts", "linear") and values.lowest < 0:
        raise InputError(f"{said})", lift if is_large else "pass `scale=log2`")
    if wanted == "counts" and found == LOG2:
        raise InputError(
            f"{said}, not integers: as logarithms are)", "pass `scale=log2`, or linear"
        )
    if wanted == "linear" and found == LOG2:
        warnings.warn(
            f"`scale=linear`: {reason} look like logarithms, of which another would be taken; if "
            "they are, pass `scale=log2`",
            stacklevel=4,
        )
