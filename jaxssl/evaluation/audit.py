"""Is the procedure sound, and where does the spread of a score come from?

The type-I audit sets an arm against itself, which a sound procedure calls a difference 5 times of
100: its sides differ in the initial weights and the order of the batches alone, or in the encoders.

A crossed design has every combination of the levels of its factors once. Its variance components
follow from the mean squares of an analysis of variance (Searle, Casella & McCulloch 1992, chapter
4): a factor's mean square exceeds that of the residual by its variance times the number of
combinations of the other factors.
"""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats as distributions
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from jaxssl.data.backed import blocks
from jaxssl.data.labels import label_budget
from jaxssl.engine.prepared import Prepared
from jaxssl.evaluation.arms import SCRATCH, Encoders, Fits, Inputs, make_inputs
from jaxssl.evaluation.ensembles import MEMBERS, N_ENCODERS, Id, make_fit_best
from jaxssl.evaluation.fits import settle
from jaxssl.evaluation.intervals import ALPHA
from jaxssl.evaluation.network import make_fit_network
from jaxssl.evaluation.predictions import score
from jaxssl.evaluation.stats import compare
from jaxssl.evaluation.sweep import budgets
from jaxssl.types import Params

TESTS = ("p_t", "p_wilcoxon")
METRICS = ("accuracy", "balanced_accuracy")
BLOCK = 100  # fits whose probabilities are held at once
COMPONENTS_COLUMNS = ["factor", "levels", "variance", "sd", "proportion"]
FACTORS = ("labels", "pretraining", "finetuning")
RESIDUAL = "interactions and rest"
Log = Callable[[int], None]
"""Told how many more fits are done."""
SideFit = Callable[[int, int, Sequence[int]], Fits]
"""Side, labels and seeds → fits."""


def rejections(scores: pd.DataFrame) -> pd.DataFrame:
    """Share of the comparisons of `null_scores` that each test rejects, its exact 95 % interval."""
    difference = scores["first"] - scores["second"]
    by_comparison = difference.groupby(scores["comparison"])
    table = pd.DataFrame([compare(of_one.to_numpy()) for _, of_one in by_comparison])
    rows = []
    for test in TESTS:
        n, rejected = len(table), int((table[test] <= ALPHA).sum())
        exact = distributions.binomtest(rejected, n).proportion_ci(0.95, method="exact")
        rows.append(
            {"test": test, "n_comparisons": n, "rejected": rejected / n}
            | {"low": float(exact.low), "high": float(exact.high)}
        )
    return pd.DataFrame(rows)


def null_scores(
    prepared: Prepared,
    share: float,
    n_repetitions: int,
    n: int,
    log: Log,
    bank: Mapping[Id, Params] | None = None,
) -> dict[str, pd.DataFrame]:
    """By metric, a row a repetition: both sides' test scores in `n` null comparisons.

    Every comparison has its own seeds, and so its own label subsets. They are of `scratch`, whose
    sides have other root keys; with a `bank` of encoders they are of `best`, which draws those of a
    side and repetition from it.
    """
    seeds = range(n * n_repetitions)
    task, inputs = prepared.task, make_inputs(prepared, seeds)
    n_labels = label_budget(share, len(task.labelled_train), len(task.classes))
    fit = _sides_of_best(prepared, inputs, bank) if bank else _sides_of_scratch(prepared, inputs)
    sides = []
    for side in (0, 1):
        tables = []
        for some in blocks(seeds, BLOCK):
            tables.append(scores_on_test(inputs, fit(side, n_labels, seeds[some])))
            log(len(seeds[some]))
        sides.append(tables)
    comparison, repetition = np.divmod(seeds, n_repetitions)
    first, second = (pd.concat(tables, ignore_index=True) for tables in sides)
    columns = {"comparison": comparison, "repetition": repetition}
    fits = {"first_fit": first["fit"], "second_fit": second["fit"]}
    return {
        m: pd.DataFrame({**columns, "first": first[m], "second": second[m], **fits})
        for m in METRICS
    }


def _sides_of_scratch(prepared: Prepared, inputs: Inputs) -> SideFit:
    """Fits of `scratch` from the initial weights of a side."""
    config = prepared.config
    runs = [dataclasses.replace(config.run, root_key=config.run.root_key + i) for i in (0, 1)]
    fits = [make_fit_network(dataclasses.replace(config, run=run), inputs) for run in runs]
    return lambda side, n, seeds: fits[side](SCRATCH, None, n, seeds)


def _sides_of_best(prepared: Prepared, inputs: Inputs, bank: Mapping[Id, Params]) -> SideFit:
    """Fits of `best` on encoders that a side and repetition draws."""
    root = prepared.config.run.root_key

    def drawn(side: int, seed: int) -> Params:
        rng = np.random.default_rng([root, side, seed])
        numbers = {method: [n for name, n in bank if name == method] for method in MEMBERS}
        return {
            f"{method}_{i}": bank[method, int(i)]
            for method, of in numbers.items()
            for i in rng.choice(of, N_ENCODERS, replace=False)
        }

    def fit(side: int, n: int, seeds: Sequence[int]) -> Fits:
        ensembles = {seed: drawn(side, seed) for seed in seeds}
        return make_fit_best(prepared.config, inputs, ensembles)(n, seeds)

    return fit


def scores_on_test(inputs: Inputs, fits: Fits) -> pd.DataFrame:
    """Scores on the test part, a row a fit, and what became of it."""
    codes, rows = inputs.codes[inputs.held_out], []
    n_test = len(inputs.parts["test"])  # the first of the parts
    for fitted in fits.values():
        settled, state = settle(codes, fitted)
        rows.append(score(codes[:n_test], settled[:n_test]) | {"fit": state})
    return pd.DataFrame(rows, columns=[*METRICS, "fit"])


def crossed_scores(
    prepared: Prepared, encoders: Encoders, n_labels: int, n_finetuned: int, log: Log
) -> pd.DataFrame:
    """Test scores of every combination of label subset, pretraining and fine-tuning."""
    levels = range(n_labels), encoders, range(n_finetuned)
    combinations = pd.DataFrame(itertools.product(*levels), columns=list(FACTORS))
    task, config, inputs = prepared.task, prepared.config, make_inputs(prepared, range(n_labels))
    orders = {i: inputs.orders[labels] for i, labels in combinations["labels"].items()}
    of_each = {i: encoders[pretrained] for i, pretrained in combinations["pretraining"].items()}
    keys = combinations["finetuning"].to_dict()
    fit = make_fit_network(config, inputs._replace(orders=orders))
    tables = []
    for share, n in budgets(task, config).items():
        scores = scores_on_test(inputs, fit(config.method.name, of_each, n, list(keys), keys))
        for metric in METRICS:
            head = {"split": config.split.seed, "share": share, "metric": metric}
            tables.append(combinations.assign(**head, value=scores[metric], fit=scores["fit"]))
        log(len(combinations))
    return pd.concat(tables)


def decompose(table: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
    """Variance components of a design that crosses `factors` within every split.

    A row a factor and one for the interactions of all: means over splits. With several splits, one
    for them: the variance of their means beyond what the other components explain. An estimate
    below 0 is set to 0; `proportion` is of the sum.
    """
    inner = [_crossed(rows, factors) for _, rows in table.groupby("split")]
    levels = {factor: table.groupby("split")[factor].nunique().iloc[0] for factor in factors}
    n = int(np.prod(list(levels.values())))
    levels |= {RESIDUAL: n, "split": len(inner)}
    variance = {name: float(np.mean([found[name] for found in inner])) for name in inner[0]}
    if len(inner) > 1:
        explained = sum(v / levels[name] for name, v in variance.items())
        means = table.groupby("split")["value"].mean()
        variance = {"split": max(float(means.var(ddof=1)) - explained, 0.0)} | variance
    total = sum(variance.values())
    rows = [
        {"factor": name, "levels": levels[name], "variance": v, "sd": np.sqrt(v)}
        | {"proportion": v / total if total else float("nan")}
        for name, v in variance.items()
    ]
    return pd.DataFrame(rows, columns=COMPONENTS_COLUMNS)


def _crossed(table: pd.DataFrame, factors: Sequence[str]) -> dict[str, float]:
    """Components of one crossed design, the residual's last; factors of one level are left out."""
    varied = [factor for factor in factors if table[factor].nunique() > 1]
    levels = {factor: table[factor].nunique() for factor in varied}
    n = int(np.prod(list(levels.values())))
    if len(table) != n or table.duplicated(varied).any():
        raise ValueError(f"{len(table)} rows, where the crossed design has {n}")
    formula = f"value ~ {' + '.join(f'C({factor})' for factor in varied)}"
    squares = anova_lm(ols(formula, data=table).fit())["mean_sq"]
    residual = float(squares["Residual"])
    components = {
        factor: max(float(squares[f"C({factor})"]) - residual, 0.0) * levels[factor] / n
        for factor in varied
    }
    return components | {RESIDUAL: residual}
