"""Where everything lies in a run folder: every name, once.

| name                                 | holds                                                    |
|--------------------------------------|----------------------------------------------------------|
| `config.json`, `environment.json`    | which run it is: options, data, machine                  |
| `splits.parquet`                     | part, label, group and batch of every sample             |
| `metrics.jsonl`, `checkpoints/`      | the pretraining: a row an epoch and seed; states         |
| `encoder/seed_000/`                  | the bundle of a seed, with its `MODEL_CARD.md`           |
| `embedding.h5ad`                     | the first seed's embedding of all samples                |
| `prototype_usage.csv`, `batch.csv`   | prototypes in use; how well a batch is told              |
| `results.parquet`, `results.csv`     | a row a score                                            |
| `predictions/ARM_SHARE.parquet`      | test probabilities, a row a seed and sample              |
| `statistics.csv`, `endpoint.csv`, `saved.csv` | what is concluded                               |
| `all_labels.csv`                     | the same at the largest share, and against chance        |
| `summary.json`, `report.html`, `figures/`     | what people read                                |
| `manifest.json`                      | a hash of every table, once the run has ended            |

`results/` holds the scores of an arm and share each, until the run joins them in `results.parquet`.
`jaxssl.runs.kinds` has these names as patterns, by kind: what they do not match, no run wrote.
"""

import os
import re
from pathlib import Path

LOCK = ".lock"
KEPT = ".jaxssl"
"""Marks a folder whose run is gone and where other files stayed, until another run is there."""
CONFIG, ENVIRONMENT, SUMMARY = "config.json", "environment.json", "summary.json"
SPLITS = "splits.parquet"
METRICS, CHECKPOINTS, CUT = "metrics.jsonl", "checkpoints", "checkpoints/chunk.json"
ENCODERS, CARD = "encoder", "MODEL_CARD.md"
EMBEDDING, USAGE, BATCH = "embedding.h5ad", "prototype_usage.csv", "batch.csv"
RESULTS, RESULTS_CSV, PREDICTIONS = "results.parquet", "results.csv", "predictions"
STATISTICS, ENDPOINT, SAVED = "statistics.csv", "endpoint.csv", "saved.csv"
ALL_LABELS = "all_labels.csv"
CONCLUSIONS = (STATISTICS, ENDPOINT, SAVED, ALL_LABELS)
"""As `evaluation.conclusions.Conclusions` has them."""
MANIFEST = "manifest.json"
REPORT, FIGURES = "report.html", "figures"

MEASURES, POINTS = "pretraining.parquet", "points.csv"
"""Of a grid: what its pretrainings measured, and the scores of its points."""
TRIALS, CHOICE, METHODS = "trials", "trials.json", "methods.md"
"""Of a comparison of methods: grids of trials, what a choice rests on, and the table."""
CLASSIFIER, CLASSIFIED = "classifier", "predictions.parquet"
"""Of a fine-tuning: the bundle, and its probabilities on the held-out parts."""

TRANSFER, TRANSFERRED, DIFFERENCES = "transfer.parquet", "transfer.md", "differences.csv"
"""Of transfers within a family of cohorts: a row a score, the tables that people read."""

EXPLANATION = "explanation.md"
"""Of an explanation: the page that people read, beside its tables and rank files."""

AUDIT = "audit.json"
"""Of an audit, whose tables are called after what it looks into: what it was warned of and let."""

BUNDLE = ("bundle.json", "genes.txt")  # what any encoder or classifier has
IDENTITY = (ENVIRONMENT, CONFIG)  # what tells which run it is: written first
READABLE = (SUMMARY, RESULTS, RESULTS_CSV, METRICS)  # any shows that there is something to tell
DERIVED = {"statistics": STATISTICS, "endpoint": ENDPOINT, "saved": SAVED}
DERIVED |= {"all_labels": ALL_LABELS, "batch": BATCH, "usage": USAGE}
"""Field of a result → the table that follows from others."""
TABLES = (SPLITS, RESULTS, RESULTS_CSV, METRICS, *CONCLUSIONS, BATCH, USAGE)
"""Tables of a study whose rows a repeated run gives again, bit for bit but for seconds."""


PARTS = (RESULTS, RESULTS_CSV, "results", METRICS, CHECKPOINTS, ENCODERS, PREDICTIONS)
"""What of a run rests on its options and data; any shows that it had begun."""
FILES = (*IDENTITY, *TABLES, SUMMARY, EMBEDDING, MANIFEST)
FOLDERS = (ENCODERS, CHECKPOINTS, PREDICTIONS, FIGURES, "results")


_OF_SEED = re.compile(r"seed_(\d{3}|[1-9]\d{3,})", re.ASCII)


def encoder_folder(folder: Path, seed: int) -> Path:
    """Where one seed's bundle lies."""
    return folder / ENCODERS / f"seed_{seed:03d}"


def encoder_folders(folder: Path) -> dict[int, Path]:
    """The bundles of a run folder, by seed."""
    return {int(path.name.removeprefix("seed_")): path for path in _bundles(folder, ENCODERS)}


def all_encoder_folders(folder: Path) -> list[Path]:
    """The bundles of a run folder, or those of the methods that it compares; no run's inside it."""
    of_methods = _bundles(folder, f"*/{ENCODERS}") if (folder / CHOICE).is_file() else []
    tuned = [path for path in of_methods if (path.parents[1] / TRIALS).is_dir()]
    return [*_bundles(folder, ENCODERS), *tuned]


def _bundles(folder: Path, where: str) -> list[Path]:
    """What was saved there; an overwriting leaves folders in which only the user's files lie."""
    found = sorted(folder.glob(f"{where}/seed_[0-9]*"))
    named = [path for path in found if _OF_SEED.fullmatch(path.name)]  # a copy is the user's
    return [path for path in named if any((path / name).exists() for name in BUNDLE)]


def shard_folder(folder: Path, shard: str) -> Path:
    """Where shard "i/n" of a run lies inside its folder."""
    return folder / f"shard_{shard.replace('/', '_of_')}"


def split_folder(folder: Path, number: int) -> Path:
    """Where one of several splits lies inside the folder of them all."""
    return folder / f"split_{number}"


def whole_folder(part: Path) -> Path:
    """The folder of the run that a shard or a split is part of; any other folder itself."""
    while re.fullmatch(r"shard_\d+_of_\d+|split_\d+", part.name):
        part = part.parent
    return part


def is_shard(folder: Path) -> bool:
    """Whether a folder is a shard of a run, by its name."""
    return re.fullmatch(r"shard_\d+_of_\d+", folder.name) is not None


def split_number(folder: Path) -> str:
    """Which of several splits the folder holds; "" for a run of one."""
    found = re.fullmatch(r"split_(\d+)", Path(os.path.abspath(folder)).name)
    return found[1] if found else ""


def predictions_file(folder: Path, arm: str, share: float, first_seed: int | None = None) -> Path:
    """Test probabilities of an arm at a share; of seeds that a resumed run added, by the first."""
    added = "" if first_seed is None else f"_{first_seed:03d}"
    exact = f"{share:.4f}" if float(f"{share:.4f}") == share else repr(float(share))
    return folder / PREDICTIONS / f"{arm}_{exact}{added}.parquet"


def predictions_files(folder: Path, arm: str, share: float) -> list[Path]:
    """The files of an arm and a share that are there, in the order of writing."""
    file = predictions_file(folder, arm, share)
    return [*filter(Path.is_file, [file]), *sorted(file.parent.glob(f"{file.stem}_[0-9]*.parquet"))]


def parts_folder(file: Path) -> Path:
    """Where the parts of a growing table lie until they are joined in `file`."""
    return file.with_suffix("")


def parts_of(file: Path) -> list[Path]:
    """The parts of a growing table, in the order of writing."""
    return sorted(parts_folder(file).glob(f"{'[0-9]' * 6}.parquet"))
