"""An estimator whose fit is a bundle, on disk with what scikit-learn wants to know."""

import dataclasses
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float32
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from jaxssl.arguments import checked, read_argument
from jaxssl.bounds import Share
from jaxssl.data.arrival import Arrival, judge, receive
from jaxssl.data.missing import CURVE
from jaxssl.engine.bundle import (
    DESCRIPTION,
    Bundle,
    EncoderBundle,
    is_bundle,
    load_bundle,
    save_bundle,
)
from jaxssl.engine.newcomers import check_cohorts, told_apart
from jaxssl.estimators.inputs import ids_of, named_cohorts, read
from jaxssl.estimators.labels import is_labelled, labels_of
from jaxssl.evaluation.ensemble_bundle import EnsembleBundle, is_ensemble, save_ensemble
from jaxssl.evaluation.explanation import Explanation
from jaxssl.runs.kinds import signs_in
from jaxssl.runs.previous import run_of
from jaxssl.studies.explanation import explain
from jaxssl.types import InputError, OnShift

HISTORY = "history.csv"  # beside the files of the bundle


class BundleEstimator(BaseEstimator):
    """What pretraining and classification have in common."""

    bundle_: Any  # an EncoderBundle, or of several encoders an EnsembleBundle
    n_features_in_: int
    scale: str
    max_missing: float
    shift: OnShift

    @checked
    def save(self, folder: str | Path) -> None:
        """Write the estimator as a bundle, which verbs such as `embed` and `predict` read too.

        Args:
            folder: a new folder, or a bundle of the same kind to replace.

        Raises:
            InputError: if the folder holds something else, or is part of a run.
            NotFittedError: before `fit`.
        """
        check_is_fitted(self)
        folder = Path(folder)
        is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
        if not is_free and not (is_bundle(folder) or is_ensemble(folder)):
            raise InputError(f"{folder} exists and is no bundle", "name another folder")
        if not is_free and is_ensemble(folder) != isinstance(self.bundle_, EnsembleBundle):
            raise InputError(
                f"{folder} holds a classifier of another recipe", "name another folder"
            )
        run = run_of(folder / DESCRIPTION) if folder.exists() else None
        if run and len(signs_in(run)) > 1:  # a bundle called classifier alone is a sign
            raise InputError(f"{folder} is part of the run in {run}", "name another folder")
        kinds = ["classes" in bundle.provenance for bundle in (self.bundle_, *_there(folder))]
        if len(set(kinds)) > 1:
            what = "an encoder" if kinds[0] else "a classifier"
            raise InputError(f"{folder} holds {what}, which this is not", "name another folder")
        names = getattr(self, "feature_names_in_", None)
        facts = {
            "scale": self.scale,
            "max_missing": self.max_missing,
            "shift": self.shift,
            "n_features_in": int(self.n_features_in_),
            "feature_names_in": None if names is None else names.tolist(),
        }
        provenance = self.bundle_.provenance | {"estimator": facts}
        bundle = dataclasses.replace(self.bundle_, provenance=provenance)
        if isinstance(bundle, EnsembleBundle):
            save_ensemble(folder, bundle)
        else:
            save_bundle(folder, bundle)
        history = getattr(self, "history_", None)  # of an encoder
        if history is not None and len(history):
            history.to_csv(folder / HISTORY, index=False)

    @checked
    def explain(self, X: Any, y: Any = None, *, gmt: str | Path | None = None) -> Explanation:
        """Find the genes behind prototypes, behind classes of `y`, or behind those it predicts.

        Args:
            X: expression (samples x genes), as in `fit`: samples that are explained.
            y: classes (samples,), for an encoder, some of them missing; None: prototypes alone
                are explained.
            gmt: file of gene sets, looked for among the first genes of each target.

        Returns:
            Tables as of `jaxssl.explain`, of this one encoder or classifier.

        Raises:
            InputError: as `jaxssl.explain` does.
            NotFittedError: before `fit`.

        Example:
            >>> encoder.explain(x, y).genes.query("target == 'LIHC'")  # doctest: +SKIP
        """
        check_is_fitted(self)
        adata = read(self, X, self.bundle_.normalizer.expression_scale)
        if y is not None:
            y = labels_of(X, y, "")
            adata.obs["class"] = np.where(is_labelled(y), y.astype(str), "")
        model = "classifier" if "classes" in self.bundle_.provenance else "encoder"
        return explain(
            adata,
            **{model: self.bundle_},
            label="" if y is None else "class",
            gmt=gmt,
            max_missing=self.max_missing,
            shift=self.shift,
        )

    def _restore(self, bundle: EncoderBundle | EnsembleBundle) -> None:
        """Become fitted; of a bundle that no estimator wrote, all features are its genes."""
        genes = list(bundle.normalizer.genes)
        kept = bundle.provenance.get("estimator", {})
        names = kept.get("feature_names_in", genes)
        self.scale = kept.get("scale", self.scale)
        self.max_missing = kept.get("max_missing", self.max_missing)
        self.shift = kept.get("shift", self.shift)
        self.n_features_in_ = kept.get("n_features_in", len(genes))
        if names is not None:
            self.feature_names_in_ = np.asarray(names, object)
        self.bundle_ = bundle

    def _arrival_of(
        self,
        X: Any,
        cohorts: Any = None,
        bundle: Bundle | None = None,
        shift: OnShift | None = None,
    ) -> Arrival:
        """What a bundle's encoder, by default its own, sees of data; not yet judged."""
        if bundle is None:
            check_is_fitted(self)
        bundle = bundle or cast(Bundle, self.bundle_)
        words: dict[str, Any] = {
            "max_missing": read_argument("max_missing", self.max_missing, Share),
            "shift": shift or read_argument("shift", self.shift, OnShift),
            "curve": bundle.provenance.get(CURVE),
            "known": bundle.told_apart,
        }
        adata = read(self, X, bundle.normalizer.expression_scale)
        names, ids = named_cohorts(X, cohorts), ids_of(X)
        if names is not None:
            check_cohorts(names, ids, "`cohorts`")
            words["cohorts"] = told_apart(names, ids, bundle)
        return receive(adata, bundle.normalizer, bundle.reference, **words)

    def _input_of(self, X: Any, cohorts: Any = None) -> Float32[np.ndarray, "samples features"]:
        """Input of its encoder for data that it is given, unless they have shifted."""
        arrival = self._arrival_of(X, cohorts)
        judge(arrival, self.shift, "the encoder's")
        return arrival.x


def _there(folder: Path) -> list[EncoderBundle]:
    """The bundle in a folder, if there is one that can be read."""
    try:
        return [load_bundle(folder)] if is_bundle(folder) else []
    except InputError:  # whatever it was, it is none
        return []
