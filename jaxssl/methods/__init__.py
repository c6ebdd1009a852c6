"""Pretraining methods by name; a method imports parts, never another method."""

from collections.abc import Callable
from typing import Any

from jaxssl.methods.interface import Method
from jaxssl.methods.swav import swav
from jaxssl.model import Network

METHODS: dict[str, Callable[[Any, Network], Method]] = {"swav": swav}
"""Options and encoder to `Method`."""
