"""The question that a config asks of a data set: labels, groups, batches, parts."""

import dataclasses

import numpy as np
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

from jaxssl.config import Config, NormalizeConfig
from jaxssl.data.normalize import fit_normalizer, normalize, standardize
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.prepared import Prepared
from jaxssl.types import InputError


@pytest.fixture
def adata():
    return make_synthetic(n_samples=120, n_genes=30, n_classes=4)


def refusal(adata, config=None) -> str:
    with pytest.raises(InputError) as caught:
        make_task(adata, config or Config())
    return str(caught.value)


def test_unlabelled_samples_train_only_if_they_are_to(adata):
    adata.obs.iloc[::10, adata.obs.columns.get_loc("class")] = ""
    config = Config()
    with_them = make_task(adata, config)
    assert (with_them.codes[with_them.split.train] < 0).any()
    config.data.use_unlabelled = False
    without = make_task(adata, config)
    np.testing.assert_array_equal(without.split.train, with_them.labelled_train)


def test_data_without_a_question_are_refused(adata):
    adata.uns["jaxssl"]["label"] = ""
    assert "name one with `label`" in refusal(adata)
    config = Config()
    config.data.label, config.data.group = "class", "donr"
    assert "no column 'donr' for `group`; did you mean donor?" in refusal(adata, config)
    config.data.group = "xyz"
    assert "no column 'xyz' for `group`; there are class, superclass" in refusal(adata, config)


def test_names_that_occur_twice_are_refused(adata):
    adata.var_names = ["same", "same", *adata.var_names[2:]]
    assert "1 genes bear the name of another (first: same)" in refusal(adata)
    adata.obs_names = ["one"] * 3 + list(adata.obs_names[3:])
    assert "2 samples bear the name of another (first: one)" in refusal(adata)


def test_values_that_are_not_finite_are_refused(adata):
    adata.X[0, 0], adata.X[1, 1] = np.nan, np.inf
    assert "0.06% of the expression values are NaN or infinite" in refusal(adata)


def test_an_encoder_of_fewer_genes_in_another_order_sees_those(adata):
    task = make_task(adata, Config())
    chosen = [20, 3, 11]
    normalizer = fit_normalizer(
        task.expression[:, chosen], list(task.genes[chosen]), NormalizeConfig(n_components=2)
    )
    seen = task.expression[:, chosen]
    prepared = Prepared(task, Config(), normalizer)
    np.testing.assert_array_equal(prepared.features, normalize(normalizer, seen))
    np.testing.assert_array_equal(prepared.genes, standardize(normalizer, seen))
    foreign = dataclasses.replace(normalizer, genes=("gene_00020", "TP53", "gene_00011"))
    with pytest.raises(InputError, match=r"1 of the encoder's 3 genes are missing \(first: TP53\)"):
        _ = Prepared(task, Config(), foreign).features


def test_data_made_by_hand_need_no_record(adata):
    by_hand = AnnData(csr_matrix(adata.X), obs=adata.obs.astype("category"), var=adata.var)
    config = Config()
    config.data.label, config.data.group = "class", "donor"
    task, read = make_task(by_hand, config), make_task(adata, Config())
    assert (task.label, task.group, task.batch) == ("class", "donor", "")
    assert (read.label, read.group, read.batch) == ("class", "donor", "batch")
    np.testing.assert_array_equal(task.expression, read.expression)
    np.testing.assert_array_equal(task.split.test, read.split.test)


@pytest.mark.parametrize(
    ("scale", "factor", "finding"),
    [
        ("log2", 100, "`scale=log2` contradicts the data"),
        ("counts", -1, "`scale=counts` contradicts the data"),
        ("counts", 1, "not integers"),
    ],
)
def test_a_recorded_scale_that_the_values_exclude_is_refused(adata, scale, factor, finding):
    adata.X = np.abs(adata.X) * factor
    adata.uns["jaxssl"]["scale"] = scale
    assert finding in refusal(adata)
