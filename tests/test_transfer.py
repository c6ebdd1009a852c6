"""Transfers between cohorts end to end, and what no arm may see or depend on."""

import json
import re
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from verbs import launch

import jaxssl
from jaxssl.config import with_options
from jaxssl.data.expression import write_h5ad
from jaxssl.data.family import Joint, transfers
from jaxssl.evaluation import adaptation
from jaxssl.evaluation.adaptation import FRAMES as ADAPTED
from jaxssl.evaluation.adaptation import fit_heads, pretrain_frames, recipe
from jaxssl.evaluation.families import differences
from jaxssl.evaluation.transfer import (
    ARMS,
    COMBINED,
    SEVERAL,
    Problem,
    fit_arm,
    fit_arms,
    frames_of,
)
from jaxssl.evaluation.views import FRAMES, Matrix, View
from jaxssl.report.transfer import drawn, forest, write_report
from jaxssl.types import InputError

pytestmark = pytest.mark.usefixtures("drawn")

TINY = {
    "pretrain.n_steps": 4,
    "pretrain.batch_size": 16,
    "encoder.hidden": (16, 8),
    "method.n_prototypes": (10,),
    "finetune.transfer_layers": 1,
    "finetune.scratch_steps": 8,
    "normalize.n_components": 6,
}
CONFIG = with_options(recipe(), TINY)
PIPELINES = [(arm, frame) for arm in (*ARMS, *COMBINED) for frame in frames_of(arm, FRAMES)]


def make_joint(seed=0, n=40, n_genes=25):
    """Two cohorts with the same classes, of which the second has other units."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 2 * n)
    y[:9], y[n : n + 9] = np.tile(np.arange(3), 3), np.tile(np.arange(3), 3)
    x = rng.normal(size=(3, n_genes))[y] * 2 + rng.normal(size=(2 * n, n_genes)) + 8
    x[n:] = x[n:] * rng.uniform(0.7, 1.4, n_genes) + rng.normal(0, 2, n_genes)
    labels = np.array(["x", "y", "z"], object)[y]
    labels[[9, 10, n + 9, n + 10]] = ""
    genes = np.array([f"g{i}" for i in range(n_genes)])
    return Joint(genes, x.astype(np.float32), np.repeat(["a", "b"], n), labels)


JOINT = make_joint()


def from_a(joint):
    return next(t for t in transfers(joint)[0] if t.source == "a")


def views_of(joint, matrices=None):
    matrices = matrices or {frame: Matrix(joint, frame, CONFIG) for frame in FRAMES}
    return {frame: View(matrix, from_a(joint)) for frame, matrix in matrices.items()}


def problem_of(transfer, share=0.4, seed=0):
    rows = transfer.labelled(share, seed)
    return Problem(rows, transfer.codes[rows], len(transfer.classes), seed)


@pytest.fixture(scope="module")
def fitted(numerics):
    """Probabilities of every arm in every frame."""
    views = views_of(JOINT)
    problem = problem_of(from_a(JOINT))
    return {pipeline: fit_arm(*pipeline, views, problem) for pipeline in PIPELINES}


@pytest.mark.usefixtures("numerics")
def test_every_arm_gives_probabilities_of_all_samples_of_the_target(fitted):
    target = from_a(JOINT).rows_of_target
    for pipeline, found in fitted.items():
        assert found.shape == (len(target), 3), pipeline
        assert_allclose(found.sum(axis=1), 1, atol=1e-4, err_msg=str(pipeline))
        assert found.min() >= 0, pipeline


@pytest.mark.usefixtures("numerics")
def test_no_arm_sees_a_label_of_the_target(fitted):
    labels = JOINT.labels.copy()
    labels[40:] = np.random.default_rng(1).permutation(labels[40:])
    blind = JOINT._replace(labels=labels)
    views, problem = views_of(blind), problem_of(from_a(blind))
    assert (labels != JOINT.labels).sum() > 10
    for pipeline, before in fitted.items():
        assert_array_equal(fit_arm(*pipeline, views, problem), before, err_msg=str(pipeline))


@pytest.mark.usefixtures("numerics")
def test_an_arm_does_not_depend_on_those_that_ran_before_it(fitted):
    """Backwards, and with another budget before it."""
    views, transfer = views_of(JOINT), from_a(JOINT)
    for arm, frame in reversed(PIPELINES):
        if frame in (SEVERAL, "rank_cohort"):
            fit_arm(arm, frame, views, problem_of(transfer, 1.0, 3))
        found = fit_arm(arm, frame, views, problem_of(transfer))
        assert_array_equal(found, fitted[arm, frame], err_msg=f"{arm} {frame}")


@pytest.mark.usefixtures("numerics")
def test_shifts_and_units_of_a_cohorts_genes_change_no_arm_in_the_frame_of_a_cohort(fitted):
    rng = np.random.default_rng(5)
    x = JOINT.expression.copy()
    x[40:] = 2 * x[40:] + rng.normal(0, 3, x.shape[1])
    moved = JOINT._replace(expression=x.astype(np.float32))
    views, problem = views_of(moved), problem_of(from_a(moved))
    for arm in ("logreg", "pca_logreg", "spread_selftrain", "random_forest", "centroids"):
        found = fit_arm(arm, "cohort", views, problem)
        assert_allclose(found, fitted[arm, "cohort"], atol=0.05, err_msg=arm)
        changed = fit_arm(arm, "training", views, problem)
        assert abs(changed - fitted[arm, "training"]).max() > 0.1, arm


def test_rows_tell_what_was_fitted_on_what(numerics):
    views, transfer = views_of(JOINT), from_a(JOINT)
    rows = pd.DataFrame(fit_arms(views, ["logreg", "coral"], ("rank", "cohort"), 0.4, 1))
    assert rows[["arm", "frame"]].to_numpy().tolist() == [
        *(["logreg", "cohort"], ["logreg", "rank"], ["coral", "cohort"], ["coral", "rank"]),
    ]
    assert set(rows["n_labelled"]) == {len(transfer.labelled(0.4, 1))}
    assert set(rows["n_tested"]) == {len(transfer.tested)}
    assert rows["sees_target"].tolist() == [False, False, True, True]
    found = fit_arm("coral", "rank", views, problem_of(transfer, 0.4, 1))
    y = transfer.codes[transfer.rows_of_target]
    hits = found.argmax(axis=1) == y
    recalls = [hits[y == k].mean() for k in range(3)]
    assert_allclose(rows["balanced_accuracy"].iloc[-1], np.mean(recalls))
    assert_allclose(rows["accuracy"].iloc[-1], hits[y >= 0].mean())


@pytest.mark.usefixtures("numerics")
def test_encoders_of_both_cohorts_have_heads_for_samples_that_are_not_in_the_graph():
    transfer, labelled = from_a(JOINT), problem_of(from_a(JOINT)).labelled
    framed = pretrain_frames(JOINT.expression, JOINT.cohorts, JOINT.genes, CONFIG, seeds=(0, 1))
    assert set(framed) == set(ADAPTED)
    outputs = {}
    for frame, own in framed.items():
        outputs[frame] = own.outputs(CONFIG, JOINT.expression, JOINT.cohorts)
        assert outputs[frame].shape == (80, 4 * 8)  # two seeds, two ways of batching
        assert_allclose(np.linalg.norm(outputs[frame].reshape(80, 4, 8), axis=2), 1, atol=1e-4)
    target = transfer.rows_of_target
    found, heads = fit_heads(outputs, labelled, transfer.codes[labelled], target, 3)
    alone = heads({frame: x[target[:5]] for frame, x in outputs.items()})
    together = heads({frame: x[target] for frame, x in outputs.items()})
    assert_allclose(alone, together[:5], atol=1e-4)
    for p in (found, together):
        assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    # the graph's half is replaced by what was learnt from it
    assert abs(found - together).max() <= 0.5
    assert np.mean(found.argmax(axis=1) == together.argmax(axis=1)) > 0.8


COHORTS = ("denmark", "japan")
SHARED = ["--shares=0.5", "--seeds=1", "--frames=cohort,rank"]


@pytest.fixture(scope="module")
def tiny():
    """A pretraining of few steps in the place of that of docs/results/transfer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adaptation, "RECIPE", adaptation.RECIPE | TINY)
        yield


@pytest.fixture(scope="module")
def files(data_dir, tmp_path_factory):
    """Two cohorts of colorectal cancer, imported by the product."""
    folder = tmp_path_factory.mktemp("crc")
    for name in COHORTS:
        own = data_dir / "cohorts" / "crc_msi" / name
        if not own.is_dir():
            pytest.skip(f"no cohorts in {own.parent}")
        options = [f"--labels={own / 'labels.csv'}", "--label=label", "--scale=log2"]
        launch("prepare", *options, f"--out={folder / name}.h5ad", own / "expression.npz")
    return [folder / f"{name}.h5ad" for name in COHORTS]


@pytest.fixture(scope="module")
def run(files, tiny, tmp_path_factory):
    """Transfers between them, by the verb."""
    out = tmp_path_factory.mktemp("runs") / "crc"
    data = ",".join(map(str, files))
    arms = "logreg,pca_logreg,consensus,adapt"
    printed = launch("transfer", f"--data={data}", f"--out={out}", f"--arms={arms}", *SHARED)
    assert f"wrote {out / 'transfer.md'}" in printed
    return out


def rows_of(folder):
    return pd.read_parquet(folder / "transfer.parquet")


def test_a_run_has_a_row_a_pipeline_and_direction_and_a_page(run):
    rows = rows_of(run)
    assert {*rows["source"] + " " + rows["target"]} == {"denmark japan", "japan denmark"}
    assert len(rows) == 2 * (2 * 2 + 2)
    assert set(rows["family"]) == {"crc"}
    assert rows["balanced_accuracy"].between(0, 1).all()
    told = rows.groupby(["source"])["n_labelled"].first()
    assert told.to_dict() == {"denmark": 39, "japan": 21}
    text = (run / "transfer.md").read_text()
    assert "2 transfers, from each cohort to each other one, in 1 family: crc (2 targets)" in text
    assert "## 50 % of the source's labels" in text
    assert "mean over families" not in text  # there is one
    assert "| not known |" in text
    for name in ("figures/transfer.png", "figures/transfer.svg", "transfer.csv", "differences.csv"):
        assert (run / name).stat().st_size > 0
    best = rows.groupby(["arm", "frame"])["balanced_accuracy"].mean()
    assert best["logreg", "rank"] > 0.75  # real cohorts: the labels travel


def test_python_gives_the_numbers_of_the_verb_and_a_column_those_of_files(run, files, tmp_path):
    words = {"frames": "rank", "shares": 0.5, "seeds": 1, "progress": False, "label": "label"}
    data = dict(zip(COHORTS, map(jaxssl.read, files), strict=True))
    both = anndata.concat(data, label="site")
    both.uns["jaxssl"] = {"scale": "log2"}
    expected = rows_of(run).query("arm == 'logreg' and frame == 'rank'").drop(columns="seconds")
    for i, (asked, batch) in enumerate([(files, ""), (both, "site")]):
        out = tmp_path / str(i) / "crc"
        found = jaxssl.transfer(asked, out=out, arms="logreg", batch=batch, **words)
        assert_frame_equal(found.drop(columns="seconds"), expected.reset_index(drop=True))


def watch(monkeypatch):
    """The cohorts and arms that are fitted from now on."""
    module, fitted = sys.modules["jaxssl.studies.transfer"], []
    fit_set = module.fit_set

    def watched(cohorts, config, frames):
        fitted.append(("".join(c.name[0] for c in cohorts), *config.sweep.arms))
        return fit_set(cohorts, config, frames)

    monkeypatch.setattr(module, "fit_set", watched)
    return fitted


def test_a_resume_computes_what_is_missing_and_keeps_the_rest(run, files, tiny, monkeypatch):
    fitted = watch(monkeypatch)
    before = rows_of(run)
    record = json.loads((run / "config.json").read_text())
    del record["normalize"]["frame"]  # as runs had it before encoders had a default by the split
    (run / "config.json").write_text(json.dumps(record))
    data = f"--data={','.join(map(str, files))}"
    again = (data, f"--out={run}", *SHARED, "--resume")
    launch("transfer", *again, "--arms=logreg,consensus")
    assert not fitted
    assert_frame_equal(rows_of(run), before)
    launch("transfer", *again, "--arms=logreg,coral")
    assert fitted == [("dj", "coral")]
    after = rows_of(run)
    assert len(after) == len(before) + 4
    kept = after[after["arm"] != "coral"].reset_index(drop=True)
    assert_frame_equal(kept, before)
    other = ["--shares=0.25,0.5", "--seeds=1", "--frames=cohort,rank", "--arms=coral"]
    launch("transfer", data, f"--out={run}", *other, "--resume")
    assert fitted[1:] == [("dj", "coral")]
    assert len(rows_of(run)) == len(after) + 4
    refused = launch("transfer", *again, "--max_samples=30", code=2)
    assert "was run on other data" in refused


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
    write_report(tmp_path, rows, "", left_out=[f"{i} to x: why" for i in range(9)])
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
