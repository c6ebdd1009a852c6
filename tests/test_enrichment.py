"""Over-represented gene sets, held against scipy's exact test."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control, fisher_exact

from jaxssl.evaluation.enrichment import over_represented, read_gmt, within
from jaxssl.types import InputError

UNIVERSE = [f"G{i}" for i in range(100)]


def test_p_values_are_those_of_fishers_exact_test():
    rng = np.random.default_rng(0)
    sets = {f"s{k}": frozenset(rng.choice(UNIVERSE, 5 + k, replace=False)) for k in range(12)}
    top = set(rng.choice(UNIVERSE, 20, replace=False))
    table = over_represented(top, UNIVERSE, sets).set_index("set")
    for name, genes in sets.items():
        both = len(genes & top)
        square = [[both, len(genes) - both], [20 - both, 80 - len(genes) + both]]
        assert table.loc[name, "p"] == pytest.approx(fisher_exact(square, "greater").pvalue)
        assert table.loc[name, "n_top"] == both == len(str(table.loc[name, "genes"]).split())
    np.testing.assert_allclose(table["q"], false_discovery_control(table["p"].to_numpy()))
    assert table["p"].is_monotonic_increasing


def test_a_gmt_is_read_as_far_as_the_encoder_has_its_genes(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("LIVER\thttp://x\talb\tAPOA1\tTTR\tNOT1\n\nONE\t\tALB\n")
    sets = read_gmt(path)
    assert sets["LIVER"] == {"ALB", "APOA1", "TTR", "NOT1"}
    assert within(sets, ["ALB", "APOA1", "TTR", "INS"]) == {"LIVER": {"ALB", "APOA1", "TTR"}}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", "has no gene sets"),
        ("A\tx\n", "line 1 names no genes; expected NAME, a description"),
        ("A\tx\tB\nA\ty\tC\n", "has 'A' twice"),
    ],
)
def test_what_is_no_gmt_is_refused(tmp_path, text: str, finding: str):
    path = tmp_path / "sets.gmt"
    path.write_text(text)
    with pytest.raises(InputError, match=finding):
        read_gmt(path)


def test_sets_of_other_names_are_refused_with_names_of_both(tmp_path):
    with pytest.raises(InputError, match=r"ENSG1, ENSG2; those of the sets ALB, APOA1.*gene_map"):
        within({"LIVER": frozenset(["ALB", "APOA1"])}, ["ENSG1", "ENSG2"])
