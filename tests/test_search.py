"""Grids: which points there are, which share a program, and that none depends on the others."""

import logging
from dataclasses import replace

import jax
import numpy as np
import pandas as pd
import pytest

from jaxssl.config import Config, with_options
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.planning import plan_pretraining
from jaxssl.engine.prepared import prepare
from jaxssl.engine.pretrain import merge, pretrain
from jaxssl.evaluation.grid import (
    UNCHANGED,
    as_text,
    by_program,
    check_grid,
    combinations,
    member_options,
    parse_grid,
    points_at,
    traced_options,
)
from jaxssl.evaluation.search import search
from jaxssl.report.search import MAX_RANKED, search_drawing
from jaxssl.types import InputError

pytestmark = pytest.mark.usefixtures("standard_promotion")


def small_config(arms=("swav",), **options):
    config = Config()
    config.normalize.n_components = 12
    config.encoder.hidden, config.finetune.transfer_layers = (16, 8), 2
    config.method.n_prototypes, config.pretrain.batch_size = (12,), 32
    config.pretrain.n_steps = 40
    config.finetune.probe_steps = config.finetune.n_steps = config.finetune.scratch_steps = 10
    config.finetune.batch_size = 16
    config.sweep.arms, config.sweep.shares = arms, (0.1, 0.5)
    return with_options(config, options)


@pytest.fixture(scope="module")
def task():
    return make_task(make_synthetic(n_samples=240, n_genes=80), Config())


def points_of(task, grid, config=None):
    return points_at(config or small_config(), combinations(grid), *task.shape)[0]


def run(task, grid, seeds=(0, 1), config=None, **kwargs):
    found = list(search(task, points_of(task, grid, config), seeds, **kwargs))
    rows = pd.DataFrame([row for part in found for row in part.rows])
    return rows, pd.DataFrame([row for part in found for row in part.pretraining])


def test_values_are_read_as_the_type_of_their_option_and_written_so_that_they_are_read_again():
    config = Config()
    texts = ["method.epsilon:0.03,1", "encoder.hidden:64,64-32", "method.hard_codes:true,false"]
    texts += ["augment.mask_fill:zero,normal", "pretrain.batch_size:32"]
    grid = check_grid(parse_grid(texts), config)
    assert grid == {
        "method.epsilon": [0.03, 1.0],
        "encoder.hidden": [(64,), (64, 32)],
        "method.hard_codes": [True, False],
        "augment.mask_fill": ["zero", "normal"],
        "pretrain.batch_size": [32],
    }
    again = [f"{name}:{','.join(map(as_text, values))}" for name, values in grid.items()]
    assert check_grid(parse_grid(again), config) == grid == check_grid(grid, config)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("method.epsilon:a", "'a' is not a number"),
        ("method.epsilom:1", "did you mean method.epsilon"),
        ("method.epsilon", "write section.option:value"),
        ("run.seeds:1,2", "vary normalize, encoder"),
        ("encoder.hidden:64,x", "a list such as"),
        ("method.epsilon:1,1.0", "twice"),
        ("method.hard_codes:yes", "'yes' is not true or false"),
    ],
)
def test_a_grid_that_cannot_be_read_is_refused_in_words(text, says):
    with pytest.raises(InputError, match=says):
        check_grid(parse_grid([text]), Config())


def test_points_that_the_options_refuse_are_told_and_the_others_stay(task):
    grid = {"method.n_prototypes": [(12,), (64,)], "pretrain.batch_size": [32, 64]}
    points, refused = points_at(small_config(), combinations(grid), len(task.split.train))
    assert [point.name for point in points] == [
        "",
        "pretrain.batch_size=64",
        "method.n_prototypes=64 pretrain.batch_size=64",
    ]
    [(values, reason)] = refused
    assert values == {"method.n_prototypes": (64,), "pretrain.batch_size": 32}
    assert "cannot share 32 samples" in reason
    with pytest.raises(InputError, match="every point of the grid is refused"):
        points_at(small_config(), combinations({"method.epsilon": [-1.0]}), 100)


def test_values_share_a_program_and_shapes_do_not(task):
    grid = {"method.epsilon": [0.03, 0.1], "finetune.freeze_layers": [0, 1]}
    (group,) = by_program(points_of(task, grid))
    assert len(group) == 4
    shapes = {"method.n_prototypes": [(8,), (12,)], "augment.noise": [0.5, 1.0]}
    assert [len(group) for group in by_program(points_of(task, shapes))] == [2, 2]
    on_and_off = {"augment.mask_rate": [0.0, 0.2, 0.4]}
    programs = by_program(points_of(task, on_and_off))
    assert [["augment.mask_rate" in member_options(p.config) for p in g] for g in programs] == [
        [False],
        [True, True],
    ]


def test_the_same_options_have_the_same_name_however_they_are_listed(task):
    config, n = small_config(), len(task.split.train)
    lists = [
        {"method.epsilon": 0.1, "augment.noise": 0.5},
        {"augment.noise": 0.5, "method.epsilon": 0.1, "encoder.hidden": (16, 8)},
    ]
    names = {points_at(config, [values], n)[0][0].name for values in lists}
    assert names == {"augment.noise=0.5 method.epsilon=0.1"}
    with pytest.raises(InputError, match=r"stands there twice: augment\.noise=0\.5"):
        points_at(config, lists, n)


def test_a_grid_of_values_is_one_compiled_program(task, caplog):
    grid = {"augment.noise": [0.3, 0.6, 0.9], "finetune.freeze_layers": [0, 2]}
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        rows, _ = run(task, grid, config=small_config(**{"encoder.hidden": (20, 8)}))
    compiled = [r.getMessage() for r in caplog.records if "Finished XLA" in r.getMessage()]
    for program in ("epoch", "fit_one"):
        assert sum(f"jit({program})" in message for message in compiled) == 1, program
    assert rows["point"].nunique() == 6


def test_a_member_with_traced_options_is_the_pretraining_that_has_them_in_its_config(task):
    values = {
        "augment.noise": 0.3,
        "augment.mask_rate": 0.25,
        "augment.extra_mask_rate": 0.4,
        "augment.latent_radius": 0.5,
        "augment.drop_genes": 0.1,
        "augment.neighbour_share": 0.3,
        "method.epsilon": 0.1,
        "method.temperature": 0.2,
        "method.cohort_balance": 0.4,
        "optimizer.learning_rate": 3e-3,
        "optimizer.weight_decay": 0.1,
    }
    other = {name: 2 * value for name, value in values.items()}
    shape = {"augment.n_views": 3, "augment.autoencoder_steps": 20, "augment.latent_dim": 4}
    shape |= {"optimizer.name": "adamw", "pretrain.batches": "by_cohort"}
    config = small_config(**shape)
    chosen, _ = points_at(config, [values, other], len(task.split.train))
    assert set(values) == set(traced_options(config))
    assert set(values) == set(member_options(chosen[0].config))
    rows = pd.DataFrame([r for f in search(task, chosen, (0, 3)) for r in f.pretraining])
    for point in chosen:
        prepared = prepare(task, point.config)
        genes = prepared.gene_pool(point.config)
        words = {"batches": prepared.batches, "genes": genes}
        plan = plan_pretraining(point.config, *prepared.pool.shape, 2, **words)
        alone = merge(pretrain(plan, point.config, prepared.pool, [0, 3], genes=genes))
        last = {row["seed"]: row["loss"] for row in alone.history}
        found = rows[rows["point"] == point.name].set_index("seed")["loss"]
        assert dict(found) == pytest.approx(last, rel=2e-4)


def test_a_point_does_not_depend_on_the_points_beside_it_nor_on_an_interruption(task):
    grid = {"method.epsilon": [0.03, 0.1], "finetune.transfer_layers": [1, 2]}
    together, _ = run(task, grid)
    alone, _ = run(task, {name: values[1:] for name, values in grid.items()})
    assert alone["point"].nunique() == 1
    name = alone["point"].unique().item()
    same = together[together["point"] == name]
    key = ["share", "seed", "metric"]
    pd.testing.assert_series_equal(
        same.set_index(key)["value"].sort_index(), alone.set_index(key)["value"].sort_index()
    )
    half = together[(together["point"] != name) & (together["seed"] == 0)]
    done = set(half[["point", "arm", "share", "seed"]].itertuples(index=False, name=None))
    rest, _ = run(task, grid, done=done)
    whole = pd.concat([half, rest])
    columns = ["point", *key]
    assert not whole.duplicated(columns).any()
    assert len(whole) == len(together)
    values = [t.set_index(columns)["value"].sort_index() for t in (whole, together)]
    pd.testing.assert_series_equal(*values)


def test_a_search_looks_at_the_validation_part_alone(task):
    config = small_config(("swav", "scratch", "logreg"))
    rows, measured = run(task, {}, config=config)
    assert set(rows["part"]) == {"validation"}
    assert set(rows["arm"]) == {"swav", "scratch", "logreg"}
    assert set(measured["status"]) <= {"healthy", "collapsed", "uniform codes", "diverged"}
    assert np.isfinite(measured["effective_rank"]).all()
    assert set(run(task, {}, parts=("test",))[0]["part"]) == {"test"}
    spoiled = task.expression.copy()
    spoiled[task.split.test] = 99.0
    blind, _ = run(replace(task, expression=spoiled), {}, config=config)
    pd.testing.assert_series_equal(blind["value"], rows["value"])


def points(**columns) -> pd.DataFrame:
    table = pd.DataFrame(columns, dtype=object).assign(share=0.1, n=3)
    table["mean"] = np.linspace(0.5, 0.9, len(table))
    return table.assign(ci_low=table["mean"] - 0.1, ci_high=table["mean"] + 0.1)


def test_a_grid_of_three_options_is_a_ranking_whose_best_is_on_top():
    names = [f"a={i}" for i in range(29)]
    table = points(point=[*names, ""], arm="swav", a="1", b="1", c="1")
    for metric, best in (("accuracy", UNCHANGED), ("log_loss", "a=0")):
        drawing = search_drawing(table, pd.DataFrame(), ["a", "b", "c"], metric)
        ax = drawing.figure.axes[0]
        shown = [label.get_text() for label in ax.get_yticklabels()]
        assert len(shown) == MAX_RANKED
        assert shown[-1] == f"{best} (swav, 10 %)"
        assert ax.get_title("left") == f"The best {MAX_RANKED} of 30"


def test_values_that_are_names_stand_side_by_side_and_arms_have_a_line_each():
    table = points(point=["n=layer", "n=none"] * 2, arm=["swav"] * 2 + ["scratch"] * 2,
                   norm=["layer", "none"] * 2)  # fmt: skip
    figure = search_drawing(table, pd.DataFrame(), ["norm"], "accuracy").figure
    [ax], [legend] = figure.axes, figure.legends
    assert [label.get_text() for label in ax.get_xticklabels()] == ["layer", "none"]
    lines = [text.get_text() for text in legend.get_texts()]
    assert lines == ["10 %, swav", "10 %, scratch"]


def test_many_or_long_values_are_written_aslant():
    for values, angle in ((list("12345678"), 45), (["1", "2"], 0), (["0.00001", "2"], 45)):
        figure = search_drawing(points(point=values, arm="swav", x=values), pd.DataFrame(), ["x"],
                                "accuracy").figure  # fmt: skip
        assert {label.get_rotation() for label in figure.axes[0].get_xticklabels()} == {angle}
