"""The card that goes with a bundle: what it is, what it was made from, what it is worth."""

from collections.abc import Mapping
from typing import Any

from jaxssl.engine.bundle import EncoderBundle
from jaxssl.report.templates import template

SHOWN = ("accuracy", "balanced_accuracy")


def model_card(bundle: EncoderBundle, summary: Mapping[str, Any]) -> str:
    """Markdown on one bundle; `summary` is the run's, for its results."""
    normalizer, config, origin = bundle.normalizer, bundle.config, bundle.provenance
    return template("model_card.md").render(
        config=config,
        origin=origin,
        genes=normalizer.genes,
        scale=normalizer.expression_scale,
        n_features=len(normalizer.genes)
        if normalizer.rotation is None
        else normalizer.rotation.shape[1],
        widths="-".join(map(str, config.encoder.hidden)),
        classes=origin.get("classes", []),
        headline=summary.get("headline", ""),
        scores=_scores(summary.get("arms", {}), config.method.name),
        of_classifier=summary.get("classifier", {}),
        leaks=summary.get("allowed_leaks", []),
    )


def _scores(arms: Mapping[str, Any], method: str) -> list[dict[str, str]]:
    """A row a share: what all seeds of the method's own arm reach on the test part."""
    rows = []
    for share, metrics in arms.get(method, {}).items():
        values = {name: metrics[name] for name in SHOWN if name in metrics}
        texts = {name: f"{v['mean']:.3f}" for name, v in values.items()}
        rows.append({"share": f"{100 * float(share):g} %"} | texts)
    return rows
