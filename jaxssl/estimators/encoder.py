"""A pretrained encoder as a scikit-learn transformer."""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float32
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from jaxssl.arguments import checked, read_argument
from jaxssl.data.unlabelled import join
from jaxssl.engine.bundle import EncoderBundle, diagnosis_of, usable
from jaxssl.engine.diagnose import HEALTHY
from jaxssl.engine.embed import annotate, embed
from jaxssl.engine.planning import plan_pretraining
from jaxssl.engine.prepared import prepare
from jaxssl.engine.pretrain import make_bundle, merge, pretrain
from jaxssl.estimators.inputs import named_cohorts, read, training_task
from jaxssl.estimators.options import check_use, make_config, seed_of
from jaxssl.estimators.stored import HISTORY, BundleEstimator
from jaxssl.runs.identity import versions
from jaxssl.studies.data import DataSets, read_unlabelled
from jaxssl.studies.encoders import read_encoder, refuse_classifier
from jaxssl.studies.progress import Hooks
from jaxssl.types import MAX_MISSING, REFUSE

_plan = lru_cache(maxsize=32)(plan_pretraining)  # kept, so that folds of one size compile once


@dataclass(eq=False, repr=False)  # as any estimator has them
class SSLEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BundleEstimator):
    """Self-supervised pretraining of an encoder of expression profiles.

    Labels are never read. Normalisation (log2, standardisation, spectral conditioning) is part of
    the encoder and fitted with it. With the same rows, options and seed, the encoder is that of
    `jaxssl.study` and of the `pretrain` verb.

    Args:
        method: name of the pretraining method, such as "swav", "simclr" or "byol".
        n_prototypes: prototypes or clusters of a head: a count, or one count a head; None: the
            configuration's, by default chosen from the number of samples.
        config: what differs from the method's defaults, such as `{"pretrain.n_steps": 2000}`, or a
            whole `jaxssl.Config` of that method.
        scale: "counts", "linear", "log2" or "log_ratio". "auto": as an AnnData has on record, or
            as the values of named genes look; an array without gene names is taken as it is, like
            "log2".
        max_missing: share of the encoder's genes that new data may lack; they get the training
            mean.
        random_state: seed id of weights, batches and views, below 2**31.
        shift: what to do about samples that lie far from those of `fit`: "refuse", "warn" or
            "adapt", as in `jaxssl.predict`.

    Attributes:
        bundle_: `EncoderBundle`: normalizer, parameters, configuration, provenance.
        history_: DataFrame with a row an epoch: step, loss and measures of collapse.
        diagnosis_: status ("healthy", "collapsed", …), cause and fix.
        n_features_in_: genes seen in `fit`.
        feature_names_in_: their names, if the data had some.

    Example:
        >>> import jaxssl
        >>> from jaxssl.data.synthetic import make_synthetic
        >>> adata = make_synthetic(n_samples=60, n_genes=30)
        >>> options = {"encoder.hidden": (16, 8, 8), "pretrain.n_steps": 20}
        >>> encoder = jaxssl.SSLEncoder("swav", config=options, random_state=1).fit(adata)
        >>> encoder.transform(adata).shape
        (60, 8)
        >>> encoder.embed(adata).obsm["X_jaxssl"].shape
        (60, 8)

    Sources: SwAV: Caron et al. 2020, arXiv 2006.09882; the others stand at their options.
    """

    # of any type: what cannot be used is refused in `fit`, as scikit-learn asks
    method: Any = "swav"
    n_prototypes: Any = None
    config: Any = None
    scale: Any = "auto"
    max_missing: Any = MAX_MISSING
    random_state: Any = 0
    shift: Any = REFUSE

    def fit(
        self, X: Any, y: Any = None, *, unlabelled: Any = (), cohorts: Any = None
    ) -> "SSLEncoder":
        """Fit the normalizer and pretrain the encoder; warns if the training was not healthy.

        Args:
            X: expression (samples x genes): array, DataFrame with a column a gene, or AnnData.
            y: ignored.
            unlabelled: AnnData or files whose samples join those of `X`, each a cohort of its own,
                on the genes that all have.
            cohorts: cohort of every sample (samples,), or the column of an AnnData with them; None:
                they are of one.

        Returns:
            The estimator.

        Raises:
            InputError: on options or values that cannot be used.
        """
        config = make_config(self.method, self.n_prototypes, self.config)
        seed = seed_of(self.random_state)
        files = read_unlabelled(read_argument("unlabelled", unlabelled, DataSets), None, Hooks())
        batches = named_cohorts(X, cohorts)
        check_use(config, batches, is_joined=bool(files))
        own = training_task(read(self, X), batches)
        prepared = prepare(join(own, files, config.normalize.frame), config)
        settled, pool = prepared.config, prepared.pool
        genes = prepared.gene_pool(settled)
        if genes is None and config.pretrain.batches == "mixed":
            plan = _plan(settled, *pool.shape, n_seeds=1)
        else:  # arrays, which no cache takes
            plan = plan_pretraining(
                settled, *pool.shape, n_seeds=1, batches=prepared.batches, genes=genes
            )
        pretrained = merge(pretrain(plan, settled, pool, [seed], genes=genes))
        self.bundle_ = make_bundle(prepared, pretrained, seed, versions())
        self.history_ = pd.DataFrame(pretrained.history)
        self.diagnosis_ = pretrained.diagnoses[seed]
        if self.diagnosis_ != HEALTHY:
            found = self.diagnosis_.sentence(seed)
            warnings.warn(f"the pretraining is not healthy: {found}", stacklevel=2)
        return self

    def fit_transform(
        self, X: Any, y: Any = None, *, unlabelled: Any = (), cohorts: Any = None
    ) -> Float32[np.ndarray, "samples dim"]:
        """`fit`, then `transform` of the same samples.

        Args:
            X, y, unlabelled, cohorts: as in `fit`.

        Returns:
            Embedding (samples x dim), float32.

        Raises:
            InputError: as `fit` does.
        """
        self.fit(X, unlabelled=unlabelled, cohorts=cohorts)
        return self.transform(X, cohorts=cohorts)

    def transform(self, X: Any, *, cohorts: Any = None) -> Float32[np.ndarray, "samples dim"]:
        """Embed samples.

        Args:
            X: expression (samples x genes); genes are matched by name where both sides have names.
            cohorts: cohort of every sample (samples,), or the column of an AnnData with them; None:
                they are of one.

        Returns:
            Embedding (samples x dim), float32.

        Raises:
            InputError: if too many genes are missing, the scale is another, or they have shifted.
            NotFittedError: before `fit`.
        """
        x = self._input_of(X, cohorts)
        return embed(usable(self.bundle_), x)

    @checked
    def embed(self, adata: AnnData, *, cohorts: Any = None, overwrite: bool = False) -> AnnData:
        """Write the embedding of all samples into an AnnData, as `jaxssl.embed` does.

        Args:
            adata: samples x genes; changed in place.
            cohorts: as in `transform`.
            overwrite: replace the embedding that it has already.

        Returns:
            `adata` with `obsm["X_jaxssl"]` (samples x dim) and, if the method has prototypes, the
            number of each sample's nearest one, as text, in `obs["prototype"]`.

        Raises:
            InputError: as `transform` does, and where it has an embedding, or a column "prototype"
                of its own.
            NotFittedError: before `fit`.
        """
        x = self._input_of(adata, cohorts)
        return annotate(adata, usable(self.bundle_), x, overwrite=overwrite)

    @classmethod
    @checked
    def load(cls, folder: str | Path) -> "SSLEncoder":
        """Read an encoder that `save`, a study or the `pretrain` verb wrote.

        Args:
            folder: a bundle, such as RUN/encoder/seed_000, or a run folder: its first seed's.

        Returns:
            A fitted estimator; `history_` is empty if the bundle has none.

        Raises:
            InputError: if the folder holds no encoder, or a damaged one.
        """
        encoder = cls.from_bundle(read_encoder(folder))
        history = Path(folder) / HISTORY
        if history.exists():
            encoder.history_ = pd.read_csv(history)
        return encoder

    @classmethod
    @checked
    def from_bundle(cls, bundle: EncoderBundle) -> "SSLEncoder":
        """A fitted estimator of a bundle, such as `jaxssl.load_bundle` returns.

        Args:
            bundle: encoder with normalizer, configuration and provenance.

        Returns:
            The estimator; its `history_` is empty.
        """
        refuse_classifier(bundle)
        method, seed = bundle.config.method.name, bundle.provenance["seed"]
        encoder = cls(method, config=bundle.config, random_state=seed)
        encoder._restore(bundle)
        encoder.history_, encoder.diagnosis_ = pd.DataFrame(), diagnosis_of(bundle)
        return encoder

    @property
    def _n_features_out(self) -> int:
        return self.bundle_.config.encoder.hidden[-1]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
