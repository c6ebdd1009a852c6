"""What a model has scores of: prototypes, classes of a head, or mean directions of classes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

from jaxssl.config import Config
from jaxssl.data.arrival import Arrival
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.engine.embed import embed_rows, prototype_network, prototype_scores
from jaxssl.evaluation.attributions import direction_scores, match, mean_directions
from jaxssl.evaluation.classifier import logits, networks_of
from jaxssl.evaluation.ensemble_bundle import EnsembleBundle
from jaxssl.model import make_encoder
from jaxssl.types import InputError, Params

PROTOTYPES, CLASSES = "prototype", "class"
N_ENCODERS = 5  # at most, whose attributions are averaged


class Source(NamedTuple):
    """Scores of one network, or of several alike, and which samples are of which target."""

    kind: str
    names: Sequence[str]
    scores: Any
    params: Sequence[Params]
    codes: Sequence[Int[np.ndarray, " samples"]]  # by each network; below 0: of none
    orders: Sequence[Int[np.ndarray, " targets"]]  # a network's numbers of the targets


def sources_of(
    bundles: Sequence[EncoderBundle | EnsembleBundle], arrival: Arrival, labels: np.ndarray | None
) -> list[Source]:
    """All that a model has scores of.

    Args:
        bundles: encoders of one run, or one classifier.
        arrival: samples as `receive` makes them.
        labels: classes of the samples, "" where unknown, for encoders; None: there are none.

    Raises:
        InputError: where there is nothing to explain.
    """
    first, x = bundles[0], arrival.x
    if isinstance(first, EnsembleBundle):
        probabilities, _ = first.opinion(arrival)
        (framed,) = first.frames.values()
        codes = probabilities.argmax(axis=1)
        return [
            _of_directions(
                first.config, framed.params[:N_ENCODERS], x, codes, first.provenance["classes"]
            )
        ]
    encoders = [bundle for bundle in bundles if isinstance(bundle, EncoderBundle)]
    if "classes" in first.provenance:
        names, codes = first.provenance["classes"], logits(first, x).argmax(axis=1)
        order = np.arange(len(names))
        return [Source(CLASSES, names, networks_of(first).logits, [first.params], [codes], [order])]
    sources = [found for found in [_of_prototypes(encoders, x)] if found]
    if labels is not None and (labels != "").any():
        names = sorted(set(labels) - {""})
        codes = np.array([names.index(name) if name else -1 for name in labels])
        params = [bundle.params["encoder"] for bundle in encoders]
        sources.append(_of_directions(first.config, params, x, codes, names))
    if not sources:
        raise InputError(
            f"an encoder of {first.config.method.name} has no prototypes, and no label is given",
            "pass `label=COLUMN`, whose classes are explained",
        )
    return sources


def _of_prototypes(bundles: Sequence[EncoderBundle], x: np.ndarray) -> Source | None:
    """Prototypes of encoders, matched with those of the first; None: the method has none."""
    scores = prototype_network(bundles[0])
    if scores is None:
        return None
    found = [np.asarray(prototype_scores(bundle, x)) for bundle in bundles]
    codes, n = [of.argmax(axis=1) for of in found], found[0].shape[1]
    orders = [match(codes[0], of, n) for of in codes]
    params = [bundle.params for bundle in bundles]
    return Source(PROTOTYPES, [f"{k:03d}" for k in range(n)], scores, params, codes, orders)


def _of_directions(
    config: Config,
    encoders: Sequence[Params],
    x: np.ndarray,
    codes: Int[np.ndarray, " samples"],
    names: Sequence[str],
) -> Source:
    """Classes by the mean directions of their samples' outputs."""
    params = []
    for encoder in encoders:
        directions = mean_directions(embed_rows(config, encoder, x), codes, len(names))
        params.append({"encoder": encoder, "directions": directions})
    scores = direction_scores(make_encoder(config.encoder, config.run.precision).apply)
    n, order = len(params), np.arange(len(names))
    return Source(CLASSES, names, scores, params, [codes] * n, [order] * n)
