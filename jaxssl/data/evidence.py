"""What is no gene by its values, where its name may be that of one."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxssl.data.clinical import is_measure
from jaxssl.data.companions import is_spike
from jaxssl.data.formats.matrix import RawTable, dense
from jaxssl.data.genes import GENE_PATTERNS, UNIPROT
from jaxssl.data.likeness import are_whole
from jaxssl.data.results import how_to_leave
from jaxssl.data.symbols import are_of_fly, is_of_fly_alone, is_symbol

_SOME = 100  # samples that are looked at
_MOST = 4000  # genes that others are held against
_RARE = 0.02  # share of the genes with a trait that tells what is none
_LARGEST_LOG2 = 30.0  # values beyond are not logarithms
_FEWEST = 3  # values other than 0 that tell whether all are whole
_SHOWN = 6
_MOST_WORDED = 20
_OF_PROTEIN = rf"{UNIPROT}([-.;|_].*)?"
_PATTERN = re.compile("|".join(f"(?:{p})" for p in (*GENE_PATTERNS.values(), _OF_PROTEIN, r"\d+")))
_NUMBER = re.compile(r"\d+")
_WORDED = re.compile(r".*[a-z %(].*")  # where symbols are in capitals
_LOWER = re.compile(r"[a-z%].*|.* .*")

Cells = Float[np.ndarray, "samples names"]
Mask = Bool[np.ndarray, " names"]


class Doubts(NamedTuple):
    """What is said of names that are kept, and which of these tell nothing of the scale."""

    notes: list[str]
    are_unsure: Mask


class _Traits(NamedTuple):
    """What names have that genes do not."""

    rounded: Mask  # whole or tenths, where genes have more digits
    fractional: Mask  # where genes are counted
    binary: Mask  # 0 and 1
    beyond: Mask  # larger than a logarithm, where no gene is
    unit: Mask  # within 0 and 1
    constant: Mask  # and not the least of all values, as genes have that are off

    @property
    def tell(self) -> Mask:
        """Whose numbers are written as those of no gene."""
        return self.rounded | self.fractional | self.binary


def tell_facts(raw: RawTable, names: np.ndarray, keys: np.ndarray, *, is_turned: bool) -> Doubts:
    """Tell facts about the samples among genes, by values where most others are known genes.

    PSA and CRP are genes, too, and an outcome that passes as a gene gives labels away. What has
    other numbers than genes is taken out; a known symbol only where these are larger as well, or
    no counts among counts. Changes `keys`, of `companions.AMONG_GENES`. Genes are in rows where
    `is_turned`.

    Returns:
        Notes on what remains in doubt, and where it is.
    """
    shown = [str(name) for name in names]
    if are_of_fly(shown):
        keys[[i for i, name in enumerate(shown) if is_of_fly_alone(name)]] = ""
    left = keys == ""
    called = left & np.array([is_measure(name) for name in shown], bool)
    known = np.array([is_symbol(name) for name in shown], bool)
    are_ids = np.array([_is_id(name) for name in shown], bool) | _are_of_one_form(shown)
    sure = left & ~called & (known | are_ids)
    suspects, unsure = np.flatnonzero(left & ~sure), np.zeros(len(names), bool)
    if not len(suspects) or 2 * sure.sum() <= (left & ~called).sum():
        return Doubts([], unsure)
    genes = np.flatnonzero(sure)
    looked = np.union1d(suspects, genes[:: -(-len(genes) // _MOST)])
    try:
        block = np.asarray(dense(raw.x[:, :_SOME] if is_turned else raw.x[:_SOME]), np.float32)
    except (OSError, RuntimeError, ValueError):  # of a damaged file: said where all values are read
        return Doubts([], unsure)
    traits = _traits(block[looked].T if is_turned else block[:, looked], sure[looked])
    called, known, are_worded = (
        called[looked],
        known[looked],
        _are_worded(names[looked], known[looked]),
    )
    is_strange = traits.beyond | traits.unit | traits.constant
    of_clinic = (traits.rounded & traits.beyond) | traits.fractional | traits.constant
    if 2 * are_ids[genes].sum() > len(genes):  # beside ids, a measure without symbol is no gene
        of_clinic |= ~known
    of_words = traits.tell | (are_worded & (traits.unit | traits.constant))
    of_words |= called & (of_clinic | is_strange)
    is_none = ~sure[looked] & np.where(known, of_clinic, of_words)
    keys[looked[is_none]] = "sample"
    is_known_doubtful = traits.rounded | traits.beyond | bool((keys == "sample").any())
    may = np.where(known, is_known_doubtful, is_strange | called | are_worded)
    may &= ~sure[looked] & ~is_none
    unsure[looked[may & ~known]] = True
    return Doubts(_note(raw, names[looked[may]], is_turned), unsure)


def _note(raw: RawTable, names: np.ndarray, is_turned: bool) -> list[str]:
    if not len(names):
        return []
    may = [str(name) for name in names]
    shown = ", ".join(may[:_SHOWN]) + (f", ... ({len(may)})" if len(may) > _SHOWN else "")
    fix = how_to_leave(raw, may[:_SHOWN], is_column=not is_turned)
    return [f"kept as genes, and may be measures of the samples: {shown}; {fix}"]


def _is_id(name: str) -> bool:
    return _PATTERN.fullmatch(name) is not None or is_spike(name)


def _are_of_one_form(names: Sequence[str]) -> Mask:
    """Which names are those of most but for their numbers, as ids of any organism are."""
    forms = [_NUMBER.sub("0", name) for name in names]
    form, n = Counter(forms).most_common(1)[0]
    is_most = "0" in form and 2 * n > len(names)
    return np.array([is_most and own == form for own in forms], bool)


def _are_worded(names: np.ndarray, known: Mask) -> Mask:
    """Which names are words, as no symbol of the table is; none where there are many."""
    symbols = [str(name) for name in names[known][:1000]]
    are_capitals = sum(map(str.isupper, symbols)) >= 0.9 * len(symbols)
    form = _WORDED if are_capitals else _LOWER
    found = ~known & np.array([form.fullmatch(str(name)) is not None for name in names], bool)
    found &= ~np.array([_is_id(str(name)) for name in names], bool)
    return found if found.sum() <= max(_MOST_WORDED, _RARE * len(names)) else ~known & False


def _traits(cells: Cells, are_genes: Mask) -> _Traits:
    """What few genes have, if any."""
    cells = np.where(np.isfinite(cells), cells, np.nan)
    low, high = np.fmin.reduce(cells, axis=0), np.fmax.reduce(cells, axis=0)
    varies = low < high
    genes = are_genes & varies
    enough = varies & (((cells != 0) & ~np.isnan(cells)).sum(axis=0) >= _FEWEST)
    is_whole = are_whole(cells)

    def rare(trait: Mask, among: Mask = genes) -> Mask:
        return trait if among.any() and trait[among].mean() < _RARE else trait & False

    floor, top = np.fmin.reduce(low[are_genes]), np.fmax.reduce(high[are_genes])
    return _Traits(
        rounded=rare(enough & (is_whole | are_whole(10 * cells))),
        fractional=rare(varies & ~is_whole),
        binary=rare(varies & is_whole & (low == 0) & (high == 1)),
        beyond=(high > _LARGEST_LOG2) & (top <= _LARGEST_LOG2),
        unit=rare(varies & ~is_whole & (low >= 0) & (high <= 1)),
        constant=rare((low == high) & (low != floor), are_genes),
    )
