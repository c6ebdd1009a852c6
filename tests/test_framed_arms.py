"""Classical arms in frames of their own: numbers of a study in that frame, and a fair choice."""

import dataclasses
import json
import warnings

import anndata
import jax
import numpy as np
import pandas as pd
import pytest
from rows import results_of
from run_folders import unknown
from verbs import launch

import jaxssl
from jaxssl.config import Config, frame_of, from_dict, resolve, to_dict, with_options
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.prepared import prepare
from jaxssl.evaluation.arms import (
    CLASSICAL,
    FRAMED,
    check_arms,
    check_references,
    in_all_frames,
    in_frames,
)
from jaxssl.evaluation.conclusions import conclude
from jaxssl.evaluation.grid import check_grid, is_read
from jaxssl.evaluation.headline import headlines, sentence_by_share
from jaxssl.evaluation.sweep import sweep
from jaxssl.report.drawing import arm_marks
from jaxssl.report.figures import _thinned
from jaxssl.runs.identity import _hash_of_options
from jaxssl.runs.output import Output
from jaxssl.studies.frames import settle_frame
from jaxssl.studies.job import make_job
from jaxssl.studies.methods import beside, run_methods
from jaxssl.types import FRAMES, InputError

pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings(
        "ignore:.*(are few|no group column|than chance|does nothing|instead of|no sample in)"
    ),
]
ADATA = make_synthetic(n_samples=240, n_genes=40, n_classes=3)
LEFT_OUT = {"split.protocol": "leave_batch_out"}
REFERENCES = Config().sweep.reference_arms


def scores(frame, arms, **options):
    """Values of every arm, in a study whose frame is `frame`."""
    values = {"normalize.frame": frame, "sweep.arms": tuple(arms), "sweep.shares": (0.1, 1.0)}
    config = with_options(Config(), values | {"data.batch": "batch"} | options)
    fits = sweep(prepare(make_task(ADATA, config), config), {}, [0, 1])
    rows = pd.DataFrame([row for fitted in fits for row in fitted.rows])
    return rows.set_index(["arm", "share", "seed", "part", "metric"])["value"]


def small_study(arms, out=None, data=ADATA, **words):
    """A study of classical arms alone."""
    asked = {"batch": "batch", "shares": [0.1], "seeds": 2, "progress": False} | words
    return jaxssl.study(data, arms=arms, out=out, **asked)


@pytest.fixture(scope="module")
def framed(tmp_path_factory):
    """A study, on disk, in frames that some of its arms name themselves and others do not."""
    out, arms = tmp_path_factory.mktemp("runs") / "run", ["majority", "logreg", "knn@cohort"]
    with jax.numpy_dtype_promotion("standard"), warnings.catch_warnings(action="ignore"):
        return small_study(arms, out, frames=["rank", "training", "rank_cohort"])


@pytest.mark.parametrize("kind", ["spectral", "genes"])
def test_an_arm_in_a_frame_has_the_numbers_of_a_study_in_that_frame(kind):
    arms = ["logreg", "label_spreading"] if kind == "genes" else ["logreg", "pca_logreg", "knn"]
    others = FRAMES[1:]
    ours = scores("training", in_frames(arms, others, "training"), **{"normalize.input": kind})
    for frame in others:
        theirs = scores(frame, arms, **{"normalize.input": kind})
        for arm in arms:
            found = ours.xs(f"{arm}@{frame}")
            pd.testing.assert_series_equal(found, theirs.xs(arm), check_exact=True)
        assert not ours.xs(f"logreg@{frame}").equals(ours.xs("logreg"))


def test_order_and_company_change_no_arm():
    mixed = scores("rank", ["logreg@cohort", "knn", "knn@training", "logreg@training", "logreg"])
    apart = [scores("rank", ["logreg", "logreg@training"]), scores("rank", ["knn@training"])]
    for found in apart:
        for arm in found.index.unique("arm"):
            pd.testing.assert_series_equal(mixed.xs(arm), found.xs(arm), check_exact=True)


def test_the_frame_of_the_study_has_no_other_name(tmp_path):
    result = small_study(["logreg", "logreg@training", "knn@training"], tmp_path / "run")
    assert result.results["arm"].unique().tolist() == ["logreg", "knn"]
    assert result.config["sweep"]["arms"] == ["logreg", "knn"]
    assert result.summary["warnings"] == small_study(["logreg", "knn"]).summary["warnings"]


def test_frames_are_of_all_classical_arms_that_name_none(framed):
    found = framed.results["arm"].unique().tolist()
    assert found == ["majority", "logreg", "knn@cohort", "logreg@rank", "logreg@rank_cohort"]
    assert framed.predictions("logreg@rank", 0.1) is not None
    assert ("frame", "training; a classical arm with @") in [
        (name, text[:32]) for name, text in jaxssl.report.facts.facts(framed)
    ]


@pytest.mark.parametrize(
    ("arm", "finding"),
    [
        ("logreg@ranks", r"unknown arm 'logreg@ranks' .*did you mean logreg@rank\?"),
        ("logrge@rank", r"unknown arm 'logrge@rank' .*did you mean logreg@rank\?"),
        ("logreg@", "unknown arm 'logreg@'"),
        ("logreg@auto", "unknown arm 'logreg@auto'"),
        ("swav@rank", r"`arms=swav@rank`: only classical arms .*did you mean swav, or"),
        ("swav+components@rank", "only classical arms"),
        ("scratch@cohort", "only classical arms"),
        ("majority@cohort", "only classical arms"),
    ],
)
def test_what_has_no_such_frame_is_refused(arm, finding):
    with pytest.raises(InputError, match=finding):
        check_arms([arm])
    with pytest.raises(InputError, match=finding):
        small_study(["logreg", arm])


def test_unknown_frames_are_refused_by_name():
    with pytest.raises(InputError, match=r"`frames=ranks` is unknown; choose .* mean rank\?"):
        small_study(["logreg"], frames=["ranks"])
    with pytest.raises(InputError, match="holds one twice"):
        small_study(["logreg"], frames=["rank", "rank"])


def test_reference_arms_count_in_all_their_frames():
    compared = ["swav", "logreg", "logreg@rank", "knn@cohort"]
    assert in_all_frames(["logreg"], compared) == ["logreg", "logreg@rank"]
    assert in_all_frames(["knn@cohort"], compared) == ["knn@cohort"]
    named = {"sweep.arms": ("swav", "logreg"), "sweep.reference_arms": ("logreg@rank",)}
    with pytest.raises(InputError, match="has logreg@rank, which is not compared"):
        check_references(with_options(Config(), named))
    check_references(with_options(Config(), named | {"sweep.frames": ("rank",)}))
    named["sweep.reference_arms"] = ("logreg@training",)
    check_references(with_options(Config(), named))


def concluded(validation, test):
    """What scores by arm on two parts come to; every arm has them in three seeds."""
    kinds = {"share": 0.1, "metric": "balanced_accuracy"}
    spread = np.array([-0.01, 0.0, 0.01])
    tables = [
        results_of({arm: mean + spread * (1 + i / 10) for i, (arm, mean) in enumerate(of.items())})
        .assign(**kinds, part=part)
        for part, of in (("validation", validation), ("test", test))
    ]  # fmt: skip
    groups = pd.Series(dtype=object)
    return conclude(pd.concat(tables), REFERENCES, lambda arm, share: None, groups)


def test_the_opponent_is_the_best_arm_in_its_best_frame_on_validation():
    arms = ("swav", "logreg", "logreg@rank", "knn", "knn@rank_cohort")
    found = concluded(
        dict(zip(arms, (0.9, 0.7, 0.8, 0.75, 0.6), strict=True)),
        dict(zip(arms, (0.9, 0.85, 0.6, 0.7, 0.89), strict=True)),  # not looked at for the choice
    )
    primary = found.endpoint.set_index("reference")
    assert primary.index[primary["is_best"]].tolist() == ["logreg@rank"]
    assert primary.loc["logreg@rank", "difference"] == pytest.approx(0.3)
    assert set(primary.index) == {*arms} - {"swav"}
    (sentence,) = headlines(found)
    best = "logreg in the frame rank, the best of 2 classical arms in 3 frames on validation"
    assert f"swav beats {best}, in balanced accuracy" in sentence


def test_equals_on_validation_fall_to_the_frame_of_the_study():
    arms = [*in_frames(CLASSICAL, FRAMES, "cohort"), "swav"]
    found = concluded(dict.fromkeys(arms, 0.8), dict.fromkeys(arms, 0.8))
    best = found.endpoint.loc[found.endpoint["is_best"].astype(bool), "reference"].tolist()
    assert best == ["spread_selftrain"]  # the last by alphabet, as among arms without frames


def test_a_sentence_by_share_names_arms_of_several_frames_once():
    arms = {"swav": 0.9, "logreg": 0.7, "logreg@rank": 0.8, "knn@cohort": 0.6}
    found = concluded(arms, arms)
    sentence = sentence_by_share(found.statistics, "swav", "balanced_accuracy")
    assert "the best of logreg in 2 frames and knn in the frame cohort" in sentence
    assert "against logreg in the frame rank" in sentence


def test_the_default_follows_the_split_and_leaves_other_studies_as_they_were():
    default, left_out = Config(), with_options(Config(), LEFT_OUT)
    assert (frame_of(default), frame_of(left_out)) == ("training", "cohort")
    named = with_options(left_out, {"normalize.frame": "rank"})
    assert resolve(named, 200).normalize.frame == "rank"
    # the record of a version without frames of arms, and of one without any
    stored = to_dict(resolve(default, 200))
    before = json.loads(json.dumps(stored))
    del before["sweep"]["frames"]
    assert before["normalize"]["frame"] == "training"
    assert _hash_of_options(before) == _hash_of_options(stored)
    del before["normalize"]["frame"]
    before["split"] |= {"protocol": "leave_batch_out"}
    assert from_dict(before).normalize.frame == "training"


def test_a_run_of_before_goes_on_in_its_frame_and_without_others(tmp_path):
    old = with_options(Config(), LEFT_OUT | {"normalize.frame": "training"})
    first = small_study(["logreg"], tmp_path, config=old, frames=["training"])
    record = json.loads((tmp_path / "config.json").read_text())
    del record["sweep"]["frames"]
    (tmp_path / "config.json").write_text(json.dumps(record))
    now = with_options(Config(), LEFT_OUT)
    again = small_study(["logreg"], tmp_path, config=now, resume=True)
    pd.testing.assert_frame_equal(first.results, again.results)
    assert again.config["normalize"]["frame"] == "training"
    more = small_study(["logreg"], tmp_path, config=now, frames=["cohort"], resume=True)
    assert more.results["arm"].unique().tolist() == ["logreg", "logreg@cohort"]
    new = settle_frame(now, Output(str(tmp_path / "other"), resume=True))
    assert (new.normalize.frame, new.sweep.frames) == ("cohort", ())


def few(n):
    """The data, with a third batch of a few samples."""
    adata = ADATA.copy()
    batch = adata.obs["batch"].astype(str).to_numpy().copy()
    batch[:n] = "few"
    adata.obs["batch"] = batch
    return adata


@pytest.mark.parametrize("splits", [1, 0])
def test_small_cohorts_are_refused_with_a_fix_that_works(splits, tmp_path):
    words = {"config": with_options(Config(), LEFT_OUT), "splits": splits, "data": few(9)}
    finding = r"fewer than 10 samples .*few \([1-9]\).*or pass `normalize\.frame=rank`"
    with pytest.raises(InputError, match=finding):
        small_study(["logreg"], tmp_path / "run", **words)
    assert not (tmp_path / "run").exists()
    words["config"] = with_options(Config(), LEFT_OUT | {"normalize.frame": "rank"})
    found = small_study(["logreg"], tmp_path / "run", **words).results
    assert found["arm"].unique().tolist() == ["logreg", "logreg@training"]
    with pytest.raises(InputError, match=r"arm logreg@cohort: .*leave `cohort` out of `arms` and"):
        small_study(["logreg@cohort"], tmp_path / "other", **words)
    assert not (tmp_path / "other").exists()


def test_all_splits_have_the_same_frames():
    # in one split the small batch is left out whole, in the others it is cut below ten
    words = {"config": with_options(Config(), LEFT_OUT | {"normalize.frame": "rank"})}
    found = small_study(["logreg"], data=few(11), splits=0, **words).results
    assert found["split"].nunique() == 3
    assert {*found.groupby("split")["arm"].unique().map(tuple)} == {("logreg", "logreg@training")}


def test_a_cohort_that_is_left_out_is_told_by_default(data_dir, tmp_path):
    folders = sorted((data_dir / "cohorts" / "crc_msi").glob("*/"))
    parts = {
        folder.name: jaxssl.read(
            folder / "expression.npz", labels=folder / "labels.csv", label="label", scale="log2"
        )
        for folder in folders
    }
    family = anndata.concat(parts, label="cohort", index_unique="-", join="inner")
    family.uns["jaxssl"] = parts[folders[0].name].uns["jaxssl"]
    config = with_options(Config(), LEFT_OUT | {"split.seed": 1, "normalize.scaling": 1.0})
    words = {"config": config, "batch": "cohort", "label": "label", "shares": [1.0]}
    result = small_study(["logreg", "pca_logreg"], tmp_path / "run", family, **words)
    assert result.config["normalize"]["frame"] == "cohort"
    rows = result.results.query("part == 'test' and metric == 'balanced_accuracy'")
    means = rows.groupby("arm")["value"].mean()
    assert set(means.index) == set(in_frames(["logreg", "pca_logreg"], FRAMES, "cohort"))
    assert means[["logreg", "pca_logreg"]].min() > 0.7
    assert means["pca_logreg@training"] < 0.65  # near chance


def test_names_of_files_and_marks_are_those_of_a_run(framed):
    assert unknown(framed.folders[0]) == []
    old, new = arm_marks(["swav"]), arm_marks(["swav", *FRAMED])
    assert {arm: new[arm] for arm in old} == old
    assert len({tuple(mark.values()) for mark in new.values()}) == len(new)


def test_curves_have_the_frame_of_the_study_and_that_of_the_opponent(framed):
    arms = ["swav", *(arm for arm in framed.results["arm"].unique() if arm != "majority")]
    found = concluded(dict.fromkeys(arms, 0.7) | {"logreg@rank": 0.8}, dict.fromkeys(arms, 0.7))
    result = dataclasses.replace(framed, endpoint=found.endpoint)
    rows, told = _thinned(result, pd.DataFrame({"arm": arms}), "arm")
    assert rows["arm"].tolist() == ["swav", "logreg", "knn@cohort", "logreg@rank"]
    assert "the opponent's are drawn" in told
    rows, told = _thinned(result, rows, "arm")
    assert (len(rows), told) == (4, "")


def test_a_comparison_of_methods_takes_frames():
    words = {"reader": "compare", "arms": beside(["logreg", "knn@cohort"]), "frames": ["rank"]}
    job = make_job(None, "synthetic", Output(""), **words)
    assert (job.config.sweep.arms, job.config.sweep.frames) == (("logreg", "knn@cohort"), ("rank",))
    with pytest.raises(InputError, match="`arms=swav`"):
        run_methods(make_job(None, None, Output(""), arms=["knn@rank", "swav"]), ["swav"], [0])


def test_a_grid_varies_the_frame_of_arms_that_name_none():
    assert is_read("normalize.frame", "logreg")
    assert not is_read("normalize.frame", "logreg@rank")
    assert is_read("normalize.n_components", "pca_logreg@rank")
    assert not is_read("normalize.n_components", "logreg@rank")
    config = with_options(Config(), {"sweep.arms": ("logreg@rank",)})
    with pytest.raises(InputError, match="not read by what is scored"):
        check_grid({"normalize.frame": ["cohort", "rank"]}, config)


def test_the_verbs_take_frames(tmp_path):
    out = tmp_path / "run"
    flags = ["--data=synthetic", "--arms=logreg,knn@cohort", "--shares=0.1", "--seeds=2"]
    launch("sweep", *flags, "--frames=rank", f"--out={out}")
    found = pd.read_parquet(out / "results.parquet")["arm"].unique().tolist()
    assert found == ["logreg", "knn@cohort", "logreg@rank"]
    told = launch("sweep", *flags, "--frames=rnk", f"--out={tmp_path / 'b'}", code=2)
    assert "--frames=rnk is unknown; choose among" in told
