"""Ids that are the same but for how a tool writes them: R's dots, endings of files, case."""

import re
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

_ENDINGS = re.compile(
    r"([._]?(aligned\.sortedbycoord|readspergene)"
    r"|\.(gz|bz2|zip|cel|chp|idat|bam|sam|cram|fastq|fq|fasta|fa|txt|tsv|csv|xlsx?|tab|out|sf|h5"
    r"|genes|isoforms|results|htseq)"
    r"|[._-](sorted|markdup|dedup|trimmed|quant|abundance|(gene|read|htseq|raw)?[._-]?counts?))+$",
    re.IGNORECASE,
)
_RULES = {
    "without quotes and blanks around": (re.compile(r"^[\s\"']+|[\s\"']+$"), ""),
    "without folders": (re.compile(r"^.*[/\\](?=.)"), ""),
    "without the endings of files": (_ENDINGS, ""),
    "without .0 of whole numbers": (re.compile(r"^(\d+)\.0+$"), r"\1"),
    "by their GSM accessions": (re.compile(r"^(GSM\d+)[^A-Za-z0-9].*$", re.IGNORECASE), r"\1"),
    "without GSM accessions before them": (re.compile(r"^GSM\d+_(?=.)", re.IGNORECASE), ""),
    "with R's dots for other marks": (re.compile(r"[^A-Za-z0-9]+"), "."),
    "without R's X": (re.compile(r"^X\.?(?=\d)|^X(?=\.)"), ""),
    "in whatever case": (re.compile(r"[A-Z]+"), lambda found: found.group().lower()),
    "without leading zeros": (re.compile(r"^0+(?=\d+$)"), ""),
}
"""What is done to ids, in this order, until those of two tables are the same."""
_ACCESSION, _NO_ACCESSION = "by their GSM accessions", "without GSM accessions before them"
_PROBE = 1000  # ids that are tried before all are


class Spelling(NamedTuple):
    """Which ids of a table are which of a matrix, and how that was found."""

    names: dict[str, str]  # id of the table → id of the matrix
    rules: tuple[str, ...]  # keys of `_RULES`
    clash: str = ""  # two ids of the matrix that would become one

    def apply(self, keys: np.ndarray) -> np.ndarray:
        """Ids of the table as the matrix has them; others stay."""
        return np.array([self.names.get(str(key), key) for key in keys], dtype=object)


def respelt(keys: np.ndarray, names: np.ndarray) -> Spelling | None:
    """Ids of a table that are ids of a matrix but for their spelling, by as few rules as do.

    Ids that are the same as they are stay out of it. None where no rule finds another.

    >>> respelt(np.array(["1-A"]), np.array(["X1.A"])).rules
    ("with R's dots for other marks", "without R's X")
    """
    both = set(keys) & set(names)
    free = [str(key) for key in dict.fromkeys(keys) if key not in both and key != ""]
    left = [str(name) for name in names if name not in both]
    found: list[Spelling] = []
    for other in (_NO_ACCESSION, _ACCESSION):
        rules = tuple(rule for rule in _RULES if rule != other)
        probe = left[:: max(1, len(left) // _PROBE)]
        if not _same(free, probe, rules).names:
            continue
        n_known = len(set(_same(free, left, rules).names.values()))
        for rule in reversed(rules):
            fewer = tuple(name for name in rules if name != rule)
            if len(set(_same(free, left, fewer).names.values())) == n_known:
                rules = fewer
        found.append(_same(free, left, rules))
    return max(found, key=lambda s: len(set(s.names.values())), default=None)


def translated(keys: np.ndarray, names: np.ndarray, rules: Sequence[str]) -> np.ndarray:
    """Ids of a table as a matrix has them, by these rules."""
    both = set(keys) & set(names)
    free = [str(key) for key in dict.fromkeys(keys) if key not in both]
    return _same(free, [str(n) for n in names if n not in both], rules).apply(keys)


def _same(keys: Iterable[str], names: Iterable[str], rules: Sequence[str]) -> Spelling:
    of_form: dict[str, list[str]] = {}
    for name in names:
        known = of_form.setdefault(_form(name, rules), [])
        if name not in known:
            known.append(name)
    pairs = {key: of_form[form] for key in keys if (form := _form(key, rules)) in of_form}
    several = next((key for key, known in pairs.items() if len(known) > 1), "")
    clash = f"{' and '.join(pairs[several][:2])} would both be {several}" if several else ""
    return Spelling({key: known[0] for key, known in pairs.items()}, tuple(rules), clash)


def _form(text: str, rules: Sequence[str]) -> str:
    done = reduce(lambda so_far, rule: _RULES[rule][0].sub(_RULES[rule][1], so_far), rules, text)
    return done or text
