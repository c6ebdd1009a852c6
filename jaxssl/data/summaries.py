"""Columns that sum up samples or compare them, told by their values where names may mislead."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from jaxssl.data.comparisons import MAYBE, are_sides, is_versus
from jaxssl.data.formats.matrix import RawTable, dense
from jaxssl.data.measures import choose_measure

_LOOKED_AT = 1000  # rows
_MOST = 50  # samples that a column is held against
_ALIKE = 0.5  # rank correlation of samples with the mean of all, from where they are alike

Column = Float[np.ndarray, " genes"]
Columns = Float[np.ndarray, "genes samples"]


def tell_by_values(raw: RawTable, samples: np.ndarray, keys: np.ndarray) -> list[str]:
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
    return [_note(doubts)] if doubts else []


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


def _note(names: Sequence[str]) -> str:
    fix = f"`text_columns={','.join(names)}` keeps what is none as text"
    return f"taken for samples, and may be results of a comparison: {', '.join(names)}; {fix}"
