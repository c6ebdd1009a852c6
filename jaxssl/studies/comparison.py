"""The comparison of a study: every arm, share and seed that is missing, fitted and scored."""

from collections.abc import Iterable
from itertools import product

import jax
import numpy as np

from jaxssl.engine.bundle import EncoderBundle
from jaxssl.evaluation.arms import BEST, make_inputs, parted
from jaxssl.evaluation.baselines import BASELINES
from jaxssl.evaluation.fits import failed_fits
from jaxssl.evaluation.headline import failure_notes, percent
from jaxssl.evaluation.sweep import Fitted, seen_by, sweep
from jaxssl.files import write_table
from jaxssl.runs import journal, layout
from jaxssl.studies.pretraining import check_split, make_ensembles
from jaxssl.studies.progress import Count
from jaxssl.studies.start import Study
from jaxssl.types import InputError, Normalizer, Params


def compare(study: Study, bundles: Iterable[EncoderBundle]) -> None:
    """Fit and score every arm, share and seed that the folder lacks."""
    config, folder = study.config, study.folder
    bundles, guests = list(bundles), study.guests
    if not guests:
        check_split(study.task, bundles)
    _check_normalizers(bundles[0].normalizer if guests else study.prepared.normalizer, bundles)
    results = journal.read_results(folder)
    done = set(zip(results["arm"], results["share"], results["seed"], strict=True))
    gone = set(journal.without_predictions(folder, results))
    if gone & set(product(config.sweep.arms, config.sweep.shares, study.seeds)):
        study.hooks.say("scores whose probabilities are gone are computed again")
    wanted = set(product([BEST], config.sweep.shares, study.seeds)) - (done - gone)
    encoders = by_method(bundles)
    by = seen_by(study.prepared, encoders, guests.features if guests else None)
    inputs = make_inputs(study.prepared, study.seeds, by)
    seen = guests and inputs._replace(features=guests.features, train=guests.split.train)
    if BEST in config.sweep.arms:
        encoders[BEST] = make_ensembles(study, bundles) if wanted else {}
    n_fits = len(config.sweep.arms) * len(config.sweep.shares)
    count = Count(study.hooks.tell, "arm and share", n_fits)
    with study.notes.stage("evaluate"):
        given = encoders, study.seeds, done - gone, inputs, seen
        for fitted in sweep(study.prepared, *given):
            stage = "baselines" if parted(fitted.arm)[0] in BASELINES else "finetune"
            study.notes.book(stage, fitted.seconds)
            journal.add_results(folder, fitted, study.task, study.seeds)
            count.advance(_in_a_line(fitted))
    results = journal.join_parts(folder / layout.RESULTS)
    write_table(folder / layout.RESULTS_CSV, results)
    for text in failure_notes(failed_fits(results)):
        study.notes.warn(text)


def by_method(bundles: Iterable[EncoderBundle]) -> dict[str, dict[int, Params]]:
    """Encoder parameters by method and seed."""
    encoders: dict[str, dict[int, Params]] = {}
    for bundle in bundles:
        of_method = encoders.setdefault(bundle.config.method.name, {})
        of_method[bundle.provenance["seed"]] = bundle.params["encoder"]
    return encoders


def _check_normalizers(own: Normalizer, bundles: Iterable[EncoderBundle]) -> None:
    """Refuse encoders of another normalisation than that of the study."""
    arrays, structure = jax.tree.flatten(own)
    for bundle in bundles:
        others, other_structure = jax.tree.flatten(bundle.normalizer)
        if structure != other_structure or not all(map(np.array_equal, arrays, others)):
            raise InputError(
                f"the encoder of seed {bundle.provenance['seed']} has another normalizer than the "
                "encoders beside it",
                "pretrain all seeds in one folder",
            )


def _in_a_line(fitted: Fitted) -> str:
    wanted = ("accuracy", "validation")
    found = [row["value"] for row in fitted.rows if (row["metric"], row["part"]) == wanted]
    at = f"{fitted.arm} at {percent(fitted.share)}"
    return f"{at}: validation accuracy {np.mean(found):.3f}"
