"""Self-supervised pretraining on gene expression, and an honest measure of what it is worth.

Example:
    >>> import jaxssl
    >>> adata = jaxssl.read("expression.tsv.gz", labels="labels.tsv", label="tissue")
    ... # doctest: +SKIP
    >>> result = jaxssl.study(adata, arms=["scratch", "swav", "logreg"], shares=[0.05, 0.1])
    ... # doctest: +SKIP
    >>> result.headline, jaxssl.pl.label_curve(result)  # doctest: +SKIP
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxssl import pl
    from jaxssl.config import Config
    from jaxssl.data.expression import read
    from jaxssl.data.inspect import FileReport, inspect
    from jaxssl.engine.bundle import EncoderBundle, load_bundle
    from jaxssl.engine.embed import embed
    from jaxssl.estimators import SSLClassifier, SSLEncoder
    from jaxssl.runs.reading import open_study
    from jaxssl.runs.result import StudyResult
    from jaxssl.studies.grid import tune
    from jaxssl.studies.methods import compare_methods
    from jaxssl.studies.study import study
    from jaxssl.types import InputError

_HOME = {
    "Config": "config",
    "EncoderBundle": "engine.bundle",
    "FileReport": "data.inspect",
    "InputError": "types",
    "SSLClassifier": "estimators",
    "SSLEncoder": "estimators",
    "StudyResult": "runs.result",
    "compare_methods": "studies.methods",
    "embed": "engine.embed",
    "inspect": "data.inspect",
    "load_bundle": "engine.bundle",
    "open_study": "runs.reading",
    "read": "data.expression",
    "study": "studies.study",
    "tune": "studies.grid",
}
"""Module of every public name: imported when it is first asked for, as JAX takes a second."""

__all__ = [
    "Config",
    "EncoderBundle",
    "FileReport",
    "InputError",
    "SSLClassifier",
    "SSLEncoder",
    "StudyResult",
    "compare_methods",
    "embed",
    "inspect",
    "load_bundle",
    "open_study",
    "pl",
    "read",
    "study",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name == "pl":
        return importlib.import_module("jaxssl.pl")
    if name in _HOME:
        return getattr(importlib.import_module(f"jaxssl.{_HOME[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("jaxssl")
    raise AttributeError(f"module 'jaxssl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
