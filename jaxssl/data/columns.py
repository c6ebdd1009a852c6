"""Columns of a table of samples that could be a label or a group, by their values and names."""

import re
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from jaxssl.data.barcodes import DONOR, SAMPLE_TYPE

_LABEL_NAMES = "label|tissue|disease|cancer|class|subtype|type|diagnosis|site"
_GROUP_NAMES = "patient|donor|subject|individual|group|case|series|study"
_MAX_CLASSES = 100
_MIN_GROUPS = 3  # one for each of train, validation and test


def describe_columns(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Role and values of each column that could be a label ("label") or a group ("group")."""
    found: dict[str, dict[str, Any]] = {}
    for name in table.columns:
        counts = Counter(str(value) for value in table[name] if value != "")
        n_values, n_filled = len(counts), counts.total()
        numbers = pd.to_numeric(pd.Series(list(counts), dtype=str), errors="coerce")
        is_number = bool(np.isfinite(numbers).all())
        is_group = re.search(_GROUP_NAMES, str(name).lower())
        few = min(_MAX_CLASSES, n_filled // (3 if is_group or is_number else 2))
        if 2 <= n_values <= few and not (is_number and n_values > 10):
            classes = dict(counts.most_common())
            found[str(name)] = {"role": "label", "n_labelled": n_filled, "classes": classes}
        elif not is_number and n_values > 1 and is_group:
            found[str(name)] = {"role": "group", "n_labelled": n_filled, "n_groups": n_values}
    return found


def possible_groups(table: pd.DataFrame) -> list[str]:
    """Columns whose samples may belong together: a patient, a donor, a series."""
    return [name for name, found in describe_columns(table).items() if found["role"] == "group"]


def choose_label(columns: dict[str, dict[str, Any]]) -> str:
    """Of columns as `describe_columns` has them, the one to propose as label; "" for none."""
    return _choose(columns, "label", _LABEL_NAMES)


def _choose(columns: dict[str, dict[str, Any]], role: str, names: str) -> str:
    """The column of that role whose name says most, ties to the most values; "" for none."""
    fit = {n: column for n, column in columns.items() if column["role"] == role}
    return min(fit, key=lambda n: (_rank(n, names), -_n_values(fit[n]), n), default="")


def choose_group(columns: dict[str, dict[str, Any]], label: str, table: pd.DataFrame) -> str:
    """The column, other than the label, that is called after groups and has enough of them.

    One of treatments is called group as well: it has few in a class.
    """
    fit = {
        name: column
        for name, column in columns.items()
        if name != label
        and re.search(_GROUP_NAMES, name.lower())
        and _n_values(column) >= _MIN_GROUPS
        and not (_is_of_treatments(name) and _n_in_class(table, name, label) < _MIN_GROUPS)
    }
    return _choose(fit, "group", _GROUP_NAMES) or _choose(fit, "label", _GROUP_NAMES)


def _is_of_treatments(name: str) -> bool:
    """Whether a column may be one of treatments: it is called group, and after no one."""
    return re.findall(_GROUP_NAMES, name.lower()) == ["group"]


def _n_in_class(table: pd.DataFrame, name: str, label: str) -> int:
    """The fewest groups in a class; as many as are needed where there is no label."""
    if label not in table:
        return _MIN_GROUPS
    filled = table[(table[name] != "") & (table[label] != "")]
    return int(filled.groupby(label)[name].nunique().min())


def _n_values(column: dict[str, Any]) -> int:
    """How many different values a described column has."""
    return len(column.get("classes", ())) or column.get("n_groups", 0)


def _rank(column: str, names: str) -> int:
    """Place of the first name that is part of the column's; their number where none is."""
    if column in (DONOR, SAMPLE_TYPE):  # by the names of samples: after what the user has
        return len(names)
    order = names.split("|")
    return next((i for i, name in enumerate(order) if name in column.lower()), len(order))
