"""Every figure and table, in the order of the paper."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.data.task import Task
from jaxssl.types import InputError

from . import baseline, swav
from .scales import Experiment, Setting

ALL = "all"
FIGURES: dict[Callable[[Setting], Experiment], dict[str, tuple[str, ...]]] = {
    baseline.hidden: {"tcga": ("11",)},
    baseline.rate: {"tcga": ("11b",)},
    baseline.curve: {"tcga": ("12",), "microarray": ("13",)},
    swav.transfer: {"tcga": ("15",)},
    swav.freeze: {"tcga": ("16",)},
    swav.prototypes: {"tcga": ("17",), "microarray": ("18",)},
    swav.epsilon: {"tcga": ("20",), "microarray": ("21",)},
    swav.batch: {"tcga": ("22",), "microarray": ("23",)},
    swav.augment: {"tcga": ("24",), "microarray": ("25",)},
    swav.autoencoder: {"tcga": ("autoencoder",), "microarray": ("autoencoder",)},
    baseline.comparison: {"tcga": ("29", "30"), "microarray": ("27", "28")},
    swav.count_map: {"tcga": ("map",), "microarray": ("map",)},
    swav.reason: {"tcga": ("reason",), "microarray": ("reason",)},
}
"""Experiment → data set → its figures. What has no number is in no figure of the paper."""

TABLES = {"tcga": ["table2", "table3"], "microarray": ["table1", "table3"]}  # of a data set
TISSUE = "tissue"  # column of the microarray data that Table 1 is by


def experiments_of(figure: str, setting: Setting) -> dict[tuple[str, ...], Experiment]:
    """The experiments behind a figure or table, or all of a data set's, by their figures.

    Raises InputError on what the paper does not have for this data set.
    """
    dataset = setting.dataset
    having = {numbers[dataset]: make for make, numbers in FIGURES.items() if dataset in numbers}
    names = [number for numbers in having for number in numbers] + TABLES[dataset]
    if figure not in (ALL, *names):
        raise InputError(
            f"the paper has no `figure={figure}` on {dataset}",
            f"on {dataset} choose all, or one of {', '.join(names)}",
        )
    return {n: make(setting) for n, make in having.items() if figure in (ALL, *n)}


def make_table(name: str, task: Task, adata: AnnData) -> tuple[str, str, pd.DataFrame]:
    """Number, title and rows of a table of the paper, from the user's own data.

    By class where they have no tissues.
    """
    is_labelled, classes = task.codes >= 0, np.asarray(task.classes)
    if name == "table3":
        parts = task.split._asdict().items()
        rows = [(name, len(part), int(is_labelled[part].sum())) for name, part in parts]
        table = pd.DataFrame(rows, columns=["part", "samples", "labelled"])
        return "Table 3", "sizes of the parts", table
    if name == "table1" and TISSUE in adata.obs:
        tissue = adata.obs[TISSUE].astype(str).to_numpy()
        label = np.where(is_labelled, classes[task.codes], "no label")
        counts = pd.crosstab(tissue, label, margins=True, margins_name="total")
        table = counts.rename_axis(index=TISSUE, columns=None).reset_index()
    else:
        counts = pd.Series(classes[task.codes[is_labelled]]).value_counts()
        counts = counts.reindex(task.classes, fill_value=0).sort_values(ascending=False)
        counts["total"] = counts.sum()
        table = counts.rename_axis("class").reset_index(name="samples")
    what = "tissue" if name == "table1" else "class"
    return f"Table {name.removeprefix('table')}", f"samples by {what}", table
