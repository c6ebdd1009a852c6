"""Replicates that bear one name stay apart; copies are told from them."""

import numpy as np
import pytest
from miniatures import GENES
from traps import COUNTS, refusal, write

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect
from jaxssl.data.names import numbered


def table(folder, samples):
    rows = [",".join([g, *map(str, x)]) for g, x in zip(GENES, COUNTS.T, strict=True)]
    return write(folder / "x.csv", "\n".join([",".join(["gene", *samples]), *rows]) + "\n")


def test_replicates_are_numbered_as_proposed_and_take_the_label_of_their_name(tmp_path):
    path = table(tmp_path, ["WT", "WT", "WT", "KO", "KO", "KO"])
    message = refusal(path)
    assert "`duplicate_samples=number` if they are replicates" in message
    assert "called WT, WT.1 and so on" in message
    labels = write(tmp_path / "labels.csv", "sample,genotype\nWT,wild\nKO,knocked\n")
    report = inspect(path, labels)
    assert report.options["duplicate_samples"] == "number"
    assert report.n_alike_samples == 6
    adata = read(path, labels=labels, label="genotype", duplicate_samples="number")
    assert list(adata.obs_names) == ["WT", "WT.1", "WT.2", "KO", "KO.1", "KO.2"]
    assert list(adata.obs["genotype"]) == ["wild"] * 3 + ["knocked"] * 3
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert "4 samples numbered, as WT.1 is a replicate of WT" in adata.uns["jaxssl"]["notes"]


def test_a_copy_among_samples_is_proposed_to_be_left_out(tmp_path):
    path = table(tmp_path, ["A", "A", "B", "C", "D", "E"])
    assert inspect(path).options["duplicate_samples"] == "first"
    adata = read(path, duplicate_samples="first")
    np.testing.assert_array_equal(adata.X, np.delete(COUNTS, 1, axis=0))


@pytest.mark.parametrize(
    "names", [["a"] * 4, ["a", "a.1", "a", "a.1"], ["a", "b", "a.2", "a", "a"]]
)
def test_numbered_names_are_all_different_and_a_first_one_stays(names):
    found = numbered(names)
    assert len(set(found)) == len(names)
    assert found[0] == names[0]
