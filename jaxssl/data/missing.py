"""Values that are not there: found, named, and filled only on request."""

import numpy as np
from jaxtyping import Bool, Float32

from jaxssl.data.survey import Survey
from jaxssl.types import InputError

POLICIES = ("error", "mean", "zero", "drop_genes")


def plan_missing(
    seen: Survey, sample_ids: np.ndarray, genes: np.ndarray, policy: str
) -> tuple[Bool[np.ndarray, " genes"], Float32[np.ndarray, " genes"]]:
    """Which genes stay, and what fills the gaps of each.

    The policy is "error", "mean" (of the gene), "zero" or "drop_genes". Genes without any value
    go under "mean".

    Raises:
        InputError: on missing values under "error", on infinite ones always, and where no gene
            is left.
    """
    if seen.first_infinite is not None:
        i, j = seen.first_infinite
        raise InputError(
            f"{seen.n_infinite} values are infinite (first: sample {sample_ids[i]}, gene "
            f"{genes[j]}), as the logarithm of 0 is; export log2(x + 1) instead"
        )
    keep, fill = np.ones(len(genes), bool), np.zeros(len(genes), np.float32)
    if not seen.n_missing.any():
        return keep, fill
    if policy == "error":
        raise InputError(_finding(seen, sample_ids, genes))
    if policy == "drop_genes":
        keep = seen.n_missing == 0
    elif policy == "mean":
        keep, fill = seen.n_missing < seen.n_samples, seen.mean
    if not keep.any():
        raise InputError(f"no gene is left by --impute={policy}: every gene has missing values")
    return keep, fill


def _finding(seen: Survey, sample_ids: np.ndarray, genes: np.ndarray) -> str:
    i, j = seen.first_missing or (0, int(np.argmax(seen.n_missing)))
    worst = int(np.argmax(seen.n_missing))
    share = seen.n_missing.sum() / (seen.n_samples * len(genes))
    return (
        f"{share:.2%} of the values are missing (first: sample {sample_ids[i]}, gene {genes[j]}; "
        f"{int((seen.n_missing > 0).sum())} genes, worst {genes[worst]} at "
        f"{seen.n_missing[worst] / seen.n_samples:.0%}); choose --impute=mean, zero or drop_genes"
    )
