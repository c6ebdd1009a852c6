"""The recommended classifier of a cohort: from all labels and all profiles, with what to expect."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxssl.arguments import checked
from jaxssl.bounds import Seed
from jaxssl.config import Config, with_options
from jaxssl.data.caveats import doubts
from jaxssl.data.formats.matrix import dense
from jaxssl.data.task import Task, make_task
from jaxssl.data.unlabelled import join
from jaxssl.engine.ensemble import check_session
from jaxssl.engine.prepared import Prepared, prepare
from jaxssl.evaluation.deliver import Delivered, deliver
from jaxssl.evaluation.ensemble_bundle import save_ensemble
from jaxssl.evaluation.ensembles import ids_of, plan_ensembles, pretrain_ensembles
from jaxssl.evaluation.novelty import NONE, told_of_none
from jaxssl.evaluation.predictions import counted
from jaxssl.files import read_json, write_json, write_table, write_text
from jaxssl.report.render import ensemble_card
from jaxssl.runs import kinds, layout
from jaxssl.runs.identity import origin_of, versions, write_identity
from jaxssl.runs.notes import Notes
from jaxssl.runs.output import Output, check_folder, open_folder, released
from jaxssl.studies.data import Data, DataSets
from jaxssl.studies.encoders import with_columns, with_data
from jaxssl.studies.job import hooks_of, warn_again
from jaxssl.studies.pretraining import by_epoch
from jaxssl.studies.progress import Count, Hooks
from jaxssl.studies.question import tell_of_joined, warn_of_groups
from jaxssl.studies.refusals import Refusals, read_all
from jaxssl.studies.start import announce
from jaxssl.studies.target import as_table

OPTIONS = {"normalize.frame": "training"}
"""What differs from the defaults: no cohort is held out."""


class Wanted(NamedTuple):
    """What a classification is asked for."""

    data: Data
    unlabelled: DataSets
    roles: dict[str, str]  # column by role; "": the one on record
    seed: int


@checked
def classify(
    data: Data,
    *,
    out: str | Path,
    label: str = "",
    group: str = "",
    batch: str = "",
    unlabelled: DataSets = (),
    seed: Seed = 0,
    overwrite: bool = False,
    progress: bool | Callable = True,
) -> pd.DataFrame:
    """Classify the samples of a cohort by all the labels that there are, few or many.

    What `jaxssl classify` does, with the same numbers. Five encoders are pretrained on all samples;
    class means, linear models and graphs of their outputs, of axes along which neighbours agree, of
    components and of genes are pooled by weights that the labels choose.
    Every label is learnt from, also the only one of its class; nested cross-validation over all of
    them says what accuracy to expect of new samples, and whether logistic regression would do.

    Args:
        data: samples of the cohort, some of them with a label.
        out: folder for predictions, summary and the classifier, which `predict` reads.
        label: column of classes; by default the one recorded on import.
        group: column whose samples stay in one fold, such as the patient; by default the same way.
        batch: column of technical batches, likewise: where most samples of a batch look alike, they
            are no copies of each other.
        unlabelled: more samples for the pretraining and the graphs, on the genes that all have.
        seed: of the encoders and the folds.
        overwrite, progress: as in `jaxssl.study`.

    Returns:
        A row a sample of `data`: sample_id, predicted, max_probability, none_of_the_classes (the
        probability that it is of no class that has labels; by so much the others are drawn towards
        equal ones, and still add up to 1), label and p_CLASS for every class. What is said of a
        sample that has a label is by a fit without.

    Raises:
        InputError: on data that cannot be used, with all that must change.

    Example:
        >>> jaxssl.classify("cohort.h5ad", out="runs/clf", label="tissue")  # doctest: +SKIP
    """
    files = [("data", data), *(("unlabelled", one) for one in unlabelled)]
    inputs = tuple((name, file) for name, file in files if isinstance(file, str | Path))
    output = Output(
        str(out), False, overwrite, can_resume=False, inputs=inputs, kind=kinds.CLASSIFY
    )
    roles = {"label": label, "group": group, "batch": batch}
    with released(out):
        table = run_classification(
            Wanted(data, unlabelled, roles, seed), output, hooks_of(progress)
        )
    warn_again(read_json(Path(out) / layout.SUMMARY))
    return table


def run_classification(wanted: Wanted, output: Output, hooks: Hooks) -> pd.DataFrame:
    """Read, pretrain, fit, estimate, predict, write."""
    check_session()
    notes = Notes(hooks.say)
    with notes.stage("read"):
        prepared = _prepare(wanted, output, hooks)
    announce(prepared.config, hooks)
    delivered = recommend(prepared, wanted.seed, notes, hooks)
    for line in delivered.worth.lines():
        hooks.say(line)
    with notes.stage("predict"):
        table = _predict(prepared, delivered)
    unlabelled = table[table["label"] == ""]
    if len(unlabelled):
        hooks.say(f"predicted: {counted(unlabelled['predicted'].to_numpy())}")
        hooks.say(told_of_none(unlabelled[NONE].to_numpy(), delivered.bundle.recommended.novelty))
    bundle, task = delivered.bundle, prepared.task
    bundle.provenance.update(notes.found())
    folder = open_folder(output)
    config = with_columns(prepared.config, task)
    origin = origin_of(task, ())
    write_identity(folder, config, origin, hooks.command, kind=output.kind)
    save_ensemble(folder / layout.CLASSIFIER, bundle)
    write_text(folder / layout.CLASSIFIER / layout.CARD, ensemble_card(bundle, delivered.worth))
    write_table(folder / layout.CLASSIFIED, table)
    counts = dict(zip(task.classes, bundle.provenance["class_counts"], strict=True))
    summary = {"classes": list(task.classes), "labels": counts, "n_labelled": len(delivered.none)}
    summary |= {"expected": delivered.worth.facts(), "n_samples": len(task.codes)}
    write_json(folder / layout.SUMMARY, summary | notes.found() | {"timings": notes.timings()})
    notes.close()
    hooks.say(f"wrote {folder / layout.CLASSIFIED} and {folder / layout.CLASSIFIER}")
    return table


def _prepare(wanted: Wanted, output: Output, hooks: Hooks) -> Prepared:
    """The samples as the encoders see them; refuses all that must change at once."""
    found = Refusals()
    with found.kept():
        check_folder(output)
    adata, others = read_all(wanted.data, wanted.roles, wanted.unlabelled, hooks, found)
    config = with_options(with_data(Config(), **wanted.roles), OPTIONS)
    task = make_task(adata, config, is_split=False)
    if not task.group:
        warn_of_groups(adata, "folds, and the estimate be too good")
    for doubt in doubts(task, dense(adata.X)):
        warnings.warn(doubt, stacklevel=2)
    _warn_of_silent(task)
    n_labels, sizes = int((task.codes >= 0).sum()), np.bincount(task.codes[task.codes >= 0])
    hooks.say(f"data: {task.dataset}, {len(task.codes):,} samples x {len(task.genes):,} genes")
    hooks.say(
        f"labels: {task.label}, {n_labels:,} of {len(task.classes)} classes, "
        f"{int((sizes == 1).sum())} of these with one"
    )
    if others:
        task = join(task, others, config.normalize.frame, config.data.batch)
        tell_of_joined(task, hooks)
    return prepare(task, config)


def _warn_of_silent(task: Task) -> None:
    """Warn of batches without a label, of which no held-out label speaks."""
    batches = pd.Series(task.batches[task.batches != ""].astype(str))
    silent = batches[~batches.isin(set(task.batches[task.codes >= 0]))].value_counts()
    if 0 < len(silent) < batches.nunique():
        warnings.warn(
            f"{silent.sum():,} samples are of {len(silent):,} batches without a label (first: "
            f"{silent.index[0]}): what accuracy to expect holds for the other batches; label some "
            "of them, too",
            stacklevel=3,
        )


def recommend(prepared: Prepared, seed: int, notes: Notes, hooks: Hooks) -> Delivered:
    """Pretrain an ensemble on all samples, and fit and estimate the classifier on all labels."""
    config, pool = prepared.config, prepared.pool
    ids = ids_of(seed)
    plans, n_epochs = plan_ensembles(config, pool.shape, ids, prepared.batches)
    log = by_epoch(Count(hooks.tell, "epoch", n_epochs))
    hooks.say(f"pretraining: {len(ids)} encoders on {len(pool):,} samples, without labels")

    with notes.stage("pretrain"):
        made = pretrain_ensembles(plans, config, pool, ids, log)
    with notes.stage("fit"):
        return deliver(prepared, [*made.values()], seed, versions(), hooks.say)


def _predict(prepared: Prepared, delivered: Delivered) -> pd.DataFrame:
    """What the classifier says of the data's own samples; of labelled ones, fits without them."""
    task: Task = prepared.task
    own = np.arange(len(task.codes) - len(task.joined.ids))
    probabilities, none = delivered.bundle.rule_on(prepared.features[own], prepared.genes[own])
    probabilities[delivered.labelled], none[delivered.labelled] = delivered.held_out, delivered.none
    named = np.array([*task.classes, ""], object)[task.codes[own]]
    return as_table(
        task.sample_ids[own], task.classes, probabilities, **{NONE: none, "label": named}
    )
