"""Two-dimensional maps of the embedding, by class, batch and prototype."""

import importlib
import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from jaxssl.data.formats.matrix import as_text
from jaxssl.report.drawing import INK, OTHER, PAPER, add_axes, marks, short

if TYPE_CHECKING:
    import anndata

MAX_SAMPLES = 2000  # more neither fit the eye nor the minute that t-SNE may take
SEED = 0
MAX_NAMED = 40  # categories with a mark of their own
PERPLEXITY = 30.0
N_STEPS = 1000  # of t-SNE
NOTHING = ""  # in place of a label, batch or prototype
COLUMNS = {"label": "class", "batch": "batch", "prototype": "prototype"}
MAPS = {"PCA": ("pc1", "pc2"), "t-SNE": ("tsne1", "tsne2"), "UMAP": ("umap1", "umap2")}


def available() -> list[str]:
    """The maps that can be made; UMAP where jaxssl[umap] is installed."""
    return [name for name in MAPS if name != "UMAP" or importlib.util.find_spec("umap")]


def coordinates(
    embedding: "anndata.AnnData",
    columns: Sequence[str] = (*COLUMNS, "part"),
    maps: Sequence[str] | None = None,
) -> pd.DataFrame:
    """At most `MAX_SAMPLES` samples with those columns of `obs` and their place on each map.

    The draw and the maps, by default all that are available, are fixed by `SEED`. t-SNE (van der
    Maaten & Hinton 2008) sees the first 50 principal components, as its authors do.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    rows = np.arange(embedding.n_obs)
    if len(rows) > MAX_SAMPLES:
        rows = np.sort(np.random.default_rng(SEED).choice(rows, MAX_SAMPLES, replace=False))
    x = np.asarray(embedding.obsm["X_jaxssl"], np.float32)[rows]
    names = [name for name in columns if name in embedding.obs]
    told = pd.DataFrame({name: embedding.obs[name] for name in names}, dtype=object).iloc[rows]
    # the number -1 is no class, as of scikit-learn's labels; the text is one like any other
    table = as_text(told.mask(told.isin([-1]), NOTHING))
    table.insert(0, "sample_id", embedding.obs_names[rows])
    components = PCA(min(50, *x.shape), random_state=SEED).fit_transform(x)
    for name in maps or available():
        if name == "PCA":
            places = np.pad(components, ((0, 0), (0, 2)))[:, :2]
        elif name == "t-SNE":
            options = {
                "perplexity": min(PERPLEXITY, (len(x) - 1) / 3),
                "random_state": SEED,
                "max_iter": N_STEPS,
            }
            start = "random" if x.shape[1] < 2 else "pca"
            places = TSNE(init=start, **options).fit_transform(components)
        else:
            umap = importlib.import_module("umap").UMAP(random_state=SEED, n_jobs=1)
            places = umap.fit_transform(components)
        table[list(MAPS[name])] = places.round(3)
    return table.reset_index(drop=True)


def embedding_map(figure: Figure, table: pd.DataFrame, column: str) -> Any:
    """All maps of `coordinates`, marked by a column; names stand on the second one."""
    maps = [name for name, places in MAPS.items() if places[0] in table]
    width = 1.2 * _has_legend(table, column) + 4.6 * len(maps)
    axes = add_axes(figure, width, 4.7, ncols=len(maps))
    for ax, name in zip(axes, maps, strict=True):
        _draw_map(ax, table, column, name, named=name == maps[1])
    _add_legend(figure, axes[0], table, column, loc="outside right upper")
    return axes


def draw_map(ax: Axes, table: pd.DataFrame, column: str, name: str) -> None:
    """One map that stands alone, with its names and its legend."""
    _draw_map(ax, table, column, name, named=True)
    _add_legend(ax, ax, table, column, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _categories(table: pd.DataFrame, column: str) -> "pd.Series[int]":
    """How often each value of a column occurs, most frequent first: they take the best marks."""
    return table[column][table[column] != NOTHING].value_counts()


def _has_legend(table: pd.DataFrame, column: str) -> bool:
    return len(_categories(table, column)) <= MAX_NAMED and column != "prototype"


def _add_legend(
    owner: Figure | Axes, ax: Axes, table: pd.DataFrame, column: str, **place: Any
) -> None:
    """What the marks of `ax` mean, with the numbers that stand on the map for long names."""
    if not _has_legend(table, column):
        return
    on_map = _names_on_map(table, column)
    handles, names = ax.get_legend_handles_labels()
    numbers = ["" if on_map.get(name, name) == name else f"{on_map[name]}  " for name in names]
    labels = [number + short(name, 30) for number, name in zip(numbers, names, strict=True)]
    look = {"fontsize": 8.5 if len(_categories(table, column)) <= 22 else 7.3, "labelspacing": 0.3}
    owner.legend(handles, labels, handletextpad=0.2, markerscale=1.5, **look, **place)


def _draw_map(ax: Axes, table: pd.DataFrame, column: str, name: str, *, named: bool) -> None:
    values, places = table[column], table[list(MAPS[name])]
    mark = marks(_categories(table, column).index[:MAX_NAMED].tolist())
    # the file would hold every point as a path: rasterized points keep it small
    look = {"s": 11, "lw": 0, "alpha": 0.8, "rasterized": True}
    rest = places[~values.isin(list(mark))]
    if len(rest):
        label = "no label" if len(mark) < MAX_NAMED else "others"
        ax.scatter(*rest.to_numpy().T, c=OTHER, marker=".", label=label, **look)
    for category, own in sorted(mark.items()):
        points = places[values == category].to_numpy()
        ax.scatter(*points.T, label=category, **own, **look)
    ax.spines[:].set_visible(False)
    ax.set(title=name, xticks=[], yticks=[])
    ax.grid(visible=False)
    look = {"ha": "center", "va": "center", "fontsize": 7.5, "color": INK}
    look["path_effects"] = [withStroke(linewidth=2.2, foreground=PAPER)]
    for category, text in _names_on_map(table, column).items() if named else ():
        points = places[values == category].to_numpy()
        nearest = ((points - np.median(points, axis=0)) ** 2).sum(axis=1).argmin()
        ax.text(points[nearest, 0], points[nearest, 1], text, **look)


def _names_on_map(table: pd.DataFrame, column: str) -> dict[str, str]:
    """What is written on each group, at its sample nearest to the median.

    Classes by name, or by number in the legend if names are long; the most used prototypes by id;
    batches not at all, for they seldom have a place of their own.
    """
    names = _categories(table, column).index.tolist()
    if column == "batch":
        return {}
    if column == "prototype":
        return {name: name for name in names[:20]}
    names = sorted(names[:MAX_NAMED])
    is_short = all(len(name) <= 10 for name in names)
    return {name: name if is_short else str(i) for i, name in enumerate(names, start=1)}
