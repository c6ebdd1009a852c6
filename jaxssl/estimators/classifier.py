"""A classifier on a pretrained encoder, in scikit-learn's form."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Shaped
from sklearn.base import ClassifierMixin

from jaxssl.arguments import checked
from jaxssl.data.arrival import judge
from jaxssl.data.labels import label_order
from jaxssl.engine.bundle import usable
from jaxssl.engine.prepared import record_of
from jaxssl.estimators.given import among, encoder_for
from jaxssl.estimators.inputs import ids_of
from jaxssl.estimators.labels import alike, encode, is_labelled, labels_of, weights_of
from jaxssl.estimators.options import seed_of, tuned_config
from jaxssl.estimators.recommended import fit_best, is_best, words_of
from jaxssl.estimators.stored import BundleEstimator
from jaxssl.evaluation.calibration import nonconformity
from jaxssl.evaluation.classifier import cross_validate, fit_classifier, tell_apart
from jaxssl.evaluation.classifier import warn_of_one_class as warn_of_one
from jaxssl.evaluation.conformal import limits_of, prediction_sets, warn_of_other
from jaxssl.evaluation.ensemble_bundle import logits_of, opinion_of
from jaxssl.evaluation.predictions import counted
from jaxssl.studies.encoders import read_any_classifier
from jaxssl.types import ADAPT, MAX_MISSING, REFUSE, InputError


@dataclass(eq=False, repr=False)  # as any estimator has them
class SSLClassifier(ClassifierMixin, BundleEstimator):
    """Fine-tuning of a pretrained encoder on few labels, by LP-FT.

    A linear head is fitted on the frozen embedding, then all layers are trained together. Samples
    without a label (None, NaN, "" or -1 in `y`) take part in the pretraining. -1 is a class where
    it is one of only two labels. From 20 labels on, five fits on four fifths of them find the
    temperature of the probabilities, as those of `SVC(probability=True)` are found.

    Args:
        encoder: what to fine-tune. None: an `SSLEncoder` is pretrained on the samples of `fit`
            first; an unfitted one, likewise; a fitted one, an `EncoderBundle` or the path of one:
            only fine-tuned. `clone` unfits a fitted encoder, so that cross-validation pretrains it
            anew on the training part of each fold; a bundle and a path stay.
        config: what differs from the defaults, such as `{"finetune.n_steps": 400}`, or a whole
            `jaxssl.Config`; of an encoder that is given, only options of `finetune` are used.
        label: column of an AnnData's `obs` with the labels; "": the one on record.
        scale: of the values, as in `SSLEncoder`.
        max_missing: share of the encoder's genes that data may lack.
        random_state: seed id, as in `SSLEncoder`, of pretraining and fine-tuning.
        shift: as in `SSLEncoder`; also of the samples of `fit` for an encoder that is given.
        recipe: "best" fits what `jaxssl.classify` does instead; no `encoder` or `config` is for it.

    Attributes:
        classes_: sorted labels (classes,).
        encoder_: the fitted `SSLEncoder` before fine-tuning; absent after `load`.
        worth_: of `recipe="best"`: what accuracy to expect, with intervals; absent after `load`.
        bundle_: `EncoderBundle` with encoder and head, or the `EnsembleBundle` of `recipe="best"`.
        n_features_in_: genes that the encoder was fitted on.
        feature_names_in_: their names, if there are some.

    Example:
        >>> import jaxssl
        >>> from jaxssl.data.synthetic import make_synthetic
        >>> adata = make_synthetic(n_samples=60, n_genes=30, n_classes=3)
        >>> options = {"encoder.hidden": (16, 8, 8), "pretrain.n_steps": 20}
        >>> classifier = jaxssl.SSLClassifier(config=options, label="class").fit(adata)
        >>> classifier.predict_proba(adata).shape
        (60, 3)

    Source: Kumar et al. 2022, arXiv 2202.10054.
    """

    # of any type: what cannot be used is refused in `fit`, as scikit-learn asks
    encoder: Any = None
    config: Any = None
    label: Any = ""
    scale: Any = "auto"
    max_missing: Any = MAX_MISSING
    random_state: Any = 0
    shift: Any = REFUSE
    recipe: Any = ""

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        unlabelled: Any = (),
        cohorts: Any = None,
        groups: Any = None,
    ) -> "SSLClassifier":
        """Pretrain an encoder where none is given, and fine-tune it on the labelled samples.

        Args:
            X: expression (samples x genes): array, DataFrame with a column a gene, or AnnData.
            y: labels (samples,), some of them missing; None: the AnnData's `label` column.
            unlabelled: samples that join the pretraining, as in `SSLEncoder.fit`.
            cohorts: as there; also of the samples for an encoder that is given.
            groups: with `recipe="best"`, what stays together where labels are held out, such as the
                patient of every sample, or the column of an AnnData with it.

        Returns:
            The estimator.

        Raises:
            InputError: on options, values or labels that cannot be used.
        """
        y, seed = labels_of(X, y, self.label), seed_of(self.random_state)
        if is_best(self):
            return fit_best(self, X, y, seed, unlabelled, cohorts, groups)
        if groups is not None:
            raise InputError("`groups` is for `recipe=best`, which holds labels out", "drop it")
        classes, codes = encode(y)
        encoder = encoder_for(self, X, unlabelled, cohorts)
        bundle = usable(encoder.bundle_)
        config = tuned_config(self.config, bundle, has_encoder=self.encoder is not None)
        vars(self).pop("feature_names_in_", None)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(encoder, name):
                setattr(self, name, getattr(encoder, name))
        labelled = np.flatnonzero(codes >= 0)
        order = labelled[label_order(codes[labelled], len(classes), seed)]
        names = tuple(str(name) for name in classes)
        bundle, arrival = among(self, bundle, X, cohorts, is_own=encoder is not self.encoder)
        x = arrival.x
        fitted = fit_classifier(bundle, config, x, codes, names, order, seed)
        fitted = tell_apart(fitted, arrival.expression, codes, arrival.cohorts)
        own = {"labels": classes.tolist(), "labelled_ids": record_of(ids_of(X), order)}
        calibration = cross_validate(bundle, config, x, codes, names, order, seed)
        new = {"provenance": fitted.provenance | own, "calibration": calibration}
        self.bundle_ = dataclasses.replace(fitted, **new)
        self.classes_, self.encoder_ = classes, encoder
        return self

    def predict_proba(
        self, X: Any, *, cohorts: Any = None
    ) -> Float32[np.ndarray, "samples classes"]:
        """Class probabilities, as sure as cross-validated ones were right.

        Args:
            X: expression (samples x genes); genes are matched by name where both sides have names.
            cohorts: as in `SSLEncoder.transform`.

        Returns:
            Probabilities (samples x classes) in the order of `classes_`, float32.

        Raises:
            InputError: if too many genes are missing, the scale is another, or they have shifted.
            NotFittedError: before `fit`.
        """
        arrival = self._arrival_of(X, cohorts)
        probabilities = opinion_of(self.bundle_, arrival)[0].astype(np.float32)
        named = self.classes_[probabilities.argmax(axis=1)]
        judge(arrival, self.shift, "the classifier's", f"it takes {counted(named)}")
        warn_of_one(self.bundle_, named, arrival.cohorts)
        return probabilities

    def predict_set(
        self, X: Any, coverage: float = 0.9, *, cohorts: Any = None
    ) -> Bool[np.ndarray, "samples classes"]:
        """Sets of classes, one a sample, that hold the true one as often as asked, by class.

        Calibrated on cross-validated labels, which promise it for samples of the same cohort but
        about; a classifier of `jaxssl.finetune`, loaded, has held-out labels, which promise it.

        Args:
            X: expression (samples x genes).
            coverage: share of the samples of every class whose set is to hold it. A class with too
                few labels for it is warned of and is in every set.
            cohorts: as in `predict_proba`.

        Returns:
            Membership (samples x classes) in the order of `classes_`; no set is empty.

        Raises:
            InputError: as `predict_proba` does, on a coverage outside (0, 1), and where there were
                fewer than 20 labels.
        """
        arrival = self._arrival_of(X, cohorts)
        limits = limits_of(self.bundle_.calibration, self.bundle_.provenance["classes"], coverage)
        judge(arrival, self.shift, "the classifier's")
        is_other = arrival.is_shifted or self.shift == ADAPT
        warn_of_other(self.bundle_.calibration, is_other=is_other)
        return prediction_sets(nonconformity(logits_of(self.bundle_, arrival)), limits)

    def predict(self, X: Any, *, cohorts: Any = None) -> Shaped[np.ndarray, " samples"]:
        """The most probable class of every sample.

        Args:
            X: expression (samples x genes).
            cohorts: as in `predict_proba`.

        Returns:
            Labels (samples,).

        Raises:
            InputError: as `predict_proba` does.
        """
        probabilities = self.predict_proba(X, cohorts=cohorts)
        return self.classes_[probabilities.argmax(axis=1)]

    def score(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, cohorts: Any = None
    ) -> float:
        """Accuracy on the samples that have a label.

        Args:
            X: expression (samples x genes).
            y: labels (samples,); None: the AnnData's `label` column.
            sample_weight: weights (samples,); None: all alike.
            cohorts: as in `predict_proba`.

        Returns:
            Share of the labelled samples whose class is predicted.

        Raises:
            InputError: as `predict_proba` does, without labels, and on weights that are none.
        """
        predicted = self.predict(X, cohorts=cohorts)
        y = labels_of(X, y, self.label)
        rows = is_labelled(y, self.classes_)
        labels, found = alike(y[rows], self.classes_, predicted[rows])
        if not np.isin(labels, found[0]).any():
            raise InputError("no sample has a label that is a class", "pass labels as in `fit`")
        weights = None if sample_weight is None else weights_of(sample_weight, len(y))[rows]
        return float(np.average(labels == found[1], weights=weights))

    @classmethod
    @checked
    def load(cls, folder: str | Path) -> "SSLClassifier":
        """Read a classifier that `save` or the `finetune` verb wrote.

        Args:
            folder: a bundle, or the folder of `finetune` that holds one.

        Returns:
            A fitted estimator; fitting it again fine-tunes a new encoder.

        Raises:
            InputError: if the folder is no classifier, or damaged.
        """
        bundle = read_any_classifier(folder)
        origin = bundle.provenance
        classifier = cls(**words_of(bundle))
        classifier._restore(bundle)
        classifier.classes_ = np.array(origin.get("labels", origin["classes"]))
        return classifier
