"""The tables of every suite, and their sizes."""

from . import finetuning, imports, kills, memory, pretraining, scaling, stages, work
from .pretraining import BATCH_SIZES
from .section import Section

DEMO = "demo_synthetic"
MEMORY = [(2_000, 256, 50), (20_000, 64, 4)]
CARDS = [(card, 6_546, 57_387, 50) for card in work.CARDS]  # the paper's TCGA training set

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
        on_gpu=[(57_387, 256, 50)],  # the paper's full width, all seeds at once
    ),
    "finetuning": Section(
        finetuning.measure,
        quick=[(100, 10, 650), (680, 10, 650)],
        full=[(g, s, n) for g in (100, 680) for s, n in ((10, 65), (10, 6_500), (50, 650))],
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
    "protocol": Section(stages.measure_protocol, quick=[(10,)], full=[(10,), (stages.N_SEEDS,)]),
    "memory": Section(
        memory.measure,
        quick=MEMORY,
        full=[*MEMORY, (56_537, 256, 1), (56_537, 256, 2), (56_537, 64, 4)],
    ),
    "programs": Section(stages.measure_programs, quick=[(10, 4)], full=[(10, 4), (89, 50)]),
    "stages": Section(stages.measure, quick=[(DEMO, 4)], full=[(DEMO, 4), (DEMO, 16)]),
    "conditioning": Section(
        memory.measure_conditioning,
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
    "roofline": Section(work.measure, quick=CARDS, full=CARDS),
}

FAULTS: dict[str, Section] = {
    "kills": Section(
        kills.measure,
        quick=[(verb, 13) for verb in kills.VERBS],
        full=[(verb, 50) for verb in kills.VERBS],
    )
}
