"""Names of rows: which column holds them, and numbers that are none."""

import re

import numpy as np

from jaxssl.data.formats.head import Dialect, is_name_for_ids
from jaxssl.types import InputError


def check_ids(dialect: Dialect, ids: np.ndarray) -> None:
    """A first column of numbers is no column of ids."""
    probe = [str(i) for i in ids[:1000]]
    is_measured = sum(re.fullmatch(r"-?\d*\.\d+(e-?\d+)?", i) is not None for i in probe)
    forms = [re.sub(r"[A-Za-z]+", "a", re.sub(r"\d+", "0", n)) for n in dialect.header[:100]]
    # S1, above it, is called as S2 is
    is_one_of_many = forms[0] in forms[1:] and not is_name_for_ids(dialect.header[0])
    is_counted = is_one_of_many and all(i.isdigit() for i in probe)
    if is_measured > 0.5 * len(probe) or is_counted:
        raise InputError(
            f"{dialect.head.path}: the first column, {dialect.header[0]!r}, holds numbers such as "
            f"{probe[0]}, where names of the rows are expected",
            "write these with the table",
        )
