"""What a run reads: the data set, and the question posed to it."""

import dataclasses
import hashlib
import warnings
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.config import Config, DataConfig
from jaxssl.data.columns import possible_groups
from jaxssl.data.demo import load_demo
from jaxssl.data.expression import read_expression
from jaxssl.data.formats.matrix import as_text
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import Task, make_task
from jaxssl.engine.bundle import EncoderBundle, diagnosis_of, load_bundle, usable
from jaxssl.engine.diagnose import HEALTHY
from jaxssl.types import InputError
from launch import exit

EMBEDDED = {"demo": load_demo, "synthetic": make_synthetic}


def read(options: DataConfig) -> AnnData:
    """An expression file, or the embedded data set "demo" or "synthetic"; says what it found."""
    if not options.path:
        raise InputError("no data are given; pass --data=FILE.h5ad, or --data=demo")
    if options.path in EMBEDDED:
        adata = EMBEDDED[options.path]()
    else:
        adata = read_expression(
            options.path,
            label=options.label,
            group=options.group,
            batch=options.batch,
        )
    print(exit.as_flags(adata.uns["jaxssl"]["notes"]))
    adata.uns["jaxssl"]["name"] = options.name or Path(options.path).stem
    return adata


def read_encoder(folder: str | Path) -> EncoderBundle:
    """An encoder, or a classifier, to be used; warns of one whose pretraining was not healthy.

    Raises:
        InputError: if it is none, is damaged, or its training diverged.
    """
    bundle = usable(load_bundle(folder))
    verdict = diagnosis_of(bundle)
    if verdict != HEALTHY:
        warnings.warn(
            f"this encoder's pretraining is not healthy, so what comes of it is no measure of "
            f"pretraining: {verdict.sentence(bundle.provenance['seed'])}",
            stacklevel=2,
        )
    return bundle


def with_recorded_columns(config: Config, adata: AnnData) -> Config:
    """The configuration with the columns that `prepare` recorded, where it names none itself."""
    roles = ("label", "group", "batch")
    given = {role: getattr(config.data, role) for role in roles}
    columns = {r: name or str(adata.uns["jaxssl"].get(r, "")) for r, name in given.items()}
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **columns))


def pose(adata: AnnData, config: Config) -> Task:
    """The task, described in three lines."""
    task = make_task(adata, config)
    parts = {name: len(rows) for name, rows in task.split._asdict().items()}
    print(f"data: {task.dataset}, {len(task.codes):,} samples x {len(task.genes):,} genes")
    print(f"task: {task.label}, {len(task.classes)} classes, {(task.codes >= 0).sum():,} labels")
    together = f", by {config.data.group}" if config.data.group else ", no group column"
    print(
        f"split: {parts['train']:,} train ({len(task.labelled_train):,} labelled), "
        f"{parts['validation']:,} validation, {parts['test']:,} test{together}"
    )
    grouped = config.data.group or adata.uns["jaxssl"].get("group")
    if not grouped and config.split.protocol == "grouped":
        _warn_of_groups(adata)
    n_out = len(task.codes) - sum(parts.values())
    if n_out:
        why = " whose group is held out" if config.data.use_unlabelled else ""
        print(f"left out: {n_out:,} samples without a label{why}")
    return task


def _warn_of_groups(adata: AnnData) -> None:
    """Say which columns could tell what belongs together, where none is used."""
    columns = possible_groups(as_text(cast(pd.DataFrame, adata.obs)))
    if columns:
        warnings.warn(
            f"no group column is used, so samples of one {columns[0]} may stand in several parts "
            f"of the split; pass --group={columns[0]}",
            stacklevel=3,
        )


def data_hash(task: Task) -> str:
    """Hash of all that a result depends on: expression, names, labels and split."""
    digest = hashlib.sha256(np.ascontiguousarray(task.expression).tobytes())
    for values in (task.sample_ids, task.genes, np.asarray(task.classes)):
        digest.update("\n".join(map(str, values)).encode())
    for codes in (task.codes, *task.split):
        digest.update(np.asarray(codes, np.int64).tobytes())
    return digest.hexdigest()[:16]
