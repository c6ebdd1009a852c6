"""What speaks against a join of labels by ids: other columns or rows that fit, words for none."""

import re
from collections import Counter

import numpy as np
import pandas as pd

from jaxssl.data.corner import OVER_NUMBERS, is_name_for_ids
from jaxssl.data.formats.cells import MISSING_TEXT
from jaxssl.types import InputError

_SHOWN = 6
RIVAL = 0.5  # share of the samples above which a second column could be that of their ids
_WELL = re.compile(r"[A-P]0?\d{1,2}")
_NUMBER = re.compile(r"(X\.?)?\d+")  # R writes an X before it


def refuse_loose_rivals(table: pd.DataFrame, column: str, names: np.ndarray) -> None:
    """Ask where a column that is not called after ids knows the samples, and another may, too.

    The other has ids, a row each, that are those of samples but for their marks, or of samples
    that are numbers but for what stands before; or it is called after ids, and the one that knows
    the samples holds numbers from 1 on, or wells. Numbers of rows are ids where the samples have
    all of them and no other.
    """
    keys = table[column].to_numpy(dtype=object)
    are_rows = column.strip().lower() in OVER_NUMBERS and _are_places(keys)
    if is_name_for_ids(column) and not are_rows:
        return
    are_numbers = all(map(_NUMBER.fullmatch, map(str, names)))
    own = pd.Index([_plain(str(key), are_numbers=are_numbers) for key in keys])
    known = pd.Index([_plain(str(name), are_numbers=are_numbers) for name in names])
    agree = are_rows and set(own) == set(known)
    for other in map(str, table.columns):
        ids = table[other].to_numpy(dtype=object)
        if other == column or len(set(ids) - {""}) < len(ids):
            continue
        plain = pd.Index([_plain(str(key), are_numbers=are_numbers) for key in ids])
        share = known.isin(plain).mean()
        fits = plain.is_unique and (share == 1 if agree else share > RIVAL)
        differs = bool((own.isin(known) & plain.isin(known) & (own != plain)).any())
        is_called = is_name_for_ids(other) and _are_places(keys) and not agree
        if (fits and differs) or is_called:
            raise InputError(
                f"column {column} of the labels knows the samples, and ids of {other}, such as "
                f"{ids[0]}, may be theirs",
                f"pass `sample_column={column}` if that is right, or write the ids of {other} as "
                "the data have them and name that one",
            )
    if are_rows and not known.isin(own).all():
        raise InputError(
            f"column {column} of the labels numbers its rows, {keys[0]} to {keys[-1]}, and does "
            f"not know sample {names[~known.isin(own)][0]}",
            f"pass `sample_column={column}` if these are ids of samples, or write their ids",
        )


def refuse_other_ids(obs: pd.DataFrame, told: pd.DataFrame) -> None:
    """Ask where a table, joined by some column, has ids of samples that the file gives to others.

    Numbers are ids only in columns that are called alike.
    """
    for name in map(str, obs.columns):
        own = obs[name].to_numpy(dtype=object)
        ids = pd.Index(own[own != ""])
        if not ids.is_unique or 2 * len(ids) <= len(own):
            continue
        are_numbers = all(str(value).isdecimal() for value in ids)
        for other in [name] if are_numbers else map(str, told.columns):
            theirs = told[other].to_numpy(dtype=object) if other in told else own
            are_ids = pd.Index(theirs).isin(ids)
            wrong = are_ids & (own != "") & (theirs != own)
            if wrong.any() and are_ids.mean() > RIVAL and pd.Index(theirs[are_ids]).is_unique:
                i, column = int(np.argmax(wrong)), told.attrs["column"]
                raise InputError(
                    f"column {column} of the labels makes sample {obs.index[i]} the {other} "
                    f"{theirs[i]}, and the file has {own[i]} in its {name}",
                    f"pass `sample_column={column}` if that is right, or call the samples of the "
                    f"file as its {name} has them",
                )


def tell_replaced(obs: pd.DataFrame, told: pd.DataFrame) -> list[str]:
    """A line on columns of which a table says something else than what was known."""
    names = [str(name) for name in told.columns if name in obs]
    old, new = (frame[names].to_numpy(dtype=object) for frame in (obs, told))
    differs = (new != old) & (new != "") & (old != "")
    if not differs.any():
        return []
    i, j = (int(place) for place in np.argwhere(differs)[0])
    shown = [name for name, is_other in zip(names, differs.any(axis=0), strict=True) if is_other]
    return [
        f"the labels replace other values in {', '.join(shown[:_SHOWN])}"
        f"{', ...' * (len(shown) > _SHOWN)} of {differs.any(axis=1).sum():,} samples: "
        f"{names[j]} of {obs.index[i]} was {old[i, j]}, is {new[i, j]}"
    ]


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
        return str(int(found[1])) if found else ""
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
