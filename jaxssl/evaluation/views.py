"""What the arms of a transfer see: genes, components and encoder outputs of cohorts in a frame."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np
from jaxtyping import Int
from scipy import sparse

from jaxssl.config import Config, resolve
from jaxssl.data.family import Joint, Transfer
from jaxssl.data.normalize import fit_normalizer, normalize, standardize
from jaxssl.engine.embed import outputs_of
from jaxssl.evaluation.adaptation import encoders_of
from jaxssl.evaluation.correction import combat, coral
from jaxssl.evaluation.graph import affinity
from jaxssl.types import Features, Normalizer

COMBAT = "combat"
FRAMES = ("training", "cohort", "rank", "rank_cohort", COMBAT)
N_COSINE = 50  # plain components whose directions are compared

Which = Int[np.ndarray, " rows"]


class Matrix:
    """Cohorts in a frame. What is asked of it is computed once, for all transfers and budgets."""

    def __init__(self, joint: Joint, frame: str, config: Config):
        self.joint, self.frame, self.config = joint, frame, config
        self.x = joint.expression
        if frame == COMBAT:
            own = [joint.cohorts == name for name in np.unique(joint.cohorts)]
            self.x = np.empty_like(joint.expression)
            for rows, part in zip(own, combat([joint.expression[r] for r in own]), strict=True):
                self.x[rows] = part
        self._graphs: dict[str, sparse.csr_array] = {}

    @property
    def every_row(self) -> Which:
        """All rows, of source and target."""
        return np.arange(len(self.x))

    def normalizer(self, rows: Which, **changes) -> Normalizer:
        """Fitted on some rows."""
        frame = "training" if self.frame == COMBAT else self.frame
        options = replace(self.config.normalize, frame=frame, **changes)
        config = resolve(replace(self.config, normalize=options), len(rows), self.x.shape[1])
        own = self.x[rows], self.joint.genes, config.normalize, "log2", self.joint.cohorts[rows]
        return fit_normalizer(*own)

    def fitted(self, apply: Callable, rows: Which, **changes) -> Features:
        """All rows by a map that is fitted on some."""
        return apply(self.normalizer(rows, **changes), self.x, None, self.joint.cohorts)

    def encoded(self, rows: Which, batches: str) -> Features:
        """Outputs of encoders that are pretrained on some rows, side by side."""
        features = self.fitted(normalize, rows)
        made = encoders_of(features[rows], self.config, batches, self.joint.cohorts[rows])
        return outputs_of(self.config, made, features)

    @cached_property
    def genes(self) -> Features:
        """Genes standardised on source and target."""
        return self.fitted(standardize, self.every_row, input="genes")

    @cached_property
    def components(self) -> Features:
        """Conditioned components of source and target."""
        return self.fitted(normalize, self.every_row)

    @cached_property
    def cosines(self) -> Features:
        """Plain components of both as directions, so that distances are angles."""
        # each mean that is taken out leaves an axis less
        n_means = len(np.unique(self.joint.cohorts)) if self.frame.endswith("cohort") else 1
        n = min(N_COSINE, len(self.x) - n_means, self.x.shape[1])
        x = self.fitted(normalize, self.every_row, n_components=n, power=0.0)
        return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)

    @cached_property
    def encoded_mixed(self) -> Features:
        """Outputs of encoders of source and target, both in a mini-batch."""
        return self.encoded(self.every_row, "mixed")

    @cached_property
    def encoded_by_cohort(self) -> Features:
        """Outputs of encoders of source and target, a mini-batch of one cohort."""
        return self.encoded(self.every_row, "by_cohort")

    def graph(self, of: str) -> sparse.csr_array:
        """Neighbours of all rows in one of these."""
        if of not in self._graphs:
            self._graphs[of] = affinity(getattr(self, of))
        return self._graphs[of]


class View:
    """A transfer in a frame: what is fitted on its source alone, or tells source and target."""

    def __init__(self, both: Matrix, transfer: Transfer):
        self.both, self.transfer = both, transfer

    @cached_property
    def genes(self) -> Features:
        """Genes standardised on the source; in the frame of a cohort, within each."""
        return self.both.fitted(standardize, self.transfer.rows_of_source, input="genes")

    @cached_property
    def components(self) -> Features:
        """Conditioned components of the source."""
        return self.both.fitted(normalize, self.transfer.rows_of_source)

    @cached_property
    def encoded(self) -> Features:
        """Outputs of encoders of the source."""
        return self.both.encoded(self.transfer.rows_of_source, "mixed")

    @cached_property
    def coral(self) -> Features:
        """Components of both, the source's with the covariance of the target's."""
        out, of = self.both.components.copy(), self.transfer
        moved = coral(out[of.rows_of_source], out[of.rows_of_target])
        out[of.rows_of_source], out[of.rows_of_target] = moved
        return out
