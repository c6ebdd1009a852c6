"""What the columns of a table of samples could be used for, judged by names and values."""

import math
import re
from collections import Counter
from typing import Any

import pandas as pd

LABEL_NAMES = "label|tissue|disease|cancer|class|subtype|type|diagnosis|site"
GROUP_NAMES = "patient|donor|subject|individual|group|case|series|study"
_MAX_CLASSES = 100
_MIN_GROUPS = 3  # one for each of train, validation and test


def describe(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Role and values of each column that could be a label ("label") or a group ("group")."""
    found: dict[str, dict[str, Any]] = {}
    for name in table.columns:
        counts = Counter(str(value) for value in table[name] if value != "")
        n_values, n_filled = len(counts), counts.total()
        is_number = all(_is_number(value) for value in counts)
        is_class = 2 <= n_values <= min(_MAX_CLASSES, n_filled // 3)
        if is_class and not (is_number and n_values > 10):
            classes = dict(counts.most_common())
            found[str(name)] = {"role": "label", "n_labelled": n_filled, "classes": classes}
        elif not is_number and n_values > 1 and re.search(GROUP_NAMES, str(name).lower()):
            found[str(name)] = {"role": "group", "n_labelled": n_filled, "n_groups": n_values}
    return found


def possible_groups(table: pd.DataFrame) -> list[str]:
    """Columns whose samples may belong together: a patient, a donor, a series."""
    return [name for name, found in describe(table).items() if found["role"] == "group"]


def choose(columns: dict[str, dict[str, Any]], role: str, names: str) -> str:
    """The column of that role whose name says most, ties to the most values; "" for none."""
    fit = [name for name, column in columns.items() if column["role"] == role]
    return min(fit, key=lambda name: (_rank(name, names), -_count(columns[name]), name), default="")


def choose_group(columns: dict[str, dict[str, Any]], label: str) -> str:
    """The column, other than the label, that is called after groups and has enough of them."""
    fit = {
        name: column
        for name, column in columns.items()
        if name != label and re.search(GROUP_NAMES, name.lower()) and _count(column) >= _MIN_GROUPS
    }
    return choose(fit, "group", GROUP_NAMES) or choose(fit, "label", GROUP_NAMES)


def _count(column: dict[str, Any]) -> int:
    """How many different values a described column has."""
    return len(column.get("classes", ())) or column.get("n_groups", 0)


def _rank(column: str, names: str) -> int:
    """Place of the first name that is part of the column's; their number where none is."""
    order = names.split("|")
    return next((i for i, name in enumerate(order) if name in column.lower()), len(order))


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False
