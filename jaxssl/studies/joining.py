"""Transfers of several families as one table and one figure."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd

from jaxssl.evaluation.adaptation import recipe
from jaxssl.evaluation.families import PAIR, of_families
from jaxssl.files import read_json
from jaxssl.report.transfer import write_report
from jaxssl.runs import kinds, layout
from jaxssl.runs.identity import Origin, write_identity
from jaxssl.runs.output import Output, check_folder, open_folder
from jaxssl.runs.tables import read_parquet, write_parquet
from jaxssl.studies.progress import Hooks
from jaxssl.studies.transfer import KEY
from jaxssl.types import InputError


def join_transfers(
    runs: Sequence[str | Path], out: str | Path, hooks: Hooks, *, overwrite: bool = False
) -> pd.DataFrame:
    """The transfers of several families as one table and one figure, in a folder of their own."""
    named = tuple(("join", run) for run in runs)
    output = Output(str(out), False, overwrite, can_resume=False, inputs=named, kind=kinds.TRANSFER)
    check_folder(output)
    tables, data = [], []
    for run in map(Path, runs):
        if kinds.kind_of(run) != kinds.TRANSFER or not (run / layout.TRANSFER).is_file():
            raise InputError(f"{run} holds no transfer that has ended", "pass folders of transfers")
        tables.append(read_parquet(run, run / layout.TRANSFER))
        data.append(str(read_json(run / layout.ENVIRONMENT).get("data", "")))
    rows = pd.concat(tables, ignore_index=True)
    _check_joined(rows)
    _check_families([set(table["family"]) for table in tables], [set(d.split()) for d in data])
    folder, origin = open_folder(output), Origin(" ".join(dict.fromkeys(data)))
    write_identity(folder, recipe(), origin, hooks.command, kind=output.kind)
    write_parquet(folder, folder / layout.TRANSFER, rows)
    write_report(folder, rows, hooks.command)
    hooks.say(f"wrote {folder / layout.TRANSFERRED}")
    return rows


def _check_families(families: Sequence[set[str]], data: Sequence[set[str]]) -> None:
    """Refuse runs whose families bear one name and are two, or two names and are one.

    `data` are the hashes of what each run is of.
    """
    for (one, of_one), (other, of_other) in combinations(zip(families, data, strict=True), 2):
        if one & other and of_one and of_other and not of_one & of_other:
            raise InputError(
                f"two runs call their families {min(one & other)}, and are of other data",
                "run one of them anew with another `name`",
            )
        if of_one & of_other and not one & other:
            raise InputError(
                f"{min(one)} and {min(other)} are the same cohorts, which would count twice",
                "pass one of the runs",
            )


def _check_joined(rows: pd.DataFrame) -> None:
    """Refuse runs that are of one another's transfers, or that nothing compares."""
    twice = rows.loc[rows.duplicated([*PAIR, *KEY]), "family"]
    if len(twice):
        raise InputError(
            f"two of the runs have the same transfers of {twice.iloc[0]}",
            "name their families apart, or pass one of them",
        )
    protocols = rows["protocol"].unique()
    if len(protocols) > 1:
        raise InputError(f"the runs are of unlike protocols ({', '.join(protocols)})", "join alike")
    if of_families(rows).empty:
        raise InputError("no arm in one frame and share is in all of the runs", "drop one of them")
