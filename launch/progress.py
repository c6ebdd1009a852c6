"""Progress for people and for log files: a bar on a terminal, a line an epoch elsewhere."""

import sys
import time
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm


class Progress:
    """Counts finished units of a known total; with an estimate of the time left."""

    def __init__(self, title: str, total: int):
        self.title, self.total, self.done = title, total, 0
        self.started = time.monotonic()
        self.bar = tqdm(total=total, desc=title) if sys.stderr.isatty() else None

    def advance(self, text: str, units: int = 1, *, restored: bool = False) -> None:
        """Count units; `restored` ones took no time and say nothing."""
        self.done += units
        if restored:
            self.started, self.total, self.done = time.monotonic(), self.total - units, 0
        if self.bar is not None:
            self.bar.update(units)
            self.bar.set_postfix_str(text)
        elif not restored:
            left = (time.monotonic() - self.started) / self.done * (self.total - self.done)
            print(f"{self.title} {self.done}/{self.total}, {left:.0f} s left: {text}", flush=True)

    def close(self) -> None:
        """End the bar's line."""
        if self.bar is not None:
            self.bar.close()


def epoch_text(rows: Sequence[dict[str, Any]]) -> str:
    """The last epoch among `rows`, as means over its seeds, in one line."""
    rows = [row for row in rows if row["epoch"] == rows[-1]["epoch"]]
    seeds = [row["seed"] for row in rows]
    names = ("loss", "loss_ratio", "code_entropy_ratio", "usage_perplexity", "effective_rank")
    means = {name: sum(r[name] for r in rows) / len(rows) for name in names if name in rows[0]}
    values = ", ".join(f"{name} {value:.3g}" for name, value in means.items())
    return f"seeds {min(seeds)}-{max(seeds)}, step {rows[0]['step']}: {values}"
