"""The stages of the published studies, beside what their products would take at the machine's best.

Only networks have products that can be counted; the rest is read, fitted, scored and drawn.
"""

import os
import tempfile
from pathlib import Path

from jaxssl.config import from_dict
from jaxssl.evaluation.arms import SCRATCH
from jaxssl.runs.reading import StudyResult, open_study
from jaxssl.types import InputError

from .timing import Bench, Row, run_verb
from .work import step_flops

SETS = {
    "tcga_mirna_pancan": ("--label=label20", "--group=patient_id", "--batch=platform"),
    "gtex_v8_1000": ("--label=tissue", "--group=donor", "--min_class_size=20"),
    "hgu133_mini_compendium": ("--label=cancer", "--group=group", "--batch=series"),
}
"""Folders in JAXSSL_DATA, and how docs/results imports them."""


def measure_study(bench: Bench, data: str, n_seeds: int) -> Row:
    """Seconds of every stage of a study on one split, arms and shares by default.

    `limit` is what the products of networks alone would take at the best rate of this machine.
    """
    folder = Path(os.environ.get("JAXSSL_DATA", ""), data)
    if not (folder / "expression.npz").exists():
        raise InputError(f"{folder} has no expression.npz", "set JAXSSL_DATA to the sets' folder")
    with tempfile.TemporaryDirectory() as place:
        file, run = f"{place}/data.h5ad", f"{place}/run"
        labels = f"--labels={folder}/labels.csv"
        run_verb("prepare", labels, *SETS[data], f"--out={file}", f"{folder}/expression.npz")
        run_verb("study", f"--data={file}", f"--out={run}", "--splits=1", f"--seeds={n_seeds}")
        found = open_study(run)
    _, gemm, _ = bench.interleave({})
    limits = {f"{stage}_limit": n / 1e9 / gemm for stage, n in _products(found, n_seeds).items()}
    return found.summary["timings"] | limits


def _products(found: StudyResult, n_seeds: int) -> dict[str, int]:
    """Floating-point operations of the products of pretraining and fine-tuning, without probes."""
    config = from_dict(found.config)
    n_classes = len(found.summary["classes"])
    widths = (config.normalize.n_components, *config.encoder.hidden)
    rows = 2 * config.pretrain.batch_size
    of_step = step_flops(widths, found.config["method"]["n_prototypes"][0], rows)
    steps = config.finetune.scratch_steps * (SCRATCH in config.sweep.arms)
    steps += config.finetune.n_steps * (config.method.name in config.sweep.arms)
    tuned = steps * step_flops(widths, n_classes, config.finetune.batch_size)
    tuned *= len(config.sweep.shares)
    pretrained = config.pretrain.n_steps * of_step
    return {"pretrain": n_seeds * pretrained, "finetune": n_seeds * tuned}
