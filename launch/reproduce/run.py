"""Run experiments: their points, figures and verdicts, and one page of all."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from jaxssl.config import with_options
from jaxssl.evaluation import claims
from jaxssl.evaluation.grid import Point
from jaxssl.evaluation.search import points_table
from jaxssl.evaluation.stats import paired_statistics, summarize
from jaxssl.evaluation.values import as_text
from jaxssl.files import write_table, write_text
from jaxssl.report import search
from jaxssl.report.curves import curve_figure
from jaxssl.report.drawing import Drawing, save, styled
from jaxssl.report.templates import template
from jaxssl.runs import journal, layout
from jaxssl.studies.grid import read_rows, run_points
from jaxssl.studies.job import Job
from jaxssl.studies.start import Study, begin
from jaxssl.types import FRAMES

from .figures import ALL, TABLES, experiments_of, make_table
from .scales import REFERENCES, SWAV, Experiment, Setting, Values

METRIC = "accuracy"  # the paper's
MEASURED = ["loss_ratio", "code_entropy_ratio", "usage_share", "effective_rank"]
PAIRED = ["arm", "share", "reference", "difference", "ci_low", "ci_high", "p_t", "p_holm"]
OPEN = "open question"  # in place of a verdict, where the paper found nothing to agree with


def run_figures(figure: str, setting: Setting, job: Job) -> None:
    """Run what the folder lacks of a figure, a table or all; write the page and the verdicts."""
    config, hooks = job.config, job.hooks
    experiments = experiments_of(figure, setting)
    config.run.seeds = max(setting.seeds, setting.curve_seeds)
    config.sweep.shares = tuple(setting.shares)
    config.normalize.frame, config.sweep.frames = FRAMES[0], FRAMES[:1]  # the paper has no other
    study = begin(job, compares=True)
    names = [name for name in TABLES[setting.dataset] if figure in (ALL, name)]
    tables = [make_table(name, study.task, study.adata) for name in names]
    shown: list[Shown] = []
    for i, (numbers, experiment) in enumerate(experiments.items(), start=1):
        name = f"figure {' and '.join(numbers)}"
        hooks.say(f"{name} ({i} of {len(experiments)}): {experiment.title}")
        shown.append(reproduce(numbers, experiment, setting, study))
        hooks.say(f"{name}: {experiment.finding}: {shown[-1].verdict}")
    # a figure on its own leaves the report on all of them as it is
    suffix = "" if figure == ALL else f"_{figure}"
    title = f"The paper's figures on {study.task.dataset}, as {setting.dataset}"
    page = study.folder / f"report{suffix}.html"
    told = {"title": title, "scale": setting.sentence(), "command": hooks.command}
    for out in (page, page.with_suffix(".md")):
        text = template(f"reproduction{out.suffix}").render(figures=shown, tables=tables, **told)
        write_text(out, text)
    rows = [
        (figure.number, figure.finding, figure.verdict, claim.text, claim.found, claim.verdict)
        for figure in shown
        for claim in figure.claims
    ]
    columns = ["figure", "finding", "verdict", "claim", "ours", "claim_verdict"]
    write_table(study.folder / f"verdicts{suffix}.csv", pd.DataFrame(rows, columns=columns))
    hooks.say(f"report: {page}")


class Shown(NamedTuple):
    """A figure of the page with what is claimed of it."""

    number: str
    title: str
    drawing: Drawing
    svg: Markup
    finding: str  # of the paper
    verdict: str  # on the finding
    claims: Sequence[claims.Verdict]  # on what stands for it


def reproduce(
    numbers: Sequence[str], experiment: Experiment, setting: Setting, study: Study
) -> Shown:
    """Run what the folder lacks of an experiment, hold its claims against it and draw it."""
    if experiment.is_curve:
        setting = setting._replace(seeds=setting.curve_seeds, shares=setting.curve_shares)
    points, rows, measures = _run(experiment, setting, study)
    verdicts = [_judge(claim, rows, measures) for claim in experiment.claims]
    with styled():
        figure, table = draw(experiment, points, rows, measures)
    if numbers[0][0].isdigit():
        name, title = f"figure_{'_'.join(numbers)}", experiment.title
        number = f"Figure {' and '.join(numbers)}"
    else:
        name, title = numbers[0], "in the paper's text, without a figure"
        number = experiment.title
    title = "a question of our own" if experiment.is_open else title
    scores = f"{experiment.part.capitalize()} {METRIC}, means over {setting.seeds} seeds"
    caption = f"{scores} with 95 % t intervals over seeds."
    drawing = Drawing("paper", name, experiment.title, caption, figure, table)
    svg = save(drawing, study.folder / layout.FIGURES)
    verdict = OPEN if experiment.is_open else claims.together(verdicts)
    return Shown(number, title, drawing, svg, experiment.finding, verdict, verdicts)


def _run(
    experiment: Experiment, setting: Setting, study: Study
) -> tuple[list[Point], pd.DataFrame, pd.DataFrame]:
    """The points that the options allow, their scores, and what their pretrainings measured.

    They lie in a folder named by the part; points of the same name run once.
    """
    store, seeds = study.folder / experiment.part, range(setting.seeds)
    store.mkdir(exist_ok=True)
    own = study._replace(folder=store, seeds=seeds)

    def run(values: Sequence[Values], arms: Sequence[str]) -> list[Point]:
        compared = {"sweep.arms": tuple(arms), "sweep.shares": tuple(setting.shares)}
        return run_points(own, with_options(study.asked, compared), values, experiment.part)

    points = run(experiment.points, experiment.arms)
    if not experiment.is_curve:
        run([{}], REFERENCES)
    rows, measures = read_rows(store), journal.read_parts(store / layout.MEASURES)
    rows = rows[rows["seed"].isin(seeds) & rows["share"].isin(setting.shares)]
    return points, rows, measures[measures["seed"].isin(seeds)] if len(measures) else measures


def _judge(
    claim: claims.Claim | claims.MeasureClaim, rows: pd.DataFrame, measures: pd.DataFrame
) -> claims.Verdict:
    try:
        if isinstance(claim, claims.MeasureClaim):
            return claims.judge_measure(claim, measures)
        return claims.judge(claim, rows, METRIC)
    except KeyError:  # it is about a point that the options refused
        return claims.Verdict(f"{claim.text} (not run)", claims.UNDECIDED)


def draw(
    experiment: Experiment, points: Sequence[Point], rows: pd.DataFrame, measures: pd.DataFrame
) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment; returns its numbers too."""
    figure = Figure(layout="constrained")
    columns = pd.DataFrame([_columns(experiment, point) for point in points])
    of_points = rows[rows["point"].isin(columns["point"]) & rows["arm"].isin(experiment.arms)]
    if experiment.is_curve:
        return figure, draw_curve(figure, of_points)
    x, table = experiment.x, columns.merge(points_table(of_points, METRIC), on="point")
    if len(measures):
        measures = measures.merge(columns, on="point")
    references = rows[rows["arm"].isin(REFERENCES) & (rows["point"] == "")]
    references = points_table(references, METRIC)
    if experiment.kind == "bars":
        search.bars_figure(figure, table, references, METRIC)
    elif experiment.kind == "grid":
        search.heat_maps(figure, table, x, METRIC)
    elif experiment.kind == "map":
        search.map_figure(figure, table, measures, x, METRIC)
    else:
        search.option_figure(figure, table, references, measures, x, METRIC)
    table = pd.concat([table, references.assign(line="reference")], ignore_index=True)
    measured = [name for name in MEASURED if name in measures]
    if measured:
        means = measures.groupby("point")[measured].mean().reset_index()
        table = table.merge(means, on="point", how="left")
    return figure, table


def draw_curve(figure: Figure, rows: pd.DataFrame) -> pd.DataFrame:
    """Label curves, and the differences of SwAV where it ran."""
    table, arms = summarize(rows[rows["metric"] == METRIC]), set(rows["arm"])
    tested = [arm for arm in REFERENCES if arm in arms and SWAV in arms]
    statistics = paired_statistics(rows, tested, [METRIC])
    curve_figure(figure, table, statistics, METRIC)
    if tested:
        paired = statistics[PAIRED].rename(columns={"ci_low": "low", "ci_high": "high"})
        table = table.merge(paired, on=["arm", "share"], how="left")
    return table


def _columns(experiment: Experiment, point: Point) -> dict[str, str]:
    """Of a point, the values of the figure's options as text, and its line."""
    row = {"point": point.name, "line": experiment.line(point.values)}
    for option in experiment.x:
        value = point.values.get(option, "")
        # of two options that are varied in turn, the one that is off has no place on its axis
        is_off = experiment.kind == "option" and len(experiment.x) > 1 and value == 0
        row[option] = "" if is_off else as_text(value)
    return row
