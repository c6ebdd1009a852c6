"""Every figure, in the order of the study."""

from jaxssl.types import InputError
from launch.reproduce import baseline, comparison, options, questions, transfer
from launch.reproduce.experiment import (
    LOGREG,
    SCRATCH,
    SWAV,
    Experiment,
    base_point,
)

EXPERIMENTS = (
    Experiment(
        "hidden", {"tcga": ("11",)}, "Hidden layers of the baseline",
        baseline.hidden_points, baseline.hidden_finding, "bars",
        line=lambda values: "-".join(map(str, values["encoder.hidden"])), arms=(SCRATCH,),
    ),
    Experiment(
        "rate", {"tcga": ("11b",)}, "Learning rate and batch size of the baseline",
        baseline.rate_points, baseline.rate_finding, "grid",
        x=("finetune.scratch_learning_rate", "finetune.batch_size"), arms=(SCRATCH,),
    ),
    Experiment(
        "curve", {"tcga": ("12",), "microarray": ("13",)}, "Share of the labels, baseline",
        base_point, baseline.curve_finding, "curve", arms=(SCRATCH, LOGREG),
    ),
    Experiment(
        "transfer", {"tcga": ("15",)}, "Hidden layers transferred",
        transfer.transfer_points, transfer.transfer_finding, "option",
        x=("finetune.transfer_layers",),
    ),
    Experiment(
        "freeze", {"tcga": ("16",)}, "Transferred layers frozen",
        transfer.freeze_points, transfer.freeze_finding, "option", x=("finetune.freeze_layers",),
    ),
    Experiment(
        "prototypes", {"tcga": ("17",), "microarray": ("18",)}, "Prototypes",
        options.prototype_points, options.prototype_finding, "option",
        x=("method.n_prototypes",),
    ),
    Experiment(
        "epsilon", {"tcga": ("20",), "microarray": ("21",)}, "Softness of the codes",
        options.epsilon_points, options.epsilon_finding, "option", x=("method.epsilon",),
        line=options.epsilon_line,
    ),
    Experiment(
        "batch", {"tcga": ("22",), "microarray": ("23",)}, "Batch size of SwAV",
        options.batch_points, options.batch_finding, "option", x=("pretrain.batch_size",),
    ),
    Experiment(
        "augment", {"tcga": ("24",), "microarray": ("25",)}, "Masked share, noise coefficient",
        options.augment_points, options.augment_finding, "option",
        x=("augment.mask_rate", "augment.noise"),
    ),
    Experiment(
        "autoencoder", {"tcga": ("autoencoder",), "microarray": ("autoencoder",)},
        "The three augmentations", options.radius_points, options.radius_finding, "bars",
        line=options.radius_line,
    ),
    Experiment(
        "comparison", {"tcga": ("29", "30"), "microarray": ("27", "28")},
        "SwAV against the baseline", base_point, comparison.comparison_finding, "curve",
        arms=(SCRATCH, LOGREG, SWAV),
    ),
    Experiment(
        "map", {"tcga": ("map",), "microarray": ("map",)}, "Why accuracy falls as K grows",
        questions.map_points, questions.map_finding, "map",
        x=("method.n_prototypes", "method.epsilon", "pretrain.batch_size", "method.queue_length"),
    ),
    Experiment(
        "reason", {"tcga": ("reason",), "microarray": ("reason",)},
        "What the study's recipe lacks", questions.reason_points, questions.reason_finding,
        "bars", line=questions.reason_line,
    ),
)  # fmt: skip
"""Names in place of numbers are questions of our own."""

TABLES = {"table1": ("microarray",), "table2": ("tcga",), "table3": ("tcga", "microarray")}
"""Table → data sets that have it."""


def experiments_of(figure: str, dataset: str) -> list[Experiment]:
    """The experiments behind a figure of the study, or all of a data set's.

    Raises:
        InputError: on a figure that the study does not have for this data set.
    """
    having = [e for e in EXPERIMENTS if dataset in e.numbers]
    if figure == "all":
        return having
    chosen = [e for e in having if figure in e.numbers[dataset]]
    if not chosen and figure not in tables_of(dataset):
        names = [number for e in having for number in e.numbers[dataset]] + tables_of(dataset)
        raise InputError(
            f"--figure={figure}: on {dataset} choose all, or one of {', '.join(names)}"
        )
    return chosen


def tables_of(dataset: str) -> list[str]:
    """The study's tables of a data set."""
    return [name for name, datasets in TABLES.items() if dataset in datasets]
