"""Fits that came to nothing: which they are, how many of an arm, and in what words.

A fit is "diverged" where a held-out probability is no number, and "lost" where its loss on its own
labels ended above ln K, the price of knowing nothing of K classes: steps too large to descend it,
or too few. It is at "chance" where its balanced accuracy, over all held-out samples together, is no
higher than that of naming one class for all: 1 / K of the K classes that occur there. What names
one class for all is always at chance; where all held-out samples are of one class, nothing is.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from jaxssl.evaluation.arms import (
    RANDOM_ENCODER,
    SCRATCH,
    SELFTRAIN,
    WITH_COMPONENTS,
    Fit,
    method_of,
)
from jaxssl.evaluation.predictions import recalls

KINDS = DIVERGED, LOST, CHANCE = "diverged", "lost", "chance"
KEYS = ("dataset", "task", "point", "arm", "share")  # "point" in a grid
FAILED_COLUMNS = [*KEYS, "fit", "n", "of", "seeds"]
WORDS = {
    DIVERGED: ("is no number and counts as", "are no numbers and count as", " knowing nothing"),
    LOST: ("is worse on its", "are worse on their", " own labels than knowing nothing"),
    CHANCE: ("does", "do", " no better than chance"),
}
FINETUNED = "finetuned"  # no arm, but a classifier to keep
TOLERANCE = 1e-6  # of float32, in which what knows nothing may cost more than ln K
RATES = {
    SCRATCH: ["finetune.scratch_learning_rate"],
    RANDOM_ENCODER: ["finetune.probe_learning_rate"],
}
"""Options that make the fits of an arm diverge where they are too large; of others, see `fix`."""


def settle(
    codes: Int[np.ndarray, " samples"], fitted: Fit
) -> tuple[Float[np.ndarray, "samples classes"], str]:
    """Probabilities to be scored, and what became of their fit: one of `KINDS`, or "".

    A fit that diverged stays in all means, as one that knows nothing: where it is no number, all
    classes are as probable.
    """
    probabilities, n_classes = fitted.probabilities, fitted.probabilities.shape[1]
    with np.errstate(invalid="ignore"):
        total = probabilities.sum(axis=1, keepdims=True)
    is_number = np.isfinite(total) & (total > 0)
    if not is_number.all():
        return np.where(is_number, probabilities, 1 / n_classes), DIVERGED
    if not fitted.loss <= np.log(n_classes) * (1 + TOLERANCE):
        return probabilities, LOST
    of_classes = recalls(codes, probabilities.argmax(axis=1) == codes)
    is_chance = len(of_classes) > 1 and of_classes.mean() <= 1 / len(of_classes) + TOLERANCE
    return probabilities, CHANCE if is_chance else ""


def failed_fits(results: pd.DataFrame | None) -> pd.DataFrame:
    """A row an arm, share and kind of failure: `n` of how many fits, and their seeds as text.

    Of several splits, seeds are "split/seed". Tables of before there was a column `fit` have none.
    """
    if results is None or "fit" not in results:
        return pd.DataFrame(columns=FAILED_COLUMNS)
    keys = [key for key in KEYS if key in results]
    fits = results[[*keys, "split", "seed", "fit"]].drop_duplicates([*keys, "split", "seed"])
    rows = []
    for key, group in fits.groupby(keys, sort=False):
        ids = group["seed"].astype(str)
        if fits["split"].nunique() > 1:
            ids = group["split"].astype(str) + "/" + ids
        for kind in KINDS:
            seeds = ids[group["fit"] == kind].tolist()
            row = dict(zip(keys, key, strict=True)) | {"fit": kind, "n": len(seeds)}
            rows += [row | {"of": len(group), "seeds": ", ".join(seeds)}] if seeds else []
    return pd.DataFrame(rows, columns=FAILED_COLUMNS).fillna({"point": ""})


def counted(n: int, of: int, kind: str) -> str:
    """Such as "3 of 10 fits are no numbers and count as knowing nothing"."""
    one, many, rest = WORDS[kind]
    whole = {1: "the only fit", 2: "both fits"}.get(n, f"all {n} fits")
    subject = whole if n == of else f"{n} of {of} fits"
    return f"{subject} {one if n == 1 else many}{rest}"


def of_one(kind: str) -> str:
    """Such as "the classifier does no better than chance"."""
    return f"the classifier {WORDS[kind][0]}{WORDS[kind][2]}"


def fix(arm: str, kind: str) -> str:
    """What to do about fits of an arm that failed so; "" where it may be the data's own limit."""
    if kind == CHANCE:
        return ""
    if arm.endswith(WITH_COMPONENTS):
        return "see how the pretraining ended"
    rates = list(RATES.get(arm.removesuffix(SELFTRAIN), ()))
    if method_of(arm) or arm == FINETUNED:
        rates = ["finetune.learning_rate", "finetune.probe_learning_rate"]
    rates += ["selftrain.learning_rate"] * arm.endswith(SELFTRAIN)
    if not rates:
        return "look for values far from all others"
    rest = ", unless the pretraining itself diverged" if method_of(arm) else ""
    rest = rest if kind == DIVERGED else ", or take more steps"
    return f"lower {' or '.join(f'`{rate}`' for rate in rates)}{rest}"
