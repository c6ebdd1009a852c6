"""Runs of a transfer: parts, families, runs that are joined, figures and bad input."""

import re

import anndata
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from transfer_runs import rows_of, watch
from verbs import launch

import jaxssl
from jaxssl.data.expression import write_h5ad
from jaxssl.evaluation.families import differences
from jaxssl.report.transfer import drawn, forest, write_report
from jaxssl.types import InputError

pytestmark = pytest.mark.usefixtures("drawn")


def family(n=30, n_genes=12, names="abc", **columns):
    """Cohorts of a column, with the same two classes."""
    total = n * len(names)
    rng, y = np.random.default_rng([*names.encode()]), np.arange(total) % 2
    x = 8 + rng.normal(size=(total, n_genes)) + 3 * y[:, None] * (np.arange(n_genes) < 3)
    table = {"kind": np.array(["sick", "well"])[y], "lab": np.repeat([*names], n)} | columns
    obs = pd.DataFrame(table, index=[f"{names}{i}" for i in range(total)])
    made = anndata.AnnData(x.astype(np.float32), obs)
    made.uns["jaxssl"] = {"scale": "log2", "label": "kind", "batch": "lab"}
    return made


QUICK = {"arms": "logreg", "frames": "cohort", "shares": [0.2, 1.0], "seeds": 2, "progress": False}


def test_a_part_that_is_gone_is_computed_anew_and_the_same(tmp_path, monkeypatch):
    out = tmp_path / "f"
    before = jaxssl.transfer(family(), out=out, **QUICK)
    assert len(before) == 6 * (2 + 1)  # at all labels, seeds are one
    (out / "transfer" / "000001.parquet").unlink()
    fitted = watch(monkeypatch)
    after = jaxssl.transfer(family(), out=out, resume=True, **QUICK)
    assert fitted == [("ac", "logreg")]
    assert_frame_equal(after.drop(columns="seconds"), before.drop(columns="seconds"))
    with pytest.raises(InputError, match="was run on other data"):
        jaxssl.transfer(family(names="abd"), out=out, resume=True, **QUICK)
    with pytest.raises(InputError, match="was run on other data"):
        jaxssl.transfer(family(), out=out, resume=True, protocol="leave_cohort_out", **QUICK)
    with pytest.raises(InputError, match="exists; pass `resume`, `overwrite` or another `out`"):
        jaxssl.transfer(family(), out=out, **QUICK)


def test_each_cohort_is_left_out_and_what_cannot_be_is_told(tmp_path):
    kinds = np.array(["sick", "well"])[np.arange(90) % 2]
    kinds[60:] = "well"
    words = QUICK | {"protocol": "leave_cohort_out", "shares": 1.0}
    rows = jaxssl.transfer(family(kind=kinds), out=tmp_path / "f", **words)
    assert {*zip(rows["source"], rows["target"], strict=True)} == {("b+c", "a"), ("a+c", "b")}
    text = (tmp_path / "f" / "transfer.md").read_text()
    assert "2 transfers, to each cohort from all others, in 1 family: f (2 targets)" in text
    assert "Left out: the others to c: fewer than two classes have 4 labels in both." in text
    assert not (tmp_path / "f" / "figures").exists()  # a classical arm alone is compared with none
    assert "Against" not in text


def test_runs_are_joined_a_family_counting_once(tmp_path):
    for name, names in (("one", "abc"), ("two", "de")):
        jaxssl.transfer(family(names=names), out=tmp_path / name, **QUICK)
    made = make_swav(pd.concat(map(rows_of, (tmp_path / "one", tmp_path / "two"))))
    assert set(made["family"]) == {"one", "two"}
    join = f"--join={tmp_path / 'one'},{tmp_path / 'two'}"
    launch("transfer", join, f"--out={tmp_path / 'both'}")
    joined = rows_of(tmp_path / "both")
    expected = joined.groupby(["family", "share"])["balanced_accuracy"].mean()
    shown = pd.read_csv(tmp_path / "both" / "transfer.csv").set_index("share")
    for share in (0.2, 1.0):
        one, two = expected["one", share], expected["two", share]
        told = shown.loc[share, ["one", "two", "mean over families"]].astype(float)
        assert_allclose(told, [one, two, (one + two) / 2], rtol=1e-5)
    assert "in 2 families: one (3 targets), two (2 targets)" in page_of(tmp_path / "both")


def page_of(folder):
    return (folder / "transfer.md").read_text()


def make_swav(rows):
    """As if the arm were one of ours, a point better, beside it."""
    better = rows["balanced_accuracy"] + 0.01
    return pd.concat([rows, rows.assign(arm="swav", balanced_accuracy=better)])


@pytest.mark.parametrize("families", [1, 2])
def test_a_figure_shows_what_there_is(families, tmp_path):
    """Without an arm of several frames, the others; long names cut; one family without a mean."""
    pairs = [("a", "b"), ("b", "a"), ("a", "c"), ("c", "a"), ("b", "c"), ("c", "b")]
    rows = pd.DataFrame(
        [
            ("a_family_of_a_very_long_name_that_has_no_end_" + str(f), *pair, arm, frame, share, 0)
            for f in range(families)
            for pair in pairs
            for arm, frame in [("logreg", "rank"), ("swav", "rank"), ("swav", "cohort")]
            for share in (0.2, 1.0)
        ],
        columns=["family", "source", "target", "arm", "frame", "share", "seed"],
    )
    scores = np.random.default_rng(0).uniform(0.5, 0.9, len(rows))
    rows = rows.assign(balanced_accuracy=scores, sees_target=False, protocol="pairs")
    rows = rows.assign(accuracy=scores / 2, log_loss=1 - scores)
    write_report(tmp_path, rows, "", left_out=[f"{i} to x: why" for i in range(9)])
    of = rows[(rows["arm"] == "logreg") & (rows["share"] == 0.2)]["balanced_accuracy"].mean()
    beside = f"| {50 * of:.1f} | {1 - of:.3f} |"  # accuracy and log loss, a family counting once
    assert beside in (tmp_path / "transfer.md").read_text()
    compared = differences(rows, ("logreg", "rank"))
    figure = Figure()
    forest(figure, drawn(compared))
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert len(labels) == (1 if families == 1 else 3)
    assert max(map(len, labels)) <= 28
    (legend,) = figure.legends
    (shown,) = [text.get_text() for text in legend.get_texts()]
    means = compared.groupby("frame")["difference"].mean()
    assert shown == f"swav in the frame {means.idxmax()}"
    points = [line.get_xdata() for line in figure.axes[1].lines]
    best = compared[(compared["frame"] == means.idxmax()) & (compared["share"] == 1)]
    assert any(np.allclose(x, 100 * best["difference"]) for x in points if len(x) == 1)
    text = page_of(tmp_path)
    assert "![differences](figures/transfer.png)" in text
    assert "4 to x: why; and 4 more." in text
    assert ("mean over families" in text) == (families > 1)


def test_what_is_joined_is_of_ended_runs_alike(tmp_path):
    for name, words in (("one", {}), ("out", {"protocol": "leave_cohort_out"})):
        jaxssl.transfer(family(), out=tmp_path / name, **QUICK, **words)
    jaxssl.transfer(family(), out=tmp_path / "coral", **QUICK | {"arms": "coral"})
    one, out = tmp_path / "one", tmp_path / "joined"
    for runs, match in (
        (f"{one},{one}", "two of the runs have the same transfers of one; name their families"),
        (f"{one},{tmp_path / 'out'}", "of unlike protocols (pairs, leave_cohort_out)"),
        (f"{one},{tmp_path / 'coral'}", "no arm in one frame and share is in all of the runs"),
        (f"{tmp_path}", "holds no transfer that has ended; pass folders of transfers"),
    ):
        assert match in launch("transfer", f"--join={runs}", f"--out={out}", code=2)
    for flag in ("--data=x.h5ad", "--arms=logreg", "--seeds=3", "--frames=rank", "--resume"):
        refused = launch("transfer", f"--join={one}", f"--out={out}", flag, code=2)
        assert f"{flag.partition('=')[0]} is not for runs that are joined" in refused
    assert not out.exists()
    launch("transfer", f"--join={one}", f"--out={out}")
    assert "exists; pass --overwrite or another" in launch(
        "transfer", f"--join={one}", f"--out={out}", code=2
    )
    launch("transfer", f"--join={one}", f"--out={out}", "--overwrite")


def test_bad_input_is_told_with_its_fix_and_nothing_is_written(tmp_path):
    for name, adata in {
        "a": family(names="a"),
        "b": family(names="b"),
        "small": family(n=3, names="c"),
        "one_class": family(names="d", kind=["well"] * 30),
        "patients": family(names="e", n=300, lab=[f"p{i // 3}" for i in range(300)]),
    }.items():
        write_h5ad(adata, tmp_path / f"{name}.h5ad")
    genes = family(names="f")
    genes.var_names = [f"other{i}" for i in range(12)]
    write_h5ad(genes, tmp_path / "genes.h5ad")
    before = {*tmp_path.iterdir()}
    for options, *match in (
        (
            "--data=a.h5ad,b.h5ad --arms=lgreg",
            "unknown name 'lgreg' in --arms; choose one of",
            "mean logreg?",
        ),
        (
            "--data=a.h5ad,b.h5ad --frames=rnk",
            "unknown name 'rnk' in --frames; choose one of",
            "mean rank?",
        ),
        ("--data=a.h5ad,b.h5ad --shares=20", "--shares=20.0 is out of its range", "20 % is 0.2"),
        ("--data=a.h5ad,b.h5ad --arms=logreg+target --frames=cohort", "no arm is of a frame among"),
        ("--data=a.h5ad,b.h5ad --max_samples=5", "fewer than the 10 that a cohort takes"),
        ("--data=a.h5ad", "the data are of one cohort (a), and a transfer takes two"),
        ("--data=a.h5ad,genes.h5ad", "a and genes have no gene in common", "--gene_map=TABLE"),
        ("--data=a.h5ad,small.h5ad", "1 of 2 cohorts have fewer than 10 samples (first: small"),
        ("--data=a.h5ad,one_class.h5ad", "fewer than two classes have 4 labels in both"),
        ("--data=patients.h5ad --batch=lab", "100 of 100 cohorts have fewer than 10 samples"),
        ("--data=a.h5ad,gone.h5ad", "gone.h5ad does not exist"),
        (
            "--data=a.h5ad,b.h5ad --label=knd",
            "a.h5ad: there is no column 'knd' for --label",
            "kind?",
        ),
        ("", "no data are given; pass --data=A.h5ad,B.h5ad"),
    ):
        options = re.sub(r"(\w+\.h5ad)", rf"{tmp_path}/\1", options)
        told = launch("transfer", f"--out={tmp_path / 'run'}", *options.split(), code=2)
        for text in match:
            assert text in told
    assert "no output folder is given; pass --out" in launch("transfer", "--data=a.h5ad", code=2)
    assert {*tmp_path.iterdir()} == before
