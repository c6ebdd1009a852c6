"""What is no gene or no sample by its values, where its name may be of either."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata

from jaxssl.data.clinical import is_measure
from jaxssl.data.comparisons import MAYBE, are_sides, is_versus
from jaxssl.data.formats.matrix import RawTable, dense
from jaxssl.data.genes import SYMBOL, id_type
from jaxssl.data.measures import choose_measure
from jaxssl.data.symbols import is_symbol

_LOOKED_AT = 1000  # rows
_MOST = 50  # samples that a column is held against
_ALIKE = 0.5  # rank correlation of samples with the mean of the others, of those that are alike
_SOME = 100  # samples, and genes in rows, that a measure is held against
_RARE = 0.1  # share of the genes
_FEW_VALUES = 3  # different ones, as of a gene with few reads
_SAME = 0.02  # of numbers and whole ones
_LARGEST_LOG2 = 30.0  # values beyond are not logarithms
_SHOWN = 6
_WITH_TEXT = ("csv", "tsv", "parquet")

Column = Float[np.ndarray, " genes"]
Columns = Float[np.ndarray, "genes samples"]


def tell_results(raw: RawTable, samples: np.ndarray, keys: np.ndarray) -> list[str]:
    """Tell totals by what they add up to, and results by how unlike the samples they are.

    A sample may be of total RNA, or be called FC or T. Genes are in rows. Changes `keys`, of
    `companions.AMONG_SAMPLES`; returns a note on what remains in doubt.
    """
    names = [str(name).strip() for name in samples]
    totals = [i for i, name in enumerate(names) if name.lower() in ("total", "totals")]
    rest = np.array([i for i in np.flatnonzero(keys == "") if i not in totals], int)
    rest = rest[choose_measure(list(samples[rest]), raw.layer, "").kept]
    called = [names[i] for i in rest]
    maybe = [i for i in rest if _may_be_result(names[i], called)]
    rest = np.array([i for i in rest if i not in maybe], int)
    maybe += np.flatnonzero(keys == "of test").tolist()
    if not totals and not (maybe and len(rest)):
        return []
    cells = np.asarray(dense(raw.x[:_LOOKED_AT]), np.float64)
    sums = cells[:, rest].sum(axis=1)
    for i in totals:
        keys[i] = "statistic" if np.allclose(cells[:, i], sums, rtol=1e-3) else ""
    doubts = []
    for i in maybe if len(rest) else []:
        found = _verdict(cells[:, i], cells[:, rest[:_MOST]])
        if found:
            keys[i] = (keys[i] or "contrast") if found == "result" else ""
        elif not keys[i]:
            doubts.append(names[i])
    if not doubts:
        return []
    fix = how_to_leave(raw, doubts, is_column=True)
    return [f"taken for samples, and may be results of a comparison: {', '.join(doubts)}; {fix}"]


def tell_measures(
    raw: RawTable, names: np.ndarray, keys: np.ndarray, *, is_turned: bool
) -> list[str]:
    """Tell measures of the clinic among genes of known symbols or ids.

    PSA and CRP are genes, too: where the others are symbols, values decide. A measure is rounded
    where genes are not, or has fractions where genes are counted, or is beyond all logarithms;
    CRP, a symbol of today, is none by the last alone.
    Changes `keys`, of `companions.AMONG_GENES`; returns a note on what remains in doubt, also of
    other names that are no symbols. Genes are in rows where `is_turned`.
    """
    is_called = (keys == "") & np.array([is_measure(str(name)) for name in names], bool)
    genes = np.flatnonzero((keys == "") & ~is_called)
    kind = id_type(names[genes]) if len(genes) else ""
    if kind not in ("", SYMBOL):
        keys[is_called] = "sample"
    if kind != SYMBOL or (is_turned and not is_called.any()):
        return []
    looked = np.union1d(np.flatnonzero(is_called), genes[: _SOME if is_turned else None])
    if is_turned:
        rows = [np.asarray(dense(raw.x[i : i + 1]))[0, :_SOME] for i in looked]
        cells = np.stack(rows, axis=1)
    else:
        cells = np.asarray(dense(raw.x[:_SOME]))[:, looked]
    called, is_known = is_called[looked], np.array([is_symbol(str(n)) for n in names[looked]])
    is_other, is_beyond, n_values = _of_another_kind(cells, ~called)
    is_none = called & (is_beyond | (is_other & ~is_known))
    keys[looked[is_none]] = "sample"
    is_strange = is_other & ~is_known & (n_values > _FEW_VALUES)
    is_doubtful = ~is_none & (is_strange | (called & (is_other | ~is_known)))
    if not is_doubtful.any():
        return []
    may = [str(name) for name in names[looked[is_doubtful]]]
    shown = ", ".join(may[:_SHOWN]) + (f", ... ({len(may)})" if len(may) > _SHOWN else "")
    fix = how_to_leave(raw, may[:_SHOWN], is_column=not is_turned)
    return [f"kept as genes, and may be measures of the samples: {shown}; {fix}"]


def _of_another_kind(
    cells: Float[np.ndarray, "samples names"], are_genes: Bool[np.ndarray, " names"]
) -> tuple[Bool[np.ndarray, " names"], Bool[np.ndarray, " names"], Int[np.ndarray, " names"]]:
    """Which columns hold other numbers than genes do, or larger ones; and how many of each."""
    cells = np.where(np.isfinite(cells), cells, np.nan)
    n_values = (np.diff(np.sort(cells, axis=0), axis=0) > 0).sum(axis=0) + 1
    vary = are_genes & (n_values > 1)
    is_rounded, is_whole = _are_whole(10 * cells), _are_whole(cells)
    highest = np.fmax.reduce(cells, axis=0)
    is_beyond = (highest > _LARGEST_LOG2) & (np.fmax.reduce(highest[are_genes]) <= _LARGEST_LOG2)
    found = is_beyond.copy()
    if vary.any() and is_rounded[vary].mean() < _RARE:
        found |= is_rounded
    elif vary.any() and is_whole[vary].mean() > 1 - _RARE:
        found |= ~is_whole
    return found & (n_values > 1), is_beyond, n_values


def _are_whole(cells: Float[np.ndarray, "samples names"]) -> Bool[np.ndarray, " names"]:
    return np.all(np.isnan(cells) | (np.abs(cells - np.rint(cells)) < _SAME), axis=0)


def _may_be_result(name: str, others: Sequence[str]) -> bool:
    plain = "".join(filter(str.isalnum, name.lower()))
    return plain in MAYBE or is_versus(name) or are_sides(name, [n for n in others if n != name])


def _verdict(column: Column, samples: Columns) -> str:
    """Whether a column beside samples is a "result" or a "sample"; "" where values tell nothing."""
    known = np.isfinite(column) & np.isfinite(samples).all(axis=1)
    column, samples = column[known], samples[known]
    if not known.any() or column.min() < 0 <= samples.min():
        return "result" if known.any() else ""
    ranks = rankdata(samples, axis=0)
    sums = ranks.sum(axis=1)
    own = [_correlation(of_one, sums - of_one) for of_one in ranks.T]
    alike, usual = _correlation(rankdata(column), sums), float(np.median(own))
    if np.isnan(alike) or not usual >= _ALIKE:
        return ""
    return "result" if alike < usual / 2 else "sample"


def _correlation(a: Column, b: Column) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):  # NaN where all values are one
        return float(np.corrcoef(a, b)[0, 1])


def how_to_leave(raw: RawTable, names: Sequence[str], *, is_column: bool) -> str:
    """What keeps rows or columns of these names from being genes or samples."""
    if is_column and raw.format.split()[0] in _WITH_TEXT:
        return f"`text_columns={','.join(names)}` keeps what is none as text"
    return "remove from the file what is none"
