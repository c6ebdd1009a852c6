"""What a classifier says of new samples."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from jaxssl.arguments import checked
from jaxssl.bounds import Share
from jaxssl.data.arrival import judge
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.prepared import is_among
from jaxssl.evaluation.classifier import predict as predict_rows
from jaxssl.evaluation.predictions import counted, pack
from jaxssl.studies.embedding import arrive
from jaxssl.studies.encoders import read_classifier
from jaxssl.studies.job import Data
from jaxssl.studies.progress import SILENT, Hooks
from jaxssl.types import MAX_MISSING, REFUSE, OnShift


@checked
def predict(
    classifier: str | Path | EncoderBundle,
    data: Data,
    hooks: Hooks = SILENT,
    *,
    max_missing: Share = MAX_MISSING,
    shift: OnShift = REFUSE,
) -> pd.DataFrame:
    """Class probabilities of new samples; genes are matched by name.

    Args:
        classifier: folder of `finetune`, the classifier in it, or a bundle.
        data: AnnData (samples x genes), a file, "demo" or "synthetic".
        hooks: told what is found.
        max_missing: share of the classifier's genes that the data may lack.
        shift: what to do about samples that lie further from the training's than held-out ones of
            the same cohort do: "refuse" them; "warn"; "adapt": whatever they are, every gene is
            standardised within them, which takes 10 samples of one cohort, better 25, of several
            classes.

    Returns:
        A row a sample: sample_id, predicted, max_probability, out_of_distribution (share of
        held-out samples of the training cohort that lie nearer to it; NaN where the classifier
        keeps none) and p_CLASS for every class.

    Raises:
        InputError: on a folder without a classifier, on data that do not fit it, and on samples
            that have shifted.

    Example:
        >>> jaxssl.predict("runs/clf", new)  # doctest: +SKIP
    """
    bundle = read_classifier(classifier)
    adata, arrival = arrive(bundle, data, hooks, max_missing, shift)
    known = is_among(adata.obs_names.to_numpy(), bundle.provenance.get("labelled_ids", ""))
    if known is not None and known.any():
        warnings.warn(
            f"{known.sum():,} of {len(known):,} samples bear the id of one whose label the "
            "classifier was trained on: how well it does on them is no measure of new ones",
            stacklevel=3,
        )
    probabilities = predict_rows(bundle, arrival.x)
    classes = tuple(bundle.provenance["classes"])
    named = np.asarray(classes)[probabilities.argmax(axis=1)]
    hooks.say(f"predicted: {counted(named)}")
    judge(arrival, shift, "the classifier's", f"it takes {counted(named)}")
    head = {
        "sample_id": adata.obs_names.to_numpy(),
        "predicted": named,
        "max_probability": probabilities.max(axis=1),
        "out_of_distribution": arrival.outlying,
    }
    return pd.DataFrame(head | pack(classes, probabilities))
