"""Grids, arms and references of which nothing would be read are refused."""

import re

import pandas as pd
import pytest

import jaxssl
from jaxssl.config import Config, with_method, with_options
from jaxssl.evaluation.arms import check_arms, check_references
from jaxssl.evaluation.grid import check_grid, points_at
from jaxssl.idle import NEEDS, idle
from jaxssl.runs.output import Output
from jaxssl.studies.job import make_job
from jaxssl.types import InputError
from jaxssl.validate import get_option

N_TRAIN = 300


@pytest.mark.parametrize(
    ("option", "arms"),
    [
        ("finetune.scratch_steps", ("swav",)),
        ("finetune.n_steps", ("swav+components", "scratch")),
        ("method.epsilon", ("logreg", "scratch")),
        ("selftrain.n_steps", ("swav",)),
        ("selftrain.student", ("scratch+selftrain",)),
        ("normalize.power", ("logreg", "majority")),
        ("encoder.norm", ("knn",)),
        ("finetune.learning_rate", ("random_encoder",)),
    ],
)
def test_a_grid_over_what_no_arm_reads_is_refused(option, arms):
    config = with_options(Config(), {"sweep.arms": arms})
    with pytest.raises(
        InputError, match=rf"`{option}` is not read by what is scored.*{re.escape(arms[0])}"
    ):
        check_grid({option: [1, 2]}, config)


def test_a_grid_over_an_option_that_another_switches_off_is_refused():
    config = with_options(Config(), {"sweep.arms": ("swav",)})
    for option, values in (
        ("optimizer.weight_decay", (0.0, 0.1)),
        ("augment.mask_fill", ("zero", "mean")),
        ("method.projection_hidden", (8, 16)),
        ("method.queue_start", (1, 2)),
    ):
        with pytest.raises(InputError, match=rf"`{option}` does nothing without"):
            points_at(config, [{option: value} for value in values], N_TRAIN)
    on = [{"optimizer.weight_decay": d, "optimizer.name": "adamw"} for d in (0.0, 0.1)]
    assert len(points_at(config, on, N_TRAIN)[0]) == 2


def test_an_option_that_does_nothing_beside_the_others_is_warned_of():
    for method in ("swav", "byol", "vime"):
        assert not any(
            idle(name, with_method(Config(), method))
            and get_option(with_method(Config(), method), name) is None
            for name in NEEDS
            if not name.startswith("method.")
        )
    for options, finding in (
        ({"optimizer.weight_decay": 0.1}, r"`optimizer\.weight_decay=0\.1` does nothing without"),
        (
            {"split.test_share": 0.3, "split.protocol": "leave_batch_out"},
            r"`split\.test_share=0\.3` does nothing without `split\.protocol=grouped`",
        ),
    ):
        with pytest.warns(UserWarning, match=finding):
            make_job(with_options(Config(), options), None, Output(""))


def test_a_resumed_grid_shows_only_the_shares_and_arms_that_are_asked_for(tmp_path):
    said = {"grid": {"normalize.max_genes": [30, 60]}, "out": tmp_path / "grid", "seeds": 2}
    said |= {"progress": False}
    jaxssl.tune("synthetic", arms=["logreg", "pca_logreg"], shares=[0.1, 0.5], **said)
    found = jaxssl.tune("synthetic", arms=["logreg"], shares=[0.2], resume=True, **said)
    assert set(found.table["share"]) == {0.2}
    assert set(found.table["arm"]) == {"logreg"}
    kept = pd.read_csv(tmp_path / "grid" / "points.csv")
    assert set(kept["share"]) == {0.2}
    assert found.score == found.table.groupby("point")["mean"].mean().max()
    assert set(pd.read_parquet(tmp_path / "grid" / "results.parquet")["share"]) == {0.1, 0.2, 0.5}


def test_arms_and_references_that_do_not_exist_are_refused_with_what_may_be_meant():
    with pytest.raises(InputError, match=r"unknown arm 'logref'.*did you mean logreg"):
        check_arms(["logref"])
    with pytest.raises(InputError, match=r"in `sweep\.reference_arms`"):
        check_arms(["scrtch"], "sweep.reference_arms")
    with pytest.raises(InputError, match=r"unknown method 'simcrl'.*did you mean simclr"):
        with_method(Config(), "simcrl")
    named = {"sweep.reference_arms": ("knn",), "sweep.arms": ("scratch", "swav")}
    with pytest.raises(InputError, match="has knn, which is not compared; name it in `arms` too"):
        check_references(with_options(Config(), named))
    check_references(Config())


def test_references_are_checked_before_anything_is_written(tmp_path):
    for references, finding in (
        (("swan",), "unknown arm 'swan' in `sweep.reference_arms`"),
        (("knn",), "which is not compared"),
        (("scratch", "scratch"), "holds one twice"),
    ):
        config = with_options(Config(), {"sweep.reference_arms": references})
        with pytest.raises(InputError, match=finding):
            jaxssl.study(
                "synthetic", out=tmp_path / "run", arms=["scratch", "majority"], seeds=1,
                config=config, progress=False,
            )  # fmt: skip
    assert not (tmp_path / "run").exists()
