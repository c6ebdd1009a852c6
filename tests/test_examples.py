"""Examples in docstrings say what the functions give."""

import doctest
import importlib
import pkgutil

from jaxssl import data, evaluation


def test_examples_of_the_docstrings_run():
    attempted = 0
    for package in (data, evaluation):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            found = doctest.testmod(importlib.import_module(module.name))
            assert not found.failed, module.name
            attempted += found.attempted
    assert attempted > 30
