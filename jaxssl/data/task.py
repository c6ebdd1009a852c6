"""A data set with its question: log2 expression, class codes and the outer split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Int

from jaxssl.config import Config
from jaxssl.data.backed import Expression
from jaxssl.data.formats.matrix import as_text
from jaxssl.data.groups import Pairs, find_twins, join_groups
from jaxssl.data.labels import encode
from jaxssl.data.names import check_alike, check_names
from jaxssl.data.normalize import log2_expression
from jaxssl.data.samples import by_text, choose_columns, facts_of
from jaxssl.data.scale import finite_values, recorded_scale
from jaxssl.data.split import make_split
from jaxssl.types import InputError, Normalizer, Split


@dataclass(frozen=True)
class Roles:
    """What the columns about the samples mean."""

    label: str  # column that the classes come from
    group: str  # column that the groups come from; "": none
    batch: str  # column that the batches come from; "": none
    codes: Int[np.ndarray, " samples"]  # -1: unlabelled
    classes: tuple[str, ...]
    groups: np.ndarray  # what must stay together, as named; "" for a sample on its own
    batches: np.ndarray  # technical batch, as named; "" where unknown


class Joined(NamedTuple):
    """Unlabelled samples of other files, which are the last rows of a task and train it."""

    files: tuple[tuple[str, int, int], ...] = ()  # name, samples, cohorts
    ids: np.ndarray = np.empty(0, object)  # as in their files
    n_genes: int = 0  # of the study, before those were left out that a file lacks
    held_out: tuple[str, ...] = ()  # the study's held-out samples among them

    @property
    def sentence(self) -> str:
        """Which files, and how many samples and cohorts they have."""
        return ", ".join(
            f"{name} ({n:,} samples{f' of {cohorts} cohorts' if cohorts > 1 else ''})"
            for name, n, cohorts in self.files
        )


NONE = Joined()


@dataclass(frozen=True)
class Task(Roles):
    """What the engine and the evaluation need of a data set, on the host."""

    dataset: str
    sample_ids: np.ndarray
    genes: np.ndarray
    expression: Expression  # log2
    scale: str  # of the file: one of `data.scale.SCALES`
    twins: Pairs  # samples that are nearly the same
    split: Split
    joined: Joined = NONE

    @property
    def n_own(self) -> int:
        """Training samples of the study's own data."""
        return len(self.split.train) - len(self.joined.ids)

    @property
    def ids(self) -> np.ndarray:
        """Ids of all samples as their files have them; `sample_ids` tells alike ones apart."""
        return np.concatenate(
            [self.sample_ids[: len(self.codes) - len(self.joined.ids)], self.joined.ids]
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of training samples and of genes."""
        return len(self.split.train), len(self.genes)

    @property
    def size(self) -> tuple[int, int]:
        """Numbers of training samples that have a label and of classes."""
        return len(self.labelled_train), len(self.classes)

    @property
    def labelled_train(self) -> Int[np.ndarray, " labelled"]:
        """Rows of the training samples that have a label."""
        return self.split.train[self.codes[self.split.train] >= 0]


def take_roles(adata: AnnData, config: Config, *, is_split: bool = True) -> Roles:
    """Read label, group and batch from the columns that `config.data` names, else the record.

    Where labels are not to be split, all stay, however few a class has.
    """
    recorded, options = facts_of(adata), config.data
    given = by_text(cast(pd.DataFrame, adata.obs))
    obs = as_text(given)
    columns = choose_columns(obs.columns, options, recorded)
    if not columns["label"]:
        raise InputError(
            f"no label column is known, and the data have {', '.join(obs.columns) or 'none'}",
            "name one with `label`, or join a table of samples by `read(labels=TABLE)`",
        )
    refuse_label_as(columns)
    min_class_size = options.min_class_size or int(recorded.get("min_class_size", 0))
    for name in filter(None, columns.values()):
        check_names([name], "columns")
        check_names(obs[name], f"values of {name}")
        check_alike(given[name], name)
    groups, batches = (
        obs[name].to_numpy() if name else np.full(len(obs), "", object)
        for name in (columns["group"], columns["batch"])
    )
    codes, classes = encode(
        obs[columns["label"]].to_numpy(),
        min_class_size=min_class_size if is_split else 0,
        is_split=is_split,
    )
    return Roles(**columns, codes=codes, classes=classes, groups=groups, batches=batches)


def refuse_label_as(columns: Mapping[str, str]) -> None:
    """Refuse the label column as that of groups or batches: nothing could be held out."""
    for role in ("group", "batch"):
        if columns["label"] and columns["label"] == columns[role]:
            raise InputError(
                f"column {columns['label']!r} is both `label` and `{role}`", "name another for one"
            )


def make_task(adata: AnnData, config: Config, *, is_split: bool = True) -> Task:
    """Pose the question that `config` asks of a data set; one made by hand needs no record.

    Without a split all samples are for training.
    """
    recorded = facts_of(adata)
    check_axes(adata)
    roles = take_roles(adata, config, is_split=is_split)
    x = finite_values(adata)
    scale = recorded_scale(adata, x)
    expression = log2_expression(x, scale)
    twins = find_twins(expression, roles.batches)
    together = join_groups(roles.groups, twins)
    if is_split:
        split = make_split(roles.codes, together, roles.batches, roles.classes, config.split)
    else:
        split = whole(len(x))
    if not config.data.use_unlabelled:
        split = split._replace(train=split.train[roles.codes[split.train] >= 0])
    dataset = config.data.name or str(recorded.get("name", "data"))
    check_names([dataset], "names of the data set")
    return Task(
        **vars(roles),
        dataset=dataset,
        sample_ids=adata.obs_names.to_numpy(),
        genes=adata.var_names.to_numpy(),
        expression=expression,
        scale=scale,
        twins=twins,
        split=split,
    )


def whole(n: int) -> Split:
    """All samples in training."""
    return Split(np.arange(n), np.arange(0), np.arange(0))


def check_axes(adata: AnnData) -> None:
    """Refuse names of samples or genes that stand twice, or that no file could give back."""
    for names, what in ((adata.obs_names, "samples"), (adata.var_names, "genes")):
        if not names.is_unique:
            twice = names[names.duplicated()]
            raise InputError(
                f"{len(twice)} {what} bear the name of another (first: {twice[0]})", "rename them"
            )
        check_names(names, what)


def is_numbered(ids: Sequence[str] | np.ndarray) -> bool:
    """Whether ids are the numbers of their rows, which are no ids."""
    return set(map(str, ids)) == {str(row) for row in range(len(ids))}


def columns_of(task: Task, normalizer: Normalizer) -> Int[np.ndarray, " kept"] | None:
    """Where in the task's expression the normalizer's genes are; None if it has just these."""
    columns = pd.Index(task.genes).get_indexer(pd.Index(normalizer.genes))
    absent = np.flatnonzero(columns < 0)
    if len(absent):
        raise InputError(
            f"{len(absent)} of the encoder's {len(columns)} genes are missing (first: "
            f"{normalizer.genes[absent[0]]})",
            "use the data of its pretraining, or `finetune()` for other data",
        )
    return None if np.array_equal(columns, np.arange(len(task.genes))) else columns
