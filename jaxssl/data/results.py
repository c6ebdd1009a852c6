"""What is no sample, and what is one, by values, where its name may be of either."""

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxssl.data.comparisons import MAYBE, are_sides, in_order, is_filed, is_versus, stem_of
from jaxssl.data.formats.matrix import RawTable, dense
from jaxssl.data.likeness import (
    MOST,
    are_of_their_own,
    are_statistics,
    are_whole,
    core_of,
    is_spread,
    verdict,
)
from jaxssl.data.measures import choose_measure

_LOOKED_AT = 1000  # genes, and samples where these are in rows
_FEWEST, _MOST_CELLS = 100, 4_000_000  # genes, and numbers, of so many samples fewer genes
_AT_ONCE = 100  # rows
_MOST = 50  # samples that a column is held against
_MOST_COLUMNS = 500  # of a table beside whose samples results of any name are looked for
_WITH_TEXT = ("csv", "tsv", "parquet")
_BY_VALUES = ("gene", "contrast", "group", "of test")  # kinds whose names samples bear, too
_OF_RESULTS = ("test", "contrast", "group", "spread", "of test", "some", "statistic", "unlike")
_ENDS, _SPREAD = re.compile(r"[ _.-]"), re.compile(r"sd|std|sem|cv", re.IGNORECASE)
_OF_MANY = re.compile(r"(min|max|mean|avg|average|median)[ _.].+|.+[ _.](min|max|mean|avg|median)")
_OF_EITHER = re.compile(r"(.+?)[ _.](raw|norm|flags?|cov|sd|call)", re.IGNORECASE)

Cells = Float[np.ndarray, "genes samples"]
Places = Int[np.ndarray, " _"]


def tell_results(
    raw: RawTable,
    samples: np.ndarray,
    keys: np.ndarray,
    is_gene: np.ndarray,
    *,
    is_turned: bool,
    has_results: bool,
) -> tuple[list[str], list[str]]:
    """Tell totals by what they add up to, and results by how unlike the samples they are.

    A sample may be of total RNA, or be called FC, T, SD, start or KO/WT. Changes `keys`, of
    `companions.AMONG_SAMPLES`.

    Args:
        raw: as the file has it.
        samples: names of what may be samples.
        keys: what each is by its name; "" for a sample.
        is_gene: which of the genes are such by their names.
        is_turned: genes are in rows.
        has_results: some stand beside, as text.

    Returns:
        Notes on what remains in doubt; and samples in their own right that are called as measures
        of others are.
    """
    names = [str(name).strip() for name in samples]
    by_name = keys != ""
    cells = _cells(raw, is_turned, is_gene)
    called = in_order(name for name, key in zip(names, keys, strict=True) if not key)
    asked = ("" if key or is_filed(name) else name for name, key in zip(names, keys, strict=True))
    maybe = np.fromiter((_may_be_result(name, called) for name in asked), bool, len(names))
    rest = np.flatnonzero((keys == "") & ~maybe)
    twins = _of_their_own(list(samples), keys, cells)
    rest = rest[choose_measure(list(samples[rest]), raw.layer, "", twins).kept]  # one a sample
    _tell_totals(names, keys, cells, rest)
    _tell_statistics(names, keys, cells)
    rest = rest[keys[rest] == ""]
    core = _core(cells, rest)
    if not len(core):
        core = _core(cells, np.flatnonzero((keys == "") | np.isin(keys, _BY_VALUES)))
    unsure = np.flatnonzero(maybe | np.isin(keys, _BY_VALUES) | _are_sd(names, keys))
    doubts = _tell_called(names, keys, cells, unsure, core)
    if len(names) <= _MOST_COLUMNS and len(core):
        rest = np.setdiff1d(rest[keys[rest] == ""], [*unsure, *core]).astype(int)
        doubts += _tell_unlike(names, keys, cells, rest, core, has_results)
    own = [*samples[by_name & (keys == "")], *twins]
    if not doubts:
        return [], own
    fix = how_to_leave(raw, doubts, is_column=is_turned)
    found = f"taken for samples, and may be results of a comparison: {', '.join(doubts)}"
    return [f"{found}; {fix}"], own


def _core(cells: Cells, places: Places) -> Places:
    """Samples among some columns: those whose genes come in one order."""
    pool = places[:_MOST]
    return pool[core_of(cells[:, pool])]


def _cells(raw: RawTable, is_turned: bool, is_gene: np.ndarray) -> Cells:
    """Values of some genes in what may be samples; none of a file that is damaged there."""
    n_rows, n_columns = raw.x.shape
    n_samples = n_columns if is_turned else n_rows
    n_genes = min(max(_FEWEST, _MOST_CELLS // n_samples), _LOOKED_AT, len(is_gene))
    genes = np.flatnonzero(is_gene[:n_genes])
    found = np.full((len(genes), n_samples), np.nan)
    try:
        if is_turned:
            found[:] = np.asarray(dense(raw.x[:n_genes]))[genes]
        for start in () if is_turned else range(0, min(n_rows, _LOOKED_AT), _AT_ONCE):
            rows = slice(start, min(start + _AT_ONCE, n_rows, _LOOKED_AT))
            found[:, rows] = np.asarray(dense(raw.x[rows]))[:, genes].T
    except (OSError, RuntimeError, ValueError):  # which is said where all values are read
        found[:] = np.nan
    found[~np.isfinite(found)] = np.nan
    return found


def _may_be_result(name: str, called: Sequence[str]) -> bool:
    plain = "".join(filter(str.isalnum, name.lower()))
    return plain in MAYBE or is_versus(name) or are_sides(name, called)


def _are_sd(names: Sequence[str], keys: np.ndarray) -> Bool[np.ndarray, " samples"]:
    """Which spreads stand without what they are the spread of, as SD beside LD does."""
    found = keys == "statistic"
    if set(keys) & {"test", "group", "spread"} or found.sum() != 1:
        return found & False
    return found & [_SPREAD.fullmatch(name) is not None for name in names]


def _tell_totals(names: Sequence[str], keys: np.ndarray, cells: Cells, rest: Places) -> None:
    totals = [i for i, name in enumerate(names) if name.lower() in ("total", "totals")]
    for i in totals:
        samples = cells[:, np.setdiff1d(rest, totals)]
        sums = samples.sum(axis=1)
        sums = sums if np.isfinite(sums).any() else np.nansum(samples, axis=1)
        known = np.isfinite(sums) & np.isfinite(cells[:, i])
        if known.any():
            adds_up = np.allclose(cells[known, i], sums[known], rtol=1e-3)
            keys[i] = "statistic" if adds_up else ""


def _tell_statistics(names: Sequence[str], keys: np.ndarray, cells: Cells) -> None:
    """Take means of others for such where their names allow it: WT beside WT_1 and WT_2."""
    rest = np.flatnonzero(keys == "")
    if len(rest) > MOST:
        return
    low = [names[i].lower() for i in map(int, rest)]
    n_beginning = Counter(
        start for name in low for start in {name[: end.start()] for end in _ENDS.finditer(name)}
    )
    may = [n_beginning[one] > 1 or _OF_MANY.fullmatch(one) is not None for one in low]
    keys[rest[are_statistics(cells[:, rest], np.array(may, bool))]] = "group"


def _tell_called(
    names: Sequence[str], keys: np.ndarray, cells: Cells, unsure: Places, core: Places
) -> list[str]:
    """Decide on names that samples bear, too; returns those left in doubt."""
    doubts = []
    others = core if len(core) else np.setdiff1d(np.flatnonzero(keys == ""), unsure)
    for i in map(int, unsure):
        samples = cells[:, core[core != i]]
        found = verdict(cells[:, i], samples)
        if keys[i] == "group":
            called = [n for j, n in enumerate(names) if j != i and not keys[j]]
            of_some = any(n.lower().startswith(stem_of(names[i])) for n in called)
            if of_some or found != "sample" or _is_of_others(cells, i, core):
                continue
            doubts.append(names[i])
        if keys[i] == "statistic" and is_spread(cells[:, i], samples):
            continue
        if found == "result" or _is_negative(cells[:, i], cells[:, others]):
            keys[i] = keys[i] or "contrast"
        elif found == "sample":
            keys[i] = ""
        elif not keys[i]:
            doubts.append(names[i])
    return doubts


def _is_of_others(cells: Cells, i: int, core: Places) -> bool:
    columns = np.concatenate([core[core != i], [i]]).astype(int)
    return bool(are_statistics(cells[:, columns], np.arange(len(columns)) == len(columns) - 1)[-1])


def _tell_unlike(
    names: Sequence[str],
    keys: np.ndarray,
    cells: Cells,
    rest: Places,
    core: Places,
    has_results: bool,
) -> list[str]:
    """Take out what has another order and other numbers than samples; returns those in doubt.

    A failed library has both: it is one without a result beside it, or called as others are.
    """
    samples = cells[:, core]
    alike = {_leading(names[int(i)]) for i in core}
    found = [i for i in map(int, rest) if _leading(names[i]) not in alike]
    found = [i for i in found if verdict(cells[:, i], samples) == "result"]
    are = are_whole(samples)
    for i in found:
        is_whole = bool(are_whole(cells[:, [i]])[0])
        if (
            _is_negative(cells[:, i], samples)
            or (is_whole and not are.any())
            or (not is_whole and are.all())
        ):
            keys[i] = "unlike"
    if has_results or set(keys) & set(_OF_RESULTS):
        keys[found] = "unlike"
    return [names[i] for i in found if not keys[i]]


def _leading(name: str) -> str:
    """The letters that a name begins with: TCGA, or GSM."""
    return "".join(itertools.takewhile(str.isalpha, name)).lower()


def _is_negative(column: Float[np.ndarray, " genes"], samples: Cells) -> bool:
    """Whether a column has values below 0 where samples have none."""
    return samples.size > 0 and bool(
        np.nanmin(column, initial=np.inf) < 0 <= np.nanmin(samples, initial=np.inf)
    )


def _of_their_own(names: Sequence[str], keys: np.ndarray, cells: Cells) -> list[str]:
    """Normals P1_norm beside P1, and tagged proteins A_FLAG beside A: samples by their values."""
    places = {name: i for i, name in enumerate(names) if not keys[i]}
    pairs: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for name, i in places.items():
        form = _OF_EITHER.fullmatch(name)
        if form and form[1] in places:
            pairs[form[2]].append((places[form[1]], i))
    return [
        names[i]
        for both in pairs.values()
        if are_of_their_own(*(cells[:, list(side)] for side in zip(*both, strict=True)))
        for _, i in both
    ]


def how_to_leave(raw: RawTable, names: Sequence[str], *, is_column: bool) -> str:
    """What keeps rows or columns of these names from being genes or samples."""
    if is_column and raw.format.split()[0] in _WITH_TEXT:
        return f"`text_columns={','.join(names)}` keeps what is none as text"
    return "remove from the file what is none"
