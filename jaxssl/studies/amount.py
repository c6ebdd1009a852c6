"""How much of a comparison is run: its shares, splits and seeds, where nobody names them."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from jaxssl.bounds import check_section, check_value, listed
from jaxssl.config import Config, with_options
from jaxssl.evaluation.intervals import SMALL_TEST
from jaxssl.types import InputError
from jaxssl.validate import get_option

N_SPLITS = 5  # which say more than as many seeds: each tests on other samples
SEEDS_A_SPLIT = 2  # so that five splits take as long as the ten seeds of one
OPEN = ("sweep.shares", "run.seeds", "split.seed")
"""Options that follow from the number of labels, or decide what does, where nobody names them."""


def seeds_of(config: Config, shard: str) -> list[int]:
    """Seed ids to run: all, or those of a shard "i/n"."""
    check_section("run", config.run)
    seeds = list(range(config.run.seeds))
    check_value("shard", shard, str)
    if not shard:
        return seeds
    index, _, count = shard.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise InputError(f"`shard={shard}`", "write i/n with 0 <= i < n, such as 0/4")
    seeds = seeds[int(index) :: int(count)]
    if not seeds:
        raise InputError(f"`shard={shard}` has none of the {config.run.seeds} seeds", "see `seeds`")
    return seeds


def left_open(config: Config, said: Collection[str], words: Mapping[str, Any]) -> frozenset[str]:
    """Those of `OPEN` that nobody named: not by a word, not one by one, nor in a configuration.

    The seeds of a shard are named: whoever divides a study among machines need not spare seeds.
    """
    ours = Config()
    named = {"run.seeds"} if words["seeds"] or words["shard"] else set()
    named |= {"sweep.shares"} if listed(words["shares"], "shares") else set()
    is_default = {name: get_option(config, name) == get_option(ours, name) for name in OPEN}
    return frozenset(n for n in OPEN if is_default[n] and n not in {*said, *named})


def n_splits_for(n_labelled: int, test_share: float) -> int:
    """One split, or several where the test part of one is small."""
    return N_SPLITS if math.ceil(test_share * n_labelled - 1e-9) < SMALL_TEST else 1


def with_shares(
    config: Config, is_open: Collection[str], sizes: Sequence[tuple[int, int]]
) -> Config:
    """The options with those of the default shares that hold as many labels as there are classes.

    `sizes` are the training labels and classes of every split. Shares that were named stay.
    """
    if "sweep.shares" not in is_open:
        return config
    held = tuple(share for share in config.sweep.shares if _holds(share, sizes))
    return with_options(config, {"sweep.shares": held or config.sweep.shares})


def _holds(share: float, sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether a share is a label of every class in all splits."""
    return all(math.ceil(share * n - 1e-9) >= n_classes for n, n_classes in sizes)
