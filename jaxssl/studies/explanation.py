"""The genes behind prototypes, classes and predictions."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.arguments import checked
from jaxssl.bounds import Share
from jaxssl.data.arrival import judge
from jaxssl.data.formats.matrix import as_text
from jaxssl.data.samples import by_text, facts_of, require_column
from jaxssl.engine.bundle import EncoderBundle, has_diverged
from jaxssl.evaluation.enrichment import as_in_sets, read_gmt, within
from jaxssl.evaluation.ensemble_bundle import EnsembleBundle
from jaxssl.evaluation.explanation import Explanation, Samples, explain_sources
from jaxssl.evaluation.targets import N_ENCODERS, sources_of
from jaxssl.report.explanation import told, write_explanation
from jaxssl.runs import layout
from jaxssl.runs.identity import Origin, write_identity
from jaxssl.runs.journal import load_encoders
from jaxssl.runs.output import Output, check_folder, open_folder
from jaxssl.studies.data import Data
from jaxssl.studies.embedding import arrive
from jaxssl.studies.encoders import read_any_classifier, read_encoder
from jaxssl.studies.progress import SILENT, Count, Hooks
from jaxssl.types import MAX_MISSING, REFUSE, InputError, OnShift

LABEL, BATCH = "label", "batch"


@checked
def explain(
    data: Data,
    hooks: Hooks = SILENT,
    *,
    encoder: str | Path | EncoderBundle | None = None,
    classifier: str | Path | EncoderBundle | EnsembleBundle | None = None,
    label: str = "",
    gmt: str | Path | None = None,
    batch: str = "",
    max_missing: Share = MAX_MISSING,
    shift: OnShift = REFUSE,
) -> Explanation:
    """Find the genes behind the prototypes of an encoder, or behind classes.

    A gene's attribution is what it adds to the difference between the mean score of a target's
    samples and that of all others: integrated gradients from samples of the others to samples of
    the target, of the score less its mean over targets. Of a run, those of at most five encoders
    are averaged, each prototype with the one of another encoder that shares most samples.

    Args:
        data: AnnData (samples x genes), a file, or "demo": samples that are explained.
        hooks: told what is found.
        encoder: bundle, its folder, or run folder of `pretrain` or `study`: prototypes are
            explained, and classes of `label` by the mean directions of their embeddings.
        classifier: of `finetune`, whose logits are explained, or of `classify`: classes are those
            that it predicts, and explained by the mean directions of its encoders' outputs.
        label: column of classes, for an encoder; by default the one on record.
        gmt: file of gene sets, looked for among the first genes of each target.
        batch: column with the cohort of every sample; "": they are of one.
        max_missing, shift: as in `jaxssl.predict`.

    Returns:
        Tables of targets (with stability between encoders and areas under the deletion curves), of
        their first genes, of ranks of all genes, of deletion curves, and of gene sets.

    Raises:
        InputError: on data that do not fit, where nothing can be explained, and on gene sets of
            other names.

    Example:
        >>> found = jaxssl.explain(adata, encoder="runs/mirna")  # doctest: +SKIP
        >>> found.genes.query("target == 'LIHC'").head()  # doctest: +SKIP

    Sources: Sundararajan et al. 2017, arXiv 1703.01365; Erion et al. 2021, arXiv 1906.10670.
    """
    bundles = _models(encoder, classifier)
    first = bundles[0]
    called = dict.fromkeys(as_in_sets(first.normalizer.genes))
    sets = within(read_gmt(Path(gmt)), called, gmt) if gmt else None
    adata, arrival = arrive(first, data, hooks, batch, max_missing, shift)
    judge(arrival, shift, "the model's")
    if classifier is None:
        label = label or facts_of(adata).get("label", "")
    samples = Samples(arrival.framed, first.normalizer, _columns(adata, label))
    sources = sources_of(bundles, arrival, samples.columns.get(LABEL))
    count = Count(hooks.tell, "targets", sum(len(source.names) for source in sources))
    explanation = explain_sources(sources, samples, first.config, sets, count.advance)
    for line in told(explanation):
        hooks.say(line)
    return explanation


def explain_into(output: Output, data: Data, hooks: Hooks, **words: Any) -> Explanation:
    """As `explain`, into a folder: tables, rank files, heat maps and explanation.md."""
    check_folder(output)
    explanation = explain(data, hooks, **words)
    folder = open_folder(output)
    write_identity(folder, explanation.config, Origin(), hooks.command, kind=output.kind)
    write_explanation(folder, explanation)
    hooks.say(f"wrote {folder / layout.EXPLANATION}")
    return explanation


def _models(
    encoder: str | Path | EncoderBundle | None,
    classifier: str | Path | EncoderBundle | EnsembleBundle | None,
) -> list[EncoderBundle | EnsembleBundle]:
    """The encoders of a run that share their input, or one classifier."""
    if (encoder is None) == (classifier is None):
        raise InputError("one model is to be explained", "pass `encoder` or `classifier`")
    if classifier is not None:
        found = read_any_classifier(classifier)
        if isinstance(found, EnsembleBundle) and found.is_adapted:
            what = "a classifier of `adapt()` has encoders of several frames"
            raise InputError(f"{what}, which are not explained", "explain its source")
        return [found]
    assert encoder is not None
    first = read_encoder(encoder)
    if isinstance(encoder, EncoderBundle) or not layout.encoder_folders(Path(encoder)):
        return [first]
    seeds = [*layout.encoder_folders(Path(encoder))][:N_ENCODERS]
    of_run = load_encoders(Path(encoder), seeds).values()
    return [bundle for bundle in of_run if not has_diverged(bundle)]


def _columns(adata: AnnData, label: str) -> dict[str, np.ndarray]:
    """Label and batch of every sample, as far as they are known."""
    obs = by_text(cast(pd.DataFrame, adata.obs))
    found = {}
    if label:
        require_column(obs.columns, label, "label")
        found[LABEL] = as_text(obs[[label]])[label].to_numpy()
    batch = facts_of(adata).get("batch", "")
    if batch in obs:
        found[BATCH] = as_text(obs[[batch]])[batch].to_numpy()
    return found
