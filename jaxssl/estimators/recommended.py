"""The recommended classifier in scikit-learn's form: what `jaxssl.classify` fits, on arrays."""

import dataclasses
import warnings
from typing import Any

import numpy as np
from anndata import AnnData

from jaxssl.arguments import choose, read_argument
from jaxssl.config import Config, with_options
from jaxssl.data.caveats import doubts
from jaxssl.data.groups import find_twins
from jaxssl.data.samples import facts_of
from jaxssl.data.unlabelled import join
from jaxssl.engine.prepared import prepare, record_of
from jaxssl.estimators.inputs import ids_of, named_cohorts, read, training_task
from jaxssl.estimators.labels import encode
from jaxssl.evaluation.arms import BEST
from jaxssl.evaluation.ensemble_bundle import Classifier, EnsembleBundle
from jaxssl.runs.notes import Notes
from jaxssl.studies.data import DataSets, read_unlabelled
from jaxssl.studies.progress import Hooks
from jaxssl.studies.recommendation import OPTIONS, recommend
from jaxssl.types import InputError

RECIPES = ("", BEST)


def is_best(estimator: Any) -> bool:
    """Whether the recommended classifier is asked for; refuses what it would leave unread."""
    if estimator.recipe not in RECIPES:
        raise InputError(f"`recipe={estimator.recipe}`", choose(estimator.recipe, RECIPES[1:]))
    if estimator.recipe != BEST:
        return False
    for name in ("encoder", "config"):
        if getattr(estimator, name) is not None:
            found = f"`{name}` is not for `recipe=best`, which pretrains encoders of its own"
            raise InputError(found, "drop it")
    return True


def fit_best(
    estimator: Any, X: Any, y: np.ndarray, seed: int, unlabelled: Any, cohorts: Any, groups: Any
) -> Any:
    """The estimator, fitted on all labels; its bundle has these as they were given."""
    if cohorts is not None:
        raise InputError("`cohorts` is not for `recipe=best`", "drop it")
    classes, codes = encode(y)
    files = read_unlabelled(read_argument("unlabelled", unlabelled, DataSets), None, Hooks())
    task = training_task(read(estimator, X), None)
    if groups is None and isinstance(X, AnnData):
        groups = str(facts_of(X).get("group", "")) or None
    own: dict[str, Any] = {"codes": codes, "classes": tuple(map(str, classes))}
    own["twins"] = find_twins(task.expression)
    if groups is not None:
        own["groups"] = named_cohorts(X, groups, "groups")
    config, notes = with_options(Config(), OPTIONS), Notes(lambda _: None)
    try:
        task = dataclasses.replace(task, **own)
        for doubt in doubts(task, task.expression):
            warnings.warn(doubt, stacklevel=4)
        task = join(task, files, config.normalize.frame)
        delivered = recommend(prepare(task, config), seed, notes, Hooks())
    finally:
        notes.close()
    labelled = np.flatnonzero(codes >= 0)
    facts = {"labels": classes.tolist(), "labelled_ids": record_of(ids_of(X), labelled)}
    delivered.bundle.provenance.update(notes.found() | facts)
    estimator.bundle_, estimator.worth_ = delivered.bundle, delivered.worth
    estimator.classes_ = classes
    return estimator


def words_of(bundle: Classifier) -> dict[str, Any]:
    """The arguments of an estimator that a classifier is put back into."""
    seed = bundle.provenance.get("seed", 0)
    if not isinstance(bundle, EnsembleBundle):
        return {"config": bundle.config, "random_state": seed}
    if bundle.is_adapted:
        found = f"this classifier is adapted to the laboratory {bundle.provenance['cohort']}"
        raise InputError(found, "use it by `predict()`")
    return {"random_state": seed, "recipe": BEST}
