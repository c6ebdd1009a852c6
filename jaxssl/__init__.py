"""Self-supervised pretraining and label-efficiency studies on gene-expression profiles."""
