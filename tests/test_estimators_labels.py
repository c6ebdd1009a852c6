"""Labels of the estimators: those that are missing, and where an AnnData has them."""

import numpy as np
import pytest
from anndata import AnnData
from small_estimators import FITS, SMALL

from jaxssl import SSLClassifier
from jaxssl.data.synthetic import make_synthetic
from jaxssl.estimators.labels import encode, is_labelled
from jaxssl.types import InputError

pytestmark = FITS


@pytest.fixture(scope="module")
def data():
    return make_synthetic(n_samples=90, n_genes=40, n_classes=3, n_superclasses=3)


@pytest.mark.parametrize("nothing", [None, np.nan, "", -1])
def test_samples_without_a_label_join_the_pretraining(data, nothing):
    y = data.obs["class"].str[-1].astype(int).astype(object).to_numpy()
    if nothing == "":
        y = y.astype(str).astype(object)
    y[30:] = nothing
    made = SSLClassifier(config=SMALL).fit(data, y)
    provenance = made.bundle_.provenance
    assert (provenance["n_train"], provenance["n_labelled"]) == (90, 30)
    assert len(made.classes_) == 3
    assert made.score(data, y) == made.score(data[:30], y[:30])


def test_labels_of_an_anndata_stand_in_a_column(data):
    named = SSLClassifier(config=SMALL, label="superclass").fit(data)
    assert set(named.predict(data)) <= set(data.obs["superclass"])
    assert named.score(data) > 0.9
    with pytest.raises(InputError, match=r"no column 'tissue'.*superclass"):
        SSLClassifier(label="tissue").fit(data)
    with pytest.raises(InputError, match="requires y to be passed"):
        SSLClassifier().fit(AnnData(data.X))


def test_minus_one_is_a_class_only_where_two_remain_no_other_way():
    assert is_labelled(np.array([-1, 1, -1])).all()
    assert is_labelled(np.array([-1, 0, 1])).tolist() == [False, True, True]
    assert is_labelled(np.array([-1, 0]), classes=np.array([0, 1])).tolist() == [False, True]
    assert is_labelled(np.array([-1, 1]), classes=np.array([-1, 1])).all()
    classes, codes = encode(np.array(["b", "", "a", None], object))
    assert classes.tolist() == ["a", "b"]
    assert codes.tolist() == [1, -1, 0, -1]
    with pytest.raises(InputError, match="the labels hold no class"):
        encode(np.array([None, None], object))
    with pytest.raises(ValueError, match="continuous"):
        encode(np.array([0.5, 1.5, np.nan]))
