"""Values that are not there: found, named, and filled only on request."""

import numpy as np
from jaxtyping import Bool, Float32

from jaxssl.types import InputError

POLICIES = ("error", "mean", "zero", "drop_genes")


def resolve_missing(
    x: Float32[np.ndarray, "samples genes"],
    sample_ids: np.ndarray,
    genes: np.ndarray,
    policy: str,
) -> tuple[Float32[np.ndarray, "samples kept"], Bool[np.ndarray, " genes"], int]:
    """Apply the policy for NaN: "error", "mean" (of the gene), "zero" or "drop_genes".

    Returns the matrix, which genes stayed, and the number of NaN found. Genes without any value
    go under "mean". Fills `x` in place. Raises InputError for infinite values under any policy.
    """
    infinite = np.isinf(x)
    if infinite.any():
        i, j = np.argwhere(infinite)[0]
        raise InputError(
            f"{int(infinite.sum())} values are infinite (first: sample {sample_ids[i]}, gene "
            f"{genes[j]}), as the logarithm of 0 is; export log2(x + 1) instead"
        )
    del infinite
    missing = np.isnan(x)
    count = int(missing.sum())
    keep = np.ones(x.shape[1], dtype=bool)
    if not count:
        return x, keep, 0
    by_gene = missing.sum(axis=0)
    if policy == "error":
        raise InputError(_finding(missing, by_gene, sample_ids, genes))
    if policy == "drop_genes":
        keep = by_gene == 0
    elif policy == "zero":
        x[missing] = 0.0
    else:
        keep = by_gene < len(x)
        observed = np.where(missing, np.float32(0), x).sum(axis=0, dtype=np.float64)
        means = observed / np.maximum(len(x) - by_gene, 1)
        x[missing] = means.astype(np.float32)[np.nonzero(missing)[1]]
    if not keep.any():
        raise InputError(f"no gene is left by --impute={policy}: every gene has missing values")
    return (x if keep.all() else np.compress(keep, x, axis=1)), keep, count


def _finding(
    missing: Bool[np.ndarray, "samples genes"],
    by_gene: np.ndarray,
    sample_ids: np.ndarray,
    genes: np.ndarray,
) -> str:
    i, j = np.argwhere(missing)[0]
    worst = int(np.argmax(by_gene))
    return (
        f"{by_gene.sum() / missing.size:.2%} of the values are missing (first: sample "
        f"{sample_ids[i]}, gene {genes[j]}; {int((by_gene > 0).sum())} genes, worst {genes[worst]}"
        f" at {by_gene[worst] / len(missing):.0%}); choose --impute=mean, zero or drop_genes"
    )
