"""What an encoder sees of data that it is to be fine-tuned on, and of which cohorts they are."""

import numpy as np
from anndata import AnnData

from jaxssl.config import Config
from jaxssl.data.arrival import Arrival, judge, receive
from jaxssl.data.samples import facts_of
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.newcomers import cohorts_of, column_of, told_apart
from jaxssl.engine.prepared import is_among
from jaxssl.studies.job import Job
from jaxssl.types import ADAPT, OnShift


def receive_to_fit(
    adata: AnnData,
    bundle: EncoderBundle,
    job: Job,
    config: Config,
    max_missing: float,
    shift: OnShift,
) -> Arrival:
    """What the encoder sees; if it was trained on some samples, only these are held against it."""
    seen = is_among(adata.obs_names.to_numpy(), bundle.provenance.get("training_ids", ""))
    judged = seen if seen is not None and seen.any() else None
    arrival = receive(
        adata,
        bundle.normalizer,
        bundle.reference,
        max_missing=max_missing,
        shift=shift,
        judged=judged,
        cohorts=_cohorts(adata, bundle, job, config, is_own=judged is not None, shift=shift),
    )
    job.hooks.say(arrival.sentence)
    judge(arrival, shift, "the encoder's")
    return arrival


def _cohorts(
    adata: AnnData,
    bundle: EncoderBundle,
    job: Job,
    config: Config,
    *,
    is_own: bool,
    shift: OnShift,
) -> np.ndarray | None:
    """The cohorts of the samples: by the column that is named, or a frame's by what is known.

    They are to be large enough where they are standardised by themselves; the encoder's own samples
    (`is_own`) have its cohorts, whatever these are.
    """
    in_frame, column = bundle.normalizer.frame.name.endswith("cohort"), job.config.data.batch
    if in_frame:
        column = column or config.data.batch or str(facts_of(adata).get("batch", ""))
    if not column:
        return None
    if (in_frame or shift == ADAPT) and not is_own:
        return cohorts_of(bundle, adata, column)
    return told_apart(column_of(adata, column), adata.obs_names.to_numpy(), bundle)
