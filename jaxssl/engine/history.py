"""What a pretraining tells of itself: a row an epoch and seed, and where a seed diverged."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import jax
from jaxtyping import Array

from jaxssl.engine.diagnose import measure
from jaxssl.engine.ensemble import member
from jaxssl.engine.train import Schedule

Row = dict[str, Any]
LogFn = Callable[[list[Row], bool], None]
"""Told after every epoch a row a seed; or, flagged as restored, all rows of a checkpoint."""


def silent(rows: list[Row], restored: bool) -> None:
    """Log nothing."""


def rows_of_epoch(
    ids: list[int], epoch: int, schedule: Schedule, metrics: dict[str, Array], started: float
) -> list[Row]:
    """Measures of every seed of a chunk; of one whose loss is no number, the last step before."""
    host = jax.device_get(metrics)
    head = {"phase": "pretrain", "epoch": epoch, "step": (epoch + 1) * schedule.steps_per_epoch}
    seconds = round(time.perf_counter() - started, 4)
    rows = []
    for i, seed in enumerate(dict.fromkeys(ids)):  # a filled-up chunk repeats its last id
        measured = measure(member(host, i))
        n_lost = schedule.steps_per_epoch - int(measured.pop("finite_steps"))
        rows.append(head | {"seed": seed, "seconds": seconds} | measured)
        if n_lost:
            rows[-1]["last_finite_step"] = head["step"] - n_lost
    return rows


def divergences(history: Iterable[Row]) -> dict[int, str]:
    """Of every seed that diverged, when: the epoch (from 1) and the last step before."""
    when: dict[int, str] = {}
    for row in history:
        if "last_finite_step" in row and row["seed"] not in when:
            when[row["seed"]] = (
                f"the loss is no number in epoch {row['epoch'] + 1}, after step "
                f"{row['last_finite_step']:,}"
            )
    return when
