"""Encoders and classifiers that a caller names: a bundle, its folder, or the run that made it."""

import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from anndata import AnnData

from jaxssl.bounds import did_you_mean
from jaxssl.config import Config, with_options
from jaxssl.data.task import Task
from jaxssl.engine.bundle import (
    EncoderBundle,
    bundles_below,
    diagnosis_of,
    is_bundle,
    load_bundle,
    usable,
)
from jaxssl.engine.diagnose import HEALTHY
from jaxssl.engine.prepared import is_among
from jaxssl.evaluation.ensemble_bundle import (
    Classifier,
    EnsembleBundle,
    is_ensemble,
    load_ensemble,
)
from jaxssl.places import missing
from jaxssl.readers import (
    OF_ENCODER,
    OF_TRAINING,
    refuse_beside_encoder,
    refuse_counts,
    refuse_splits,
    refuse_unread,
)
from jaxssl.runs import layout
from jaxssl.runs.journal import load_encoders
from jaxssl.types import ROLES, InputError
from jaxssl.validate import get_option

Encoders = Mapping[int, EncoderBundle]  # by seed


def read_encoder(given: str | Path | EncoderBundle) -> EncoderBundle:
    """An encoder that has seen no label, to be used; of a run folder, the first seed's."""
    bundle = _read(given, lambda folder: layout.encoder_folders(folder).values())
    refuse_classifier(bundle)
    return _healthy(bundle)


def read_classifier(given: str | Path | EncoderBundle) -> EncoderBundle:
    """A classifier, to be used: a bundle, or the one in the folder of a fine-tuning."""
    encoders = layout.encoder_folders
    bundle = _read(given, lambda f: [f / layout.CLASSIFIER, *encoders(f).values()])
    if "classes" not in bundle.provenance:
        raise InputError(
            "this is an encoder, not a classifier",
            "make a classifier of it with `finetune()`, or use it by `embed()`",
        )
    return _healthy(bundle)


def read_encoders(folder: str | Path, seeds: Sequence[int]) -> Encoders:
    """The encoders of a run folder, or the one of a bundle."""
    given = Path(folder)
    _refuse_ensemble(given)
    if is_bundle(given):
        bundle = load_bundle(given)
        refuse_classifier(bundle)
        return {int(bundle.provenance["seed"]): bundle}
    bundles = load_encoders(given, seeds)
    if bundles:
        return bundles
    others = list(layout.encoder_folders(given))
    if others:
        raise InputError(
            f"`encoder={folder}` holds encoders of the seeds {', '.join(map(str, others))}, none "
            "of those to run",
            "pretrain these by `pretrain()` with the same `seeds` and `shard`",
        )
    runs = [path.parent.parent for path in bundles_below(given) if _is_of_run(path)]
    fix = f"such as `encoder={runs[0]}`" if runs else "the one with encoder/ in it"
    raise InputError(
        f"`encoder={folder}` {_lacks(given)}",
        f"name the run folder of `pretrain()` or `study()`, {fix}",
    )


def given_encoders(
    encoder: str | Path,
    config: Config,
    seeds: Sequence[int],
    counts: Mapping[str, Any],
    said: Collection[str],
    adata: AnnData | None = None,
) -> Encoders:
    """The encoders that are asked for, beside which all that is asked for can be done.

    Those of other data than `adata` leave the split to the study.
    """
    encoders = read_encoders(encoder, seeds)
    given = next(iter(encoders.values()))
    is_other = is_of_other(given, adata)
    if not is_other:
        refuse_splits(config, counts["splits"])
    if is_bundle(Path(encoder)):
        refuse_counts(config, given.config, counts)
    n_train, names = given.provenance.get("n_train", 1), OF_TRAINING if is_other else OF_ENCODER
    refuse_beside_encoder(config, given.config, n_train, said, names)
    return encoders


def read_any_classifier(given: str | Path | Classifier) -> Classifier:
    """A classifier, of one encoder or of several: a bundle, or the one in the folder of a run."""
    if isinstance(given, EnsembleBundle | EncoderBundle):
        return given if isinstance(given, EnsembleBundle) else read_classifier(given)
    folders = [Path(given), Path(given) / layout.CLASSIFIER]
    found = next((folder for folder in folders if is_ensemble(folder)), None)
    return load_ensemble(found) if found else read_classifier(given)


def is_of_other(bundle: EncoderBundle, adata: AnnData | None) -> bool:
    """Whether no sample was among those that an encoder was trained on, by their ids."""
    if adata is None:
        return False
    seen = is_among(adata.obs_names.to_numpy(), bundle.provenance.get("training_ids", ""))
    return seen is not None and not seen.any()


def _refuse_ensemble(folder: Path) -> None:
    """Refuse a classifier of several encoders where one encoder is asked for."""
    if any(map(is_ensemble, (folder, folder / layout.CLASSIFIER))):
        raise InputError(
            f"{folder} is a classifier of several encoders, of `adapt()` or `classify()`, and only "
            "`predict()` takes it",
            "name an encoder, a classifier of `finetune()`, or in `adapt()` its `source`",
        )


def refuse_classifier(bundle: EncoderBundle) -> None:
    """Refuse a classifier in the place of an encoder: its encoder was fine-tuned on labels."""
    if "classes" in bundle.provenance:
        raise InputError(
            "this is a classifier, whose encoder was fine-tuned on labels",
            "name the encoder that it was made of, such as RUN/encoder/seed_000, or use it by "
            "`predict()`",
        )


def _read(
    given: str | Path | EncoderBundle, inside: Callable[[Path], Iterable[Path]]
) -> EncoderBundle:
    """The bundle that is given, in a folder, or the first of those `inside` it."""
    if isinstance(given, EncoderBundle):
        return given
    folder = Path(given)
    _refuse_ensemble(folder)
    return load_bundle(next((path for path in inside(folder) if path.is_dir()), folder))


def _healthy(bundle: EncoderBundle) -> EncoderBundle:
    """The bundle, unless its training diverged; warns of one that was not healthy."""
    verdict = diagnosis_of(usable(bundle))
    if verdict != HEALTHY:
        warnings.warn(
            f"this encoder's pretraining is not healthy, so what comes of it is no measure of "
            f"pretraining: {verdict.sentence(bundle.provenance['seed'])}",
            stacklevel=3,
        )
    return bundle


def _is_of_run(path: Path) -> bool:
    return path.parent.name == layout.ENCODERS


def _lacks(folder: Path) -> str:
    """Why a folder has no encoders."""
    if not folder.exists():
        return missing(folder)
    return "holds no encoders" if folder.is_dir() else "is a file"


def with_data(config: Config, **said: str) -> Config:
    """The configuration with the data options that are said; "" is not said."""
    given = {name: value for name, value in said.items() if value}
    return replace(config, data=replace(config.data, **given))


def with_columns(config: Config, task: Task) -> Config:
    """The configuration with the columns that the task took its roles from, for the record."""
    return with_data(config, **{role: getattr(task, role) for role in ROLES})


def with_pretraining_of(config: Config, given: EncoderBundle, adata: AnnData | None) -> Config:
    """The options of a pretraining, with the data, comparison and machine of another run.

    With the split of an encoder's own data; of others, it is that of the run.
    """
    pretrained = given.config
    own = {name: getattr(config, name) for name in ("sweep", "finetune", "selftrain", "run")}
    if is_of_other(given, adata):
        return beside_guests(replace(pretrained, **own, data=config.data, split=config.split))
    data = with_data(pretrained, path=config.data.path, name=config.data.name).data
    roles = {role: getattr(config.data, role) for role in ROLES}  # see `start.inherit_columns`
    unlabelled = config.data.unlabelled or data.unlabelled
    # of one split: that of the encoders
    split = replace(pretrained.split, allow_leaks=config.split.allow_leaks, n_splits=1)
    data = replace(data, unlabelled=unlabelled, **roles)
    return replace(pretrained, **own, data=data, split=split)


def beside_guests(config: Config) -> Config:
    """The options for a study's own input, beside encoders of other data.

    Components as many as its own samples have; no batch is drawn, and prototypes need not fit one.
    """
    normalize = replace(config.normalize, n_components=0)
    pretrain, method = replace(config.pretrain, batches="mixed"), type(config.method)()
    return replace(config, normalize=normalize, pretrain=pretrain, method=method)


def options_of(bundle: EncoderBundle, given: Config) -> Config:
    """The options of an encoder, with the data and the fine-tuning of another configuration."""
    names = (*OF_ENCODER, "run.root_key", "run.precision")
    refuse_beside_encoder(given, bundle.config, bundle.provenance.get("n_train", 1), names=names)
    data = {name: getattr(given.data, name) for name in ("path", "name", *ROLES)}
    return replace(with_data(bundle.config, **data), finetune=given.finetune)


def set_options(config: Config, values: Mapping[str, Any] | None, reader: str) -> Config:
    """A copy with dotted options, such as "pretrain.n_steps", set: such as the reader reads."""
    values = {} if values is None else values
    sections = [field.name for field in fields(config)]
    for name in values:
        is_dotted = name.count(".") == 1 and name.partition(".")[0] in sections
        if not is_dotted or get_option(config, name) is None:
            known = [f"{s}.{option}" for s in sections for option in vars(getattr(config, s))]
            raise InputError(
                f"there is no option {name!r} for {config.method.name}",
                did_you_mean(name, known) or "see `jaxssl.Config`",
            )
    refuse_unread(reader, values)
    return with_options(config, values)
