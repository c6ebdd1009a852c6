"""Self-supervised pretraining on gene expression, and an honest measure of what it is worth.

Example:
    >>> import jaxssl
    >>> adata = jaxssl.read("expression.tsv.gz", labels="labels.tsv", label="tissue")
    ... # doctest: +SKIP
    >>> result = jaxssl.study(adata, arms=["scratch", "swav", "logreg"], shares=[0.05, 0.1])
    ... # doctest: +SKIP
    >>> result.headline, jaxssl.pl.label_curve(result)  # doctest: +SKIP
"""

from importlib.metadata import PackageNotFoundError, version

import lazy_loader

# what `__init__.pyi` names is imported when it is first asked for, as JAX takes a second
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
try:
    __version__ = version("jaxssl")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = ""
