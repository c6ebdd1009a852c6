"""Families of cohorts: how files become cohorts, cohorts one matrix, and a matrix transfers."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from numpy.testing import assert_allclose, assert_array_equal

from jaxssl.config import Config, with_options
from jaxssl.data.family import MIN_LABELS, Cohort, Joint, check_family, join, sets_of, transfers
from jaxssl.studies.cohorts import hash_of, inputs_of, possible_sets, read_cohorts
from jaxssl.studies.progress import SILENT
from jaxssl.types import InputError

LABELLED = with_options(Config(), {"data.label": "kind"})
BATCHED = with_options(LABELLED, {"data.batch": "lab"})


def adata(n=24, genes=("g1", "g2", "g3", "g4"), labs=("a", "b"), seed=0, **obs):
    """Log2 expression of samples of some laboratories, every other one of either kind."""
    x = np.random.default_rng(seed).normal(8, 1, (n, len(genes))).astype(np.float32)
    table = {"kind": np.resize(["sick", "well"], n), "lab": np.repeat(labs, n // len(labs)), **obs}
    made = AnnData(x, pd.DataFrame(table, index=[f"s{seed}_{i}" for i in range(n)]))
    made.var_names, made.uns["jaxssl"] = list(genes), {"scale": "log2"}
    return made


def cohort(name, n=24, genes=("g1", "g2", "g3"), labels=("sick", "well"), seed=0):
    x = np.random.default_rng(seed).normal(8, 1, (n, len(genes))).astype(np.float32)
    return Cohort(name, x, np.array(genes, object), np.resize(labels, n).astype(object), "log2")


def read(data, config=LABELLED, **words):
    return read_cohorts(data, config, SILENT, **words)


def refused(match, data, config=LABELLED, **words):
    with pytest.raises(InputError, match=match):
        read(data, config, **words)


def test_a_column_tells_cohorts_apart_and_files_do():
    both = adata()
    of_column, _ = read(both, BATCHED)
    of_files, _ = read([both[:12], both[12:]])
    assert [c.name for c in of_column] == ["a", "b"]
    assert [c.name for c in of_files] == ["cohort_0", "cohort_1"]
    for one, other in zip(of_column, of_files, strict=True):
        assert_array_equal(one.expression, other.expression)
        assert_array_equal(one.labels, other.labels)
    # a column that is on record is of one file's samples, unless it is named
    both.uns["jaxssl"]["batch"] = "lab"
    assert [c.name for c in read(both)[0]] == ["a", "b"]
    assert [c.name for c in read([both, adata(seed=1)])[0]] == ["cohort_0", "cohort_1"]
    assert both.uns["jaxssl"]["batch"] == "lab"


def test_values_come_to_log2_each_cohort_from_its_own_scale():
    log2, counts = adata(), adata(seed=1)
    counts.X = np.round(2**counts.X)
    counts.uns["jaxssl"] = {"scale": "counts"}
    with pytest.warns(
        UserWarning, match=r"unlike scales: log2 \(cohort_0, say\), counts \(cohort_"
    ):
        own, other = read([log2, counts])[0]
    assert (own.scale, other.scale) == ("log2", "counts")
    assert_array_equal(own.expression, log2.X)
    expected = np.log2(1e6 * counts.X / counts.X.sum(axis=1, keepdims=True) + 1)
    assert_allclose(other.expression, expected, rtol=1e-5)


def test_what_is_no_family_is_refused_with_its_fix():
    one = adata()
    refused("no data are given; pass `data=A", [])
    refused(r"of one cohort \(cohort_0\), and a transfer takes two; name the column", one)
    refused(
        "cohort_0: no label column is known, and the data have kind, lab; ",
        [one, adata()],
        Config(),
    )
    refused("there is no column 'knd' for `label`; did you mean kind?", one, of(label="knd"))
    refused("there is no column 'site' for `batch`", one, of(batch="site"))
    nameless = adata(lab=["a"] * 20 + [""] * 4)
    refused("4 of 24 samples have no cohort in 'lab'; leave them out, or name", nameless, BATCHED)
    twice = adata()
    twice.obs_names = [twice.obs_names[0], *twice.obs_names[:-1]]
    refused("cohort_1: 1 samples bear the name of another", [one, twice])
    missing = adata()
    missing.X[0, 0] = np.nan
    refused(r"NaN or infinite.*correct them", [one, missing])


def of(**roles):
    return with_options(LABELLED, {f"data.{role}": name for role, name in roles.items()})


def test_a_file_of_the_same_name_is_refused(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        adata().write_h5ad(tmp_path / folder / "a.h5ad")
    twice = [tmp_path / "x" / "a.h5ad", tmp_path / "y" / "a.h5ad"]
    refused("two files have a cohort called a; pass each file once; rename", twice)
    assert inputs_of(twice) == (("data", twice[0]), ("data", twice[1]))


def test_small_cohorts_are_left_out_and_many_are_refused():
    labs = np.repeat(["a", "b", "c"], [20, 20, 3])
    kept, left_out = read(adata(43, labs=("a",), lab=labs), BATCHED)
    assert [c.name for c in kept] == ["a", "b"]
    assert left_out == ["c: it has 3 samples"]
    refused(
        r"1 of 2 cohorts have fewer than 10 samples \(first: c with 3\); leave them out, or",
        adata(23, labs=("a",), lab=labs[20:]),
        BATCHED,
    )
    patients = adata(400, labs=("a",), lab=np.repeat([f"p{i}" for i in range(100)], 4))
    refused(r"100 of 100 cohorts have fewer than 10.*name a coarser column with", patients, BATCHED)
    assert check_family([cohort("a"), cohort("b", 10)])[1].name == "b"
    with pytest.raises(InputError, match="3 of 5 cohorts have fewer than 10 samples"):
        check_family([cohort(name, 24 if name in "ab" else 9) for name in "abcde"])


def test_a_limit_draws_the_same_samples_again():
    both = adata(60)
    first, again = (read(both, BATCHED, max_samples=15)[0] for _ in range(2))
    assert [len(c.labels) for c in first] == [15, 15]
    assert hash_of(first, "pairs") == hash_of(again, "pairs")
    assert {tuple(row) for row in first[0].expression} <= {tuple(row) for row in both.X[:30]}
    assert [len(c.labels) for c in read(both, BATCHED, max_samples=500)[0]] == [30, 30]
    refused(
        "`max_samples=9` is fewer than the 10 that a cohort takes; raise it", both, max_samples=9
    )


def test_the_hash_knows_all_that_a_score_depends_on():
    cohorts = [cohort("a"), cohort("b", seed=1)]
    hashes = {
        hash_of(cohorts, "pairs"),
        hash_of(cohorts, "leave_cohort_out"),
        hash_of(cohorts[::-1], "pairs"),
        hash_of([cohort("c"), cohorts[1]], "pairs"),
        hash_of([cohort("a", labels=("sick", "well", "")), cohorts[1]], "pairs"),
        hash_of([cohort("a", genes=("g1", "g2", "x")), cohorts[1]], "pairs"),
        hash_of([cohort("a", seed=3), cohorts[1]], "pairs"),
    }
    assert len(hashes) == 7
    assert hash_of([cohort("a"), cohort("b", seed=1)], "pairs") in hashes


def test_cohorts_are_joined_by_the_names_of_genes_in_any_order():
    a, b = cohort("a", genes=("g1", "g2", "g3")), cohort("b", 12, genes=("g3", "x", "g1"), seed=1)
    joint = join([a, b])
    assert joint.genes.tolist() == ["g1", "g3"]
    assert_array_equal(joint.expression[:24], a.expression[:, [0, 2]])
    assert_array_equal(joint.expression[24:], b.expression[:, [2, 0]])
    assert joint.cohorts.tolist() == ["a"] * 24 + ["b"] * 12
    assert joint.labels.tolist() == [*a.labels, *b.labels]


def test_a_gene_that_is_constant_in_a_cohort_is_left_out():
    a, b = cohort("a"), cohort("b", seed=1)
    b.expression[:, 1] = 5
    assert join([a, b]).genes.tolist() == ["g1", "g3"]
    b.expression[:] = 5
    with pytest.raises(InputError, match="no gene varies in each of a and b; "):
        join([a, b])
    with pytest.raises(
        InputError, match=r"a and b have no gene in common; .*`read\(gene_map=TABLE"
    ):
        join([a, cohort("b", genes=("h1", "h2", "h3"))])


def test_pairs_are_all_directions_and_leaving_out_takes_all_others():
    cohorts = [cohort(name, seed=i) for i, name in enumerate("abc")]
    pairs = [t for some in sets_of(cohorts, "pairs") for t in transfers(join(some))[0]]
    assert {(t.source, t.target) for t in pairs} == {*zip("abacbc", "bacacb", strict=True)}
    (every,) = sets_of(cohorts, "leave_cohort_out")
    found, left_out = transfers(join(every))
    assert [(t.source, t.target) for t in found] == [("b+c", "a"), ("a+c", "b"), ("a+b", "c")]
    assert not left_out
    for t in found:
        both = np.concatenate([t.rows_of_source, t.rows_of_target])
        assert_array_equal(np.sort(both), np.arange(72))
        assert set(join(every).cohorts[t.rows_of_target]) == {t.target}


def joint(labels_of_a, labels_of_b):
    labels = np.array([*labels_of_a, *labels_of_b], object)
    cohorts = np.repeat(["a", "b"], [len(labels_of_a), len(labels_of_b)])
    return Joint(np.array(["g"]), np.zeros((len(labels), 1), np.float32), cohorts, labels)


def test_classes_are_those_with_labels_enough_in_both():
    few, enough = MIN_LABELS - 1, MIN_LABELS
    a = ["x"] * 9 + ["y"] * enough + ["z"] * 9 + ["only_a"] * 9 + [""] * 5
    b = ["x"] * enough + ["y"] * 9 + ["z"] * few + ["only_b"] * 9 + [""] * 7
    (t, back), _ = transfers(joint(b, a))
    assert (t.source, t.classes, back.classes) == ("b", ("x", "y"), ("x", "y"))
    labels = np.array([*b, *a])
    assert_array_equal(t.codes, np.select([labels == "x", labels == "y"], [0, 1], -1))
    assert len(t.tested) == 9 + enough
    assert set(t.codes[t.tested]) == {0, 1}
    assert set(t.tested) <= set(t.rows_of_target)
    found, left_out = transfers(joint(a, ["x"] * 20 + ["y"] * few))
    assert not found
    assert left_out[0] == "b to a: fewer than two classes have 4 labels in both"


@pytest.mark.parametrize("seed", range(3))
def test_labels_are_nested_in_proportion_and_one_a_class_at_least(seed):
    a = ["x"] * 80 + ["y"] * 16 + ["z"] * 4 + [""] * 10
    t = transfers(joint(a, ["x"] * 5 + ["y"] * 5 + ["z"] * 5))[0][1]
    assert t.source == "a"
    budgets = [t.labelled(share, seed) for share in (0.001, 0.05, 0.25, 0.5, 1.0)]
    assert [len(rows) for rows in budgets] == [3, 5, 25, 50, 100]
    for small, large in pairwise(budgets):
        assert set(small) < set(large)
    for rows in budgets:
        counts = np.bincount(t.codes[rows], minlength=3)
        assert set(rows) <= set(t.rows_of_source)
        assert counts.min() >= 1
        assert abs(counts - len(rows) * np.array([0.8, 0.16, 0.04])).max() <= 2
    assert_array_equal(budgets[-1], np.arange(100))
    other = t.labelled(0.25, seed + 1)
    assert set(other) != set(budgets[2])


def test_sets_that_allow_no_transfer_are_told_and_none_at_all_is_refused():
    a, b = cohort("a"), cohort("b", seed=1)
    one_class = cohort("c", labels=("well",), seed=2)
    kept, left_out = possible_sets([a, b, one_class], "pairs")
    assert [[c.name for c in some] for some in kept] == [["a", "b"]]
    assert left_out == ["4 transfers: fewer than two classes have 4 labels in both (first: c to a)"]
    kept, left_out = possible_sets([a, b, one_class], "leave_cohort_out")
    assert len(kept) == 1
    assert left_out == ["the others to c: fewer than two classes have 4 labels in both"]
    with pytest.raises(InputError, match=r"possible \(c to a: fewer than two .*; name another col"):
        possible_sets([a, one_class], "pairs")
    with pytest.raises(InputError, match=r"\(a and d have no gene in common\); bring the names"):
        possible_sets([a, cohort("d", genes=("h", "i", "j"))], "pairs")


def test_samples_in_two_cohorts_are_refused():
    names = tuple(f"g{i}" for i in range(30))
    a, b = cohort("a", genes=names), cohort("b", genes=names, seed=1)
    possible_sets([a, b], "pairs")
    b.expression[4:7] = a.expression[9:12] + 1e-4
    for protocol in ("pairs", "leave_cohort_out"):
        with pytest.raises(
            InputError, match=r"3 samples stand in two cohorts.*\(a and b, say\); lea"
        ):
            possible_sets([a, b], protocol)
    b.expression[:] = cohort("b", genes=names, seed=1).expression
    a.expression[1] = a.expression[0]  # in one cohort
    possible_sets([a, b], "pairs")
