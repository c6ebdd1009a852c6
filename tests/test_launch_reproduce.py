"""Every figure of the paper at the smallest scale, and the claims that decide a verdict."""

import numpy as np
import pandas as pd
import pytest
from run_folders import unknown
from verbs import launch

from jaxssl.evaluation.claims import (
    AGREE,
    DIFFER,
    UNDECIDED,
    Cell,
    Claim,
    MeasureClaim,
    judge,
    judge_measure,
    together,
)
from jaxssl.evaluation.grid import points_at
from jaxssl.evaluation.values import name_of
from jaxssl.types import InputError
from launch.reproduce.figures import ALL, FIGURES, experiments_of
from launch.reproduce.scales import DATASETS, SETTINGS, SMOKE, setting_of


def scores(**values):
    """Rows of {point: value per seed} of one arm and share."""
    return pd.DataFrame(
        [
            {"point": point, "arm": "swav", "share": 0.1, "seed": seed}
            | {"metric": "accuracy", "value": value}
            for point, column in values.items()
            for seed, value in enumerate(column)
        ]
    )


def claim(expect, plus="a", minus="b"):
    return Claim("", [Cell(plus, "swav", 0.1)], [Cell(minus, "swav", 0.1)], expect)


NOISE = np.array([0.0, 0.02, -0.01, 0.03, 0.01])  # of a seed: the same at every point


@pytest.mark.parametrize(
    ("difference", "expect", "verdict"),
    [
        ([0.02, 0.03, 0.02, 0.03, 0.02], "positive", AGREE),
        ([-0.02, -0.03, -0.02, -0.03, -0.02], "positive", DIFFER),
        ([0.001, -0.001, 0.001, 0.0, 0.0], "positive", DIFFER),  # within a point: no effect
        ([0.05, -0.05, 0.05, 0.0, 0.01], "positive", UNDECIDED),
        ([0.001, -0.001, 0.001, 0.0, 0.0], "zero", AGREE),
        ([0.02, 0.03, 0.02, 0.03, 0.02], "zero", DIFFER),
        ([0.05, -0.05, 0.05, 0.0, 0.01], "zero", UNDECIDED),
        ([-0.05, -0.03, -0.04, -0.05, -0.03], "not positive", AGREE),
        ([0.02, 0.03, 0.02, 0.03, 0.02], "not positive", DIFFER),
    ],
)
def test_a_claim_is_decided_by_differences_within_seeds(difference, expect, verdict):
    rows = scores(a=0.5 + NOISE + difference, b=0.5 + NOISE)
    found = judge(claim(expect), rows, "accuracy")
    assert found.verdict == verdict
    assert found.difference == pytest.approx(np.mean(difference))
    assert found.low < found.difference < found.high


def test_a_contrast_of_several_cells_is_of_their_means_and_needs_all_of_them():
    rows = scores(a=[0.6, 0.7], b=[0.4, 0.2], c=[0.1, 0.2])
    a, b, c = (Cell(point, "swav", 0.1) for point in "abc")
    both = Claim("", [a, b], [c], "positive")
    assert judge(both, rows, "accuracy").difference == pytest.approx((0.4 + 0.25) / 2)
    lacking = rows[(rows["point"] != "b") | (rows["seed"] != 1)]
    assert judge(both, lacking, "accuracy").n == 1
    with pytest.raises(KeyError):
        judge(claim("positive", plus="d"), rows, "accuracy")


def test_a_measure_must_be_exceeded_by_every_seed_and_a_diverged_one_counts():
    measures = pd.DataFrame({"point": ["a", "a", "b"], "loss_ratio": [0.99, np.nan, 0.3]})
    for point, verdict in (("a", AGREE), ("b", DIFFER)):
        assert judge_measure(MeasureClaim("", point, "loss_ratio", 0.98), measures)[1] == verdict
    mixed = measures.assign(point="c")
    assert judge_measure(MeasureClaim("", "c", "loss_ratio", 0.98), mixed)[1] == UNDECIDED


def test_a_finding_differs_if_a_claim_does_and_agrees_if_all_do():
    agree = judge(claim("positive"), scores(a=[0.6, 0.7, 0.6], b=[0.1, 0.2, 0.2]), "accuracy")
    differ = judge(claim("positive"), scores(a=[0.1, 0.2, 0.2], b=[0.6, 0.7, 0.6]), "accuracy")
    unsure = judge(claim("positive"), scores(a=[0.1, 0.9], b=[0.5, 0.4]), "accuracy")
    assert together([agree, agree]) == AGREE
    assert together([agree, unsure]) == UNDECIDED
    assert together([agree, unsure, differ]) == DIFFER


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: f"{s.dataset}-{s.scale}")
def test_every_claim_is_about_points_that_its_experiment_runs(setting):
    for numbers, experiment in experiments_of(ALL, setting).items():
        values = experiment.points
        config = setting.config()
        names = {name_of(v, config) for v in values} | ({""} if experiment.is_curve else set())
        assert len(names) == len(values), numbers
        n_train = 6000 if setting.scale != SMOKE else 500
        _points, refused = points_at(setting.config(), values, n_train)
        assert not refused, (numbers, refused)
        for made in experiment.claims:
            if isinstance(made, MeasureClaim):
                assert made.point in names, (numbers, made.text)
            else:
                assert made.plus, (numbers, made.text)
                assert made.minus, (numbers, made.text)
                assert set(made.plus).isdisjoint(made.minus), (numbers, made.text)
                of_scratch = {""} if numbers == ("reason",) else set()
                assert {c.point for c in (*made.plus, *made.minus)} <= names | of_scratch
                shares = setting.curve_shares if experiment.is_curve else setting.shares
                assert {c.share for c in (*made.plus, *made.minus)} <= set(shares)


def test_a_figure_that_the_paper_does_not_have_is_refused_with_those_it_has():
    with pytest.raises(InputError, match=r"on microarray choose all, or one of 13, 18, .*table1"):
        experiments_of("17", setting_of("microarray", SMOKE))
    assert list(experiments_of("30", setting_of("tcga", SMOKE))) == [("29", "30")]
    assert {dataset for numbers in FIGURES.values() for dataset in numbers} == set(DATASETS)


def test_all_figures_run_at_the_smallest_scale_and_make_one_report(tmp_path, drawing):
    folder = tmp_path / "paper"
    flags = ["--dataset=tcga", "--scale=smoke", "--data=synthetic", f"--out={folder}"]
    with drawing():  # it has all kinds of figures
        first = launch("reproduce", "--figure=all", *flags)
    assert not unknown(folder)
    experiments = experiments_of(ALL, setting_of("tcga", SMOKE))
    page, text = ((folder / f"report.{kind}").read_text() for kind in ("html", "md"))
    assert page.count("<svg") == text.count("![") == len(experiments)
    verdicts = pd.read_csv(folder / "verdicts.csv")
    assert verdicts["figure"].nunique() == len(experiments)
    assert not verdicts["claim"].str.contains("not run").any()
    for figure in (folder / "figures").glob("*.csv"):
        assert pd.read_csv(figure)["mean"].between(0, 1).all(), figure
    tuning = pd.read_parquet(folder / "validation" / "results.parquet")
    assert set(tuning["part"]) == {"validation"}
    assert not tuning.duplicated(["point", "arm", "share", "seed", "metric"]).any()
    assert "points:" in first
    again = launch("reproduce", "--figure=all", *flags, "--resume")
    assert "points:" not in again, "nothing was missing"


def test_one_figure_of_the_other_data_set_runs_by_itself(tmp_path):
    folder = tmp_path / "paper"
    flags = ["--dataset=microarray", "--scale=smoke", "--data=synthetic", f"--out={folder}"]
    launch("reproduce", "--figure=13", *flags)
    assert not unknown(folder)
    page, text = ((folder / f"report_13.{kind}").read_text() for kind in ("html", "md"))
    assert page.count("<svg") == text.count("![") == 1
    assert set(pd.read_csv(folder / "verdicts_13.csv")["figure"]) == {"Figure 13"}


def test_the_verb_takes_data_from_flags_and_the_rest_from_the_paper(tmp_path):
    flags = ["--figure=table3", "--scale=smoke", "--data=synthetic", f"--out={tmp_path / 'paper'}"]
    launch("reproduce", *flags)
    assert "sizes of the parts" in (tmp_path / "paper" / "report_table3.md").read_text()
    error = launch("reproduce", *flags, "--config.pretrain.n_steps=3", code=2)
    assert "--config.pretrain.n_steps is not for a reproduction" in error
