"""How the bytes of a text are written, and what is said where they are no UTF-8."""

import re
from collections.abc import Iterable

_ENCODINGS = {"utf-8-sig": "UTF-8", "cp1252": "Windows-1252", "latin-1": "Latin-1"}
"""Tried in this order; the last takes what is left."""
_SHOWN = 3


def encoding_of(data: bytes) -> str:
    """The first encoding in which bytes are a text.

    >>> [encoding_of(data) for data in (b"TP53", b"Crohn\\x92s", b"\\x81")]
    ['utf-8-sig', 'cp1252', 'latin-1']
    """
    return next(name for name in _ENCODINGS if _is_written_in(name, data))


def decoded(line: bytes, encoding: str) -> str:
    """Text; portals write other encodings into free text far down."""
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return line.decode(encoding_of(line))


def told_encoding(called: str, encoding: str, lines: Iterable[str]) -> list[str]:
    """A note on a text that is no UTF-8, with words by which to see whether it is read right.

    >>> told_encoding("x.csv", "cp1252", ["id,disease", "S1,Crohn’s disease"])
    ["x.csv is no UTF-8 and read as Windows-1252: 'Crohn’s'; save it as UTF-8 if that is wrong"]
    """
    if encoding == "utf-8-sig":
        return []
    words = (word for line in lines for word in re.split(r"[\s,;\"]+", line))
    odd = list(dict.fromkeys(word for word in words if not word.isascii()))[:_SHOWN]
    return [
        f"{called} is no UTF-8 and read as {_ENCODINGS[encoding]}: {', '.join(map(repr, odd))}; "
        "save it as UTF-8 if that is wrong"
    ]


def _is_written_in(encoding: str, data: bytes) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
