"""Values that are not there: found, named, and filled only on request."""

import numpy as np
from jaxtyping import Bool, Float32, Int, Shaped

from jaxssl.data.survey import Survey
from jaxssl.types import InputError

_ROWS = 1024  # at a time: bounds the mask of a wide matrix
POLICIES = ("error", "mean", "zero", "drop_genes")


def require_finite(x: Shaped[np.ndarray, "samples genes"]) -> None:
    """Refuse values that are no numbers. Raises InputError with their share, and what to do."""
    n_ill = sum(np.count_nonzero(~np.isfinite(x[i : i + _ROWS])) for i in range(0, len(x), _ROWS))
    if n_ill:
        raise InputError(
            f"{n_ill / x.size:.2%} of the expression values are NaN or infinite",
            "fill them by `read(impute=mean)`",
        )


def plan_missing(
    seen: Survey,
    chosen: Int[np.ndarray, " chosen"],
    sample_ids: np.ndarray,
    genes: np.ndarray,
    policy: str,
) -> tuple[Bool[np.ndarray, " chosen"], Float32[np.ndarray, " chosen"]]:
    """Of the chosen genes, which stay and what fills the gaps of each.

    `genes` names the chosen ones. The policy is "error", "mean" (of the gene), "zero" or
    "drop_genes". Genes without any value go under "mean". Raises InputError on missing values under
    "error", on infinite ones always, and where no gene is left.
    """
    n_infinite, n_missing = seen.n_infinite[chosen], seen.n_missing[chosen]
    if n_infinite.any():
        where = _first(seen.first_infinite[chosen], sample_ids, genes)
        raise InputError(
            f"{int(n_infinite.sum())} values are infinite (first: {where}), as the logarithm of 0 "
            "is",
            "export log2(x + 1) instead",
        )
    keep, fill = np.ones(len(chosen), bool), np.zeros(len(chosen), np.float32)
    if not n_missing.any():
        return keep, fill
    if policy == "error":
        where = _first(seen.first_missing[chosen], sample_ids, genes)
        worst = int(np.argmax(n_missing))
        raise InputError(
            f"{n_missing.sum() / (seen.n_samples * len(chosen)):.2%} of the values are missing "
            f"(first: {where}; {int((n_missing > 0).sum())} genes, worst {genes[worst]} at "
            f"{n_missing[worst] / seen.n_samples:.0%})",
            "choose `impute=mean`, zero or drop_genes",
        )
    if policy == "drop_genes":
        keep = n_missing == 0
    elif policy == "mean":
        keep, fill = n_missing < seen.n_samples, seen.mean[chosen]
    if not keep.any():
        raise InputError(f"no gene is left by `impute={policy}`: every gene has missing values")
    return keep, fill


def _first(samples: Int[np.ndarray, " chosen"], sample_ids: np.ndarray, genes: np.ndarray) -> str:
    """The first sample with a hit, and its first gene."""
    hits = np.flatnonzero(samples >= 0)
    gene = hits[np.argmin(samples[hits])]
    return f"sample {sample_ids[samples[gene]]}, gene {genes[gene]}"
