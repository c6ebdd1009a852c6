"""Class labels as codes, and the order in which a growing budget reveals them."""

import heapq
import math
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Int

from jaxssl.types import InputError

MIN_CLASS_SIZE = 3  # one sample for each of train, validation and test
SHOWN = 8  # classes that are named in a message


_NO_CLASS = re.compile(
    r"\W*((not )?(reported|available|applicable|known|recorded|specified|evaluated|determined)"
    r"|un(known|specified|available|determined)|missing|none|indeterminate|\?)\W*",
    re.IGNORECASE,
)


def rename_classes(values: np.ndarray, pairs: Sequence[str]) -> np.ndarray:
    """Classes by other names: of each "OLD=NEW", OLD becomes NEW; "OLD=" blanks it.

    >>> rename_classes(np.array(["a", "A", "?"], object), ["A=a", "?="]).tolist()
    ['a', 'a', '']
    """
    known = set(values.tolist())
    renamed = {}
    for pair in pairs:
        old, mark, new = pair.rpartition("=")
        if not mark or old not in known or not old:
            raise InputError(
                f"`rename_classes={pair}` names no class",
                f"pass OLD=NEW, OLD one of {', '.join(sorted(known - {''})[:SHOWN])}",
            )
        renamed[old] = new.strip()
    return np.array([renamed.get(value, value) for value in values], dtype=object)


def doubtful_classes(counts: Mapping[str, int], column: str) -> list[str]:
    """What is odd about the classes of a column: two that may be one, one that may be none."""
    alike: dict[str, list[str]] = {}
    for name in sorted(counts, key=lambda name: -counts[name]):
        alike.setdefault(_plain(name), []).append(name)
    notes = []
    for first, *others in (names for names in alike.values() if len(names) > 1):
        listed = " and ".join(f"{name!r} {counts[name]}" for name in (first, *others))
        pairs = _listed(f"{name}={first}" for name in others)
        notes.append(
            f"classes of {column} that may be one: {listed}; `rename_classes={pairs}` merges them"
        )
    none = [name for name in counts if _NO_CLASS.fullmatch(name)]
    if none:
        listed = ", ".join(f"{name!r} {counts[name]}" for name in none)
        pairs = _listed(f"{name}=" for name in none)
        notes.append(
            f"classes of {column} that may be none: {listed}; `rename_classes={pairs}` blanks them"
        )
    return notes


def _plain(name: str) -> str:
    """A class without what two ways of writing it differ in."""
    try:
        return f"{float(name):g}"
    except ValueError:
        return re.sub(r"[\W_]+", " ", name).strip().casefold() or name


def _listed(pairs: Iterable[str]) -> str:
    """Pairs as a list of the command line has them: quoted where a comma would part one."""
    return ",".join(f'"{pair}"' if "," in pair else pair for pair in pairs)


def drop_small_classes(
    values: np.ndarray, min_class_size: int
) -> tuple[np.ndarray, dict[str, int]]:
    """Blank the labels of classes below `min_class_size`; returns the values and what went."""
    names = values.astype(str)
    classes, counts = np.unique(names[names != ""], return_counts=True)
    sizes = zip(classes.tolist(), counts.tolist(), strict=True)
    small = {name: size for name, size in sizes if size < min_class_size}
    return np.where(np.isin(names, list(small)), "", values).astype(object), small


def encode(
    values: np.ndarray, *, min_class_size: int = 0, is_split: bool = True
) -> tuple[Int[np.ndarray, " samples"], tuple[str, ...]]:
    """Labels to int32 codes of the sorted classes; "" and classes below `min_class_size` to -1.

    Where they are not to be split, a class may have a single label.
    """
    values, dropped = drop_small_classes(values, min_class_size)
    names = values.astype(str)
    classes, counts = np.unique(names[names != ""], return_counts=True)
    lost = f" after `data.min_class_size={min_class_size}`" if dropped else ""
    if not len(classes):
        raise InputError(f"no sample has a label{lost}", "name another column with `label`")
    if len(classes) == 1:
        raise InputError(
            f"all labelled samples are {str(classes[0])!r}{lost}",
            "there must be two classes: name another column with `label`",
        )
    if is_split and counts.min() < MIN_CLASS_SIZE:
        sizes = dict(zip(map(str, classes), counts.tolist(), strict=True))
        rare = too_small(sizes)
        raise InputError(
            f"{len(rare)} of {len(classes)} classes have fewer than {MIN_CLASS_SIZE} labelled "
            f"samples: {with_sizes(rare)}",
            how_to_leave_out(sizes),
        )
    codes = np.searchsorted(classes, names).astype(np.int32)
    return np.where(names == "", np.int32(-1), codes), tuple(str(c) for c in classes)


def too_small(sizes: Mapping[str, int]) -> dict[str, int]:
    """The classes that have too few labels for a sample in each part."""
    return {name: n for name, n in sizes.items() if n < MIN_CLASS_SIZE}


def least_class_size(sizes: Mapping[str, int]) -> int:
    """The smallest `min_class_size` that is needed; 0 where none is, or none would do."""
    rare = too_small(sizes)
    return MIN_CLASS_SIZE if rare and len(sizes) - len(rare) > 1 else 0


def with_sizes(sizes: Mapping[str, int]) -> str:
    """Classes with their numbers of labels, the smallest first.

    >>> with_sizes({"b": 2, "a": 1})
    'a 1, b 2'
    """
    ranked = sorted(sizes.items(), key=lambda item: item[1])
    more = f" and {len(ranked) - SHOWN} more" * (len(ranked) > SHOWN)
    return ", ".join(f"{name} {n}" for name, n in ranked[:SHOWN]) + more


def label_problems(sizes: Mapping[str, int], column: str) -> list[str]:
    """What is doubtful about the classes of a column, and which are too small."""
    problems = doubtful_classes(sizes, column)
    if least_class_size(sizes):
        found = f"few labels for a study, if not for `classify()`: {with_sizes(too_small(sizes))}"
        problems.append(f"too {found}; {how_to_leave_out(sizes)}")
    return problems


def how_to_leave_out(sizes: Mapping[str, int]) -> str:
    """What helps against too small classes: more labels, fewer classes, or leaving them out."""
    least = least_class_size(sizes)
    if not least:
        return "name another column with `label`"
    n = sum(too_small(sizes).values())
    return (
        "label more of them, or join them to other classes in the column; "
        f"`data.min_class_size={least}` or `read(min_class_size={least})` leaves them out: "
        f"{n:,} {'samples become' if n > 1 else 'sample becomes'} unlabelled, and no classifier "
        "names them"
    )


def label_budget(share: float, n_labelled: int, n_classes: int) -> int:
    """Number of labels that a share stands for: ceil(share * n_labelled), at least one a class."""
    if not 0 < share <= 1:
        raise InputError(f"a label share of {share:g} is not in (0, 1]; correct `shares`")
    budget = math.ceil(share * n_labelled - 1e-9)  # 0.07 * 100 is 7.000000000000001
    if budget < n_classes:
        smallest = math.ceil(1e4 * n_classes / n_labelled) / 1e4
        raise InputError(
            f"a share of {share:g} is {budget} of {n_labelled} labels, fewer than the {n_classes} "
            "classes",
            f"the smallest usable share is {smallest:g}: raise `shares`",
        )
    return budget


def label_order(
    codes: Int[np.ndarray, " labelled"], n_classes: int, seed: int
) -> Int[np.ndarray, " labelled"]:
    """Positions of labelled samples in the order in which a budget reveals them.

    The first n positions are the labels of budget n, so budgets are nested. One sample of each
    class comes first, classes in random order; after that the count of every class stays within 1
    of its share of the rest.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(codes))
    by_class = [shuffled[codes[shuffled] == c] for c in rng.permutation(n_classes)]
    present = [positions for positions in by_class if len(positions)]
    first = np.array([positions[0] for positions in present], dtype=np.int64)
    rest = np.concatenate([positions[1:] for positions in present])
    return np.concatenate([first, rest[_interleave([len(p) - 1 for p in present])]])


def _interleave(counts: list[int]) -> Int[np.ndarray, " items"]:
    """Order of items, stored class after class, in which every prefix is proportional.

    Item j of class c with share p_c = counts_c / sum may come from step (j + d) / p_c on and is
    due by (j + 1 - d) / p_c, d = 1 / (2k - 2); the earliest due comes first. No class is ever
    more than 1 - d off its share. Tijdeman 1980, The chairman assignment problem.
    """
    sizes = np.array([count for count in counts if count], dtype=np.int64)
    total, grain = int(sizes.sum()), max(1, 2 * len(sizes) - 2)
    size = np.repeat(sizes, sizes)
    rank = np.arange(total) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    release = -(-(rank * grain + 1) * total // (size * grain))
    due = (rank + 1 - 1 / grain) * total / size
    order, waiting, released = np.argsort(release, kind="stable").tolist(), [], 0
    steps, dues, result = release.tolist(), due.tolist(), []
    for step in range(1, total + 1):
        while released < total and steps[order[released]] <= step:
            heapq.heappush(waiting, (dues[order[released]], order[released]))
            released += 1
        result.append(heapq.heappop(waiting)[1])
    return np.array(result, dtype=np.int64)
