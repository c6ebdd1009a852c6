"""Where the spread of a score comes from: which labels, which pretraining, which fine-tuning.

A crossed design has every combination of the levels of its factors once. Its variance components
follow from the mean squares of an analysis of variance (Searle, Casella & McCulloch 1992, chapter
4): a factor's mean square exceeds that of the residual by its variance times the number of
combinations of the other factors.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from jaxssl.engine.prepared import Prepared
from jaxssl.evaluation.arms import Encoders, make_inputs
from jaxssl.evaluation.network import make_fit_network
from jaxssl.evaluation.null import scores_on_test, silent
from jaxssl.evaluation.sweep import budgets

COMPONENTS_COLUMNS = ["factor", "levels", "variance", "sd", "proportion"]
FACTORS = ("labels", "pretraining", "finetuning")
RESIDUAL = "interactions and rest"


def decompose(
    table: pd.DataFrame, factors: Sequence[str], value: str = "value", outer: str = "split"
) -> pd.DataFrame:
    """Variance components of a design that crosses `factors` within every level of `outer`.

    Args:
        table: one row for every combination of the levels of `factors`, in every outer level.
        factors: columns; one of a single level is left out.
        value: column of scores.
        outer: column in whose levels all other levels are drawn anew (outer splits).

    Returns:
        `COMPONENTS_COLUMNS`, a row a factor and one for the interactions of all: means over the
        outer levels. With several of those, a row for them: the variance of their means beyond
        what the other components explain. An estimate below 0 is set to 0; `proportion` is of the
        sum.

    Raises:
        ValueError: if a combination is missing or occurs twice.
    """
    inner = [_crossed(rows, factors, value) for _, rows in table.groupby(outer)]
    levels = {factor: table.groupby(outer)[factor].nunique().iloc[0] for factor in factors}
    n = int(np.prod(list(levels.values())))
    levels |= {RESIDUAL: n, outer: len(inner)}
    variance = {name: float(np.mean([found[name] for found in inner])) for name in inner[0]}
    if len(inner) > 1:
        explained = sum(v / levels[name] for name, v in variance.items())
        means = table.groupby(outer)[value].mean()
        variance = {outer: max(float(means.var(ddof=1)) - explained, 0.0)} | variance
    total = sum(variance.values())
    rows: list[dict[str, Any]] = [
        {"factor": name, "levels": levels[name], "variance": v, "sd": np.sqrt(v)}
        | {"proportion": v / total if total else float("nan")}
        for name, v in variance.items()
    ]
    return pd.DataFrame(rows, columns=COMPONENTS_COLUMNS)


def _crossed(table: pd.DataFrame, factors: Sequence[str], value: str) -> dict[str, float]:
    """Components of one crossed design, the residual's last."""
    varied = [factor for factor in factors if table[factor].nunique() > 1]
    levels = {factor: table[factor].nunique() for factor in varied}
    n = int(np.prod(list(levels.values())))
    if len(table) != n or table.duplicated(varied).any():
        raise ValueError(f"{len(table)} rows, where the crossed design has {n}")
    formula = f"{value} ~ {' + '.join(f'C({factor})' for factor in varied)}"
    squares = anova_lm(ols(formula, data=table).fit())["mean_sq"]
    residual = float(squares["Residual"])
    components = {
        factor: max(float(squares[f"C({factor})"]) - residual, 0.0) * levels[factor] / n
        for factor in varied
    }
    return components | {RESIDUAL: residual}


def crossed_scores(
    prepared: Prepared,
    encoders: Encoders,
    n_labels: int,
    n_finetuned: int,
    log: Callable[[int], None] = silent,
) -> pd.DataFrame:
    """Test scores of every combination of label subset, pretraining and fine-tuning.

    Args:
        prepared: data, options (its shares are all run), and the encoders' normalizer.
        encoders: the pretrainings, by seed.
        n_labels: label subsets.
        n_finetuned: seeds of fine-tuning.
        log: told how many more fits are done.

    Returns:
        Columns split, share, metric, `FACTORS` and value.
    """
    levels = range(n_labels), encoders, range(n_finetuned)
    combinations = dict(enumerate(itertools.product(*levels)))
    task, config, inputs = prepared.task, prepared.config, make_inputs(prepared, range(n_labels))
    orders = {i: inputs.orders[labels] for i, (labels, _, _) in combinations.items()}
    of_each = {i: encoders[pretrained] for i, (_, pretrained, _) in combinations.items()}
    keys = {i: finetuned for i, (_, _, finetuned) in combinations.items()}
    fit = make_fit_network(config, inputs._replace(orders=orders), len(task.classes))
    tables = []
    for share, n in budgets(task, config).items():
        fits = fit(config.method.name, of_each, n, list(combinations), keys)
        for metric, values in scores_on_test(task, fits).items():
            table = pd.DataFrame(list(combinations.values()), columns=list(FACTORS))
            head = {"split": config.split.seed, "share": share, "metric": metric}
            tables.append(table.assign(**head, value=values))
        log(len(combinations))
    return pd.concat(tables)
