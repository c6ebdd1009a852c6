"""Methods side by side: scores by share, the endpoint, what a pretraining takes."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from jaxssl.evaluation.arms import SELFTRAIN
from jaxssl.evaluation.endpoint import METRIC, areas
from jaxssl.evaluation.headline import endpoint_verdict, percent
from jaxssl.evaluation.stats import FLOOR, paired_statistics, summarize, t_interval
from jaxssl.files import write_text
from jaxssl.report.tables import as_markdown


class Pretraining(NamedTuple):
    """What the pretraining of a seed takes."""

    ms_per_step: float
    megabytes: float  # parameters, moments, gradients and activations
    unhealthy: int  # seeds


def write_methods(
    folder: Path,
    results: pd.DataFrame,
    endpoint: pd.DataFrame,
    chosen: Mapping[str, str],
    costs: Mapping[str, Pretraining],
    command: str,
    notes: str,
) -> None:
    """Write methods.csv, and methods.md with it and with self-training beside its teacher.

    Args:
        folder: where to.
        results: of all arms, on one split.
        endpoint: of `evaluation.endpoint.endpoint`.
        chosen: by arm, the trial that was chosen.
        costs: by method.
        command: that made the run.
        notes: on trials and budgets.
    """
    table = methods_table(results, endpoint, chosen, costs)
    write_text(folder / "methods.csv", table.to_csv(index=False))
    students = student_table(results)
    write_text(folder / "selftrain.csv", students.to_csv(index=False))
    n = results["seed"].nunique()
    best = endpoint.loc[endpoint["is_best"].astype(bool), "reference"].unique()
    text = [
        f"`{command}`",
        f"Test balanced accuracy, means over {n} seeds; *endpoint*: area under the curve over 1 to "
        f"10 % of the labels (logarithmic). Paired 95 % t intervals over seeds against "
        f"{' and '.join(f'`{name}`' for name in best)}, the best classical arm on validation, "
        "in points; verdicts after Holm's correction over all arms. " + notes,
        _markdown(table),
        "Self-training, test accuracy: the student against its teacher.",
        _markdown(students),
    ]
    write_text(folder / "methods.md", "\n\n".join(text) + "\n")


def methods_table(
    results: pd.DataFrame,
    endpoint: pd.DataFrame,
    chosen: Mapping[str, str],
    costs: Mapping[str, Pretraining],
) -> pd.DataFrame:
    """A row an arm, the best endpoint first."""
    scores = summarize(results)
    scores = scores[scores["metric"] == METRIC].set_index(["arm", "share"])["mean"]
    shares = sorted(results["share"].unique())
    whole = areas(results, "test").groupby("arm")["value"]
    declared = endpoint[endpoint["is_best"].astype(bool)].set_index("arm")
    rows = []
    for arm in results["arm"].unique():
        if arm == FLOOR:
            continue
        row = {"arm": arm} | {percent(s): f"{scores[arm, s]:.3f}" for s in shares}
        values = whole.get_group(arm).to_numpy()
        low, high = t_interval(values)
        row["endpoint"] = f"{values.mean():.3f} ({low:.3f} to {high:.3f})"
        if arm in declared.index:
            d = declared.loc[arm]
            row["against classical"] = _points(d["difference"], d["ci_low"], d["ci_high"])
            row["verdict"] = endpoint_verdict(d)
        if arm in costs:
            row["ms a step and seed"] = f"{costs[arm].ms_per_step:.2f}"
            row["MB a seed"] = f"{costs[arm].megabytes:.0f}"
            row["unhealthy"] = str(costs[arm].unhealthy)
        row["chosen"] = chosen.get(arm, "")
        rows.append((values.mean(), row))
    ordered = [row for _, row in sorted(rows, key=lambda pair: -pair[0])]
    columns = [
        *("arm", *map(percent, shares), "endpoint", "against classical", "verdict"),
        *("ms a step and seed", "MB a seed", "unhealthy", "chosen"),
    ]
    return pd.DataFrame(ordered).reindex(columns=columns).fillna("")


def student_table(results: pd.DataFrame) -> pd.DataFrame:
    """Every student against its teacher at every share, in accuracy."""
    tables = []
    for student in [arm for arm in results["arm"].unique() if arm.endswith(SELFTRAIN)]:
        teacher = student.removesuffix(SELFTRAIN)
        pair = results[results["arm"].isin([student, teacher])]
        tables.append(paired_statistics(pair, [teacher], ["accuracy"]))
    columns = ["student", "share", "student's", "teacher's", "difference", "Holm p"]
    if not tables:
        return pd.DataFrame(columns=columns)
    statistics = pd.concat(tables)
    points = [_points(*(row[name] for name in ("difference", "ci_low", "ci_high")))
              for _, row in statistics.iterrows()]  # fmt: skip
    return pd.DataFrame(
        {
            "student": statistics["arm"],
            "share": statistics["share"].map(percent),
            "student's": statistics["mean"].map("{:.3f}".format),
            "teacher's": statistics["reference_mean"].map("{:.3f}".format),
            "difference": points,
            "Holm p": statistics["p_holm"].map("{:.2g}".format),
        }
    )


def _points(difference: float, low: float, high: float) -> str:
    """A difference of scores and its interval, in points."""
    return f"{100 * difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def _markdown(table: pd.DataFrame) -> str:
    """The table with bars; what names a row is set as code."""
    rows = [[f"`{first}`", *map(str, rest)] for first, *rest in table.to_numpy().tolist()]
    return as_markdown(list(table.columns), rows)
