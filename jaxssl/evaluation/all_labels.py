"""What arms come to with all labels that a user has: which are better, and whether any is at all.

At few labels the primary endpoint decides; here, at the largest share that was compared, are the
same comparisons, and that of every arm with the floor, which names one class for all samples.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from jaxssl.evaluation.arms import SCRATCH
from jaxssl.evaluation.endpoint import ENDPOINT_COLUMNS, METRIC, compare_areas
from jaxssl.evaluation.intervals import ALPHA
from jaxssl.evaluation.predictions import unpack
from jaxssl.evaluation.stats import FLOOR, adjust, holm

GROUPS = ["group_low", "group_high"]  # interval over groups of test samples
ALL_LABELS_COLUMNS = [*ENDPOINT_COLUMNS, *GROUPS, "p_chance"]
N_PERMUTATIONS = 1999
SEED = 0
BLOCK = 100  # permutations side by side


class Named(NamedTuple):
    """What an arm names the test samples: of every repetition the share that is each class."""

    frequencies: Float[np.ndarray, "samples classes"]
    codes: Int[np.ndarray, " samples"]  # true classes
    groups: np.ndarray  # that samples belong to


def at_all_labels(
    results: pd.DataFrame,
    arms: Sequence[str],
    references: Sequence[str],
    named: Mapping[str, Named],
    *,
    test_train_ratio: float = float("nan"),
) -> pd.DataFrame:
    """Every arm against every reference and against the floor, at the largest share of labels.

    Args:
        results: scores of one task, a row an arm, share, seed, part and metric.
        arms: under test.
        references: that each of them is compared with.
        named: what arms name the test samples, by arm; no row against the floor for others.
        test_train_ratio: as in `stats.compare`.

    Returns:
        A row a comparison (`ALL_LABELS_COLUMNS`). `is_best` marks the classical arm that did best
        on the validation part. `p_holm` adjusts the deciding p over the comparisons with it and
        with training from scratch. Rows against the floor have no interval; their `p_chance` is
        that of `p_of_chance`, adjusted over all arms by Holm's method.
    """
    if results.empty:
        return pd.DataFrame(columns=ALL_LABELS_COLUMNS)
    shares = [float(results["share"].max())]
    table = compare_areas(results, arms, references, shares, test_train_ratio=test_train_ratio)
    declared = table["is_best"].astype(bool) | (table["reference"] == SCRATCH)
    table = adjust(table, declared.to_numpy(bool))
    table[[*GROUPS, "p_chance"]] = float("nan")
    floor = _against_floor(named, results, shares[0])
    found = [part for part in (table, floor) if not part.empty]
    return pd.concat(found, ignore_index=True) if found else table


def _against_floor(named: Mapping[str, Named], results: pd.DataFrame, share: float) -> pd.DataFrame:
    """A row an arm: its balanced accuracy, that of the floor, and how probable by chance it is."""
    p = holm(np.array([p_of_chance(*one) for one in named.values()]))
    head: dict[str, Any] = {name: results[name].iloc[0] for name in ("dataset", "task")}
    head |= {"reference": FLOOR, "is_best": False, "metric": METRIC, "shares": f"{share:g}"}
    rows = []
    for (arm, one), p_chance in zip(named.items(), p, strict=True):
        mean = balanced(one.frequencies, one.codes)
        chance = 1 / len(np.unique(one.codes))
        row = head | {"arm": arm, "n": len(one.codes), "mean": mean}
        row |= {"reference_mean": chance, "difference": mean - chance, "p_chance": p_chance}
        rows.append(row | {"estimand": "over test samples, labels permuted"})
    return pd.DataFrame(rows, columns=ALL_LABELS_COLUMNS)


def is_above_chance(row: "pd.Series[Any]") -> bool:
    """Whether an arm's row against the floor says that its predictions know the classes."""
    return bool(row["p_chance"] <= ALPHA)


def names_of_samples(predictions: pd.DataFrame, groups: "pd.Series[str]") -> Named:
    """What an arm names every different test sample, over the repetitions that test on it."""
    found = unpack(predictions)
    one_hot = np.eye(len(found.classes))[found.named]
    table = pd.DataFrame(one_hot).assign(id=predictions["sample_id"].to_numpy(), code=found.codes)
    by_sample = table.groupby("id", sort=True).mean()
    own = groups.reindex(by_sample.index).fillna("")
    own = own.where(own != "", by_sample.index.to_series().astype(str))
    codes = by_sample.pop("code").to_numpy().astype(int)
    return Named(by_sample.to_numpy(float), codes, own.to_numpy().astype(str))


def balanced(
    frequencies: Float[np.ndarray, "samples classes"], codes: Int[np.ndarray, " samples"]
) -> float:
    """Balanced accuracy of shares of predictions: the mean recall of the classes that occur."""
    return float(_balanced_by(frequencies, codes[None])[0])


def _balanced_by(
    frequencies: Float[np.ndarray, "samples classes"], drawn: Int[np.ndarray, "draws samples"]
) -> Float[np.ndarray, " draws"]:
    """Balanced accuracy by true classes in several orders, of which each has the same classes."""
    shape = len(drawn), frequencies.shape[1]
    cells = (drawn + shape[1] * np.arange(len(drawn))[:, None]).ravel()
    hits = frequencies[np.arange(len(frequencies)), drawn].ravel()
    n = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    found = np.bincount(cells, weights=hits, minlength=n.size).reshape(shape)
    occur = n[0] > 0
    return (found[:, occur] / n[:, occur]).mean(axis=1)


def p_of_chance(
    frequencies: Float[np.ndarray, "samples classes"],
    codes: Int[np.ndarray, " samples"],
    groups: np.ndarray,
) -> float:
    """p of the permutation test that predictions know nothing of the classes, one-sided.

    Labels are exchanged between test samples, those of a group together where every group has one
    class.

    Args:
        frequencies: of every repetition the share that names each class (samples x classes).
        codes: true classes.
        groups: names of what samples belong to, such as patients.

    Returns:
        The share of `N_PERMUTATIONS` exchanges, and of the labels as they are, that are predicted
        as well as these; 1 of predictions that name one class for all samples.

    Source: Phipson & Smyth 2010, doi 10.2202/1544-6115.1585.
    """
    names, group = np.unique(groups, return_inverse=True)
    pairs = np.unique(np.stack([group, codes]), axis=1)
    if pairs.shape[1] > len(names):  # groups of several classes tell nothing of a class
        units, labels = np.arange(len(codes)), codes
    else:
        units, labels = group, pairs[1]
    least = balanced(frequencies, codes) - 1e-12
    rng, n_as_good = np.random.default_rng(SEED), 0
    for start in range(0, N_PERMUTATIONS, BLOCK):
        n = min(BLOCK, N_PERMUTATIONS - start)
        drawn = np.stack([rng.permutation(labels)[units] for _ in range(n)])
        n_as_good += int((_balanced_by(frequencies, drawn) >= least).sum())
    return (1 + n_as_good) / (1 + N_PERMUTATIONS)
