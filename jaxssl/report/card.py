"""The card that goes with a bundle: what it is, what it was made from, what it is worth."""

from collections.abc import Mapping
from typing import Any

from jaxssl.engine.bundle import EncoderBundle
from jaxssl.report.templates import template


def model_card(bundle: EncoderBundle, summary: Mapping[str, Any]) -> str:
    """Markdown on one bundle; `summary` is the run's, for its results."""
    normalizer, method = bundle.normalizer, bundle.config.method.name
    rotation = normalizer.rotation
    return template("model_card.md").render(
        config=bundle.config,
        origin=bundle.provenance,
        genes=normalizer.genes,
        scale=normalizer.expression_scale,
        n_features=len(normalizer.genes) if rotation is None else rotation.shape[1],
        widths="-".join(map(str, bundle.config.encoder.hidden)),
        classes=bundle.provenance.get("classes", []),
        headline=summary.get("headline", ""),
        scores=summary.get("arms", {}).get(method, {}),  # of the method's own arm, by share
        of_classifier=summary.get("classifier", {}),
        leaks=summary.get("allowed_leaks", []),
    )
