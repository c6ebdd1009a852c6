"""Labels that no table holds as such: derived by a rule that is printed with the result."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from jaxssl.data import barcodes, cancer_status, tcga_classes
from jaxssl.types import InputError


class Rule(NamedTuple):
    """How columns are derived from those of the samples."""

    text: str  # the rule in words, printed with the result
    makes: tuple[str, ...]  # columns; the first is the label, the last the group
    derive: Callable[[pd.DataFrame], tuple[pd.DataFrame, list[str]]]  # columns, and notes


def derive(obs: pd.DataFrame, rule: str) -> tuple[pd.DataFrame, list[str]]:
    """Columns that a rule makes, and new ones that the names of samples tell without it; notes."""
    told = barcodes.describe(obs.index.to_numpy(dtype=object))
    told = told[told.columns.difference(obs.columns, sort=False)]
    notes = []
    if len(told.columns):
        notes.append(f"by the names of the samples: {', '.join(told.columns)}")
    if not rule:
        return told, notes
    made, found = _apply(rule, obs)
    notes += [f"`label_rule={rule}`: {RULES[rule].text}", *found]
    return pd.concat([told[told.columns.difference(made.columns)], made], axis=1), notes


def possible(obs: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Rules that give these samples two classes or more: rule → class → count."""
    found = {}
    for name, rule in RULES.items():
        try:
            labels = _apply(name, obs)[0][rule.makes[0]]
        except InputError:
            continue
        counts = labels[labels != ""].value_counts()
        if len(counts) > 1:
            found[name] = {str(value): int(count) for value, count in counts.items()}
    return found


def _apply(rule: str, obs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """What a rule makes; it may blank what says nothing, but replaces no value by another."""
    made, found = RULES[rule].derive(obs)
    for name in made.columns.intersection(obs.columns):
        new, old = made[name].to_numpy(dtype=object), obs[name].to_numpy(dtype=object)
        differs = (new != "") & (new != old)
        if differs.any():
            raise InputError(
                f"`label_rule={rule}` makes a column {name}, and the samples have one that "
                f"differs in {differs.sum()} (first: {old[differs][0]!r}, by the rule "
                f"{new[differs][0]!r})",
                "use that one by `label`, or rename it",
            )
    return made, found


def made_by(rule: str) -> tuple[str, ...]:
    """Columns that the names of samples and the rule ("" for none) can make."""
    return (barcodes.DONOR, barcodes.SAMPLE_TYPE, *(RULES[rule].makes if rule else ()))


def columns_of(rule: str) -> dict[str, str]:
    """Role → column that the rule makes; {} without a rule."""
    return {"label": RULES[rule].makes[0], "group": RULES[rule].makes[-1]} if rule else {}


RULES = {
    "tcga20": Rule(tcga_classes.TEXT, ("tcga20", barcodes.DONOR), tcga_classes.derive),
    "cancer": Rule(
        cancer_status.TEXT, ("cancer", "tissue", "material", "group"), cancer_status.derive
    ),
}
"""What `label_rule` may name. "cancer" is for SDRF tables such as that of E-MTAB-3732."""
