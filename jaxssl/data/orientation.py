"""Which way a table lies: files have genes in rows nearly everywhere, but not everywhere.

Nothing tells alone but the format: what speaks for either side is weighed, and where it is little,
or contradicts itself, the user is asked.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jaxssl.data.corner import GENES, SAMPLES, named_in, names_something_else
from jaxssl.data.formats.matrix import RawTable
from jaxssl.data.genes import (
    GENE_PATTERNS,
    LOOSE,
    SAMPLE_PATTERNS,
    are_row_numbers,
    kinds_of,
    may_be_genes,
    probed,
)
from jaxssl.data.names import share_numbered
from jaxssl.data.symbols import is_symbol
from jaxssl.types import InputError

ORIENTATIONS = ("genes_in_rows", "samples_in_rows")
_TRANSCRIPTOME = (12_000, 70_000)  # genes, probe sets or transcripts of a whole-genome assay
_FEW = 500  # others beside them, at most: many cells have more genes
_SIDES = ("row", "column")
_LONG = 40  # times as many symbols as there are others: these are samples, however called
_TURNED = 10  # times as many columns as rows, in which a corner that names genes may be left over
_OF_EITHER = ("sample", "xena_sample", "#sample")  # Xena writes it above genes
_MARGIN = 3  # of the weights on one side over those on the other


class Clue(NamedTuple):
    """What speaks for an orientation."""

    orientation: str
    weight: int  # one of those below
    reason: str


_HINT = 1  # breaks a tie
_LITTLE = 2  # casts doubt on what is enough
_ENOUGH = 4  # decides if nothing else contradicts
_STRONG = 6  # contradicts the format, and two such the user


def detect_orientation(raw: RawTable, sample_ids: np.ndarray | None = None) -> tuple[str, str]:
    """Tell the orientation and the reason; an orientation of "" means that nothing decides.

    What the format says goes first. Else clues are weighed: the name in the corner, ids of the
    label table (`sample_ids`), ids of a kind that genes or samples alone have, known symbols, a
    shape that only one reading explains.
    """
    if raw.orientation:
        return raw.orientation, f"as the format {raw.format} has it"
    clues = list(_clues(raw, sample_ids))
    found = _weigh(clues)
    if found == ORIENTATIONS[1]:
        _require_named(raw)
    if found:
        best = max((c for c in clues if c.orientation == found), key=lambda clue: clue.weight)
        return found, best.reason + _of_numbers(found, raw)
    if clues:
        return "", ", yet ".join(clue.reason for clue in _strongest(clues))
    rows, columns = raw.ids
    return "", f"rows are called {rows[0]}, columns {columns[0]}: neither is a known kind of id"


def resolve_orientation(
    wanted: str, raw: RawTable, sample_ids: np.ndarray | None
) -> tuple[str, str]:
    """Settle on an orientation, with the reason.

    Ids of one side that contradict the format are refused, those of both sides the user, too.
    """
    clues = list(_clues(raw, sample_ids))
    strong = [clue for clue in clues if clue.weight == _STRONG]
    by_ids = strong[0].orientation if len({clue.orientation for clue in strong}) == 1 else ""
    evidence = " and ".join(clue.reason for clue in strong)
    if wanted == ORIENTATIONS[1]:
        _require_named(raw)
    if wanted != "auto":
        though = f", though {evidence}" if by_ids not in ("", wanted) else ""
        if though and len(strong) > 1:
            raise InputError(
                f"`orientation={wanted}` contradicts the ids ({evidence})",
                f"leave it out or pass `orientation={by_ids}`",
            )
        return wanted, f"as told by `orientation`{though}{_of_numbers(wanted, raw)}"
    found, reason = detect_orientation(raw, sample_ids)
    strong += (c for c in _of_symbols([probed(i) for i in raw.ids]) if c.weight == _ENOUGH)
    if raw.orientation and {clue.orientation for clue in strong} == {*ORIENTATIONS} - {found}:
        rows, evidence = found.split("_")[0], " and ".join(clue.reason for clue in strong)
        raise InputError(
            f"{raw.format} has {rows} in rows, yet {evidence}: the file seems transposed",
            f"write it again, or pass `orientation={strong[0].orientation}`",
        )
    if not found:
        raise InputError(
            f"cannot tell whether genes are in rows or in columns ({reason})",
            "pass `orientation=genes_in_rows` or `orientation=samples_in_rows`",
        )
    return found, reason


def _require_named(raw: RawTable) -> None:
    """Refuse genes in columns that no header names."""
    if "without header" in raw.format:
        raise InputError(
            f"rows, such as {raw.ids[0][0]}, are samples: genes in columns have no names without a "
            "header",
            "write one above the first line, and drop `no_header`",
        )


def _of_numbers(orientation: str, raw: RawTable) -> str:
    """A word on genes that have no names but the numbers of their rows or columns."""
    genes = raw.ids[ORIENTATIONS.index(orientation)]
    if not are_row_numbers(genes):
        return ""
    return f"; the genes have no names but numbers, {genes[0]} to {genes[-1]}"


def _weigh(clues: Sequence[Clue]) -> str:
    """The orientation that enough speaks for, and hardly anything against; "" for none."""
    weights = [sum(c.weight for c in clues if c.orientation == o) for o in ORIENTATIONS]
    best = int(weights[1] > weights[0])
    return ORIENTATIONS[best] if weights[best] - weights[1 - best] >= _MARGIN else ""


def _strongest(clues: Sequence[Clue]) -> list[Clue]:
    """The first of the weightiest clues for each orientation."""
    ranked = sorted(clues, key=lambda clue: -clue.weight)
    return list({clue.orientation: clue for clue in reversed(ranked)}.values())[::-1]


def _clues(raw: RawTable, sample_ids: np.ndarray | None) -> Iterator[Clue]:
    """All that speaks for one side or the other."""
    yield from _of_corner(raw.corner)
    if sample_ids is not None:
        yield from _of_labels(raw, set(sample_ids))
    sides = [probed(ids) for ids in raw.ids]
    for patterns, orientations in (
        (GENE_PATTERNS, ORIENTATIONS),
        (SAMPLE_PATTERNS, ORIENTATIONS[::-1]),
    ):
        counts = [kinds_of(side, patterns) for side in sides]
        side = _side_of([c.total() / len(n) for c, n in zip(counts, sides, strict=True)])
        if side is not None:
            kind, others = counts[side].most_common(1)[0][0], sides[1 - side]
            if kind in LOOSE and len(sides[side]) < len(others) and may_be_genes(others):
                continue
            first = next(name for name in sides[side] if kinds_of([name], patterns)[kind])
            reason = f"{_SIDES[side]} ids are of the kind {kind}, such as {first}"
            yield Clue(orientations[side], _STRONG, reason)
    yield from _of_symbols(sides)
    yield from _of_shape(raw)
    yield from _of_forms(raw.corner, sides)


def _side_of(shares: Sequence[float]) -> int | None:
    """The side on which most ids are of a kind, if nearly none of the other is."""
    side = int(shares[1] > shares[0])
    return side if shares[side] > 0.5 and shares[1 - side] < 0.1 * shares[side] else None


def _of_corner(corner: str) -> Iterator[Clue]:
    """The name above the ids of the rows: gene, Entrez_Gene_Id, ID_REF; samples, patient_id."""
    side = named_in(corner)
    if side:
        weight = _HINT if corner.lower() in _OF_EITHER else _ENOUGH
        orientation = ORIENTATIONS[0 if side == GENES else 1]
        yield Clue(orientation, weight, f"the first column is called {corner!r}")
    elif names_something_else(corner):
        reason = f"the first column is called {corner!r}, as none of genes is"
        yield Clue(ORIENTATIONS[1], _LITTLE, reason)


def _of_labels(raw: RawTable, known: set[str]) -> Iterator[Clue]:
    """Ids that the label table has; numbers may be anything, and row numbers are no ids."""
    ids = raw.ids
    hits = [sum(i in known for i in side) for side in ids]
    shares = [n / len(side) for n, side in zip(hits, ids, strict=True)]
    side = int(shares[1] > shares[0])
    if shares[1 - side] >= 0.1 * shares[side] or (shares[side] <= 0.5 and hits[side] < 10):
        return
    weight = _STRONG if hits[side] > 3 or shares[side] == 1 else _ENOUGH
    if all(str(i).isdigit() for i in ids[side]):
        weight = _HINT if are_row_numbers(ids[side]) else _ENOUGH
    reason = f"{hits[side]} of {len(ids[side])} {_SIDES[side]} ids are in the label table"
    yield Clue(ORIENTATIONS[1 - side], weight, reason)


def _of_symbols(sides: Sequence[Sequence[str]]) -> Iterator[Clue]:
    """Symbols of known genes: many on one side and few on the other.

    Samples may be called as some genes are, WT1 or CD4, CD8A: their names start alike, or there are
    far fewer than genes.
    """
    found = [[name for name in side if is_symbol(name)] for side in sides]
    shares = [len(f) / len(side) for f, side in zip(found, sides, strict=True)]
    side = int(shares[1] > shares[0])
    n = len(found[side])
    starts = {re.split(r"[^A-Za-z]", name, maxsplit=1)[0].upper() for name in found[side]}
    are_various = n > 50 or len(starts) > 0.3 * n
    is_one = len(found[1 - side]) < 2 and n > 7  # WT1 among few samples
    is_one |= n >= _LONG * len(sides[1 - side])
    if not n or not are_various or (shares[1 - side] > 0.25 * shares[side] and not is_one):
        return
    reason = f"{_SIDES[side]} ids are gene symbols, such as {found[side][0]}"
    if n > 3 and shares[side] >= (0.2 if n > 20 else 0.4):
        yield Clue(ORIENTATIONS[side], _ENOUGH, reason)
    elif shares[side] > 0.6:
        yield Clue(ORIENTATIONS[side], _LITTLE, reason)


def _of_shape(raw: RawTable) -> Iterator[Clue]:
    """As many ids as a genome has genes beside few others; cells are as many, beside more genes."""
    low, high = _TRANSCRIPTOME
    n_rows, n_columns = map(len, raw.ids)
    for side, n_ids, n_others in (0, n_rows, n_columns), (1, n_columns, n_rows):
        if low <= n_ids <= high and n_others <= min(_FEW, n_ids // 5):
            yield Clue(
                ORIENTATIONS[side], _ENOUGH, f"the shape, {n_rows} rows by {n_columns} columns"
            )


def _of_forms(corner: str, sides: Sequence[Sequence[str]]) -> Iterator[Clue]:
    """Ids that may be of genes beside fewer names as of samples or what was done to these.

    A corner that names samples may be above the header: then columns are numbered, and rows not.
    One that names genes is left where a table is transposed: then columns are many times the rows.
    """
    are_numbered = [share_numbered(side) for side in sides]
    is_left = named_in(corner) == GENES and len(sides[1]) >= _TURNED * len(sides[0])
    for side, (ids, others) in enumerate((sides, sides[::-1])):
        may_be_called = are_numbered[1 - side] > 0.8 or any(map(is_symbol, others))
        may_be_called |= side == 1 and is_left
        if len(ids) > len(others) and may_be_called and may_be_genes(ids):
            reason = f"{_SIDES[side]} ids may be of genes, such as {ids[len(ids) // 2]}"
            yield Clue(ORIENTATIONS[side], _LITTLE, reason)
    rows, columns = are_numbered
    if named_in(corner) == SAMPLES and columns > 0.8 and rows < 0.5:
        reason = f"column ids are numbered, such as {sides[1][0]}, and row ids are not"
        yield Clue(ORIENTATIONS[0], _LITTLE, reason)
