import numpy as np
import pandas as pd
import pytest

from jaxssl.evaluation.predictions import pack, unpack

CLASSES = ("b", "a", "p_a")  # in no order, and one that looks like a column of another


def test_what_is_packed_is_unpacked():
    p = np.random.default_rng(0).dirichlet(np.ones(3), size=5)
    labels = ["a", "b", "p_a", "b", "a"]
    table = pd.DataFrame({"sample_id": list("vwxyz"), "seed": 0, "label": labels})
    found = unpack(pd.concat([table, pd.DataFrame(pack(CLASSES, p))], axis=1))
    assert found.classes == CLASSES
    np.testing.assert_array_equal(found.probabilities, p)
    assert [CLASSES[code] for code in found.codes] == labels


def test_first_of_equally_probable_classes_is_named():
    table = pd.DataFrame({"label": ["b", "a"]} | pack(CLASSES, np.full((2, 3), 1 / 3)))
    assert unpack(table).named.tolist() == [0, 0]
    assert unpack(table).right.tolist() == [True, False]


def test_classes_that_are_numbers_keep_their_labels():
    table = pd.DataFrame({"label": [0, 1]} | pack(("0", "1"), np.eye(2)))
    assert unpack(table).right.tolist() == [True, True]


def test_a_label_that_is_no_class_is_refused():
    table = pd.DataFrame({"label": ["a", "c"]} | pack(("a", "b"), np.eye(2)))
    with pytest.raises(ValueError, match="'c' is none of the classes"):
        unpack(table)
