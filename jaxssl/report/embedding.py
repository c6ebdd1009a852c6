"""Two-dimensional maps of the embedding, by class, batch and prototype.

PCA and t-SNE; UMAP too where jaxssl[umap] is installed.
"""

import importlib
import importlib.util

import anndata
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from jaxssl.report.style import INK, OTHER, PAPER, Mark, marks, new_figure, short

MAX_SAMPLES = 2000  # more neither fit the eye nor the minute that t-SNE may take
MAX_NAMED = 40  # categories with a mark of their own
PERPLEXITY = 30.0
COLUMNS = {"label": "class", "batch": "batch", "prototype": "prototype"}
MAPS = {"PCA": ("pc1", "pc2"), "t-SNE": ("tsne1", "tsne2"), "UMAP": ("umap1", "umap2")}


def coordinates(
    embedding: anndata.AnnData, *, max_samples: int = MAX_SAMPLES, seed: int = 0
) -> pd.DataFrame:
    """At most `max_samples` samples with label, batch, part, prototype and place on both maps.

    The draw and both maps are fixed by `seed`. t-SNE (van der Maaten & Hinton 2008) sees the first
    50 principal components, as its authors do.
    """
    rows = np.arange(embedding.n_obs)
    if len(rows) > max_samples:
        rows = np.sort(np.random.default_rng(seed).choice(rows, max_samples, replace=False))
    x = np.asarray(embedding.obsm["X_jaxssl"], np.float32)[rows]
    names = [name for name in (*COLUMNS, "part") if name in embedding.obs]
    table = pd.DataFrame({name: embedding.obs[name].astype(str) for name in names}).iloc[rows]
    table.insert(0, "sample_id", table.index)
    components = PCA(min(50, *x.shape), random_state=seed).fit_transform(x)
    table[list(MAPS["PCA"])] = _two_columns(components).round(3)
    perplexity = min(PERPLEXITY, (len(x) - 1) / 3)
    tsne = TSNE(
        perplexity=perplexity, init="random" if x.shape[1] < 2 else "pca", random_state=seed
    )
    table[list(MAPS["t-SNE"])] = tsne.fit_transform(components).round(3)
    if importlib.util.find_spec("umap"):
        umap = importlib.import_module("umap").UMAP(random_state=seed, n_jobs=1)
        table[list(MAPS["UMAP"])] = umap.fit_transform(components).round(3)
    return table.reset_index(drop=True)


def _two_columns(components: Float[np.ndarray, "samples dim"]) -> Float[np.ndarray, "samples 2"]:
    return np.pad(components, ((0, 0), (0, 2)))[:, :2]


def embedding_map(table: pd.DataFrame, column: str) -> tuple[Figure, pd.DataFrame]:
    """All maps of `coordinates`, marked by a column of `COLUMNS`."""
    maps = {name: places for name, places in MAPS.items() if places[0] in table}
    values = table[column].replace({"nan": "", "-1": ""})
    names = values[values != ""].value_counts().index.tolist()
    # the most frequent categories take the marks that are easiest to tell apart
    mark = marks(names[:MAX_NAMED])
    has_legend = len(names) <= MAX_NAMED and column != "prototype"
    figure, axes = new_figure(1.2 * has_legend + 4.6 * len(maps), 4.7, ncols=len(maps))
    on_map = _names_on_map(names, column)
    for ax, (title, places) in zip(axes, maps.items(), strict=True):
        _draw_points(ax, table, values, mark, places)
        ax.spines[:].set_visible(False)
        ax.set_title(title)
        ax.set(xticks=[], yticks=[])
        ax.grid(visible=False)
    _write_names(axes[1], table, values, on_map)
    if has_legend:
        handles, labels = axes[0].get_legend_handles_labels()
        numbered = [
            short(name, 30)
            if on_map.get(name, name) == name
            else f"{on_map[name]}  {short(name, 30)}"
            for name in labels
        ]
        figure.legend(handles, numbered, loc="outside right upper", handletextpad=0.2,
                      fontsize=8.5 if len(names) <= 22 else 7.3, labelspacing=0.3,
                      markerscale=1.5)  # fmt: skip
    return figure, table[
        ["sample_id", column, *(place for pair in maps.values() for place in pair)]
    ]


def _draw_points(
    ax: Axes,
    table: pd.DataFrame,
    values: "pd.Series[str]",
    mark: dict[str, Mark],
    places: tuple[str, str],
) -> None:
    style = {"s": 11, "lw": 0, "alpha": 0.8, "rasterized": True}
    # the file would hold every point as a path: rasterized points keep it small
    rest = table.loc[~values.isin(list(mark)), list(places)]
    if len(rest):
        name = "no label" if len(mark) < MAX_NAMED else "others"
        ax.scatter(*rest.to_numpy().T, c=OTHER, marker=".", label=name, **style)
    for name in sorted(mark):
        points = table.loc[values == name, list(places)].to_numpy()
        ax.scatter(*points.T, c=mark[name].colour, marker=mark[name].marker, label=name,
                   **style)  # fmt: skip


def _names_on_map(names: list[str], column: str) -> dict[str, str]:
    """What is written on each group: classes by name, or by number in the legend if names are long.

    The most used prototypes by id; batches not at all, for they seldom have a place of their own.
    """
    if column != "label":
        return {name: name for name in names[:20] if column == "prototype"}
    names = sorted(names[:MAX_NAMED])
    if all(len(name) <= 10 for name in names):
        return {name: name for name in names}
    return {name: str(i + 1) for i, name in enumerate(names)}


def _write_names(
    ax: Axes, table: pd.DataFrame, values: "pd.Series[str]", on_map: dict[str, str]
) -> None:
    """Write what stands for each group at its sample nearest to the median."""
    for name, text in on_map.items():
        points = table.loc[values == name, list(MAPS["t-SNE"])].to_numpy()
        nearest = ((points - np.median(points, axis=0)) ** 2).sum(axis=1).argmin()
        x, y = points[nearest]
        ax.text(x, y, text, ha="center", va="center", fontsize=7.5, color=INK,
                path_effects=[withStroke(linewidth=2.2, foreground=PAPER)])  # fmt: skip
