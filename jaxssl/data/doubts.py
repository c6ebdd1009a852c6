"""What speaks against a join of labels by ids: other columns or rows that fit, words for none."""

import re
from collections import Counter

import numpy as np
import pandas as pd

from jaxssl.data.corner import is_name_for_ids
from jaxssl.data.formats.cells import MISSING_TEXT
from jaxssl.types import InputError

RIVAL = 0.5  # share of the samples above which a second column could be that of their ids
_WELL = re.compile(r"[A-P]0?\d{1,2}")


def refuse_loose_rivals(table: pd.DataFrame, column: str, names: np.ndarray) -> None:
    """Ask where a column that is not called after ids knows the samples, and another may, too.

    The other has ids, a row each, that are those of samples but for their marks, or of samples
    that are numbers but for what stands before; or it is called after ids, and the one that knows
    the samples holds numbers from 1 on, or wells.
    """
    if is_name_for_ids(column):
        return
    keys = table[column].to_numpy(dtype=object)
    are_numbers = all(str(name).isdecimal() for name in names)
    own = pd.Index([_plain(str(key), are_numbers=are_numbers) for key in keys])
    known = pd.Index([_plain(str(name), are_numbers=are_numbers) for name in names])
    for other in map(str, table.columns):
        ids = table[other].to_numpy(dtype=object)
        if other == column or len(set(ids) - {""}) < len(ids):
            continue
        plain = pd.Index([_plain(str(key), are_numbers=are_numbers) for key in ids])
        fits = plain.is_unique and known.isin(plain).mean() > RIVAL
        differs = bool((own.isin(known) & plain.isin(known) & (own != plain)).any())
        if (fits and differs) or (is_name_for_ids(other) and _are_places(keys)):
            raise InputError(
                f"column {column} of the labels knows the samples, and ids of {other}, such as "
                f"{ids[0]}, may be theirs",
                f"pass `sample_column={column}` if that is right, or write the ids of {other} as "
                "the data have them and name that one",
            )


def refuse_twins(table: pd.DataFrame, column: str, keys: np.ndarray, names: np.ndarray) -> None:
    """Refuse two different rows of a sample, the id of one of them spelt in another case."""
    known = {str(name): str(name) for name in names}
    folded = Counter(_folded(name) for name in known)
    spelt = {_folded(name): name for name in known if folded[_folded(name)] == 1}
    told = table.drop(columns=column).to_numpy(dtype=object)
    rows = {str(key): row for key, row in zip(keys, told, strict=True) if str(key) in known}
    for key, row in zip(map(str, keys), told, strict=True):
        name = spelt.get(_folded(key), "")
        if key != name and name in rows and (row != rows[name]).any():
            raise InputError(
                f"two rows of the labels, {key!r} and {name!r} in column {column}, are of the "
                f"sample {name}, and differ",
                "leave one row a sample",
            )


def missing_by_name(table: pd.DataFrame) -> dict[str, Counter[str]]:
    """Of each column, words that are taken for no value, and how often."""
    words = [word for word in MISSING_TEXT if word.isalpha()]
    found = {}
    for name in map(str, table.columns):
        cells = table[name].map(lambda cell: str(cell).strip())
        found[name] = Counter(cells[cells.isin(words)])
    return {name: counts for name, counts in found.items() if counts}


def tell_missing(counts: Counter[str], column: str) -> str:
    """A line on words of a label that are taken for no value, since one could be a class.

    >>> tell_missing(Counter({"NA": 6}), "tissue")
    "labels of tissue taken as missing: 'NA' 6; a class of that name is to be written otherwise"
    """
    listed = ", ".join(f"{word!r} {n}" for word, n in counts.most_common())
    return (
        f"labels of {column} taken as missing: {listed}; a class of that name is to be written "
        "otherwise"
    )


def _plain(text: str, *, are_numbers: bool) -> str:
    """An id without marks and leading zeros; where samples are numbers, the one that it ends in."""
    if are_numbers:
        found = re.search(r"(\d+)\D*$", text)
        return found[1].lstrip("0") if found else ""
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[\W_]+", "", text.lower()))


def _folded(text: str) -> str:
    """An id without outer blanks, in one case."""
    return text.strip().casefold()


def _are_places(keys: np.ndarray) -> bool:
    """Whether keys count on from 0 or 1, in whatever order, or are wells of a plate."""
    texts = [str(key) for key in keys]
    if all(text.isdecimal() for text in texts):
        numbers = sorted(map(int, texts))
        return numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[0] < 2
    return len({text[0] for text in texts}) > 1 and all(map(_WELL.fullmatch, texts))
