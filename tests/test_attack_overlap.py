"""Samples that stand in two places under other names, units or ids are found, and no others."""

import numpy as np
import pytest

import jaxssl
from jaxssl.data.family import Cohort, join, rows_of
from jaxssl.data.groups import find_twins, twins_by_rank
from jaxssl.data.overlap import refuse_copies, refuse_repeats
from jaxssl.data.unlabelled import near_twins
from jaxssl.types import InputError

N = 40


def cohort(name="a", seed=0, n_genes=120, **words):
    rng = np.random.default_rng(seed)
    x = rng.normal(8, 2, (N, n_genes)).astype(np.float32)
    genes = np.array([f"g{i}" for i in range(n_genes)], object)
    ids = np.array([f"{name}_{i}" for i in range(N)], object)
    labels = np.resize(["x", "y"], N).astype(object)
    return Cohort(name, x, genes, labels, "log2", **({"ids": ids} | words))


def measured_again(own, how):
    """The samples of a cohort after what another laboratory's pipeline did to their values."""
    rng, x = np.random.default_rng(7), own.expression
    if how == "units of each gene":
        x = x * rng.uniform(0.5, 2, x.shape[1]) + rng.normal(0, 3, x.shape[1])
    if how == "another logarithm":
        x = x * np.log(2)
    if how == "an offset, of some samples only":
        x = np.log2(16 + 2.0 ** x[:5])
    ids = np.array([f"again_{i}" for i in range(len(x))], object)
    again = rows_of(own, np.arange(len(x)))
    return again._replace(name="b", expression=x.astype(np.float32), ids=ids)


@pytest.mark.parametrize(
    "how", ["units of each gene", "another logarithm", "an offset, of some samples only"]
)
def test_copies_are_refused_whatever_a_pipeline_did_to_them(how):
    own = cohort()
    again = measured_again(own, how)
    n = len(again.labels)
    others = cohort("c", seed=1)
    filled = again._replace(
        expression=np.concatenate([again.expression, others.expression[n:]]),
        labels=own.labels,
        ids=np.concatenate([again.ids, others.ids[n:]]),
    )
    with pytest.raises(InputError, match=rf"{n} samples stand in two cohorts, nearly the same"):
        refuse_copies(join([own, filled]))
    refuse_copies(join([own, others]))


@pytest.mark.parametrize("family", ["glioma_grade", "crc_msi"])
def test_no_sample_of_a_real_family_is_taken_for_another_cohorts(family, data_dir):
    cohorts = []
    for file in sorted((data_dir / "cohorts" / family).glob("*/expression.npz"))[:3]:
        folder = file.parent
        adata = jaxssl.read(file, labels=folder / "labels.csv")
        x, genes = np.asarray(adata.X), adata.var_names.to_numpy()
        labels = adata.obs["label"].to_numpy(object)
        ids = adata.obs_names.to_numpy()
        cohorts.append(Cohort(folder.name, x, genes, labels, "log2", ids))
    refuse_repeats(cohorts)
    for i, one in enumerate(cohorts):
        for other in cohorts[:i]:
            refuse_copies(join([other, one]))


def test_ids_and_patients_in_two_cohorts_are_refused():
    own, other = cohort(), cohort("b", seed=1)
    refuse_repeats([own, other])
    shared = other._replace(ids=np.array([*own.ids[:2], *other.ids[2:]], object))
    with pytest.raises(InputError, match=r"2 samples of a and b have the same ids \(first: a_0\)"):
        refuse_repeats([own, shared])
    patients = np.array([f"patient_{i // 2}" for i in range(N)], object)
    with pytest.raises(InputError, match="20 groups have samples in a and in b"):
        refuse_repeats([own._replace(groups=patients), other._replace(groups=patients)])


@pytest.mark.parametrize("names", ["numbers", "nothing", "unknown"])
def test_what_is_no_name_tells_no_sample_again(names):
    values = {"numbers": map(str, range(N)), "nothing": [""] * N, "unknown": ["n/a"] * N}
    values = np.array(list(values[names]), object)
    same = {"ids": values if names == "numbers" else None, "groups": values}
    refuse_repeats([cohort()._replace(**same), cohort("b", seed=1)._replace(**same)])


def test_a_sample_with_few_beside_it_is_known_again_on_another_scale():
    own = cohort().expression
    for changed in (own[:3] * np.log(2), own[:3] + 3, np.log2(1 + 2.0 ** own[:3])):
        changed = changed.astype(np.float32)
        assert near_twins(own, changed, twins_by_rank) == [(0, 0), (1, 1), (2, 2)]
    few = own[:, :40]
    assert len(near_twins(few, few[:3] * np.float32(0.3), twins_by_rank)) == 3
    assert not near_twins(own, cohort(seed=1).expression[:3], twins_by_rank)
    assert not len(find_twins(own))
    assert not len(twins_by_rank(own))


def test_held_out_samples_are_found_among_few_unlabelled_ones_on_another_scale(data_dir, tmp_path):
    folder = data_dir / "cohorts" / "crc_msi" / "denmark"
    adata = jaxssl.read(folder / "expression.npz", labels=folder / "labels.csv", label="label")
    few = adata[:6].copy()
    few.X = (np.asarray(few.X) * np.log10(2)).astype(np.float32)
    few.obs_names = [f"other_{i}" for i in range(6)]
    config = jaxssl.Config()
    words = {"arms": ["majority"], "shares": [1.0], "seeds": 1, "config": config}
    with pytest.raises(InputError, match=r"held-out samples are among the unlabelled ones"):
        jaxssl.study(adata, unlabelled=[few], out=tmp_path / "run", progress=False, **words)


def test_unlabelled_samples_without_a_measurement_are_refused_by_their_file(data_dir, tmp_path):
    folder = data_dir / "cohorts" / "crc_msi" / "denmark"
    adata = jaxssl.read(folder / "expression.npz", labels=folder / "labels.csv", label="label")
    flat = adata[:12].copy()
    flat.X = np.array(flat.X)
    flat.X[3], flat.obs_names = 0, [f"other_{i}" for i in range(12)]
    words = {"arms": ["majority"], "shares": [1.0], "seeds": 1, "progress": False}
    with pytest.raises(
        InputError, match=r"unlabelled .*: 1 of 12 samples have one value .*other_3"
    ):
        jaxssl.study(adata, unlabelled=[flat], out=tmp_path / "run", **words)
