"""Self-supervised pretraining on gene expression, and an honest measure of what it is worth.

Example:
    import jaxssl

    adata = jaxssl.read_expression("expression.tsv.gz", labels="labels.tsv", label="tissue")
    rows = jaxssl.label_sweep(adata, arms=["scratch", "swav", "logreg"], shares=[0.05, 0.1])
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxssl.config import Config
    from jaxssl.data.expression import read_expression
    from jaxssl.engine.bundle import load_bundle
    from jaxssl.engine.embed import embed
    from jaxssl.evaluation.sweep import label_sweep
    from jaxssl.types import InputError

    __version__: str

__all__ = ["Config", "InputError", "embed", "label_sweep", "load_bundle", "read_expression"]
_MODULES = {
    "Config": "config",
    "InputError": "types",
    "embed": "engine.embed",
    "label_sweep": "evaluation.sweep",
    "load_bundle": "engine.bundle",
    "read_expression": "data.expression",
}
"""Public name → its module, imported when the name is first used: `import jaxssl` is quick."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("jaxssl")
    if name not in _MODULES:
        raise AttributeError(f"module 'jaxssl' has no attribute {name!r}")
    return getattr(importlib.import_module(f"jaxssl.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
