"""The tables of every suite, their sizes, and how they are printed."""

import importlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jaxssl.methods import METHODS
from jaxssl.report.tables import as_markdown

from . import (
    card,
    imports,
    kills,
    linear,
    one_class,
    out_of_core,
    pretraining,
    processes,
    published,
    scaling,
    shifts,
    studies,
    work,
)
from .pretraining import BATCH_SIZES
from .timing import Bench, References, Row

NEEDS = {"torch": "torch", "lightly": "lightly.loss"}  # the module of a reference


def find_references() -> tuple[References, list[str]]:
    """Return the references that can be imported, and why the others cannot."""
    found, left_out = {}, []
    for name, module in NEEDS.items():
        try:
            importlib.import_module(module)
            found[name] = importlib.import_module(f"{__package__}.torch_reference").LOOPS[name]
        except (ImportError, RuntimeError) as error:  # a torchvision of another PyTorch: the latter
            left_out.append(f"{name} (pip install '.[bench]'): {error}")
    return found, left_out


class Section(NamedTuple):
    """A table: how a row is measured, and the sizes of each suite."""

    measure: Callable[..., Row]  # takes a `Bench` and the numbers of a size
    quick: Sequence[tuple]
    full: Sequence[tuple]
    on_gpu: Sequence[tuple] = ()  # sizes that are added where there is a GPU

    def row(self, bench: Bench, size: tuple) -> Row:
        """Measure one size, and name its numbers as the arguments that they are."""
        names = list(inspect.signature(self.measure).parameters)[1:]
        return dict(zip(names, size, strict=True)) | self.measure(bench, *size)


DEMO = "demo_synthetic"
MEMORY = [(2_000, 256, 50), (20_000, 64, 4)]
# the paper's TCGA training set; the default on those of miRNA and GTEx
SETS = [(6_546, 57_387, 50), (6_569, 100, 50), (2_667, 100, 50)]
CARDS = [(card, *sizes) for sizes in SETS for card in work.CARDS]
COMPENDIA = [(10_000, 20_000), (200_000, 20_000), (1_000_000, 60_000)]
HOSTS = [("NVIDIA H100, 80 GB", link, *sizes, 50, 8) for sizes in COMPENDIA for link in work.LINKS]

SECTIONS: dict[str, Section] = {
    "draws": Section(
        pretraining.measure_draws,
        quick=[(256, 2_000)],
        full=[(256, 100), (256, 2_000), (256, 20_000)],
    ),
    "pretraining": Section(
        pretraining.measure,
        quick=[(n, b, 4) for n in (100, 2_000) for b in BATCH_SIZES],
        full=[
            *((n, b, 10) for n in (100, 2_000, 20_000) for b in BATCH_SIZES),
            *((56_537, b, 2) for b in BATCH_SIZES),
            *((n, b, 1) for n in (100, 2_000, 20_000, 56_537) for b in BATCH_SIZES),
            *((n, b, 50) for n in (100, 2_000) for b in BATCH_SIZES),
        ],
    ),
    "card": Section(
        card.measure,
        quick=[],
        full=[],
        on_gpu=[(100, 128, 20), (100, 128, 50), (2_000, 128, 50), (57_387, 128, 50)],
    ),
    "finetuning": Section(
        studies.measure_finetuning,
        quick=[(100, 10, 650), (680, 10, 650)],
        full=[(g, s, n) for g in (100, 680) for s, n in ((10, 65), (10, 6_500), (50, 650))],
    ),
    "linear": Section(
        linear.measure,
        quick=[(680, 65, 4), (680, 650, 4)],
        full=[(f, n, 8) for f in (100, 680) for n in (65, 650, 3_250)],
    ),
    "chunks": Section(
        scaling.measure_chunks,
        quick=[(100, 64, 16)],
        full=[
            (n, b, n_seeds)
            for n, n_seeds in ((100, 16), (2_000, 16), (20_000, 8), (56_537, 4))
            for b in BATCH_SIZES
        ],
    ),
    "scaling": Section(
        scaling.measure,
        quick=[(name, (1, 2, 4)) for name in scaling.BASE],
        full=[(name, (1, 2, 4, 8)) for name in scaling.BASE],
    ),
    "protocol": Section(studies.measure_protocol, quick=[(10,)], full=[(10,), (studies.N_SEEDS,)]),
    "memory": Section(
        scaling.measure_memory,
        quick=MEMORY,
        full=[*MEMORY, (56_537, 256, 1), (56_537, 256, 2), (56_537, 64, 4)],
    ),
    "programs": Section(studies.measure_programs, quick=[(10, 4)], full=[(10, 4), (89, 50)]),
    "stages": Section(studies.measure_stages, quick=[(DEMO, 4)], full=[(DEMO, 4), (DEMO, 16)]),
    "study": Section(
        published.measure_study, quick=[], full=[(data, 10) for data in published.SETS]
    ),
    "conditioning": Section(
        scaling.measure_conditioning,
        quick=[(4_000, 10_000)],
        full=[(4_000, 10_000), (11_000, 57_000)],
    ),
    "imports": Section(
        imports.measure,
        quick=[("text", 2_800, 5_000)],
        full=[
            *(("text", 28_000, n_genes) for n_genes in (1_250, 2_500, 5_000, 10_000)),
            ("archs4", 200_000, 2_000),
        ],
    ),
    "out_of_core": Section(
        out_of_core.measure,
        quick=[(2_000, (2_000, 4_000))],
        full=[(20_000, (25_000, 50_000, 100_000, 200_000))],
    ),
    "processes": Section(
        processes.measure,
        quick=[("swav", "rows", 2)],
        full=[
            *((name, "rows", 2) for name in METHODS),
            *(("swav", axis, n) for axis, n in (("seeds", 2), ("seeds", 4), ("rows", 4))),
        ],
    ),
    "roofline": Section(work.measure, quick=CARDS, full=CARDS),
    "hosts": Section(work.measure_hosts, quick=HOSTS, full=HOSTS),
}

FAULTS: dict[str, Section] = {
    "kills": Section(
        kills.measure,
        quick=[(verb, 13) for verb in kills.VERBS],
        full=[(verb, 50) for verb in kills.VERBS],
    ),
    "killed_process": Section(processes.measure_kill, quick=[(1,)], full=[(1,), (2,)]),
}

GUARD: dict[str, Section] = {
    "shifts": Section(
        shifts.measure_guard,
        quick=[(*set_, 20) for set_ in shifts.SETS],
        full=[(*set_, 200) for set_ in shifts.SETS],
    ),
    "one_class": Section(
        one_class.measure_one_class,
        quick=[(*family, 10) for family in one_class.FAMILIES],
        full=[(*family, 50) for family in one_class.FAMILIES],
    ),
}
APART = {"faults": FAULTS, "guard": GUARD}
"""Suites of tables that no clock is looked at for."""


def table(rows: Sequence[Row]) -> str:
    """Write the numbers and names of all rows in Markdown; lists are in `benchmark.json` alone."""
    shown = {name: "" for row in rows for name, value in row.items() if _is_shown(name, value)}
    cells = [[_text(row.get(name, "–")) for name in shown] for row in rows]
    return as_markdown([name.replace("_", " ") for name in shown], cells)


def _is_shown(name: str, value: Any) -> bool:
    return isinstance(value, str | int | float) and not name.endswith("_error")


def _text(value: str | int | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 100 else f"{value:.3g}"
