"""Whether samples of one class alone are told from samples of several, between real laboratories.

Labels of one cohort, samples of another: all of them, subsets of several classes, and each class
alone; beside these, halves of one cohort.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from jaxssl.config import Config
from jaxssl.data.expression import read
from jaxssl.data.family import Cohort, check_family, cohorts_in, drawn, join, transfers
from jaxssl.data.frames import MIN_COHORT
from jaxssl.data.presence import Classes, fit_classes, measure
from jaxssl.studies.encoders import with_data
from jaxssl.types import InputError

from .timing import Bench, Row

CHOSEN, HELD_BACK = "chosen on", "held back"
FAMILIES = (
    ("cohorts/prostate_progression", "label", "", CHOSEN),
    ("cohorts/leukemia_lineage", "label", "", CHOSEN),
    ("breast_u133_er", "er", "series", CHOSEN),
    ("tcga_mirna_pancan", "label20", "platform", CHOSEN),
    ("cohorts/glioma_grade", "label", "", HELD_BACK),
    ("cohorts/crc_msi", "label", "", HELD_BACK),
    ("cohorts/stemcells_4studies/all", "label", "cohort", HELD_BACK),
    ("hgu133_mini_compendium", "cancer", "series", HELD_BACK),
)
"""Folder of a file or of one a cohort, classes, cohorts, and whether the rule was chosen on it."""
MAX_SAMPLES = 600  # of a cohort
SIZES = (15, 30)  # of subsets, beside those of classes
RARE, MIXED = 0.15, 0.3  # share of a subset that is not of its most frequent class, at least
HALVES = 80  # labelled samples of a cohort that is halved, at least

Values = Float[np.ndarray, "samples genes"]
Codes = Int[np.ndarray, " samples"]
Warned = dict[str, float]


def measure_one_class(
    _: Bench, data: str, label: str, batch: str, margins: str, n_draws: int
) -> Row:
    """Percent of sets warned of, mean over the transfers of which something is told.

    `margins` says whether the rule was chosen on the family, for the table.
    """
    del margins
    cohorts, of_pairs, n = _cohorts(data, label, batch), [], 0
    for pair in combinations(cohorts, 2):
        joint = join(pair)
        for transfer in transfers(joint)[0]:
            source, tested = transfer.rows_of_source, transfer.tested
            classes = _learn(joint.expression[source], joint.labels[source])
            arriving = joint.expression[tested], transfer.codes[tested]
            n += 1
            of_pairs += [_warned(classes, *arriving, n_draws)] if classes else []
    halves = [_halved(c, n_draws) for c in cohorts if (c.labels != "").sum() >= HALVES]
    counts = {"pairs": n, "silent": n - len(of_pairs)}
    return counts | _mean(of_pairs) | {f"half_{k}": v for k, v in _mean(halves).items()}


def _cohorts(data: str, label: str, batch: str) -> list[Cohort]:
    """The cohorts of a family that are large enough."""
    folder, found = Path(os.environ.get("JAXSSL_DATA", ""), data), []
    files = sorted([*folder.glob("expression.npz"), *folder.glob("*/expression.npz")])
    if not files:
        raise InputError(f"{folder} has no expression.npz", "set JAXSSL_DATA to the sets' folder")
    config = with_data(Config(), label=label, batch=batch)
    for file in files:
        adata = read(file, labels=file.with_name("labels.csv"), scale="log2")
        found += cohorts_in(adata, config, file.parent.name)
    return [drawn(cohort, MAX_SAMPLES) for cohort in check_family(found)]


def _learn(x: Values, labels: np.ndarray) -> Classes | None:
    """What tells all classes of a source apart."""
    names = sorted(set(labels) - {""})
    codes = pd.Categorical(labels, categories=names).codes.astype(np.int64)
    return fit_classes(x, None, codes)


def _halved(cohort: Cohort, n_draws: int) -> Warned:
    """The same within a cohort: labels of a half, samples of the other."""
    known = np.flatnonzero(cohort.labels != "")
    codes = np.unique(cohort.labels.astype(str), return_inverse=True)[1]
    source, target = np.array_split(np.random.default_rng(0).permutation(known), 2)
    classes = _learn(cohort.expression[source], cohort.labels[source])
    return _warned(classes, cohort.expression[target], codes[target], n_draws) if classes else {}


def _warned(classes: Classes, x: Values, codes: Codes, n_draws: int) -> Warned:
    """Percent of sets of each kind that are warned of."""
    found: dict[str, list[bool]] = {}
    for kind, rows in _sets(codes, n_draws, np.random.default_rng(1)):
        found.setdefault(kind, []).append(measure(classes, x[rows]).margin < 0)
    return {kind: 100 * float(np.mean(told)) for kind, told in found.items()}


def _sets(codes: Codes, n_draws: int, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Rows of sets of samples, and of what kind they are."""
    n, counts = len(codes), np.bincount(codes)
    yield "all", np.arange(n)
    alone = [np.flatnonzero(codes == k) for k in np.flatnonzero(counts >= MIN_COHORT)]
    for rows in alone:
        yield "one_class", rows
        for _ in range(n_draws if len(rows) > SIZES[0] else 0):
            yield "one_class", rng.permutation(rows)[: SIZES[0]]
    sizes = sorted({size for size in (*SIZES, *map(len, alone)) if size < n})
    for size in np.repeat(sizes, n_draws):
        rows = rng.permutation(n)[:size]
        others = 1 - np.bincount(codes[rows]).max() / size
        if others >= RARE:
            yield "mixed" if others >= MIXED else "skewed", rows


def _mean(found: Sequence[Warned]) -> Warned:
    """Over transfers that have such sets."""
    names = dict.fromkeys(name for one in found for name in one)
    return {name: float(np.mean([one[name] for one in found if name in one])) for name in names}
