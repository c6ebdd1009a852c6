"""Genes meet an encoder by name."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from jaxssl.config import NormalizeConfig
from jaxssl.data.align import align_genes, encoder_input
from jaxssl.data.normalize import fit_normalizer
from jaxssl.types import InputError


def data(genes: list[str], scale: str = "log2") -> AnnData:
    x = np.arange(2 * len(genes), dtype=np.float32).reshape(2, -1)
    obs = pd.DataFrame(index=["s0", "s1"])
    return AnnData(x, obs=obs, var=pd.DataFrame(index=genes), uns={"jaxssl": {"scale": scale}})


def test_columns_follow_the_names_not_the_order():
    x, found = align_genes(data(["a", "b", "c", "d"]), ["d", "b"])
    np.testing.assert_array_equal(x, [[3, 1], [7, 5]])
    assert (found["n_missing"], found["n_unused"]) == (0, 2)


def test_missing_genes_are_nan_and_warned_of():
    genes = [f"g{i}" for i in range(10)]
    with pytest.warns(UserWarning, match=r"1 of the encoder's 10 genes are missing \(first: g0\)"):
        x, found = align_genes(data(genes[1:]), genes)
    assert np.isnan(x[:, 0]).all()
    assert not np.isnan(x[:, 1:]).any()
    assert found["missing"] == ["g0"]


def test_too_many_missing_genes_are_refused_unless_allowed():
    genes = [f"g{i}" for i in range(10)]
    with pytest.raises(InputError, match=r"6 of the encoder's 10 .*--max_missing=0\.6"):
        align_genes(data(genes[6:]), genes)
    with pytest.warns(UserWarning, match="training mean"):
        align_genes(data(genes[6:]), genes, max_missing=0.61)


def test_other_kind_of_ids_is_named():
    ensembl = [f"ENSG{i:011d}" for i in range(9)]
    with pytest.raises(InputError, match="kind Ensembl gene, the data's gene symbol, such as TP53"):
        align_genes(data(["TP53", "EGFR"]), ensembl)


def test_ensembl_versions_are_bridged_only_where_unambiguous():
    genes = ["ENSG00000000003.15", "ENSG00000000005"]
    x, found = align_genes(data(["ENSG00000000005.6", "ENSG00000000003.14"]), genes)
    np.testing.assert_array_equal(x, [[1, 0], [3, 2]])
    assert found["n_matched_without_version"] == 2
    twice = data(["ENSG00000000003.13", "ENSG00000000003.14", "ENSG00000000005.1"])
    with pytest.raises(InputError, match="1 of the encoder's 2 genes"):
        align_genes(twice, genes)


def test_pseudoautosomal_copy_is_another_gene():
    with pytest.raises(InputError, match="1 of the encoder's 1 genes"):
        align_genes(data(["ENSG00000182378.15_PAR_Y"]), ["ENSG00000182378.15"])


def test_other_scale_is_refused_by_name():
    with pytest.raises(InputError, match="on the counts scale, the encoder was trained on log2"):
        align_genes(data(["a"], "counts"), ["a"], scale="log2")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused_and_not_taken_for_a_missing_gene(value):
    x = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    normalizer = fit_normalizer(x, list("abc"), NormalizeConfig())
    x[4, 1] = value
    with pytest.raises(InputError, match="NaN or infinite"):
        encoder_input(AnnData(x, var=pd.DataFrame(index=list("abc"))), normalizer)


def test_data_without_a_single_gene_are_not_offered_to_be_imputed():
    with pytest.raises(InputError, match="use another encoder") as error:
        align_genes(data(["a", "b"]), ["ENSG00000000003", "ENSG00000000005"])
    assert "--max_missing" not in str(error.value)
