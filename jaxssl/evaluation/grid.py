"""Grids over options: their points, and which points one compiled program can serve."""

import dataclasses
import difflib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from jaxssl.config import Config, resolve, to_dict, with_options
from jaxssl.evaluation.arms import (
    BEST,
    RANDOM_ENCODER,
    SCRATCH,
    SELFTRAIN,
    WITH_COMPONENTS,
    check_arms,
    parted,
)
from jaxssl.evaluation.baselines import BASELINES
from jaxssl.evaluation.values import as_text, name_of, read_value
from jaxssl.idle import idle
from jaxssl.readers import LAYERS
from jaxssl.types import InputError
from jaxssl.validate import get_option, validate

Grid = Mapping[str, Sequence[Any]]
"""Dotted option → its values; every combination is a point."""

UNCHANGED = "options as given"
"""Shown in place of the empty name of the point that changes nothing."""

SECTIONS = (
    *("normalize", "encoder", "augment", "method"),
    *("optimizer", "pretrain", "finetune", "selftrain"),
)
"""What a grid may vary. Other data, splits or machines pose another question."""

TRACED = (
    *("augment.noise", "augment.mask_rate", "augment.extra_mask_rate", "augment.latent_radius"),
    *("augment.drop_genes", "augment.neighbour_share"),
    *("optimizer.learning_rate", "optimizer.weight_decay"),
)
"""Options of a pretraining that change values alone, no shape, whatever the method."""

OF_PRETRAINING = (
    *("augment", "method", "optimizer"),
    *("pretrain.batch_size", "pretrain.n_steps", "pretrain.batches", "pretrain.cohort_draw"),
)
BALANCE = "finetune.class_balance"
PROBE = (BALANCE, "finetune.probe_steps", "finetune.probe_learning_rate", "finetune.probe_decay")
_GOES_WITH = dict.fromkeys(map(str, LAYERS), "encoder.hidden")  # they must fit it
_GOES_WITH |= {"pretrain.checkpoint_every": "pretrain.n_steps"}
SCRATCH_STEPS = (
    *(BALANCE, "finetune.schedule"),
    *("finetune.scratch_steps", "finetune.scratch_learning_rate"),
)


class Point(NamedTuple):
    """One combination of a grid."""

    name: str  # of `name_of`
    values: dict[str, Any]  # dotted option → value, as the grid lists them
    config: Config  # resolved


def parse_grid(texts: Iterable[str]) -> dict[str, list[str]]:
    """Split `section.option:value,value,…` into options and values, as yet texts."""
    grid: dict[str, list[str]] = {}
    for text in texts:
        name, colon, values = text.partition(":")
        if not colon:
            raise InputError(f"`grid={text}`", "write section.option:value,value")
        if name in grid:
            raise InputError(
                f"`grid={text}`: the option stands there twice", "list its values once"
            )
        grid[name] = values.split(",")
    if not grid:
        raise InputError("no option is to be varied", "pass `grid=augment.noise:0.5,1`, say")
    return grid


def check_grid(grid: Grid, config: Config) -> dict[str, list[Any]]:
    """A grid whose options exist, with values in place of texts such as "512-256" for a list."""
    checked: dict[str, list[Any]] = {}
    check_arms(config.sweep.arms)
    known = [f"{s}.{option}" for s in SECTIONS for option in vars(getattr(config, s))]
    for name, values in grid.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=2)
            others = f"vary {', '.join(SECTIONS)}, such as method.epsilon"
            fix = f"did you mean {' or '.join(near)}?" if near else others
            raise InputError(f"a grid has no option {name!r}", fix)
        if not any(is_read(name, arm) for arm in config.sweep.arms):
            arms = ", ".join(config.sweep.arms)
            found = f"`{name}` is not read by what is scored, so all points would be one: {arms}"
            raise InputError(found, "vary another option, or name with `arms` one that reads it")
        default = get_option(config, name)
        checked[name] = [read_value(value, default, name) for value in values]
        if not checked[name]:
            raise InputError(f"a grid has no value for {name}", "list one or more")
        if len({as_text(value) for value in checked[name]}) < len(values):
            raise InputError(f"a value of {name} stands there twice", "list it once")
    return checked


def is_read(name: str, arm: str) -> bool:
    """Whether an arm's scores can depend on an option."""
    section = name.partition(".")[0]
    reads = {name, section} & {*reads_of(arm)}
    return bool(reads) and (arm, name) != (SCRATCH + SELFTRAIN, "selftrain.student")


def refuse_unread_by(arms: tuple[str, ...], said: Iterable[str]) -> tuple[str, ...]:
    """The arms; options that are said one by one and that none of them reads are refused."""
    for name in said:
        asked = _GOES_WITH.get(name, name)
        if name.partition(".")[0] in SECTIONS and not any(is_read(asked, arm) for arm in arms):
            found = f"`{name}` is not read by what is compared: {', '.join(arms)}"
            raise InputError(found, "drop it, or name with `arms` one that reads it")
    return arms


def reads_of(arm: str) -> tuple[str, ...]:
    """The sections and options that an arm reads."""
    base, frame = parted(arm)
    if base in BASELINES:
        reads = ("normalize.max_genes", "normalize.clip", "normalize.scaling")
        reads += () if frame else ("normalize.frame",)
        if BASELINES[base].input != "genes":
            reads += ("normalize.input", "normalize.n_components", "normalize.power")
        return () if arm == "majority" else reads
    if arm == BEST:
        return ("normalize", "encoder", "pretrain")
    teacher = arm.removesuffix(SELFTRAIN)
    reads = ("normalize", "encoder", *(("selftrain",) if teacher != arm else ()))
    if arm.endswith(WITH_COMPONENTS):
        return (*reads, *OF_PRETRAINING)
    reads = (*reads, "finetune.batch_size")
    if teacher == SCRATCH:
        return (*reads, *SCRATCH_STEPS)
    if teacher == RANDOM_ENCODER:
        return (*reads, *PROBE)
    own = ("transfer_layers", "freeze_layers", "n_steps", "learning_rate", "schedule")
    return (*reads, *OF_PRETRAINING, *PROBE, *(f"finetune.{name}" for name in own))


def combinations(grid: Grid) -> list[dict[str, Any]]:
    """Every combination of the values of a grid."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def points_at(
    config: Config, changes: Iterable[Mapping[str, Any]], n_train: int, n_genes: int = 0
) -> tuple[list[Point], list[tuple[dict[str, Any], str]]]:
    """Changes of options, resolved on the training samples; those that are refused, and why."""
    points, refused = [], []
    for values in map(dict, changes):
        try:
            changed = with_options(config, values)
            validate(changed)
            settled = resolve(changed, n_train, n_genes)
            points.append(Point(name_of(values, config), values, settled))
        except InputError as error:
            refused.append((values, str(error)))
    for name in {name for point in points for name in point.values}:
        lacks = {idle(name, point.config) for point in points}
        if "" not in lacks:
            found = f"`{name}` does nothing without {lacks.pop()}, so all points would be one"
            raise InputError(found, "set that one too, or vary another option")
    if not points:
        raise InputError(f"every point of the grid is refused; the first: {refused[0][1]}")
    twice = [name for name, n in Counter(point.name for point in points).items() if n > 1]
    if twice:
        raise InputError(f"a point of the grid stands there twice: {twice[0] or UNCHANGED}")
    return points, refused


def options_table(points: Iterable[Point]) -> pd.DataFrame:
    """A row a point: its name, and its values as text."""
    rows = [{"point": p.name} | {o: as_text(v) for o, v in p.values.items()} for p in points]
    return pd.DataFrame(rows)


def by_program(points: Iterable[Point]) -> list[list[Point]]:
    """Points whose pretrainings differ in `member_options` alone, or not at all, together."""
    groups: dict[str, list[Point]] = {}
    for point in points:
        options = to_dict(point.config)
        for section in ("data", "split", "finetune", "selftrain", "sweep"):
            del options[section]
        options["run"] = {name: options["run"][name] for name in ("root_key", "precision")}
        for name in member_options(point.config):
            section, option = name.split(".")
            del options[section][option]
        groups.setdefault(json.dumps(options, sort_keys=True), []).append(point)
    return list(groups.values())


def traced_options(config: Config) -> tuple[str, ...]:
    """`TRACED`, and every number with a fraction among the method's own options."""
    fields = dataclasses.fields(config.method)
    return TRACED + tuple(f"method.{f.name}" for f in fields if isinstance(f.default, float))


def member_options(config: Config) -> tuple[str, ...]:
    """The traced options that are on: values of a point's members, whatever points are beside it.

    Not only those in which the points differ: compiled in, a value rounds otherwise. An option that
    is off leaves a step out of the program.
    """
    return tuple(name for name in traced_options(config) if get_option(config, name))
