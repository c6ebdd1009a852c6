"""explain, end to end: prototypes and classes of encoders, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from verbs import PRETRAIN, instead, launch

import jaxssl
from jaxssl.data.synthetic import make_synthetic
from jaxssl.report.explanation import rank_file, told, write_explanation
from jaxssl.types import InputError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two encoders of simulated data."""
    folder = tmp_path_factory.mktemp("run")
    launch(
        "pretrain",
        *instead("--config.method.n_prototypes=(12,)", of=PRETRAIN),
        f"--out={folder / 'run'}",
    )
    make_synthetic().write_h5ad(folder / "data.h5ad")
    return folder


@pytest.fixture(scope="module")
def explained(run):
    """What the verb wrote of them, with a set of the genes that are high in each class."""
    adata = make_synthetic()
    x, classes = np.asarray(adata.X), adata.obs["class"].astype(str)
    lines = []
    for name in sorted(set(classes)):
        above = x[classes == name].mean(axis=0) - x[classes != name].mean(axis=0)
        lines.append(f"{name}\tx\t" + "\t".join(adata.var_names[np.argsort(-above)[:20]]))
    (run / "sets.gmt").write_text("\n".join(lines))
    words = [f"--encoder={run / 'run'}", f"--data={run / 'data.h5ad'}", f"--gmt={run / 'sets.gmt'}"]
    printed = launch("explain", *words, f"--out={run / 'out'}")
    return run / "out", printed


def test_the_verb_writes_tables_that_add_up(explained):
    out, printed = explained
    targets = pd.read_csv(out / "targets.csv", dtype={"target": str})
    assert set(targets["kind"]) == {"prototype", "class"}
    assert (targets["adds_up_within"] < 0.02).all()
    of_classes = targets[targets["kind"] == "class"]
    assert len(of_classes) == 12
    assert (of_classes["label"] == of_classes["target"]).all()
    assert (of_classes["left_attribution"] < of_classes["left_random"]).all()
    assert targets["stability"].between(-1, 1).all()
    assert "rank correlation between encoders" in printed
    page = (out / "explanation.md").read_text()
    assert "figures/genes_class.png" in page
    assert (out / "figures" / "genes_prototype.svg").is_file()


def test_the_nearest_targets_are_those_whose_genes_are_most_alike(run):
    found = jaxssl.explain(make_synthetic(), encoder=run / "run/encoder/seed_000", label="class")
    of_classes = found.targets[found.targets["kind"] == "class"].set_index("target")["nearest"]
    alike = found.ranks.filter(like="class_").corr()
    for name, nearest in of_classes.items():
        others = alike[f"class_{name}"].drop(f"class_{name}").nlargest(3).index
        assert nearest == ", ".join(other.removeprefix("class_") for other in others)


def test_rank_files_hold_every_gene_once_in_order(explained):
    out, _ = explained
    names = {path.stem for path in (out / "ranks").iterdir()}
    targets = pd.read_csv(out / "targets.csv", dtype={"target": str})
    assert names == set(targets["kind"] + "_" + targets["target"])
    ranks = pd.read_csv(out / "ranks" / "class_class_00.rnk", sep="\t", header=None)
    assert ranks[0].is_unique
    assert ranks[1].is_monotonic_decreasing
    assert rank_file(pd.Series([1.0, -2, 1], index=["B", "A", "A"])) == "B\t1\nA\t-2\n"


def test_names_that_no_file_tells_apart_have_files_of_their_own(run, tmp_path):
    adata = make_synthetic()
    adata.obs["class"] = np.where(adata.obs["class"] == "class_00", "a/b", "a|b")
    found = jaxssl.explain(adata, encoder=run / "run/encoder/seed_000")
    write_explanation(tmp_path, found)
    assert {path.stem for path in (tmp_path / "ranks").glob("class*")} == {
        "class_a_b",
        "class_a_b-2",
    }
    assert r"| a\|b |" in (tmp_path / "explanation.md").read_text()


def test_the_set_of_genes_that_are_high_in_a_class_is_found(explained):
    out, _ = explained
    sets = pd.read_csv(out / "sets.csv")
    assert (sets["p"] <= sets["q"]).all()
    own = sets[(sets["kind"] == "class") & (sets["set"] == sets["target"])]
    assert len(own) == 12
    assert (own["q"] < 0.05).mean() > 0.8
    others = sets[(sets["kind"] == "class") & (sets["set"] != sets["target"])]
    assert (others["q"] < 0.05).mean() < 0.4


def test_a_classifier_is_explained_by_its_logits(run):
    classifier, data = run / "clf", f"--data={run / 'data.h5ad'}"
    launch("finetune", f"--encoder={run / 'run'}", data, f"--out={classifier}", "--share=0.2")
    found = jaxssl.explain(run / "data.h5ad", classifier=classifier)
    assert set(found.targets["kind"]) == {"class"}
    assert found.targets["stability"].isna().all()
    assert any("of one encoder" in line for line in told(found))


def test_what_cannot_be_explained_is_refused(run, tmp_path):
    data, encoder = run / "data.h5ad", run / "run/encoder/seed_000"
    with pytest.raises(InputError, match="pass `encoder` or `classifier`"):
        jaxssl.explain(data)
    (tmp_path / "other.gmt").write_text("LIVER\tx\tALB\tAPOA1\tTTR\n")
    with pytest.raises(InputError, match=r"GENE_00000, .*those of the sets ALB, APOA1, TTR"):
        jaxssl.explain(data, encoder=encoder, gmt=tmp_path / "other.gmt")
    with pytest.raises(InputError, match="there is no column 'tissue'"):
        jaxssl.explain(data, encoder=encoder, label="tissue")
    few = make_synthetic()[:2].copy()
    with pytest.raises(InputError, match="no prototype or class has 3 samples"):
        jaxssl.explain(few, encoder=encoder, shift="warn")


def test_an_encoder_without_prototypes_needs_a_label(run, tmp_path):
    options = instead("--config.augment.noise=0.5", of=PRETRAIN)
    launch("pretrain", *options, "--method=simclr", "--seeds=1", f"--out={tmp_path / 'simclr'}")
    adata = make_synthetic()
    assert set(jaxssl.explain(adata, encoder=tmp_path / "simclr").targets["kind"]) == {"class"}
    del adata.uns["jaxssl"]["label"]
    with pytest.raises(InputError, match="simclr has no prototypes, and no label is given"):
        jaxssl.explain(adata, encoder=tmp_path / "simclr")


def test_an_estimator_explains_as_the_function_does(run):
    adata = make_synthetic()
    encoder = jaxssl.SSLEncoder.load(run / "run/encoder/seed_000")
    expected = jaxssl.explain(adata, encoder=encoder.bundle_, label="class")
    found = encoder.explain(adata, adata.obs["class"].to_numpy())
    pd.testing.assert_frame_equal(found.genes, expected.genes)
    assert set(encoder.explain(adata).targets["kind"]) == {"prototype"}
