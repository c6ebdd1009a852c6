"""All methods on equal terms, end to end, and the tables that it comes to."""

import json

import numpy as np
import pandas as pd
import pytest
from rows import results_of
from run_folders import unknown
from verbs import launch

from jaxssl.config import Config, with_method
from jaxssl.evaluation.endpoint import endpoint
from jaxssl.evaluation.grid import combinations
from jaxssl.methods import METHODS
from jaxssl.readers import refuse_options
from jaxssl.report.methods import methods_table, student_table
from jaxssl.studies.methods import STUDENT_TRIALS, settle_trials
from jaxssl.types import InputError
from jaxssl.validate import validate


def test_every_method_has_as_many_trials_as_self_training_and_all_are_allowed():
    for method in METHODS:
        config, trials = with_method(Config(), method), combinations(METHODS[method].grid)
        assert len(trials) == len(STUDENT_TRIALS) == 6, method
        assert len({repr(sorted(trial.items())) for trial in trials}) == 6, method
        validate(config)
        for name in {name for trial in trials for name in trial}:
            section, option = name.split(".")
            assert hasattr(getattr(config, section), option), (method, name)


def rows_of(**arms):
    """Validation and test rows at two shares; every arm's values over seeds."""
    return pd.concat(
        results_of(arms, share=share, metric=metric, part=part)
        for share in (0.02, 0.1)
        for metric in ("accuracy", "balanced_accuracy")
        for part in ("validation", "test")
    )


RNG = np.random.default_rng(0)
RESULTS = rows_of(
    logreg=list(0.8 + 0.01 * RNG.standard_normal(8)),
    simclr=list(0.9 + 0.01 * RNG.standard_normal(8)),
    **{"simclr+selftrain": list(0.93 + 0.01 * RNG.standard_normal(8))},
)


def test_the_table_is_sorted_by_the_endpoint_and_has_costs_and_verdicts_where_there_are_any():
    tested = ["simclr", "simclr+selftrain"]
    costs = {"ms a step and seed": "1.50", "MB a seed": "20", "unhealthy": "1"}
    beside = pd.DataFrame([{"arm": "simclr", **costs, "chosen": "noise 1"}])
    table = methods_table(RESULTS, endpoint(RESULTS, tested, ["logreg"]), beside).set_index("arm")
    assert table.index.tolist() == ["simclr+selftrain", "simclr", "logreg"]
    mean = RESULTS[(RESULTS["arm"] == "simclr") & (RESULTS["part"] == "test")]["value"].mean()
    assert table.loc["simclr", "2 %"] == f"{mean:.3f}"
    assert table.loc["simclr", "verdict"] == "wins"
    assert table.loc["simclr", "against classical"].startswith("+")
    assert table.loc["simclr", ["ms a step and seed", "MB a seed", "unhealthy"]].tolist() == [
        "1.50",
        "20",
        "1",
    ]
    assert table.loc["logreg", "verdict"] == table.loc["logreg", "MB a seed"] == ""


def test_a_student_is_set_against_its_own_teacher():
    table = student_table(RESULTS)
    assert table["student"].unique().tolist() == ["simclr+selftrain"]
    assert table["share"].tolist() == ["2 %", "10 %"]
    wide = RESULTS[(RESULTS["part"] == "test") & (RESULTS["metric"] == "accuracy")]
    wide = wide[wide["share"] == 0.02].pivot(index="seed", columns="arm", values="value")
    gain = 100 * (wide["simclr+selftrain"] - wide["simclr"]).mean()
    assert table["difference"][0].startswith(f"{gain:+.1f} (")
    assert student_table(RESULTS[RESULTS["arm"] != "simclr+selftrain"]).empty


TINY = [
    *("--data=synthetic", "--seeds=2", "--trial_seeds=1", "--shares=0.1,1"),
    *("--methods=simclr", "--arms=logreg", "--config.pretrain.n_steps=40"),
    *("--config.encoder.hidden=(16,8)", "--config.finetune.transfer_layers=2"),
    *("--config.finetune.scratch_steps=10", "--config.finetune.n_steps=10"),
    *("--config.finetune.probe_steps=10", "--config.selftrain.n_steps=10"),
]


def test_methods_are_tuned_on_validation_pretrained_and_told_and_a_resume_computes_nothing(
    tmp_path,
):
    folder = tmp_path / "methods"
    launch("compare", *TINY, f"--out={folder}")
    assert not unknown(folder)
    for name in ("simclr", "simclr+selftrain"):
        trials = pd.read_csv(folder / name / "trials" / "trials.csv")
        rows = pd.read_parquet(folder / name / "trials" / "results.parquet")
        assert len(trials) == rows["point"].nunique() == 6
        assert set(rows["part"]) == {"validation"}
        assert set(rows["arm"]) == {name}
        assert set(rows["share"]) == {0.1}, "chosen at few labels"
    chosen = pd.read_csv(folder / "simclr" / "trials" / "trials.csv").set_index("score").iloc[:, 1:]
    best = chosen.loc[chosen.index.max()].to_numpy().reshape(-1, 2)
    options = json.loads((folder / "simclr" / "config.json").read_text())
    assert [options["augment"]["noise"], options["method"]["temperature"]] in best.tolist()
    results = pd.read_parquet(folder / "results.parquet")
    assert set(results["arm"]) == {"logreg", "simclr", "simclr+selftrain"}
    assert len(list((folder / "simclr" / "encoder").glob("seed_*"))) == 2
    text = (folder / "methods.md").read_text()
    assert "6 trials of 1 seeds a method; 40 steps of 128 samples" in text
    assert "| `simclr` |" in text
    card = (folder / "simclr" / "encoder" / "seed_001" / "MODEL_CARD.md").read_text()
    assert "simclr" in card
    assert json.loads((folder / "summary.json").read_text())["pretraining"]["status"] in (
        "healthy",
        "unhealthy",
    )
    again = launch("compare", *TINY, f"--out={folder}", "--resume")
    assert "points:" not in again, "no trial was missing"
    assert "epoch" not in again, "no pretraining either"


def test_trials_chosen_by_other_seeds_or_shares_are_not_gone_on_with(tmp_path):
    config = Config()
    settle_trials(tmp_path, config, range(1))
    settle_trials(tmp_path, config, range(1))
    with pytest.raises(InputError, match="chose its trials with trial_seeds 1, now 2"):
        settle_trials(tmp_path, config, range(2))
    config.sweep.shares = (0.07, 1.0)
    with pytest.raises(InputError, match="chose its trials with shares"):
        settle_trials(tmp_path, config, range(1))


def test_a_method_that_does_not_exist_is_refused():
    words = ["--data=synthetic", "--out=unused", "--methods=simclear"]
    assert "unknown method 'simclear'" in launch("compare", *words, code=2)


def test_options_that_belong_to_methods_are_refused():
    config = Config()
    refuse_options(config, ("method", "augment"), "a comparison")
    config.augment.noise = 2.0
    with pytest.raises(InputError, match=r"`augment\.noise` is not for a comparison"):
        refuse_options(config, ("method", "augment"), "a comparison")
