"""The frames of a study: its own, and those that its classical arms get beside it."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxssl.config import Config, frame_of, with_options
from jaxssl.data.frames import check_cohorts
from jaxssl.data.split import LEAVE_BATCH_OUT
from jaxssl.data.task import Task
from jaxssl.evaluation.arms import in_frames, parted
from jaxssl.files import read_json
from jaxssl.runs import layout
from jaxssl.runs.output import Output
from jaxssl.stored import renamed
from jaxssl.types import FRAMES, InputError


def settle_frame(config: Config, output: Output) -> Config:
    """The options with the frame that nobody named: that of the run that goes on, or the split's.

    A run of before there were frames of arms goes on without them.
    """
    before = read_json(Path(output.folder) / layout.CONFIG) if output.resume else {}
    changes: dict[str, Any] = {"normalize.frame": frame_of(config)}
    if before and config.normalize.frame == "auto":
        changes["normalize.frame"] = renamed(before)["normalize"]["frame"]
    if before and not config.sweep.frames and "frames" not in before.get("sweep", {}):
        changes["sweep.frames"] = (changes["normalize.frame"],)
    return with_options(config, changes)


def with_frames(config: Config, task: Task) -> Config:
    """The options with the arms of all frames by name; a frame that its cohorts forbid is refused.

    By default classical arms get all that are left where a batch is left out, else no other.
    """
    own, frames = frame_of(config), config.sweep.frames
    if own.endswith("cohort"):
        _check(task)
    left, by_default = possible_frames(task), config.split.protocol == LEAVE_BATCH_OUT
    arms = in_frames(config.sweep.arms, frames or (left if by_default else ()), own)
    for arm in arms:
        frame = parted(arm)[1]
        if frame and frame not in left:
            try:
                _check(task)
            except InputError as error:
                fix = f"leave `{frame}` out of `arms` and `frames`, or name a coarser column with "
                raise InputError(f"arm {arm}: {error.finding}", f"{fix}`batch`") from error
    references = in_frames(config.sweep.reference_arms, (), own)
    return with_options(config, {"sweep.arms": arms, "sweep.reference_arms": references})


def possible_frames(task: Task) -> tuple[str, ...]:
    """The frames for which the cohorts of a task have samples enough."""
    try:
        _check(task)
    except InputError:
        return tuple(frame for frame in FRAMES if not frame.endswith("cohort"))
    return FRAMES


def _check(task: Task) -> None:
    """Refuse cohorts of too few samples: of training ones, in the training part."""
    own = task.batches[task.split.train]
    check_cohorts(own)
    check_cohorts(task.batches[~np.isin(task.batches, own)])
