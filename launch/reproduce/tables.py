"""The study's tables, from the user's own data."""

import numpy as np
import pandas as pd

from jaxssl.data.task import Task
from jaxssl.report.reproduction import ShownTable, as_table
from launch.stages import Run

TISSUE = "tissue"  # column of the microarray data that Table 1 is by


def make_table(name: str, run: Run) -> ShownTable:
    """One of the study's tables."""
    if name == "table1":
        return as_table("Table 1", "samples by tissue", by_tissue(run))
    if name == "table2":
        return as_table("Table 2", "samples by class", by_class(run.task))
    return as_table("Table 3", "sizes of the parts", by_part(run.task))


def by_tissue(run: Run) -> pd.DataFrame:
    """Samples of every tissue (where the data have that column) and class."""
    task = run.task
    label = np.where(task.codes >= 0, np.asarray(task.classes)[task.codes], "no label")
    if TISSUE not in run.adata.obs:
        return by_class(task)
    counts = pd.crosstab(run.adata.obs[TISSUE].astype(str).to_numpy(), label, margins=True,
                         margins_name="total")  # fmt: skip
    return counts.rename_axis(index=TISSUE, columns=None).reset_index()


def by_class(task: Task) -> pd.DataFrame:
    """Labelled samples of every class."""
    counts = np.bincount(task.codes[task.codes >= 0], minlength=len(task.classes))
    table = pd.DataFrame({"class": task.classes, "samples": counts})
    table = table.sort_values("samples", ascending=False)
    total = pd.DataFrame({"class": ["total"], "samples": [counts.sum()]})
    return pd.concat([table, total])


def by_part(task: Task) -> pd.DataFrame:
    """Samples of the three parts, labelled or not."""
    rows = [
        {"part": name, "samples": len(members), "labelled": int((task.codes[members] >= 0).sum())}
        for name, members in task.split._asdict().items()
    ]
    return pd.DataFrame(rows)
