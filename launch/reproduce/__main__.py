"""The study's figures and tables: run the experiment, draw it, say whether we agree.

Example:

  python -m launch.reproduce --figure=17 --dataset=tcga --scale=cpu --data=mirna.h5ad \\
      --out=runs/study_tcga

--figure=all makes one report; with --resume only what is
missing is computed. --scale=full takes the study's 89 shares and 50 seeds, for a GPU.
"""

from pathlib import Path

import pandas as pd
from absl import flags as absl_flags

from jaxssl.report.drawing import Drawing
from jaxssl.report.reproduction import Shown, show, write_page
from launch import exit, flags, stages
from launch import folder as run_folder
from launch.identity import command_line
from launch.reproduce.figures import experiments_of, tables_of
from launch.reproduce.run import METRIC, PARTS, Reproduced, config_of, reproduce
from launch.reproduce.scales import CPU, DATASETS, SCALES, Setting
from launch.reproduce.tables import make_table

_FIGURE = absl_flags.DEFINE_string("figure", "all", "Number, table1, a name, or all.")
_DATASET = absl_flags.DEFINE_enum("dataset", "tcga", list(DATASETS), "Whose figures of the study.")
_SCALE = absl_flags.DEFINE_enum(
    "scale", CPU, sorted({scale for scale, _ in SCALES}), "How much is run; see scales.py."
)


def main(arguments: list[str]) -> None:
    """Read, run every figure, write the page."""
    exit.no_arguments(arguments)
    flags.refuse(
        ["seeds", "shares", "arms", "splits", "shard"],
        "a reproduction: --scale says how much is run",
    )
    setting = Setting(_DATASET.value, _SCALE.value)
    experiments = experiments_of(_FIGURE.value, setting.dataset)
    config = config_of(setting, flags.config_of_run())
    config.run.seeds = max(setting.size.seeds, setting.size.curve_seeds)
    config.sweep.shares = tuple(setting.size.shares)
    run = stages.begin(config, flags.output(), compares=True)
    config.data = run.config.data
    figures = run.folder / "figures"
    figures.mkdir(exist_ok=True)
    names = tables_of(setting.dataset) if _FIGURE.value == "all" else [_FIGURE.value]
    tables = [make_table(name, run) for name in names if name in tables_of(setting.dataset)]
    shown: list[Shown] = []
    for i, experiment in enumerate(experiments, start=1):
        numbers = " and ".join(experiment.numbers[setting.dataset])
        print(f"figure {numbers} ({i} of {len(experiments)}): {experiment.title}", flush=True)
        found = reproduce(experiment, setting, config, run.task, run.folder)
        shown.append(lay_out(found, setting, figures))
        print(f"figure {numbers}: {shown[-1].finding}: {shown[-1].verdict}", flush=True)
    title = f"The study's figures on {run.task.dataset}, as {setting.dataset}"
    # a figure on its own leaves the report on all of them as it is
    name = "" if _FIGURE.value == "all" else f"_{_FIGURE.value}"
    for suffix in (".html", ".md"):
        out = run.folder / f"report{name}{suffix}"
        write_page(out, title, setting.size.sentence(), command_line(), shown, tables)
    write_verdicts(run.folder / f"verdicts{name}.csv", shown)
    print(f"report: {run.folder / f'report{name}.html'}")


def lay_out(found: Reproduced, setting: Setting, folder: Path) -> Shown:
    """Save the figure's files; returns what the page shows of it."""
    experiment = found.experiment
    numbers = experiment.numbers[setting.dataset]
    has_number = numbers[0][0].isdigit()
    number = f"Figure {' and '.join(numbers)}" if has_number else experiment.title
    name = f"figure_{'_'.join(numbers)}" if has_number else numbers[0]
    size = setting.size
    n_seeds = size.curve_seeds if experiment.is_curve else size.seeds
    caption = (
        f"{PARTS[experiment.is_curve].capitalize()} {METRIC}, means over {n_seeds} seeds with 95 % "
        "t intervals over seeds."
    )
    title = experiment.title if has_number else "in the study's text, without a figure"
    title = "a question of our own" if found.finding.is_open else title
    drawing = Drawing("study", name, experiment.title, caption, found.figure, found.table)
    finding = found.finding
    return show(
        number, title, caption, drawing, finding.text, found.verdicts, folder,
        is_open=finding.is_open,
    )  # fmt: skip


def write_verdicts(path: Path, shown: list[Shown]) -> None:
    """A row a claim."""
    rows = [
        {"figure": figure.number, "finding": figure.finding, "verdict": figure.verdict}
        | {"claim": text, "ours": ours, "claim_verdict": verdict}
        for figure in shown
        for text, ours, verdict in figure.claims
    ]
    columns = ["figure", "finding", "verdict", "claim", "ours", "claim_verdict"]
    run_folder.write_table(path, pd.DataFrame(rows, columns=columns))


if __name__ == "__main__":
    absl_flags.adopt_module_key_flags(flags)  # for --helpshort
    exit.run(main)
