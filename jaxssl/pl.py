"""What a notebook draws: the figures of the report, one function each.

Without `ax` a function makes a new figure with all panels that the report has; with `ax`, or where
one panel is asked for, it draws that one. matplotlib is imported when a function is called.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxssl.arguments import choose, read_argument
from jaxssl.types import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxssl.runs.result import StudyResult
# by field of a result: what it lacks without it, and what to do
LACKS = {
    "results": ("compared no arms", "pass the result of a `study()`"),
    "endpoint": ("has no primary endpoint", "compare arms at shares of 1 to 10 % of the labels"),
    "embedding": ("holds no embedding", "pass the result of a `study()`"),
    "metrics": ("holds no log of a pretraining", "pass the result of a `study()` or `pretrain()`"),
}


def label_curve(result: "StudyResult", ax: "Axes | None" = None, *, metric: str = "") -> Any:
    """Draw the test score of every arm against the share of the labels.

    Solid lines are the arms under test, dashed ones their references; bars are 95 % t intervals.

    Args:
        result: A study that compared arms.
        ax: Axes to draw one metric into. By default a new figure is made.
        metric: A metric of `result.results`, such as `"macro_f1"`. By default accuracy and balanced
            accuracy have a panel each, and `ax` gets balanced accuracy.

    Returns:
        The axes, or an array of them where there are two panels.

    Raises:
        InputError: If the result compared no arms, or lacks the metric.

    Example:
        >>> result = jaxssl.open_study("runs/mirna")
        >>> ax = jaxssl.pl.label_curve(result, metric="macro_f1")
    """
    from jaxssl.evaluation.stats import summarize
    from jaxssl.report import curves
    from jaxssl.report.facts import tested_arms

    summary, tested = summarize(_part(result, "results"), result.tested), tested_arms(result)
    _check("metric", metric, summary["metric"])

    def draw(ax: Any) -> None:
        curves.draw_scores(ax, summary, metric or "balanced_accuracy", tested)
        ax.legend(fontsize=8.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))

    return _draw(ax, metric, (curves.label_efficiency, summary, tested), (draw,))


def endpoint(result: "StudyResult", ax: "Axes | None" = None, *, arm: str = "") -> Any:
    """Draw the difference of the primary endpoint between an arm and every reference.

    It is the balanced accuracy averaged over 1 to 10 % of the labels. Thick bars are 95 % t
    intervals over the repetitions, thin ones bootstrap intervals over groups of test samples.

    Args:
        result: A study that compared arms at 1 to 10 % of the labels.
        ax: Axes to draw one arm into. By default a new figure is made.
        arm: An arm under test. By default each has a panel, and `ax` gets the first.

    Returns:
        The axes, or an array of them where there are several panels.

    Raises:
        InputError: If the result has no primary endpoint, or lacks the arm.

    Example:
        >>> result = jaxssl.open_study("runs/mirna")
        >>> ax = jaxssl.pl.endpoint(result, arm="swav")
    """
    from jaxssl.report import curves

    table = _part(result, "endpoint")
    _check("arm", arm, table["arm"])
    of_one = table[table["arm"] == (arm or table["arm"].iloc[0])]
    whole = (curves.endpoint_forest, of_one if arm else table)
    return _draw(ax, "", whole, (curves.draw_endpoint, of_one))


def embedding(data: Any, color: str = "label", ax: "Axes | None" = None, basis: str = "") -> Any:
    """Draw two-dimensional maps of an embedding, coloured by a column of its samples.

    At most 2,000 samples are drawn; the 40 most frequent categories have marks of their own.

    Args:
        data: A study, or an AnnData with `obsm["X_jaxssl"]`, shape (samples, dim).
        color: A column of `obs`; `"label"`, `"group"` and `"batch"` are those that `read()` found.
        ax: Axes to draw one map into. By default a new figure is made.
        basis: `"PCA"`, `"t-SNE"` or, where jaxssl[umap] is installed, `"UMAP"`. By default each has
            a panel, and `ax` gets the t-SNE.

    Returns:
        The axes, or an array of them where there are several panels.

    Raises:
        InputError: If there is no embedding, no such column, or no such basis.

    Example:
        >>> adata = jaxssl.SSLEncoder().fit(adata).embed(adata)
        >>> axes = jaxssl.pl.embedding(adata, color="batch")
    """
    from jaxssl.data.samples import facts_of
    from jaxssl.report import maps

    adata = data if hasattr(data, "obsm") else _part(data, "embedding")
    if "X_jaxssl" not in adata.obsm:
        raise InputError('`obsm["X_jaxssl"]` is missing', "make it with `SSLEncoder.embed`")
    color = column = read_argument("color", color, str)
    if column not in adata.obs and column in ("label", "group", "batch"):
        column = facts_of(adata).get(color) or color
    _check("color", column, adata.obs.columns)
    if adata.obs[column].dtype.kind == "f":
        raise InputError(f"`color={color}` is a column of measurements", "name one of categories")
    _check("basis", basis, bases := maps.available())
    one = basis or "t-SNE"
    table = maps.coordinates(adata, [column], bases if ax is None and not basis else [one])
    whole, panel = (maps.embedding_map, table, column), (maps.draw_map, table, column, one)
    return _draw(ax, basis, whole, panel)


def confusion(
    result: "StudyResult", arm: str = "", share: float | None = None, ax: "Axes | None" = None
) -> Any:
    """Draw the confusion matrix of an arm on the test part, seeds pooled.

    Cells are per cent of the true class, so that the diagonal is recall.

    Args:
        result: A study that kept its predictions.
        arm: By default the first arm under test.
        share: Share of the labels, in (0, 1]. By default the one nearest to 0.1.
        ax: Axes to draw into. By default a new figure is made.

    Returns:
        The axes.

    Raises:
        InputError: If the result compared no arms, or has no predictions of that arm and share.

    Example:
        >>> result = jaxssl.open_study("runs/mirna")
        >>> ax = jaxssl.pl.confusion(result, arm="logreg", share=0.05)
    """
    from jaxssl.report import classes
    from jaxssl.report.facts import tested_arms

    results = _part(result, "results")
    _check("arm", arm, results["arm"])
    arm = arm or [*tested_arms(result), *results["arm"]][0]
    shares = sorted(results.loc[results["arm"] == arm, "share"].unique().tolist())
    _check("share", share, shares)
    share = share or classes.nearest_share(shares)
    predictions = result.predictions(arm, share)
    if predictions is None:
        raise InputError(f"this result kept no predictions of {arm} at a share of {share:g}")
    data = (classes.confusion_counts(predictions), predictions["seed"].nunique())
    return _draw(ax, "", (classes.confusion_matrix, *data), (classes.draw_confusion, *data))


def pretraining(result: Any, ax: "Axes | None" = None, *, measure: str = "") -> Any:
    """Draw how a pretraining went, one line per seed, by epoch.

    The dashed line is ln K for K prototypes: a loss there says nothing of the samples. Seeds that
    collapsed are named.

    Args:
        result: A study, or a fitted `SSLEncoder`.
        ax: Axes to draw one measure into. By default a new figure is made.
        measure: `"loss"`, `"code_entropy_ratio"`, `"usage_perplexity"` or `"effective_rank"`. By
            default each has a panel, and `ax` gets the loss.

    Returns:
        The axes, or an array of them where there are several panels.

    Raises:
        InputError: If the result has no log of a pretraining, or the measure does not exist.

    Example:
        >>> encoder = jaxssl.SSLEncoder().fit(adata)
        >>> axes = jaxssl.pl.pretraining(encoder)
    """
    from jaxssl.report import health

    if hasattr(result, "fit"):
        history = getattr(result, "history_", None)
        if history is None or history.empty:
            fix = "pass an SSLEncoder after its `fit`, or what `open_study()` reads of a run"
            raise InputError(f"this {type(result).__name__} has no log of a pretraining", fix)
        is_healthy = result.diagnosis_.status == "healthy"
        collapsed = [] if is_healthy else history["seed"].unique().tolist()
    else:
        history = _part(result, "metrics")
        collapsed = result.pretraining.get("collapsed_seeds", [])
    _check("measure", measure, health.MEASURES)
    one = (health.draw_measure, history, measure or "loss", collapsed)
    return _draw(ax, measure, (health.pretraining_curves, history, collapsed), one)


def _draw(ax: Any, chosen: str, whole: tuple[Any, ...], panel: tuple[Any, ...]) -> Any:
    """Call a function with its data: for the whole figure, or for a panel that was chosen."""
    from matplotlib import pyplot
    from matplotlib.axes import Axes

    from jaxssl.report.drawing import styled

    if not isinstance(ax, Axes | None):
        raise InputError(f"`ax` is of type {type(ax).__name__}", "pass axes of matplotlib")

    with styled():
        if ax is None and not chosen:
            draw, *data = whole
            axes = np.ravel(draw(pyplot.figure(layout="constrained"), *data))
            return axes if len(axes) > 1 else axes[0]
        draw, *data = panel
        ax = pyplot.figure(layout="constrained").subplots() if ax is None else ax
        draw(ax, *data)
    return ax


def _part(result: Any, name: str) -> Any:
    """What the result holds under that name; InputError where it holds nothing there."""
    if not hasattr(result, name):
        raise InputError(
            f"the result is of type {type(result).__name__}",
            "pass what `study()` returns or `open_study()` reads",
        )
    if getattr(result, name) is None:
        finding, fix = LACKS[name]
        raise InputError(f"{result.name} {finding}", fix)
    return getattr(result, name)


def _check(option: str, value: Any, known: Iterable[Any]) -> None:
    """Refuse a value that is not among the known ones."""
    names = [*dict.fromkeys(known)]
    if value not in ("", None, *names):
        raise InputError(f"there is no `{option}={value}`", choose(value, names, "choose among"))
