"""Pretraining and classification in scikit-learn's form: `SSLEncoder` and `SSLClassifier`."""
