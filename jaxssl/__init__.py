"""Self-supervised pretraining on gene expression, and an honest measure of what it is worth.

Example:
    import jaxssl

    adata = jaxssl.read_expression("expression.tsv.gz", labels="labels.tsv", label="tissue")
    rows = jaxssl.label_sweep(adata, arms=["scratch", "swav", "logreg"], shares=[0.05, 0.1])
"""

from jaxssl.config import Config
from jaxssl.data.expression import read_expression
from jaxssl.engine.bundle import load_bundle
from jaxssl.engine.embed import embed
from jaxssl.evaluation.sweep import label_sweep
from jaxssl.types import InputError

__all__ = ["Config", "InputError", "embed", "label_sweep", "load_bundle", "read_expression"]
