"""Genes meet an encoder by name."""

import warnings

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxssl.config import NormalizeConfig
from jaxssl.data.align import align_genes, encoder_input
from jaxssl.data.genes import without_version
from jaxssl.data.normalize import fit_normalizer, log2_expression
from jaxssl.types import MAX_MISSING, InputError


def data(genes: list[str], scale: str = "log2") -> AnnData:
    x = np.arange(2 * len(genes), dtype=np.float32).reshape(2, -1)
    obs = pd.DataFrame(index=["s0", "s1"])
    return AnnData(x, obs=obs, var=pd.DataFrame(index=genes), uns={"jaxssl": {"scale": scale}})


def aligned(adata: AnnData, genes: list[str], max_missing: float = MAX_MISSING):
    return align_genes(adata.X, adata.var_names.to_numpy(dtype=object), genes, max_missing)


def test_columns_follow_the_names_not_the_order():
    x, found = aligned(data(["a", "b", "c", "d"]), ["d", "b"])
    np.testing.assert_array_equal(x, [[3, 1], [7, 5]])
    assert (found["n_missing"], found["n_unused"]) == (0, 2)


def test_missing_genes_are_nan_and_warned_of():
    genes = [f"g{i}" for i in range(10)]
    with pytest.warns(UserWarning, match=r"1 of the encoder's 10 genes are missing \(first: g0\)"):
        x, found = aligned(data(genes[1:]), genes)
    assert np.isnan(x[:, 0]).all()
    assert not np.isnan(x[:, 1:]).any()
    assert found["missing"] == ["g0"]


def test_too_many_missing_genes_are_refused_unless_allowed():
    genes = [f"g{i}" for i in range(10)]
    with pytest.raises(InputError, match=r"6 of the encoder's 10 .*`max_missing=0\.6"):
        aligned(data(genes[6:]), genes)
    with pytest.warns(UserWarning, match="training mean"):
        aligned(data(genes[6:]), genes, max_missing=0.61)


def test_other_kind_of_ids_is_named():
    ensembl = [f"ENSG{i:011d}" for i in range(9)]
    with pytest.raises(InputError, match="kind Ensembl gene, the data's gene symbol, such as TP53"):
        aligned(data(["TP53", "EGFR"]), ensembl)


def test_ensembl_versions_are_bridged_only_where_unambiguous():
    genes = ["ENSG00000000003.15", "ENSG00000000005"]
    x, found = aligned(data(["ENSG00000000005.6", "ENSG00000000003.14"]), genes)
    np.testing.assert_array_equal(x, [[1, 0], [3, 2]])
    assert found["n_matched_without_version"] == 2
    twice = data(["ENSG00000000003.13", "ENSG00000000003.14", "ENSG00000000005.1"])
    with pytest.raises(InputError, match="1 of the encoder's 2 genes"):
        aligned(twice, genes)


def test_pseudoautosomal_copy_is_another_gene():
    with pytest.raises(InputError, match="1 of the encoder's 1 genes"):
        aligned(data(["ENSG00000182378.15_PAR_Y"]), ["ENSG00000182378.15"])


def test_other_scale_is_refused_by_name():
    normalizer = fit_normalizer(data(["a", "b"]).X, ["a", "b"], NormalizeConfig(input="genes"))
    with pytest.raises(InputError, match="on the counts scale, the encoder was trained on log2"):
        encoder_input(data(["a", "b"], "counts"), normalizer)


def test_data_without_a_record_are_taken_as_they_look():
    x = np.random.default_rng(0).normal(7, 2, size=(9, 3)).astype(np.float32)
    normalizer = fit_normalizer(x, list("abc"), NormalizeConfig())
    var = pd.DataFrame(index=list("abc"))
    for values, scale in ((2**x, "linear"), (np.rint(2**x), "counts")):
        with pytest.raises(InputError, match=f"on the {scale} scale, the encoder was trained on"):
            encoder_input(AnnData(values, var=var), normalizer)
    encoder_input(AnnData(x, var=var), normalizer)


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_a_gene_of_the_encoder_that_stands_twice_is_refused_not_imputed():
    x = np.random.default_rng(0).normal(7, 2, size=(9, 3)).astype(np.float32)
    normalizer = fit_normalizer(x, list("abc"), NormalizeConfig())
    twice = AnnData(x[:, [0, 1, 2, 2]], var=pd.DataFrame(index=list("abcc")))
    with pytest.raises(InputError, match=r"1 of the encoder's genes stand twice .*first: c"):
        encoder_input(twice, normalizer)
    other = AnnData(x[:, [0, 1, 2, 2, 2]], var=pd.DataFrame(index=list("abcdd")))
    encoder_input(other, normalizer)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused_and_not_taken_for_a_missing_gene(value):
    x = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    normalizer = fit_normalizer(x, list("abc"), NormalizeConfig())
    x[4, 1] = value
    with pytest.raises(InputError, match="NaN or infinite"):
        encoder_input(AnnData(x, var=pd.DataFrame(index=list("abc"))), normalizer)


def test_data_without_a_single_gene_are_not_offered_to_be_imputed():
    with pytest.raises(InputError, match="use another encoder") as error:
        aligned(data(["a", "b"]), ["ENSG00000000003", "ENSG00000000005"])
    assert "`max_missing`" not in str(error.value)


ANY = settings(max_examples=100, deadline=None, derandomize=True)
STEMS = [f"ENSG{i:011d}" for i in range(6)]
IDS = st.one_of(
    st.builds("{}{}{}".format, st.sampled_from(STEMS), st.sampled_from(["", ".1", ".2"]),
              st.sampled_from(["", "", "_PAR_Y"])),
    st.sampled_from(["TP53", "BRCA1", "MKI67"]),
)  # fmt: skip


def matched(adata: AnnData, genes: list[str]) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return aligned(adata, genes, max_missing=1.0)[0]


@ANY
@given(st.lists(IDS, min_size=1), st.lists(IDS, min_size=1, unique=True))
def test_any_gene_is_matched_only_where_one_column_and_no_other_gene_can_be_meant(names, genes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata's, of names that occur twice
        x = matched(data(names), genes)
    for gene, column in zip(genes, x.T, strict=True):
        stem = without_version(gene)
        found = [i for i, name in enumerate(names) if name == gene]
        rivals = [other for other in genes if without_version(other) == stem]
        if not found and len(rivals) == 1:
            found = [i for i, name in enumerate(names) if without_version(name) == stem]
        meant = found[0] if len(found) == 1 else None
        expected = [np.nan] * 2 if meant is None else [meant, len(names) + meant]
        np.testing.assert_array_equal(column, expected)


@ANY
@given(
    st.lists(IDS, min_size=4, unique_by=without_version),
    st.sampled_from(["log2", "linear", "counts"]),
    st.randoms(),
)
def test_shuffled_columns_give_an_encoder_the_same_bits(names, scale, random):
    x = np.random.default_rng(len(names)).integers(0, 99, (9, len(names))).astype(np.float32)
    x[0] += 1
    x[1:, 0] += np.arange(1, 9)
    normalizer = fit_normalizer(
        log2_expression(x, scale), names, NormalizeConfig(input="genes"), scale
    )
    var, uns = pd.DataFrame(index=names), {"jaxssl": {"scale": scale}}
    adata = AnnData(x, var=var, uns=uns)
    shuffled = adata[:, random.sample(names, len(names))].copy()
    expected, _ = encoder_input(adata, normalizer)
    np.testing.assert_array_equal(encoder_input(shuffled, normalizer)[0], expected)


@ANY
@given(st.integers(1, 30), st.data())
def test_any_renamed_genes_are_missing_and_refused_in_excess(n_genes, draw):
    genes = [f"g{i}" for i in range(n_genes)]
    renamed = draw.draw(st.sets(st.integers(0, n_genes - 1)))
    permitted = draw.draw(st.integers(0, n_genes))
    adata = data([f"new{i}" if i in renamed else gene for i, gene in enumerate(genes)])
    if len(renamed) > permitted:
        with pytest.raises(InputError, match=f"{len(renamed)} of the encoder's {n_genes} genes"):
            aligned(adata, genes, max_missing=permitted / n_genes)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x, _ = aligned(adata, genes, max_missing=permitted / n_genes)
        expected = adata.X.copy()
        expected[:, list(renamed)] = np.nan
        np.testing.assert_array_equal(x, expected)
