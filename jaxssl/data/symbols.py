"""Symbols of human genes, and of mouse genes that are called after them."""

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

_FORMS = re.compile(
    r"C[\dXY]+orf\d+|LOC\d+|LINC\d+|MIR(LET)?\d\w*(-\d+)?|SNOR[AD]\d+\w*|SCARNA\d+|RN[U7]\w*-\w+"
    r"|KIAA\d{4}|FLJ\d{5}|MGC\d{4,5}|SEPT\d+|MARCH\d+|HIST\dH\w+|OR\d+[A-Z]+\d+P?|TR[ABDG][VJC]\d*\S*"
    r"|IG[HKL][VDJ]\d\S*|A[CFLP]\d{6}\.\d+|(RP|CT[ABCD])\d*-\d+\w+\.\d+|RP[LS]\w+P\d+"
    r"|5(_8)?S_rRNA|Metazoa_SRP|RNase_(MRP|P)\w*|sno[A-Z]\w+|uc_\d+|yR\w+\.\d+|XX(bac|cos)?-\w+\.\d+"
    r"|\d{7}[A-Z]\d\d[Rr]ik|Gm\d{3,5}|Olfr\d+|Vmn\dr\d+|mt-\w+|H2-\w+|Trp53\w*"
)
"""Families that are told by their form, also of older names and of the mouse."""
_OTHER_STRAND = re.compile(r"-(AS|IT|OT|DT|PS)\d*$", re.IGNORECASE)


@cache
def human_symbols() -> frozenset[str]:
    """Approved symbols; pseudogenes and some families apart."""
    text = files("jaxssl.data").joinpath("symbols.txt").read_text(encoding="utf-8")
    found: set[str] = set()
    for line in text.splitlines():
        stem, _, ends = line.partition(" ")
        if stem == "#":
            continue
        for end in (ends or ".").split(","):
            first, _, last = end.partition(":")
            numbers = range(int(first), int(last) + 1) if last else (first.strip("."),)
            found.update(f"{stem}{number}" for number in numbers)
    return frozenset(found)


def is_symbol(name: str) -> bool:
    """Whether a gene is called so: in capitals as of man, or else as of mouse or fish.

    >>> [is_symbol(name) for name in ("TP53", "Tspan6", "TP53-AS1", "MCF7", "WT2")]
    [True, True, True, False, False]
    """
    stem = _OTHER_STRAND.sub("", name)
    return stem.upper() in human_symbols() or _FORMS.fullmatch(stem) is not None


_OF_FLY = frozenset(
    re.findall(
        r"\S+",
        """
        wg hh dpp ptc ftz eve odd prd Kr kni hb tll bcd nos osk en Ubx Antp Scr Dfd lab pb twi sna
        rho vn sog cact dl Act5C betaTub56D Hsp83 Adh ry vg ap ct ci ac sc da run h w y v f
        """,
    )
)
_OF_FLY_ALONE = frozenset({"sd", "Sd", "nan", "Race", "os"})
_MANY = 5


def are_of_fly(names: Sequence[str]) -> bool:
    """Whether genes are called as those of Drosophila, in which small letters tell genes apart."""
    return len(_OF_FLY.intersection(names)) >= _MANY


def is_of_fly_alone(name: str) -> bool:
    """Whether scalloped, nanchung or another gene of the fly is called as no other gene is."""
    return name in _OF_FLY_ALONE
