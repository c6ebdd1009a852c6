"""Cells of one line of a text, and numbers that they write with commas or blanks inside."""

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from jaxssl.types import InputError

MISSING_TEXT = (
    *(
        "NA",
        "N/A",
        "n/a",
        "na",
        "#N/A",
        "<NA>",
        "NaN",
        "nan",
        "NAN",
        "-nan",
        "null",
        "NULL",
        "Null",
    ),
    *("'--", "--", "---", "#VALUE!", "#REF!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!"),
    *("[Not Available]", "[Not Applicable]", "[Not Evaluated]", "[Unknown]", "[Discrepancy]"),
    *("[Pending]", "[not available]", "[not applicable]"),
)
"""What exports write for a text that is not there; "None" and "Unknown" may be classes."""
MISSING = ("", *MISSING_TEXT, "None")
"""What stands for a number that is not there."""
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")
_GROUPED = re.compile(
    r"[-+]?\d{1,3}(?:(?P<mark>[,.' \u2019\u00a0\u202f])\d{3})(?:(?P=mark)\d{3})*(?P<rest>[.,]\d+)?"
)
_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
_ADORNED = re.compile(
    rf"['<>=~\u2264\u2265]+ ?{_NUMBER} ?%?|{_NUMBER} ?[%*]+|{_NUMBER}[dD][-+]?\d+"
    rf"|{_NUMBER}( ?[,;|] ?{_NUMBER}){{2,}}"
)
_FOR_NONE = re.compile(
    r"n\.?[da]\.?|[-.]|(not )?(un)?(determined|detected)|missing|filtered|no value"
    r"|(below |<=? ?)?(detection limit|lod|loq|lloq)|bdl|bld|blod|bloq",
    re.IGNORECASE,
)
_OF_CALLS = re.compile(r"(.*[ _.])?(detection|call|detection[ _.]call)s?", re.IGNORECASE)
_CALLS = {*"PAM", "NC", "NP", "Present", "Absent", "Marginal", "No Call"}
_POINTED = re.compile(r"[-+]?[1-9]\d{0,2}\.\d{1,3}")
_PLAIN = "write numbers without thousands separators, decimals with a point, as 1234.5"


def split_line(path: Path, line: str, delimiter: str) -> list[str]:
    """Fields of one line, quotes taken off; a return inside is refused."""
    csv.field_size_limit(1 << 30)
    try:
        fields = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise InputError(f"{path} is damaged in the line {line[:40]!r}: {error}") from error
    return [field.strip() for field in fields]


def unquoted(cell: str) -> str:
    """A cell by itself, in which quotes stand around the whole or for themselves."""
    cell = cell.strip()
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"').strip()
    return cell


def has_marks(cell: str) -> bool:
    """Whether a cell is a number but for the marks of thousands, or a decimal comma."""
    return bool(_DECIMAL_COMMA.fullmatch(cell) or _GROUPED.fullmatch(cell))


def is_adorned(cell: str) -> bool:
    """Whether a cell is a number with a sign that is no part of it, or several numbers.

    >>> [is_adorned(cell) for cell in ("<0.1", "5%", "1,2,3,4,5", "5.0", "TP53")]
    [True, True, True, False, False]
    """
    return bool(_ADORNED.fullmatch(cell))


def is_for_none(cell: str) -> bool:
    """Whether a cell among numbers is a word for none: ND, n.a., <LOD, Undetermined, a dash."""
    return _FOR_NONE.fullmatch(cell) is not None


def are_calls(name: str, cells: Iterable[str]) -> bool:
    """Whether a column says for each probe whether it was detected, as MAS5 does.

    >>> are_calls("GSM1_Detection", "PAAMP"), are_calls("GSM1_Detection", ["0.001", "P"])
    (True, False)
    """
    return _OF_CALLS.fullmatch(name) is not None and {*cells} <= {*_CALLS, *MISSING}


def may_be_grouped(cells: Sequence[str]) -> str:
    """A cell whose point may part thousands; "" where points are of decimals.

    Thousands have three digits behind it, but for zeros that a program drops, none is below 1, and
    those below 1,000 are whole.

    >>> may_be_grouped(["3.515", "995", "12.041", "0", "1.22", "7.3", "88"] * 3)
    ''
    >>> may_be_grouped(["3.515", "995", "12.041", "0", "1.221", "7.003", "88"])
    '3.515'
    """
    pointed = [cell for cell in cells if not cell.lstrip("+-").isdecimal()]
    whole = [cell.lstrip("+-") for cell in cells if cell.lstrip("+-").isdecimal()]
    of_three = [cell for cell in pointed if len(cell.partition(".")[2]) == 3]
    n_small = sum(cell.strip("0") != "" for cell in whole)
    if (
        len(of_three) < 3
        or not all(map(_POINTED.fullmatch, pointed))
        or any(len(cell) > 3 for cell in whole)
        or len(of_three) < 0.8 * len(pointed)
        or 10 * n_small < len(pointed)
    ):
        return ""
    return of_three[0]


def how_to_write(marked: Sequence[str], plain: Sequence[float]) -> tuple[str, str]:
    """What the marks in numbers stand for, beside numbers without any, and what to do about them.

    A comma before three digits may be either; that it is there in every number tells nothing, that
    others below 1,000 are whole and have none tells thousands.

    >>> how_to_write(["1,5", "2,25"], [])
    ('writes numbers with a decimal comma, such as 1,5', 'save it with decimal points')
    """
    found = {cell: _GROUPED.fullmatch(cell) for cell in marked}
    decimal = [c for c, group in found.items() if not group or c.lstrip("+-").startswith("0")]
    thousands = [
        c for c, g in found.items() if g and (g["mark"] != "," or g["rest"] or c.count(",") > 1)
    ]
    first = marked[0]
    if decimal and not thousands:
        return f"writes numbers with a decimal comma, such as {decimal[0]}", (
            "save it with decimal points"
        )
    if thousands or any(abs(number) < 1000 and number for number in plain):
        first = thousands[0] if thousands else first
        return f"writes numbers with thousands separators, such as {first}", _PLAIN
    return f"writes numbers with a comma, such as {first}, which may part thousands or decimals", (
        f"write {first.replace(',', '')} or {first.replace(',', '.')}, whichever is meant"
    )


def how_to_mend(cell: str, plain: Sequence[float], column: str) -> str:
    """What to do about a cell of a column of numbers that is none, beside numbers that are."""
    if has_marks(cell):
        return how_to_write([cell], plain)[1]
    if is_adorned(cell):
        return "write it as a plain number, or leave it empty where none is known"
    return (
        f"correct it, leave it empty if it stands for no value, or pass `text_columns={column}` if "
        "the column is no expression"
    )
