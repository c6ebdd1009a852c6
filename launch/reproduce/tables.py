"""The paper's tables, from the user's own data."""

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.data.task import Task
from jaxssl.report.reproduction import ShownTable

TISSUE = "tissue"  # column of the microarray data that Table 1 is by
TABLES = {"tcga": ["table2", "table3"], "microarray": ["table1", "table3"]}
"""Data set → its tables."""


def make_table(name: str, task: Task, adata: AnnData) -> ShownTable:
    """Make one of the paper's tables."""
    if name == "table1":
        return ShownTable("Table 1", "samples by tissue", by_tissue(task, adata))
    if name == "table2":
        return ShownTable("Table 2", "samples by class", by_class(task))
    return ShownTable("Table 3", "sizes of the parts", by_part(task))


def by_tissue(task: Task, adata: AnnData) -> pd.DataFrame:
    """Samples of every tissue (where the data have that column) and class."""
    if TISSUE not in adata.obs:
        return by_class(task)
    tissue = adata.obs[TISSUE].astype(str).to_numpy()
    label = np.where(task.codes >= 0, np.asarray(task.classes)[task.codes], "no label")
    counts = pd.crosstab(tissue, label, margins=True, margins_name="total")
    return counts.rename_axis(index=TISSUE, columns=None).reset_index()


def by_class(task: Task) -> pd.DataFrame:
    """Labelled samples of every class."""
    counts = pd.Series(np.asarray(task.classes)[task.codes[task.codes >= 0]]).value_counts()
    counts = counts.reindex(task.classes, fill_value=0).sort_values(ascending=False)
    counts["total"] = counts.sum()
    return counts.rename_axis("class").reset_index(name="samples")


def by_part(task: Task) -> pd.DataFrame:
    """Samples of the three parts, labelled or not."""
    rows = [
        (name, len(members), int((task.codes[members] >= 0).sum()))
        for name, members in task.split._asdict().items()
    ]
    return pd.DataFrame(rows, columns=["part", "samples", "labelled"])
