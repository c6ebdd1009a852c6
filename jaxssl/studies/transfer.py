"""Labels of one laboratory for samples of another: every arm, in every frame, within a family."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from jaxssl.arguments import checked, choose
from jaxssl.bounds import Count as Number
from jaxssl.bounds import LabelShare, Positive, count_of, listed, share_of
from jaxssl.config import Config, with_options
from jaxssl.data.family import PROTOCOLS, Cohort, join, transfers
from jaxssl.evaluation.adaptation import FRAMES as ADAPTED
from jaxssl.evaluation.adaptation import recipe
from jaxssl.evaluation.families import PAIR
from jaxssl.evaluation.transfer import ARMS, COMBINED, fit_arms, frames_of
from jaxssl.evaluation.views import FRAMES, Matrix, View
from jaxssl.report.transfer import write_report
from jaxssl.runs import kinds, layout
from jaxssl.runs.identity import Origin, check_identity, write_identity
from jaxssl.runs.notes import Notes
from jaxssl.runs.output import Output, check_folder, open_folder, released
from jaxssl.runs.tables import read_parquet, write_parquet
from jaxssl.studies.cohorts import Files, hash_of, inputs_of, possible_sets, read_cohorts
from jaxssl.studies.encoders import with_data
from jaxssl.studies.job import hooks_of
from jaxssl.studies.progress import SILENT, Count, Hooks
from jaxssl.studies.start import announce
from jaxssl.types import InputError
from jaxssl.validate import validate

SHARES = (0.05, 0.2, 1.0)
N_SEEDS = 3
KEY = ["arm", "frame", "share", "seed"]


@checked
def transfer(
    data: Files,
    *,
    out: str | Path,
    label: str = "",
    batch: str = "",
    name: str = "",
    protocol: Literal["pairs", "leave_cohort_out"] = "pairs",
    arms: Sequence[str] = (),
    frames: Sequence[str] = (),
    shares: Sequence[LabelShare] = SHARES,
    seeds: Positive = N_SEEDS,
    max_samples: Number = 0,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool | Callable = True,
) -> pd.DataFrame:
    """Measure how well labels of one cohort serve the samples of another.

    What `jaxssl transfer` does, with the same numbers. Every arm gets each frame as its input, and
    but `scratch` counts every class alike. No label of a target is seen but to score.

    Args:
        data: several files or AnnData, each a cohort; or one with a column of cohorts.
        out: folder for scores, table and figure.
        label: column that all cohorts have.
        batch: column of cohorts.
        name: of the family; by default that of `out`.
        protocol: "pairs" takes every directed pair of cohorts; "leave_cohort_out" each cohort as
            the target of all others.
        arms: by default all; see `docs/results/transfer`.
        frames: by default all: training, cohort, rank, rank_cohort, combat.
        shares: of the source's labels, drawn by class in nested subsets.
        seeds: draws of labels; at a share of 1 all are the same labels, and one is run.
        max_samples: of a cohort, drawn at random; 0: all.
        resume, overwrite, progress: as in `jaxssl.study`.

    Returns:
        A row a transfer, arm, frame, share and seed: balanced accuracy, accuracy, log loss (nats).

    Raises:
        InputError: on cohorts that share no gene or no two classes, and on unknown arms or frames.

    Example:
        >>> jaxssl.transfer(["yu.h5ad", "welsh.h5ad"], out="runs/prostate")  # doctest: +SKIP
    """
    output = Output(str(out), resume, overwrite, inputs=inputs_of(data), kind=kinds.TRANSFER)
    called = name or Path(out).name
    config = options(arms, shares, seeds, name=called, label=label, batch=batch)
    with released(out):
        how = protocol, frames, max_samples
        return run_transfer(config, data, output, *how, hooks=hooks_of(progress))


def options(
    arms: Sequence[str], shares: Sequence[float | str], seeds: int, *, name: str, **roles: str
) -> Config:
    """The options of the transfers that are asked for."""
    asked = {
        "data.name": name,
        "sweep.arms": _chosen("arms", arms, [*ARMS, *COMBINED]),
        "sweep.shares": tuple(sorted(set(map(share_of, listed(shares, "shares"))))),
        "run.seeds": count_of("seeds", seeds),
    }
    config = with_options(with_data(recipe(), **roles), asked)
    validate(config)
    return config


def run_transfer(
    config: Config,
    data: Files,
    output: Output,
    protocol: str = PROTOCOLS[0],
    frames: Sequence[str] = (),
    max_samples: int = 0,
    *,
    hooks: Hooks = SILENT,
) -> pd.DataFrame:
    """Read the cohorts, fit every arm on every transfer that is not there yet, conclude, write."""
    frames, arms = _chosen("frames", frames, FRAMES), config.sweep.arms
    idle = [arm for arm in arms if not frames_of(arm, frames)]
    if len(idle) == len(arms):
        found = f"no arm is of a frame among `frames={','.join(frames)}`"
        raise InputError(found, f"name another, such as {ARMS[arms[0]].frames[0]}")
    check_folder(output)  # before the data are read
    notes = Notes(hooks.say)
    with notes.stage("read"):
        cohorts, left_out = read_cohorts(data, config, hooks, max_samples)
        sets, unfit = possible_sets(cohorts, protocol)
    left_out += [*unfit, *(f"{arm}: it is of no frame among {', '.join(frames)}" for arm in idle)]
    for why in left_out:
        hooks.say(f"left out: {why}")
    announce(config, hooks)
    origin = Origin(hash_of(cohorts, protocol))
    if output.resume:
        check_identity(Path(output.folder), config, origin)
    folder = open_folder(output)
    write_identity(folder, config, origin, hooks.command, kind=output.kind)
    with notes.stage("transfer"):
        tables = _fit_missing(folder, sets, config, frames, hooks)
    rows = pd.concat(tables, ignore_index=True).assign(protocol=protocol)
    write_parquet(folder, folder / layout.TRANSFER, rows)
    write_report(folder, rows, hooks.command, notes.found()["warnings"], left_out)
    notes.close()
    hooks.say(f"wrote {folder / layout.TRANSFERRED}")
    return rows


def _fit_missing(
    folder: Path,
    sets: Sequence[tuple[Cohort, ...]],
    config: Config,
    frames: Sequence[str],
    hooks: Hooks,
) -> list[pd.DataFrame]:
    """Scores of every set of cohorts; arms that are there are read from its part."""
    tables, count = [], Count(hooks.tell, "sets of cohorts", len(sets))
    for number, cohorts in enumerate(sets):
        part = layout.parts_folder(folder / layout.TRANSFER) / f"{number:06d}.parquet"
        table = read_parquet(folder, part) if part.is_file() else None
        arms = _lacking(table, config, frames)
        if arms:
            new = pd.DataFrame(fit_set(cohorts, with_options(config, {"sweep.arms": arms}), frames))
            both = pd.concat([new.assign(family=config.data.name), table])
            table = both.drop_duplicates([*PAIR, *KEY], ignore_index=True)
            write_parquet(folder, part, table)
        tables.append(table)
        count.advance(" and ".join(c.name for c in cohorts[:3]), restored=not arms)
    return tables


def fit_set(cohorts: Sequence[Cohort], config: Config, frames: Sequence[str]) -> list[dict]:
    """Scores of all transfers among cohorts: what is theirs together is computed once."""
    joint, arms, rows = join(cohorts), config.sweep.arms, []
    wanted = [*frames, *(ADAPTED if set(arms) & set(COMBINED) else ())]
    matrices = {frame: Matrix(joint, frame, config) for frame in dict.fromkeys(wanted)}
    for found in transfers(joint)[0]:
        views = {frame: View(matrix, found) for frame, matrix in matrices.items()}
        for share, seed in _budgets(config):
            rows += fit_arms(views, arms, frames, share, seed)
    return rows


def _budgets(config: Config) -> list[tuple[float, int]]:
    """Shares of the labels and seeds that draw them; all of them are the same for every seed."""
    shares, seeds = config.sweep.shares, range(config.run.seeds)
    return [(share, seed) for share in shares for seed in (seeds if share < 1 else [0])]


def _lacking(rows: pd.DataFrame | None, config: Config, frames: Sequence[str]) -> tuple[str, ...]:
    """The arms that lack some of what is asked for."""
    has = set() if rows is None else set(rows[KEY].itertuples(index=False, name=None))
    budgets = _budgets(config)
    return tuple(
        arm
        for arm in config.sweep.arms
        if any((arm, f, *budget) not in has for f in frames_of(arm, frames) for budget in budgets)
    )


def _chosen(name: str, asked: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """The names that are asked for, by default all."""
    asked = listed(asked, name)
    for one in asked if list(asked) != ["all"] else ():
        if one not in known:
            raise InputError(f"unknown name {one!r} in `{name}`", choose(one, known))
    return tuple(known) if not asked or list(asked) == ["all"] else tuple(dict.fromkeys(asked))
