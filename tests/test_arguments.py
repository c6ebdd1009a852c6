"""What an argument means is read as declared, and what is of another type is refused in words."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jaxssl.arguments import checked, read_argument
from jaxssl.bounds import Share
from jaxssl.types import InputError

pytestmark = [
    pytest.mark.usefixtures("numerics"),
    pytest.mark.filterwarnings("ignore:this encoder's pretraining is not healthy"),
    pytest.mark.filterwarnings("ignore:.*bear the id of one whose label"),
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
]

# arguments


@pytest.mark.parametrize(
    ("value", "declared", "found"),
    [
        (0.5, Sequence[float], (0.5,)),
        (np.float32(0.1), Sequence[float], (0.1,)),
        (np.array(0.5), Sequence[float], (0.5,)),
        ({1.0, 0.5}, Sequence[float], (0.5, 1.0)),
        ((x for x in [0.5]), Sequence[float], (0.5,)),
        (pd.Series(["a"]), Sequence[str], ("a",)),
        (np.int64(3), int, 3),
        ("runs", str | Path, "runs"),
        ({"a": 0.5}, Mapping[str, Sequence[Any]], {"a": (0.5,)}),
    ],
)
def test_what_means_the_same_is_read_as_declared(value, declared, found):
    assert read_argument("option", value, declared) == found


@pytest.mark.parametrize(
    ("value", "declared", "finding"),
    [
        ({0.5: 1}, Sequence[float], "`option` is of type dict; pass a number"),
        (True, Sequence[float], "`option=True` is of type bool"),
        ([[0.5]], Sequence[float], "of type list"),
        (None, Sequence[str], "`option=None` says nothing; pass text"),
        (3, str, "`option=3` is of type int; pass text"),
        (1.5, int, "pass a whole number"),
        (2, Share, r"out of its range; choose a number in 0 \.\. 1"),
        (float("nan"), Share, "out of its range"),
        ("x", bool | Callable, "pass True or False or a function"),
        (["a"], Mapping[str, Sequence[Any]], "pass a dict"),
    ],
)
def test_what_is_of_another_type_is_refused_in_words(value, declared, finding):
    with pytest.raises(InputError, match=finding):
        read_argument("option", value, declared)


def test_none_is_not_said_where_there_is_a_default():
    @checked
    def function(first: int, second: str = "default"):
        return first, second

    assert function(1, None) == (1, "default")
    with pytest.raises(InputError, match=r"`first=None`"):
        function(None)
