"""Pretraining and classification in scikit-learn's form: `SSLEncoder` and `SSLClassifier`."""

from jaxssl.estimators.classifier import SSLClassifier
from jaxssl.estimators.encoder import SSLEncoder

__all__ = ["SSLClassifier", "SSLEncoder"]
