"""Encoders of other data in a study: what they have seen, and its samples as they see them."""

import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from anndata import AnnData
from jaxtyping import Float

from jaxssl.config import DataConfig
from jaxssl.data.task import Task
from jaxssl.data.unlabelled import held_out_among
from jaxssl.engine.bundle import EncoderBundle, usable
from jaxssl.engine.prepared import fingerprint, is_among, settle_in
from jaxssl.runs.notes import Notes
from jaxssl.studies.data import EMBEDDED, read_data
from jaxssl.studies.job import Job
from jaxssl.studies.progress import SILENT, Hooks
from jaxssl.studies.receiving import receive_to_fit
from jaxssl.types import ADAPT, InputError, Split


class Guests(NamedTuple):
    """Encoders that were trained on other samples than the training part of a study."""

    features: Float[np.ndarray, "samples features"]  # the study's own samples, as they see them
    split: Split  # of these; samples that joined from other files they do not see
    facts: dict[str, Any]  # for the summary


def are_guests(task: Task, encoders: Collection[EncoderBundle]) -> bool:
    """Whether encoders were trained on other samples than those of this training part."""
    return any(e.provenance["training_samples"] != fingerprint(task) for e in encoders)


def check_guests(task: Task, adata: AnnData, job: Job) -> None:
    """Refuse what `receive_guests` would on any split: every labelled sample may be held out."""
    held = np.flatnonzero(task.codes >= 0)
    whole = task.split._replace(validation=held[:0], test=held)
    notes = Notes(SILENT.say)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the split's own run will say it
        receive_guests(replace(task, split=whole), adata, job._replace(hooks=SILENT), notes)
    notes.close()


def receive_guests(task: Task, adata: AnnData, job: Job, notes: Notes) -> Guests:
    """Look for held-out samples in the encoders' pretraining, and put the study's into them.

    Args:
        task: the study's.
        adata: its own data, whose rows are the first of the task.
        job: with the encoders, and what is allowed.
        notes: where leaks that are allowed are kept.

    Raises:
        InputError: if held-out samples were seen and that is not allowed, or cannot be told; if the
            study's samples lie too far from the encoders', or lack too many of their genes.
    """
    bundle = usable(next(iter(job.encoders.values())))
    seen, looked = _seen_by(bundle, task, job.hooks)
    notes.leaks(_as_leak(seen, task), job.config.split.allow_leaks)
    arrival = receive_to_fit(adata, bundle, job, job.config, job.max_missing, job.shift)
    n = len(task.codes) - len(task.joined.ids)
    split = task.split._replace(train=task.split.train[task.split.train < n])
    columns = task.groups[:n], task.batches[:n]
    _, settled = settle_in(bundle, arrival, job.shift, split, *columns)
    told = f"{_of_pretraining(bundle)}; {looked}; {arrival.sentence}"
    told += ", adapted to the training samples" * (job.shift == ADAPT)
    job.hooks.say(f"encoders: {told}")
    facts = {"told": told, "transductive": None if seen is None else len(seen)}
    return Guests(settled.x, split, facts)


def _of_pretraining(bundle: EncoderBundle) -> str:
    """What an encoder was trained on."""
    origin = bundle.provenance
    joined = f" with {origin['unlabelled']}" if origin.get("unlabelled") else ""
    return f"pretrained on {origin['n_train']:,} samples of {origin['dataset']}{joined}"


def _seen_by(
    bundle: EncoderBundle, task: Task, hooks: Hooks
) -> tuple[Mapping[str, str] | None, str]:
    """Held-out samples in an encoder's pretraining, and how they were looked for.

    None if neither ids nor profiles tell.
    """
    origin, held = bundle.provenance, np.concatenate([task.split.validation, task.split.test])
    by_id = is_among(task.ids, origin.get("training_ids", ""))
    seen = {i: str(i) for i in task.sample_ids[held[by_id[held]]]} if by_id is not None else {}
    n_looked = 0
    for adata in _training_samples(bundle, hooks):
        with suppress(InputError):  # on another scale, say: not to be compared
            seen = held_out_among(task, adata, bundle.normalizer.frame.name) | seen
            n_looked += adata.n_obs
    n, looked = origin["n_train"], "held-out samples were looked for among these by id"
    if n_looked >= n:
        looked += " and by profile"
    elif n_looked:
        looked += f", and by profile among {n_looked:,} of them"
    else:
        looked += "; not by profile, as the data of the pretraining are not at hand"
    return (seen if by_id is not None or n_looked >= n else None), looked


def _training_samples(bundle: EncoderBundle, hooks: Hooks) -> Iterator[AnnData]:
    """The training samples of an encoder in the files that its options name and that are there."""
    options = bundle.config.data
    for path in filter(None, (options.path, *options.unlabelled)):
        if path not in EMBEDDED and not Path(path).exists():
            continue
        with suppress(InputError):
            adata = read_data(DataConfig(), hooks, path)
            recorded = bundle.provenance.get("training_ids", "")
            rows = is_among(adata.obs_names.to_numpy(), recorded)
            if rows is not None and rows.any():
                yield adata[rows].copy()


def _as_leak(seen: Mapping[str, str] | None, task: Task) -> dict[str, str]:
    """Held-out samples that encoders have seen, as a leak."""
    n = len(task.split.validation) + len(task.split.test)
    start = "the encoders were trained on other samples than this split's training part"
    fix = "use the data, label, group and split options of their pretraining, or other encoders"
    if seen is None:
        return {
            "transductive": f"{start}, so test samples may have been seen: ids do not tell; {fix}"
        }
    if not seen:
        return {}
    first = next(iter(seen.values()))
    return {
        "transductive": (
            f"{start}, and {len(seen):,} of the {n:,} held-out samples were among those (first: "
            f"{first}), so scores are transductive; {fix}"
        )
    }
