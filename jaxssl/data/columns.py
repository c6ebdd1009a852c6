"""What the columns of a table of samples could be used for, judged by names and values."""

import math
import re
from collections import Counter
from typing import Any

import pandas as pd

LABEL_NAMES = r"label|tissue|disease|cancer|class|subtype|type|diagnosis|site"
GROUP_NAMES = r"patient|donor|subject|individual|group|case|series|study"
_MAX_CLASSES = 100


def describe_columns(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
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
        elif not is_number and n_values > 1 and matches(GROUP_NAMES, str(name)):
            found[str(name)] = {"role": "group", "n_labelled": n_filled, "n_groups": n_values}
    return found


def possible_groups(table: pd.DataFrame) -> list[str]:
    """Columns whose samples may belong together: a patient, a donor, a series."""
    return [name for name, found in describe_columns(table).items() if found["role"] == "group"]


def choose(columns: dict[str, dict[str, Any]], role: str, names: str) -> str:
    """The column of that role whose name says most, ties to the most values."""
    order = names.split("|")
    ranked = [
        (next((i for i, part in enumerate(order) if part in name.lower()), len(order)), -size, name)
        for name, column in columns.items()
        if column["role"] == role
        for size in [count_values(column)]
    ]
    return min(ranked)[2] if ranked else ""


def count_values(column: dict[str, Any]) -> int:
    """How many different values a described column has."""
    return len(column.get("classes", ())) or column.get("n_groups", 0)


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def matches(names: str, column: str) -> bool:
    """Whether a column is called by one of the names."""
    return re.search(names, column.lower()) is not None
