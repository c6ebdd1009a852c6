"""The scale of expression values: guessed for the reader, never changed."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from anndata import AnnData
from jaxtyping import Bool, Shaped

from jaxssl.data.backed import Backed, open_backed, state_of
from jaxssl.data.extent import LARGEST_LOG2, LEAST_LINEAR, Range, range_of
from jaxssl.data.formats.matrix import dense
from jaxssl.data.samples import STAYS, facts_of
from jaxssl.data.scale_advice import LOG2, LOG_RATIO, how_to_tell, require_consistent
from jaxssl.types import InputError

SCALES = ("counts", "linear", LOG2, LOG_RATIO)  # the last: of two channels, or to a reference
COVERAGE = "coverage"  # recount's sums of base-pair coverage, which are none of these
READ_LENGTHS = {
    "recount2 gene sums": ("*.tsv", "avg_read_length"),  # the table of samples of its study
    "recount3 gene sums": ("*.recount_qc.*.MD.gz", "star.average_mapped_length"),
}
"""Format of coverage → the table that has the lengths of the reads, and its column."""
_TOIL_ZERO = float(np.log2(0.001))  # -9.966: a TPM of 0 in UCSC Xena's log2(TPM + 0.001)
_TOLERANCE = 0.01  # of that value, as files round it
_OF_TRANSCRIPTS = re.compile(  # UCSC Xena calls its log2(FPKM + 1) TCGA-BRCA.star_fpkm.tsv.gz
    r"^(?!.*(log|vst|(star|htseq)_)).*(?<![a-z])([fr]pkm|tpm)(?![a-z])", re.I
)
_OF_COUNTS = re.compile(
    r"^(?!.*(norm|log|vst|cpm|tpm|[fr]pkm|tmm|deseq|adjust|correct|combat))"
    r".*(?<![a-z])(gene|feature|raw|read)?counts?(?![a-z])",
    re.I,
)
_OF_CYCLES = re.compile(r"^(?!.*log).*(?<![a-z])(d{1,2}ct|cq|ct[ _.-]?values?|qpcr)(?![a-z])", re.I)
_ROWS = 1024  # at a time: bounds the temporaries of a wide matrix


def values_of(adata: AnnData) -> Any:
    """The matrix as it is given, dense; that of `read_backed` stays in its file."""
    if not adata.isbacked:
        return dense(adata.X)
    path, facts = Path(str(adata.filename)), facts_of(adata)
    if state_of(path) != facts[STAYS]:
        raise InputError(f"{path} changed while it was used", "start again")
    rows = open_backed(path)
    # intensities less their background, as the import lifts them
    is_linear = facts["scale"] == "linear"
    return rows.map(lambda block, _: np.maximum(block, 0)) if is_linear else rows


def finite_values(adata: AnnData) -> Any:
    """As `values_of`; values that are no numbers, or none of float32, are refused."""
    check_matrix(adata)
    x = values_of(adata)
    if not isinstance(x, Backed):  # which was looked at when its file was opened
        check_finite(x, adata.obs_names, adata.var_names)
    return x


def refuse_flat(x: Shaped[np.ndarray, "samples genes"], samples: Any) -> None:
    """Refuse samples with one value for all of several genes: they were not measured."""
    flat = np.flatnonzero((x == x[:, :1]).all(axis=1))
    if len(flat) and x.shape[1] > 1:
        raise InputError(
            f"{len(flat):,} of {len(x):,} samples have one value for all genes (first: "
            f"{samples[flat[0]]})",
            "leave them out",
        )


def check_finite(x: Shaped[np.ndarray, "samples genes"], samples: Any, genes: Any) -> None:
    """Refuse values that are not finite in float32; names the first by those of its axes."""
    n_ill, first = 0, ""
    for start in range(0, len(x), _ROWS):
        rows, columns = np.nonzero(~_is_finite(x[start : start + _ROWS]))
        if len(rows) and not first:
            i, j = start + rows[0], columns[0]
            first = f"sample {samples[i]}, gene {genes[j]}: {x[i, j]:g}"
        n_ill += len(rows)
    if n_ill:
        raise InputError(
            f"{n_ill / x.size:.2%} of the expression values are NaN or infinite, or beyond "
            f"float32 (first: {first})",
            "correct them, or fill those that are missing by `read(impute=mean)`",
        )


def _is_finite(x: Shaped[np.ndarray, "..."]) -> Bool[np.ndarray, "..."]:
    """Which numbers are finite in float32."""
    if x.dtype.kind == "f" and x.dtype.itemsize > np.dtype(np.float32).itemsize:
        return np.abs(x) <= np.finfo(np.float32).max
    return np.isfinite(x)


def refuse_masked(values: Any, what: str) -> None:
    """Refuse a masked array: NumPy uses what lies under the mask."""
    if np.ma.is_masked(values):
        raise InputError(
            f"{int(np.ma.count_masked(values))} {what} are masked",
            "fill them by .filled(), or leave them out",
        )


def check_matrix(adata: AnnData) -> None:
    """Refuse an AnnData whose matrix is absent, empty or not of numbers."""
    x: Any = adata.X
    refuse_masked(x, "expression values")
    if x is None:
        others = [f"adata.layers[{name!r}]" for name in adata.layers]
        others += ["adata.raw.to_adata()"] if adata.raw is not None else []
        found = f"it has {', '.join(others)}" if others else "it has no layer either"
        raise InputError(
            f"the AnnData has no X, and {found}",
            "write the matrix to use into adata.X, or import a file by `read()`",
        )
    if 0 in adata.shape:
        raise InputError(
            f"the data are empty: {adata.n_obs} samples x {adata.n_vars} genes",
            "look at the filter that they passed",
        )
    if np.dtype(x.dtype).kind not in "fiub":
        raise InputError(
            f"the expression values are of type {x.dtype}, not numbers",
            "convert them by adata.X = adata.X.astype('float32')",
        )


def is_toil_zero(x: Any) -> Any:
    """Whether a number, or each of an array, is log2(0 + 0.001); never of NaN."""
    return abs(x - _TOIL_ZERO) < _TOLERANCE


def guess_scale(values: Range, called: str = "") -> tuple[str, str]:
    """Guess the scale and give the reason; a scale of "" means that the values do not tell.

    A logarithm to base 2 of a count or an intensity stays below 25 (3e7), a linear value of a
    whole profile passes 50; a base other than 2 is not told apart and needs not be.

    Args:
        values: of all genes and samples.
        called: name of the file, which may say that values are no logarithms, as a panel of a few
            genes in FPKM does not.
    """
    low, high = values.lowest, values.highest
    if np.isnan(low):
        return "", "no value at all"
    span = f"values from {low:.4g} to {high:.4g}"
    if values.apart:
        return "", f"{span}: {values.apart.finding}"
    if low >= 0 and high > LEAST_LINEAR:
        if not values.is_integer:
            return _of_large(f"{span}: too large for a logarithm", called)
        if _OF_TRANSCRIPTS.search(called):
            return "", f"{span}, all integers, yet {called} says that they are no counts"
        return "counts", f"{span}, all integers"
    if low < 0 and high > LEAST_LINEAR:
        return "", f"{span}: too large for a logarithm, negative for a count"
    if is_toil_zero(low):
        return "log2", f"{span}: the minimum is log2(0 + 0.001)"
    if _OF_CYCLES.search(called):
        return "", f"{span}, yet {called} says that they are cycles, of which more are less RNA"
    if low < -0.5 * high or (low < 0 and values.is_centred):
        return "", f"{span}: log ratios, or standardised values"
    if high <= 1:
        return "", f"{span}: shares, or scaled values"
    if values.is_integer:
        if low >= 0 and _OF_COUNTS.search(called):
            return "counts", f"{span}, all integers; counts, as {called} says"
        return "", f"{span}, all integers: small counts or rounded logarithms"
    if high > LARGEST_LOG2:
        return "", f"{span}: large for a logarithm, small for a linear scale"
    if _OF_TRANSCRIPTS.search(called):
        return "", f"{span}, yet {called} says that they are no logarithms"
    return "log2", span


def _of_large(reason: str, called: str) -> tuple[str, str]:
    """The scale of values with fractions: counts where the file is called so, as RSEM's."""
    if _OF_COUNTS.search(called):
        return "counts", f"{reason}; estimated counts, as {called} says"
    return "linear", reason


def resolve_scale(
    wanted: str, values: Range, declared: str = "", called: str = "", *, is_lifted: bool = False
) -> tuple[str, str]:
    """Settle on a scale, with the reason.

    `declared` is what the format says of itself; `is_lifted`: intensities below 0 become 0.
    """
    if wanted not in ("auto", *SCALES):
        fix = f"set adata.uns['jaxssl']['scale'] to one of {', '.join(SCALES)}"
        raise InputError(f"the scale on record, {wanted!r}, is unknown", fix)
    found, reason = guess_scale(values, called)
    if declared in SCALES:
        if wanted not in ("auto", declared):
            raise InputError(
                f"`scale={wanted}` contradicts the format, which holds {declared}", "leave it out"
            )
        if declared == "counts" and values.lowest < 0:
            raise InputError(f"the format holds counts, yet {reason}", "fetch the file again")
        return declared, "as the format has it"
    if wanted == "auto":
        if not found:
            told = {"are_cycles": _OF_CYCLES.search(called) is not None, "is_lifted": is_lifted}
            raise InputError(f"cannot tell the scale ({reason})", how_to_tell(values, **told))
        return found, reason
    require_consistent(wanted, found, reason, values, is_lifted=is_lifted)
    return wanted, "as told by `scale`"


def recorded_scale(adata: AnnData, x: Shaped[np.ndarray | Backed, "samples genes"]) -> str:
    """Scale of a data set: on record, or as its values look, which `read_backed` has looked at."""
    if isinstance(x, Backed):
        return str(facts_of(adata)["scale"])
    told, values = str(facts_of(adata).get("scale", "auto")), range_of(x, adata.obs_names)
    found, reason = guess_scale(values)
    if told == "auto" and not found:
        likely, others = (LOG_RATIO, LOG2) if values.lowest < 0 else (LOG2, "linear, counts")
        likely, others = ("linear", "counts") if values.apart else (likely, others)
        first = f"{values.apart.fix}, or " if values.apart else ""
        raise InputError(
            f"cannot tell the scale ({reason})",
            f"{first}set adata.uns.setdefault('jaxssl', {{}})['scale'] = '{likely}' ({others}), "
            f"or import the file by `read(scale={likely})`",
        )
    return resolve_scale(told, values)[0]
