"""query, end to end: what is asked for next, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from verbs import PRETRAIN, instead, launch

import jaxssl
from jaxssl.data.synthetic import make_synthetic
from jaxssl.studies.progress import Hooks
from jaxssl.types import InputError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An encoder of simulated data of which none has a label, and the data."""
    folder = tmp_path_factory.mktemp("run")
    healthy = instead("--config.method.n_prototypes=(12,)", of=PRETRAIN)
    launch("pretrain", *healthy, f"--out={folder / 'run'}")
    adata = make_synthetic()
    adata.obs["todo"] = ""
    adata.write_h5ad(folder / "data.h5ad")
    return folder


def ask(run, adata, n=12, **words):
    return jaxssl.query(run / "run", adata, n, **words)


def test_the_verb_asks_for_typical_samples_of_different_classes(run, tmp_path):
    out = tmp_path / "next.csv"
    words = [f"--encoder={run / 'run'}", f"--data={run / 'data.h5ad'}", "--label=todo", "--n=24"]
    printed = launch("query", *words, f"--out={out}")
    table = pd.read_csv(out)
    assert "24 samples to label, typical ones; 0 have a label" in printed
    assert table["sample"].is_unique
    assert len(table) == 24
    assert set(table["by"]) == {"typical"}
    assert table["reason"].str.startswith("in the middle of a cluster of ").all()
    classes = make_synthetic().obs["class"].astype(str)
    by_chance = np.mean([classes.sample(24, random_state=seed).nunique() for seed in range(200)])
    assert classes[table["sample"]].nunique() > by_chance


def test_with_labels_it_asks_between_classes_and_for_none_that_has_one(run):
    adata = make_synthetic()
    adata.obs["todo"] = adata.obs["class"].astype(str)
    hidden = np.arange(adata.n_obs) % 3 == 0
    adata.obs.loc[hidden, "todo"] = ""
    table = ask(run, adata, label="todo")
    assert set(table["by"]) == {"margin"}
    assert set(table["sample"]) <= set(adata.obs_names[hidden])
    assert (table["first"] != table["second"]).all()
    assert table["margin"].between(0, 1).all()
    few = adata.copy()
    few.obs.loc[few.obs_names[40:], "todo"] = ""
    assert set(ask(run, few, label="todo")["by"]) == {"typical"}


def test_groups_come_once_and_cohorts_without_a_label_are_told(run):
    adata, told = make_synthetic(), []
    adata.obs["todo"] = ""
    adata.obs["donor"] = [f"donor {i % 20}" for i in range(adata.n_obs)]
    adata.obs["lab"] = [f"lab {i % 30}" for i in range(adata.n_obs)]
    hooks = Hooks(lambda event: told.append(event.text))
    table = jaxssl.query(run / "run", adata, 20, hooks, label="todo", group="donor")
    assert table["group"].is_unique
    jaxssl.query(run / "run", adata, 25, hooks, label="todo", group="donor", batch="lab")
    assert "5 of them are of a group that is among them already: no other is left" in told
    assert any(line.startswith("no label is in ") for line in told)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"n": 10_000}, "`n=10,000`, and .* have no label; lower it"),
        ({"label": "class"}, "and 0 of .* have no label; add samples without a label"),
        ({"by": "margin"}, "`by=margin` with labels of 0 classes; pass `by=typical`"),
        ({"label": "tod"}, "there is no column 'tod' for `label`; did you mean todo"),
        ({"by": "doubt"}, "doubt"),
    ],
)
def test_what_cannot_be_asked_is_refused(run, words, message):
    adata = make_synthetic()
    adata.obs["todo"] = ""
    with pytest.raises(InputError, match=message):
        ask(run, adata, **({"label": "todo"} | words))
