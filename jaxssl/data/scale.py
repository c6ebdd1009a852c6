"""The scale of expression values: guessed for the reader, never changed."""

import numpy as np
from jaxtyping import Float32

from jaxssl.types import InputError

SCALES = ("counts", "linear", "log2")
_TOIL_ZERO = float(np.log2(0.001))  # -9.966: a TPM of 0 in UCSC Xena's log2(TPM + 0.001)
_BLOCK = 1 << 22  # values looked at together


def guess_scale(x: Float32[np.ndarray, "samples genes"]) -> tuple[str, str]:
    """Guess the scale and give the reason; a scale of "" means that the values do not tell.

    A logarithm to base 2 of a count or an intensity stays below 25 (3e7), a linear value of a
    whole profile passes 50; a base other than 2 is not told apart and needs not be.
    """
    low, high = float(np.nanmin(x)), float(np.nanmax(x))
    span = f"values from {low:.4g} to {high:.4g}"
    if low >= 0 and high > 50:
        if _is_integer(x):
            return "counts", f"{span}, all integers"
        return "linear", f"{span}: too large for a logarithm"
    if low < 0 and high > 50:
        return "", f"{span}: too large for a logarithm, negative for a count"
    if abs(low - _TOIL_ZERO) < 0.01:
        return "log2", f"{span}: the minimum is log2(0 + 0.001)"
    if low < -0.5 * high:
        return "", f"{span}: log ratios, or standardised values"
    if high <= 1:
        return "", f"{span}: shares, or scaled values"
    if _is_integer(x):
        return "", f"{span}, all integers: small counts or rounded logarithms"
    if high <= 25:
        return "log2", span
    return "", f"{span}: large for a logarithm, small for a linear scale"


def resolve_scale(wanted: str, x: Float32[np.ndarray, "samples genes"]) -> tuple[str, str]:
    """Settle on a scale, with the reason; `wanted` is "auto" or one of SCALES.

    Raises InputError where "auto" cannot tell, and where values exclude what was asked for.
    """
    found, reason = guess_scale(x)
    if wanted == "auto":
        if not found:
            raise InputError(
                f"cannot tell the scale ({reason}); pass --scale=counts, linear or log2"
            )
        return found, reason
    if wanted == "log2" and float(np.nanmax(x)) > 50:
        raise InputError(f"--scale=log2 contradicts the data ({reason}); pass --scale={found}")
    if wanted in ("counts", "linear") and float(np.nanmin(x)) < 0:
        raise InputError(f"--scale={wanted} contradicts the data ({reason}); pass --scale=log2")
    return wanted, "as told by --scale"


def _is_integer(x: Float32[np.ndarray, "samples genes"]) -> bool:
    rows = max(1, _BLOCK // max(1, x.shape[1]))
    blocks = (x[start : start + rows] for start in range(0, len(x), rows))
    return all(bool(np.all((block == np.rint(block)) | np.isnan(block))) for block in blocks)
