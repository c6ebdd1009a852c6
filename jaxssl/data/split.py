"""Outer splits: stratified by class, and whole groups in one part."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from jaxssl.config import SplitConfig
from jaxssl.data.groups import name_each
from jaxssl.types import InputError, Split

LEAVE_BATCH_OUT = "leave_batch_out"
NO_GROUPS = (
    "name another `group`, or, if samples of one group are not alike, pass "
    "`split.protocol=stratified` (to the pretraining, where encoders of these data are given) and "
    "`allow_leaks=groups,twins`, which the report will say"
)
"""What to do about groups that leave nothing to hold out."""
OTHER_BATCH = "pass `split.protocol=grouped`, or name another `batch`"
_TRAIN, _VALIDATION, _TEST = 0, 1, 2
_N_FOLDS = 20  # parts of 5 %
_TOLERANCE = 0.05  # of the labelled samples: a part further from its share is reported
OfLabelled = Int[np.ndarray, " labelled"]
Shares = dict[int, float]  # part → share of the labelled samples


def make_split(
    codes: Int[np.ndarray, " samples"],
    groups: np.ndarray,
    batches: np.ndarray,
    classes: Sequence[str],
    options: SplitConfig,
) -> Split:
    """Divide samples into train, validation and test, stratified by class.

    "grouped": scikit-learn's StratifiedGroupKFold over the labelled samples; test is the first
    folds, validation the next. A class that train would lack gets its largest held-out group back.
    "stratified", or no groups: as STUDY, test off all, then validation off the rest, each of size
    ceil(share * n); "grouped" takes folds where that cannot give each part a sample of each class.
    "leave_batch_out": test is the labelled samples of one batch; what shares a batch or a group
    with it is in no other part, and validation is grouped.
    Unlabelled samples join train, unless their group is in another part.

    Groups and batches are names, "" for a sample on its own and an unknown batch; shares are of the
    labelled samples; under "leave_batch_out" `seed` is the number of the batch, in order of name.
    """
    shares = {_TEST: options.test_share, _VALIDATION: options.validation_share}
    seed, protocol = options.seed, options.protocol
    named = name_each(groups)
    left_out, usable = np.empty(0, np.int64), np.ones(len(codes), bool)
    if protocol == LEAVE_BATCH_OUT:
        left_out, usable = _leave_out(codes, named, batches, seed, classes)
        shares[_TEST], seed = 0.0, 0
    labelled = np.flatnonzero(usable & (codes >= 0))
    unlabelled = usable & (codes < 0)
    known = codes[labelled]
    is_grouped = protocol != "stratified" and (protocol != "grouped" or (groups != "").any())
    parts = None if is_grouped else _stratified_or_none(known, shares, options)
    if parts is None:
        parts = _grouped(known, named[labelled], shares, seed)
        parts = _complete_training(known, named[labelled], parts, classes)
        unlabelled &= ~np.isin(named, named[labelled[parts != _TRAIN]])
    if protocol != LEAVE_BATCH_OUT:
        _report(known, parts, shares, classes)
    train = np.concatenate([labelled[parts == _TRAIN], np.flatnonzero(unlabelled)])
    test = np.concatenate([left_out, labelled[parts == _TEST]])
    return Split(np.sort(train), labelled[parts == _VALIDATION], test)


def batches_with_labels(codes: Int[np.ndarray, " samples"], batches: np.ndarray) -> np.ndarray:
    """Names of the batches that "leave_batch_out" leaves out one after the other, in order."""
    return np.unique(batches[(batches != "") & (codes >= 0)].astype(str))


def _leave_out(
    codes: Int[np.ndarray, " samples"],
    groups: np.ndarray,
    batches: np.ndarray,
    number: int,
    classes: Sequence[str],
) -> tuple[Int[np.ndarray, " left_out"], Bool[np.ndarray, " samples"]]:
    """The labelled samples of a batch, and which samples share neither batch nor group with it."""
    if not (batches != "").any():
        raise InputError(
            "`split.protocol=leave_batch_out` needs a batch column", "name one with `batch`"
        )
    with_labels = batches_with_labels(codes, batches)
    if number >= len(with_labels):
        raise InputError(
            f"there is no batch number {number}: {len(with_labels)} batches have labels (from 0 "
            f"on: {', '.join(with_labels[:5])})",
            "lower `split.seed` or `split.n_splits`",
        )
    batch = str(with_labels[number])
    in_batch = batches.astype(str) == batch
    test = np.flatnonzero(in_batch & (codes >= 0))
    usable = ~in_batch & ~np.isin(groups, groups[in_batch])
    if not (usable & (codes >= 0)).any():
        finding = f"batch {batch} and the groups in it hold all labelled samples"
        raise InputError(f"{finding} and leave none to train on", OTHER_BATCH)
    known = np.unique(codes[usable & (codes >= 0)])
    if len(known) < 2 or not np.isin(codes[test], known).any():
        raise InputError(
            f"batch {batch} shares no class with the others, or they have but one", OTHER_BATCH
        )
    unseen = np.setdiff1d(codes[test], known)
    if len(unseen):
        warnings.warn(
            f"batch {batch} is the only one with {', '.join(classes[int(c)] for c in unseen)}: "
            "these test samples cannot be told",
            stacklevel=3,
        )
    return test, usable


def _grouped(codes: OfLabelled, groups: np.ndarray, shares: Shares, seed: int) -> OfLabelled:
    """Part of each labelled sample, from 20 folds.

    Fewer folds where the smallest class could not put one sample in each, so that the few it has
    are spread over fewer, larger folds; but never fewer than give each part a fold, nor more than
    the largest class could fill.
    """
    n_groups, class_sizes = len(np.unique(groups)), np.bincount(codes)
    needed = math.ceil(1 / min([share for share in shares.values() if share > 0] or [1.0]))
    folds = min(_N_FOLDS, max(class_sizes.min(), needed), n_groups, class_sizes.max())
    size = {part: max(1, round(folds * s)) if s > 0 else 0 for part, s in shares.items()}
    if sum(size.values()) >= folds:
        raise InputError(
            f"{len(codes)} labelled samples in {n_groups} groups are too few for train, "
            "validation and test",
            NO_GROUPS,
        )
    from sklearn.model_selection import StratifiedGroupKFold  # here: it is slow to import

    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    parts = np.full(len(codes), _TRAIN)
    with warnings.catch_warnings():
        # "The least populated class has fewer members than n_splits": _report looks at the result.
        warnings.filterwarnings("ignore", message="The least populated class")
        for fold, (_, members) in enumerate(splitter.split(codes, codes, groups)):
            if fold < sum(size.values()):
                parts[members] = _TEST if fold < size[_TEST] else _VALIDATION
    return parts


def _complete_training(
    codes: OfLabelled, groups: np.ndarray, parts: OfLabelled, classes: Sequence[str]
) -> OfLabelled:
    """Move groups back to train until it holds every class, validation's before the test's."""
    parts, held_out = parts.copy(), [part for part in (_VALIDATION, _TEST) if part in parts]
    pairs = np.unique(np.stack([codes, np.unique(groups, return_inverse=True)[1]]), axis=1)
    if np.bincount(pairs[0]).max() < 2:
        raise InputError(
            "every class lies in one group, so a class that is held out is none to train on",
            NO_GROUPS,
        )
    for code in np.setdiff1d(codes, codes[parts == _TRAIN]):
        if (codes[parts == _TRAIN] == code).any():
            continue  # came back with another class's group
        source = _VALIDATION if (codes[parts == _VALIDATION] == code).any() else _TEST
        members, counts = np.unique(groups[(codes == code) & (parts == source)], return_counts=True)
        parts[groups == members[counts.argmax()]] = _TRAIN
        n_groups = len(np.unique(groups[codes == code]))
        warnings.warn(
            f"class {classes[int(code)]} has only {n_groups} groups; {members[counts.argmax()]} "
            "was kept in training, which would otherwise lack the class",
            stacklevel=3,
        )
    if not np.isin(held_out, parts).all():
        raise InputError(
            "groups are so few or large that training, which needs every class, takes all of "
            "validation or test",
            NO_GROUPS,
        )
    return parts


def _stratified_or_none(codes: OfLabelled, shares: Shares, options: SplitConfig) -> Any:
    """As `_stratified`; None where labels are too few for that and the protocol allows folds."""
    try:
        return _stratified(codes, shares, options.seed)
    except InputError:
        if options.protocol == "stratified":
            raise
        return None


def _stratified(codes: OfLabelled, shares: Shares, seed: int) -> OfLabelled:
    n_classes = len(np.unique(codes))
    least = math.floor(1e4 * n_classes / len(codes)) / 1e4  # a sample of every class
    parts = np.full(len(codes), _TRAIN)
    rest = np.arange(len(codes))
    for part, share in shares.items():
        size = math.ceil(share * len(codes) - 1e-9)
        if not size:
            continue
        smallest = np.bincount(codes[rest])[np.unique(codes)].min()
        if size < n_classes or len(rest) - size < n_classes or smallest < 2:
            raise InputError(
                f"{len(codes)} labelled samples of {n_classes} classes (the smallest {smallest}) "
                f"are too few for a part of {size}",
                f"raise `split.test_share` and `split.validation_share` to {least:g}, or split by "
                "`split.protocol=grouped`, which takes what there is of small classes",
            )
        from sklearn.model_selection import train_test_split

        rest, taken = train_test_split(
            rest, test_size=size, stratify=codes[rest], random_state=seed
        )
        parts[taken] = part
    return parts


def _report(codes: OfLabelled, parts: OfLabelled, shares: Shares, classes: Sequence[str]) -> None:
    """Warn of held-out parts that lack a class or are far from their share."""
    for part, name in ((_VALIDATION, "validation"), (_TEST, "test")):
        absent = np.setdiff1d(codes, codes[parts == part])
        if shares[part] and len(absent):
            warnings.warn(
                f"{len(absent)} of {len(np.unique(codes))} classes have no sample in the {name} "
                f"part: {', '.join(classes[int(code)] for code in absent)}",
                stacklevel=3,
            )
        share = float(np.mean(parts == part))
        if abs(share - shares[part]) > _TOLERANCE:
            warnings.warn(
                f"the {name} part holds {share:.0%} of the labelled samples instead of "
                f"{shares[part]:.0%}: groups are few or large",
                stacklevel=3,
            )
