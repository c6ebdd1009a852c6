"""What Excel makes of symbols: MARCH1 becomes 1-Mar, and 2310009E13Rik 2.31E+13."""

import re

import numpy as np
from jaxtyping import Bool

from jaxssl.data.genes import duplicates

_FAMILIES = {
    "mar": ("MARCHF{n} (once MARCH{n})", "MTARC{n} (once MARC{n})"),
    "sep": ("SEPTIN{n} (once SEPT{n})",),
    "dec": ("DELEC{n} (once DEC{n})",),
    "oct": ("OCT{n}",),
    "feb": ("FEB{n}",),
    "apr": ("APR{n}",),
    "nov": ("NOV{n}",),
    "jun": ("JUN{n}",),
}
_LAST_MARC = 2  # MARC1 and MARC2 are two genes, and become what MARCH1 and MARCH2 do
_IN_ENGLISH = {"mrz": "mar", "mär": "mar", "okt": "oct", "dez": "dec", "out": "oct", "set": "sep"}
_NUMBERED = ("", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<month>jan|feb|mar|mrz|mär|apr|may|mai|jun|jul|aug|sep|set|oct|okt|out|nov|dec|dez)"
_DATES = [
    re.compile(rf"(?P<day>\d\d?)[-. /]{{1,2}}{_MONTH}[a-zä]*\.?([-. /]\d{{2,4}})?", re.IGNORECASE),
    re.compile(rf"{_MONTH}[-. /](?P<day>\d\d?)", re.IGNORECASE),
    re.compile(r"(19|20)\d\d-(?P<number>\d\d)-(?P<day>\d\d)([ T]00:00(:00)?)?"),
    re.compile(r"(?P<number>\d\d?)/(?P<day>\d\d?)/(19|20)?\d\d"),
]
_SCIENTIFIC = re.compile(r"\d(\.\d+)?E\+\d+|\d\.\d+E\d+", re.IGNORECASE)
_FORM = re.compile(r"[A-Za-z][a-z]{2,3}-\d{1,3}(\.\d+)?")  # of a worm's gene, and of a protein
_SHOWN = 5


def was(name: str) -> str:
    """What a damaged name may have been; "" for one that is not damaged.

    >>> was("2-Sep"), was("TP53")
    ('SEPTIN2 (once SEPT2)', '')
    """
    if _SCIENTIFIC.fullmatch(name):
        return "a number with an E inside, such as RIKEN's 2310009E13Rik"
    for pattern in _DATES:
        found = pattern.fullmatch(name)
        if found:
            parts, day = found.groupdict(), int(found["day"])
            number = int(parts.get("number") or 0)
            month = parts.get("month") or (_NUMBERED[number] if number < len(_NUMBERED) else "")
            month = _IN_ENGLISH.get(month.lower(), month.lower())
            families = _FAMILIES.get(month, ())
            families = families[: 1 if day > _LAST_MARC else None]
            return " or ".join(f.format(n=day) for f in families) or "a symbol like a date"
    return ""


def damage(genes: np.ndarray) -> list[str]:
    """What is to be said of names that Excel has changed; empty where it has changed none."""
    names = _damaged(genes)
    if not names:
        return []
    told = "; ".join(f"{name} was {was(name)}" for name in names[:_SHOWN])
    more = f"; and {len(names) - _SHOWN} more" * (len(names) > _SHOWN)
    notes = [f"{len(names)} gene ids are dates or numbers that Excel made of symbols: {told}{more}"]
    n_lost = int(is_lost(genes).sum())
    if n_lost:
        notes.append(f"{n_lost} genes left out: Excel has made one name of several, never merged")
    return notes


def is_lost(genes: np.ndarray) -> Bool[np.ndarray, " genes"]:
    """Which genes bear a damaged name that another bears, too: which is which cannot be told."""
    twice = [str(name) for name in duplicates(genes) if was(str(name))]
    twice = [name for name in _damaged(genes) if name in twice] if twice else []
    return np.isin(genes.astype(str), twice) if twice else np.zeros(len(genes), bool)


def _damaged(genes: np.ndarray) -> list[str]:
    """The names that Excel has changed; set-2 is none where others are called alike, as unc-54."""
    names = list(dict.fromkeys(map(str, genes)))
    found = [name for name in names if name[:1] and was(name)]
    of_form = [name for name in found if _FORM.fullmatch(name)]
    n_alike = sum(_FORM.fullmatch(name) is not None for name in names) if of_form else 0
    if of_form and n_alike >= 2 * len(of_form):
        found = [name for name in found if not _FORM.fullmatch(name)]
    return found
