"""Whom the guard against other laboratories refuses: false alarms and misses on real data sets.

A set is cut by groups into training samples, held-out ones that calibrate the limits with them, and
new ones, of which subsets arrive: as they are, and as another laboratory would give them.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jaxssl.config import NormalizeConfig
from jaxssl.data.expression import read
from jaxssl.data.groups import name_each
from jaxssl.data.normalize import fit_normalizer, log2_expression
from jaxssl.data.shift import Reference, measure
from jaxssl.data.shift_limits import fit_reference
from jaxssl.types import InputError, Normalizer

from .timing import Bench, Row

SPLITS = 3
SHARES = (0.6, 0.2)  # training samples, held-out ones; the others are new
SIZES = (1, 5, 25)  # of subsets; and one half of the new samples
SETS = (
    ("gtex_v8_1000", "", "tissue", "donor"),
    ("tcga_mirna_pancan", "platform=HiSeq", "label20", "patient_id"),
    ("hgu133_mini_compendium", "series=GSE6481", "", ""),
    ("breast_u133_er", "series=GSE2109", "er", ""),
)
"""Folder, samples that are used, classes and groups."""
Values = Float[np.ndarray, "samples genes"]


def _other_laboratory(x: Values, rng: np.random.Generator) -> Values:
    """Every gene shifted by a normal number of sd 1, and its deviation multiplied by 0.5 to 2."""
    mean = x.mean(axis=0)
    gain = 2 ** rng.uniform(-1, 1, x.shape[1])
    return ((x - mean) * gain + mean + rng.standard_normal(x.shape[1])).astype(np.float32)


CHANGES: dict[str, Callable[[Values, np.random.Generator], Values]] = {
    "natural_logarithm": lambda x, _: x * np.float32(np.log(2)),
    "log10": lambda x, _: x * np.float32(np.log10(2)),
    "offset_of_4": lambda x, _: x + np.float32(4),
    "all_zero": lambda x, _: np.zeros_like(x),
    "shift_and_rescale": _other_laboratory,
}
"""What another laboratory, or a mistake, makes of the new samples (log2), 5 of them or more."""
TWO = "any_of_two_samples"


def measure_guard(_: Bench, data: str, only: str, label: str, group: str, n_draws: int) -> Row:
    """Percent of subsets refused by size, of one class too, and of changed ones not refused.

    `only` is COLUMN=VALUE of the samples that are used, or "" for all.
    """
    folder = Path(os.environ.get("JAXSSL_DATA", ""), data)
    if not (folder / "expression.npz").is_file():
        raise InputError(f"{folder} has no expression.npz", "set JAXSSL_DATA to the sets' folder")
    adata = read(folder / "expression.npz", labels=folder / "labels.csv")
    if only:
        column, value = only.split("=")
        adata = adata[adata.obs[column].to_numpy() == value].copy()
    x = log2_expression(np.asarray(adata.X), str(adata.uns["jaxssl"]["scale"]))
    classes = np.asarray(adata.obs[label], object) if label else np.full(len(x), "", object)
    groups = np.asarray(adata.obs[group], object) if group else np.full(len(x), "", object)
    names, alarms = adata.var_names.to_numpy(object), {}
    for split in range(SPLITS):
        rng = np.random.default_rng(split)
        train, held_out, new = _parts(groups, rng)
        normalizer = fit_normalizer(x[train], names, NormalizeConfig(input="genes"))
        kept = np.flatnonzero(np.isin(names, normalizer.genes))
        reference = fit_reference(
            normalizer, x[train][:, kept], groups[train], x[held_out][:, kept], 10.0
        )
        assert reference is not None
        arriving = x[new][:, kept], classes[new]
        for name, is_alarm in _alarms(normalizer, reference, *arriving, n_draws, rng):
            alarms.setdefault(name, []).append(is_alarm)
    counts = {"samples": len(x), "new_samples": len(new)}
    shown = {name: 100 * float(np.mean(found)) for name, found in alarms.items()}
    missed = {name: 100 - shown.pop(name) for name in (*CHANGES, TWO)}
    return (
        counts
        | {f"refused_{name}": v for name, v in shown.items()}
        | {f"missed_{name}": v for name, v in missed.items()}
    )


def _parts(groups: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Rows of the three parts, which no group has in common."""
    _, codes = np.unique(name_each(groups), return_inverse=True)
    place = rng.permutation(codes.max() + 1)[codes] / (codes.max() + 1)
    part = np.searchsorted(np.cumsum(SHARES), place, side="right")
    return [np.flatnonzero(part == i) for i in range(3)]


def _alarms(
    normalizer: Normalizer,
    reference: Reference,
    x: Values,
    classes: np.ndarray,
    n_draws: int,
    rng: np.random.Generator,
) -> Iterator[tuple[str, bool]]:
    """Whether subsets of the new samples are refused, by what they are."""
    sizes = [n for n in SIZES if n < len(x) // 2] + [len(x) // 2]
    named = np.unique(classes[classes != ""].astype(str)).tolist()

    def is_refused(values: Values) -> bool:
        return measure(reference, normalizer, values).excess > 1

    for i in range(n_draws):
        for n in sizes:
            name = "half" if n == sizes[-1] else f"{n}"
            yield name, is_refused(x[rng.permutation(len(x))[:n]])
        n = sizes[i % len(sizes)]
        if named:
            of_class = np.flatnonzero(classes == rng.choice(named))
            yield "one_class", is_refused(x[rng.permutation(of_class)[:n]])
        for name, change in CHANGES.items():
            n = sizes[1 + i % (len(sizes) - 1)]
            yield name, is_refused(change(x[rng.permutation(len(x))[:n]], rng))
        change = list(CHANGES.values())[i % len(CHANGES)]
        yield TWO, is_refused(change(x[rng.permutation(len(x))[:2]], rng))
