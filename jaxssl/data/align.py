"""New samples meet an encoder by the names of its genes."""

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from anndata import AnnData
from jaxtyping import Float, Float32, Int

from jaxssl.bounds import Share, check_value
from jaxssl.data.backed import Backed, Expression
from jaxssl.data.extent import range_of
from jaxssl.data.frames import Cohorts, takes
from jaxssl.data.genes import id_type, without_version
from jaxssl.data.missing import Curve, expectation, weightiness
from jaxssl.data.names import check_names
from jaxssl.data.normalize import log2_expression, normalize
from jaxssl.data.samples import facts_of
from jaxssl.data.scale import finite_values, guess_scale
from jaxssl.types import MAX_MISSING, InputError, Normalizer

CONVERSIONS = {
    ("linear", "log2"): "take log2(x + c) with the c of the encoder's data, often 1",
    ("log_ratio", "log2"): "of one channel; encoders of `normalize.frame=cohort` take ratios",
    ("counts", "log2"): "normalise the counts and take the logarithm as the encoder's data did",
}
"""(scale found, scale wanted) → what a user can do about it."""


def align_genes(
    x: Float[np.ndarray | Backed, "samples measured"],
    names: np.ndarray,
    genes: Sequence[str],
    max_missing: float,
    curve: Curve | None = None,
    weight: Float[np.ndarray, " weighed"] | None = None,
) -> tuple[Expression, dict[str, Any]]:
    """Columns of `x`, called `names`, in the order of `genes`, NaN for none; and what was found.

    Genes are matched as by `match_genes`. `curve` tells what a classifier is worth where genes are
    missing, by what each gene counts (`weight`).
    """
    position, columns = _unambiguous(names), match_genes(names, genes)
    absent = np.flatnonzero(columns < 0).tolist()
    heavy = weightiness(np.array(absent, np.int64), weight)
    share = len(absent) / len(genes)
    expected = expectation(curve, share, heavy) if share < 1 else ""
    _judge([genes[i] for i in absent], genes, names, max_missing, expected)
    exact = sum(gene in position for gene in genes)
    return _in_order(x, columns), {
        "n_genes": len(genes),
        "n_missing": len(absent),
        "n_matched_without_version": len(genes) - len(absent) - exact,
        "n_unused": len(names) - len(np.unique(columns[columns >= 0])),
        "missing": [genes[i] for i in absent],
    }


def _in_order(
    x: Float[np.ndarray | Backed, "samples measured"], columns: Int[np.ndarray, " genes"]
) -> Any:
    """Some columns; NaN where there is none (-1)."""
    if isinstance(x, Backed):
        return x.map(lambda block, _: _in_order(block, columns), len(columns))
    aligned = np.take(x, columns, axis=1)
    aligned[:, columns < 0] = np.nan
    return aligned


def match_genes(names: np.ndarray, genes: Sequence[str] | np.ndarray) -> Int[np.ndarray, " genes"]:
    """Where among the columns called `names` each of `genes` is; -1 for none.

    A gene is matched by its id, then by its Ensembl id without version; each only where no other
    column, and no other gene of the encoder, can be meant.
    """
    position = _unambiguous(names)
    columns = np.array([position.get(gene, -1) for gene in genes], dtype=np.int64)
    theirs, ours = (
        _unambiguous([without_version(str(name)) for name in ids]) for ids in (names, genes)
    )
    for stem in ours.keys() & theirs.keys():
        columns[ours[stem]] = theirs[stem]
    return columns


def unlike_ids(
    ours: Sequence[str] | np.ndarray, theirs: Sequence[str] | np.ndarray, whose: str
) -> str:
    """What kinds of ids two sets of genes have, where these differ; else ""."""
    own, others = (id_type(np.asarray(ids, object)) or "unknown" for ids in (ours, theirs))
    return "" if own == others else f"; {whose} ids are of the kind {own}, the data's {others}"


def encoder_input(
    adata: AnnData,
    normalizer: Normalizer,
    *,
    max_missing: float = MAX_MISSING,
    cohorts: Cohorts | None = None,
) -> tuple[Float32[np.ndarray, "samples features"], dict[str, Any]]:
    """Normalised input of an encoder for any data set, and what the matching of genes found.

    Counts become log-CPM over all genes of the data; missing genes get the training mean. `cohorts`
    names the cohort of every sample; by default they are one, which the encoder has not seen.
    Nothing is asked of how far the samples lie from the encoder's: see `data.arrival.receive`.
    """
    x, report = encoder_genes(adata, normalizer, max_missing)
    return normalize(normalizer, x, cohorts=cohorts), report


def encoder_genes(
    adata: AnnData,
    normalizer: Normalizer,
    max_missing: float = MAX_MISSING,
    curve: Curve | None = None,
) -> tuple[Expression, dict[str, Any]]:
    """Log2 expression of an encoder's genes, NaN for those that are missing, and what was found."""
    check_names(adata.obs_names, "samples")
    check_names(adata.var_names, "genes")
    check_value("max_missing", max_missing, Share)
    values = finite_values(adata)
    scale = normalizer.expression_scale
    found = str(facts_of(adata).get("scale", ""))
    found = found or _look_of(values, adata) or scale
    if not takes(normalizer.frame, found, scale):
        how = CONVERSIONS.get((found, scale), "as its data were made")
        raise InputError(
            f"the data are on the {found} scale, the encoder was trained on {scale}",
            f"give values on that scale ({how}), or, if these are wrongly taken for {found}, "
            f"import them by `read(scale={scale})`",
        )
    names = adata.var_names.to_numpy(dtype=object)
    counts = Counter(names)
    twice = [gene for gene in normalizer.genes if counts[gene] > 1]
    if twice:
        raise InputError(
            f"{len(twice)} of the encoder's genes stand twice in the data (first: {twice[0]})",
            "leave one of each, or import the file by `read(duplicates=mean)`",
        )
    x = log2_expression(values, found)
    return align_genes(x, names, normalizer.genes, max_missing, curve, normalizer.weight)


def _look_of(values: Float[np.ndarray, "samples genes"], adata: AnnData) -> str:
    """The scale that values look as of; "" where they do not tell."""
    seen = range_of(values, adata.obs_names)
    found, reason = guess_scale(seen)
    if seen.apart:
        raise InputError(f"cannot tell the scale ({reason})", seen.apart.fix)
    return found


def _unambiguous(names: Sequence[str] | np.ndarray) -> dict[str, int]:
    """Position of every name that occurs once."""
    counts = Counter(names)
    return {name: i for i, name in enumerate(names) if counts[name] == 1}


def _judge(
    absent: Sequence[str],
    genes: Sequence[str],
    names: np.ndarray,
    max_missing: float,
    expected: str,
) -> None:
    """Warn of missing genes, and refuse too many."""
    share = len(absent) / len(genes)
    if not absent:
        return
    message = f"{len(absent)} of the encoder's {len(genes)} genes are missing (first: {absent[0]})"
    expected = f"; {expected}" if expected else ""
    if share <= max_missing:
        told = f"{message}; they are imputed with the training mean{expected}"
        warnings.warn(told, stacklevel=3)
        return
    message += unlike_ids(genes, names, "its")
    fix = f"pass `max_missing={min(1, share + 0.005):.2f}` to impute them with the training mean"
    if len(absent) == len(genes):
        fix = "name the genes as the encoder's data do, or use another encoder"
    raise InputError(f"{message}, such as {names[0]}{expected}", fix)
