"""All that must change in what a user gives, in one message: not the next obstacle alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import pandas as pd
from anndata import AnnData

from jaxssl.config import Config, DataConfig
from jaxssl.data.names import check_alike, check_names
from jaxssl.data.samples import by_text, choose_columns, facts_of
from jaxssl.data.scale import finite_values, recorded_scale, refuse_flat
from jaxssl.data.task import check_axes, refuse_label_as, take_roles
from jaxssl.studies.data import Data, read_data, read_unlabelled
from jaxssl.studies.encoders import with_data
from jaxssl.studies.progress import Hooks
from jaxssl.types import ROLES, InputError


class Refusals:
    """What was refused, each once."""

    def __init__(self) -> None:
        self.found: dict[str, InputError] = {}

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep a refusal and go on."""
        try:
            yield
        except InputError as error:
            self.found.setdefault(error.finding, error)

    def tell(self) -> None:
        """Raise what was refused, if anything was."""
        errors = [*self.found.values()]
        if len(errors) == 1:
            raise errors[0]
        if errors:
            parts = "; ".join(f"({i}) {error}" for i, error in enumerate(errors, 1))
            raise InputError(f"{len(errors)} things must change: {parts}")


def read_all(
    data: Data, roles: dict[str, str], unlabelled: Sequence[Data], hooks: Hooks, found: Refusals
) -> tuple[AnnData, list[AnnData]]:
    """The data and the samples that join them; else all that must change in either.

    Args:
        data: with labels.
        roles: the columns that are asked for, by role; "": the one on record.
        unlabelled: more samples.
        hooks: told what is found.
        found: what was refused before.

    Returns:
        Data sets without what would be refused: columns, classes, names, values and scale.

    Raises:
        InputError: with all findings, and what to do about each.
    """
    adata = _read(data, roles, hooks, found)
    others = []
    with found.kept():
        others = read_unlabelled(unlabelled, data, hooks)
    for one in others:
        _look(one, found)
    if adata is not None:
        _look(adata, found)
        _look_at_columns(adata, roles, found)
    found.tell()
    assert adata is not None, "what cannot be read was refused"
    return adata, others


def _read(data: Data, roles: dict[str, str], hooks: Hooks, found: Refusals) -> AnnData | None:
    """The data; where they are refused, what about each column is, and about what is left."""
    try:
        return read_data(_options(**roles), hooks, data)
    except InputError as error:
        n, usable = len(found.found), {}
        for role, name in roles.items():
            with found.kept():
                read_data(_options(**{role: name}), Hooks(), data)
                usable[role] = name
        if len(found.found) == n:
            found.found[str(error)] = error
    with found.kept():
        return read_data(_options(**usable), Hooks(), data)
    return None


def _options(**roles: str) -> DataConfig:
    return with_data(Config(), **roles).data


def _look(adata: AnnData, found: Refusals) -> None:
    """Refuse names, values and scale that cannot be used."""
    with found.kept():
        check_axes(adata)
    with found.kept():
        x = finite_values(adata)
        with found.kept():
            refuse_flat(x, adata.obs_names)
        with found.kept():
            recorded_scale(adata, x)


def _look_at_columns(adata: AnnData, roles: dict[str, str], found: Refusals) -> None:
    """Refuse columns that are not there or hold no names, and labels of fewer than two classes."""
    obs, recorded = by_text(cast(pd.DataFrame, adata.obs)), facts_of(adata)
    with found.kept():
        refuse_label_as({role: roles[role] or str(recorded.get(role, "")) for role in ROLES})
    for role in ROLES:
        with found.kept():
            own = _options(**{role: roles[role]}), {role: recorded.get(role, "")}
            name = choose_columns(obs.columns, *own)[role]
            if role == "label":
                columns = obs[[name]] if name else obs.iloc[:, :0]
                take_roles(
                    AnnData(obs=columns, uns={"jaxssl": {role: name}}), Config(), is_split=False
                )
            elif name:
                check_names(obs[name], f"values of {name}")
                check_alike(obs[name], name)
