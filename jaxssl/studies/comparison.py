"""The comparison of a study: every arm, share and seed that is missing, fitted and scored."""

import dataclasses
from collections.abc import Iterable, Sequence

import jax
import numpy as np

from jaxssl.data import leakage
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.evaluation.baselines import BASELINES
from jaxssl.evaluation.headline import percent
from jaxssl.evaluation.sweep import Fitted, sweep
from jaxssl.files import write_table
from jaxssl.runs import journal, layout
from jaxssl.studies.prepared import Study
from jaxssl.studies.pretraining import check_split
from jaxssl.studies.progress import Count
from jaxssl.types import Params


def compare(study: Study, bundles: Iterable[EncoderBundle], seeds: Sequence[int]) -> Study:
    """Fit and score every arm, share and seed that the folder lacks.

    Args:
        study: under way.
        bundles: encoders; they may be of several methods, all of this split and normalisation.
        seeds: seed ids.

    Returns:
        The study, with the normalizer of the encoders.

    Raises:
        InputError: on encoders of other training samples, a missing one, and on leaks.
    """
    bundles = list(bundles)
    for bundle in bundles:
        check_split(study.task, {bundle.provenance["seed"]: bundle})
    study = _with_normalizer_of(study, bundles)
    config, folder = study.config, study.folder
    encoders = by_method(bundles)
    results = journal.read_results(folder)
    done = set(zip(results["arm"], results["share"], results["seed"], strict=True))
    n_fits = len(config.sweep.arms) * len(config.sweep.shares)
    count = Count(study.hooks.tell, "arm and share", n_fits)
    with study.notes.stage("evaluate"):
        for fitted in sweep(study.prepared, encoders, seeds, done):
            stage = "baselines" if fitted.arm in BASELINES else "finetune"
            study.notes.book(stage, fitted.seconds)
            journal.add_results(folder, fitted, study.task, seeds)
            count.advance(_in_a_line(fitted))
    write_table(folder / layout.RESULTS_CSV, journal.join_parts(folder / layout.RESULTS))
    return study


def by_method(bundles: Iterable[EncoderBundle]) -> dict[str, dict[int, Params]]:
    """Encoder parameters by method and seed."""
    encoders: dict[str, dict[int, Params]] = {}
    for bundle in bundles:
        of_method = encoders.setdefault(bundle.config.method.name, {})
        of_method[bundle.provenance["seed"]] = bundle.params["encoder"]
    return encoders


def _with_normalizer_of(study: Study, bundles: Sequence[EncoderBundle]) -> Study:
    """The study as its encoders see it, who may be of a run on another machine."""
    own = study.prepared.normalizer
    if not bundles or _same(bundles[0].normalizer, own):
        return study
    prepared = dataclasses.replace(study.prepared, normalizer=bundles[0].normalizer)
    leaks = leakage.leaks_of_normalizer(study.task, prepared.normalizer)
    study.notes.leaks(leaks, study.config.split.allow_leaks)
    return study._replace(prepared=prepared)


def _same(a: object, b: object) -> bool:
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=False)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        np.array_equal(x, y) for x, y in pairs
    )


def _in_a_line(fitted: Fitted) -> str:
    wanted = ("accuracy", "validation")
    found = [row["value"] for row in fitted.rows if (row["metric"], row["part"]) == wanted]
    at = f"{fitted.arm} at {percent(fitted.share)}"
    return f"{at}: validation accuracy {np.mean(found):.3f}"
