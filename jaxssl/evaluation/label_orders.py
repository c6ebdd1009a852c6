"""In which order the labels of a comparison are revealed: the same one for all arms of a seed."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from jaxssl.config import Config
from jaxssl.data.backed import Rows, select
from jaxssl.data.labels import label_budget, label_order
from jaxssl.data.task import Task
from jaxssl.engine.embed import embed_rows
from jaxssl.evaluation.baselines import logistic_regressions
from jaxssl.evaluation.problem import Problem
from jaxssl.evaluation.queries import Pool, directions_of, doubtful, typical
from jaxssl.types import Params

PROPORTIONAL, RANDOM, TYPICAL, MARGIN = "proportional", "random", "typical", "margin"

Order = Int[np.ndarray, " labelled"]


class Seen(NamedTuple):
    """How samples are seen by who chooses among them."""

    features: Rows  # what encoders see, of all samples
    encoders: Mapping[int, Params] = MappingProxyType({})  # by seed; without, features are seen


def label_orders(task: Task, config: Config, seen: Seen, seeds: Sequence[int]) -> dict[int, Order]:
    """Rows of the labelled training samples by seed, in the order that `sweep.label_order` says.

    "proportional" and "random" are drawn; the former knows the classes. What is "typical", or in
    doubt ("margin"), is seen in the outputs of the seed's encoder, and without encoders in
    features; it is queried in rounds, one a share, and knows no label but those of the rounds
    before.

    Args:
        task: with the labels.
        config: of the sweep.
        seen: what they are chosen by.
        seeds: repetitions.

    Returns:
        An order a seed, of which the first n are the labels of budget n.
    """
    rows, n_classes, how = task.labelled_train, len(task.classes), config.sweep.label_order
    codes = task.codes[rows]
    if how == PROPORTIONAL:
        return {seed: rows[label_order(codes, n_classes, seed)] for seed in seeds}
    if how == RANDOM:
        return {seed: np.random.default_rng(seed).permutation(rows) for seed in seeds}
    budgets = sorted({label_budget(share, len(rows), n_classes) for share in config.sweep.shares})
    orders = {}
    for seed in seeds:
        encoder, x = seen.encoders.get(seed), seen.features
        x = embed_rows(config, encoder, x) if encoder else x
        x = directions_of(select(x, rows))
        pool = Pool(x, group_codes(task.groups[rows]), pd.factorize(task.batches[rows])[0])
        orders[seed] = rows[query_rounds(pool, codes, budgets, how, seed)]
    return orders


def group_codes(groups: np.ndarray) -> Int[np.ndarray, " samples"]:
    """Groups as numbers; a sample without one is its own."""
    codes, names = pd.factorize(groups)
    alone = groups == ""
    return np.where(alone, len(names) + np.arange(len(groups)), codes)


def query_rounds(
    pool: Pool, codes: Int[np.ndarray, " samples"], budgets: Sequence[int], how: str, seed: int
) -> Order:
    """Positions in the order in which rounds of queries, up to each budget, ask for their labels.

    All that no budget asks for comes last, at random.
    """
    is_labelled, order = np.zeros(len(codes), bool), []
    for budget in budgets:
        n = budget - int(is_labelled.sum())
        if budget == len(codes):
            break
        if how == MARGIN and len(np.unique(codes[is_labelled])) > 1:
            p = class_probabilities(pool.x, codes, is_labelled, seed)
            found = doubtful(pool, n, is_labelled, p, seed)
        else:
            found = typical(pool, n, is_labelled, seed)
        is_labelled[found.rows] = True
        order.append(found.rows)
    rest = np.random.default_rng(seed).permutation(np.flatnonzero(~is_labelled))
    return np.concatenate([*order, rest])


def class_probabilities(
    x: Float[np.ndarray, "samples dim"],
    codes: Int[np.ndarray, " samples"],
    is_labelled: Bool[np.ndarray, " samples"],
    seed: int,
) -> Float[np.ndarray, "samples classes"]:
    """What logistic regression on the labels at hand says of all samples."""
    labelled, everything = np.flatnonzero(is_labelled), np.arange(len(x))
    problem = Problem(x, codes[labelled], labelled, everything, everything, seed)
    return logistic_regressions([problem])[0]
