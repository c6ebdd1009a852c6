"""One encoder and labels to a classifier, and what encoders and classifiers say of new samples."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.config import DataConfig
from jaxssl.data.align import encoder_input
from jaxssl.data.labels import label_budget, label_order
from jaxssl.data.task import Task
from jaxssl.engine.bundle import EncoderBundle, diagnosis_of, save_bundle
from jaxssl.engine.embed import annotate
from jaxssl.engine.prepared import fingerprint
from jaxssl.evaluation.classifier import fit_classifier
from jaxssl.evaluation.classifier import predict as predict_rows
from jaxssl.evaluation.metrics import score
from jaxssl.evaluation.predictions import pack
from jaxssl.files import write_json, write_table, write_text
from jaxssl.report.card import model_card
from jaxssl.runs import layout
from jaxssl.runs.journal import predictions_frame
from jaxssl.runs.output import open_folder
from jaxssl.studies.job import Data, Job
from jaxssl.studies.progress import SILENT, Hooks
from jaxssl.studies.start import announce, pose, read_data, read_encoder
from jaxssl.types import MAX_MISSING
from jaxssl.validate import validate


def run_finetuning(
    job: Job, bundle: EncoderBundle, *, share: float = 1.0, max_missing: float = MAX_MISSING
) -> EncoderBundle:
    """Split, fine-tune on a share of the training labels, score the held-out parts, write all.

    The job has the encoder's options, with the data and the fine-tuning options to use.
    `max_missing` is the share of the encoder's genes that the data may lack.
    """
    config, hooks = job.config, job.hooks
    validate(config)
    adata = read_data(config.data, hooks, job.data)
    x, _ = encoder_input(adata, bundle.normalizer, max_missing=max_missing)
    task = pose(adata, config, hooks)
    announce(config, hooks)
    knows_split = fingerprint(task) == bundle.provenance["training_samples"]
    if not knows_split:
        hooks.say(
            "warning: this split is not that of the pretraining; if the data are the same, "
            "held-out samples were seen there, without their labels"
        )
    labelled = task.labelled_train
    n = label_budget(share, len(labelled), len(task.classes))
    seed = int(bundle.provenance["seed"])
    order = labelled[label_order(task.codes[labelled], len(task.classes), seed)][:n]
    folder = open_folder(job.output._replace(can_resume=False))
    train = task.split.train
    position = np.searchsorted(train, order)  # train is sorted
    of_train = x[train], task.codes[train], task.classes, position
    classifier = fit_classifier(bundle, config, *of_train, seed)
    save_bundle(folder / layout.CLASSIFIER, classifier)
    scores = _score_parts(classifier, task, x, folder, hooks)
    summary = {"classes": list(task.classes), "n_labelled": n, "share": share} | scores
    summary |= {"split_of_pretraining": knows_split, "pretraining": diagnosis_of(bundle)._asdict()}
    write_json(folder / layout.SUMMARY, summary)
    card = model_card(classifier, {"classifier": scores})
    write_text(folder / layout.CLASSIFIER / layout.CARD, card)
    return classifier


def _score_parts(
    classifier: EncoderBundle, task: Task, x: np.ndarray, folder: Path, hooks: Hooks
) -> dict[str, Any]:
    """Scores on the held-out parts, whose probabilities are written."""
    seed, tables, scores = int(classifier.provenance["seed"]), [], {}
    for part in ("validation", "test"):
        rows = getattr(task.split, part)
        predictions = predict_rows(classifier, x[rows], task.sample_ids[rows])
        scores[part] = score(task.codes[rows], predictions.probabilities)
        table = predictions_frame(task, rows, seed, predictions.probabilities)
        tables.append(table.assign(part=part))
        hooks.say(f"{part}: accuracy {scores[part]['accuracy']:.3f} on {len(rows):,} samples")
    write_table(folder / layout.CLASSIFIED, pd.concat(tables))
    return scores


def predict(
    classifier: str | Path, data: Data, hooks: Hooks = SILENT, *, max_missing: float = MAX_MISSING
) -> pd.DataFrame:
    """Class probabilities of new samples; genes are matched by name."""
    bundle = read_encoder(classifier)
    adata, x = _aligned(bundle, data, hooks, max_missing)
    found = predict_rows(bundle, x, adata.obs_names.to_numpy())
    named = np.asarray(found.classes)[found.probabilities.argmax(axis=1)]
    head = {"sample_id": found.sample_ids, "predicted": named}
    return pd.DataFrame(head | pack(found.classes, found.probabilities))


def embed_samples(
    encoder: str | Path, data: Data, hooks: Hooks = SILENT, *, max_missing: float = MAX_MISSING
) -> AnnData:
    """The data with an encoder's output in `obsm["X_jaxssl"]`; genes are matched by name."""
    bundle = read_encoder(encoder)
    adata, x = _aligned(bundle, data, hooks, max_missing)
    return annotate(adata, bundle, x)


def _aligned(
    bundle: EncoderBundle, data: Data, hooks: Hooks, max_missing: float
) -> tuple[AnnData, np.ndarray]:
    """The data set, and what the encoder sees of it."""
    adata = read_data(DataConfig(), hooks, data)
    x, found = encoder_input(adata, bundle.normalizer, max_missing=max_missing)
    n = found["n_genes"]
    hooks.say(f"genes: {n - found['n_missing']} of {n} found by name")
    return adata, x
