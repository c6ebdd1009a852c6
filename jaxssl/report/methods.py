"""Methods side by side: scores by share, the endpoint, what a pretraining takes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxssl.evaluation.arms import SELFTRAIN
from jaxssl.evaluation.endpoint import METRIC, areas
from jaxssl.evaluation.headline import endpoint_verdict, percent
from jaxssl.evaluation.intervals import score_interval
from jaxssl.evaluation.stats import FLOOR, paired_statistics, summarize
from jaxssl.files import write_text
from jaxssl.report.tables import as_markdown


def write_methods(
    folder: Path,
    results: pd.DataFrame,
    endpoint: pd.DataFrame,
    beside: pd.DataFrame,
    command: str,
    notes: str,  # on trials and budgets
) -> None:
    """Write methods.csv, and methods.md with it and with self-training beside its teacher."""
    methods, students = methods_table(results, endpoint, beside), student_table(results)
    write_text(folder / "methods.csv", methods.to_csv(index=False))
    write_text(folder / "selftrain.csv", students.to_csv(index=False))
    best = endpoint.loc[endpoint["is_best"].astype(bool), "reference"].unique()
    text = [
        f"`{command}`",
        f"Test balanced accuracy, means over {results['seed'].nunique()} seeds; *endpoint*: area "
        "under the curve over 1 to 10 % of the labels (logarithmic). Paired 95 % t intervals over "
        f"seeds against {' and '.join(f'`{name}`' for name in best)}, the best classical arm on "
        f"validation, in points; verdicts after Holm's correction over all arms. {notes}",
        _markdown(methods),
        "Self-training, test accuracy: the student against its teacher.",
        _markdown(students),
    ]
    write_text(folder / "methods.md", "\n\n".join(text) + "\n")


def methods_table(
    results: pd.DataFrame, endpoint: pd.DataFrame, beside: pd.DataFrame
) -> pd.DataFrame:
    """A row an arm, the best endpoint first; `beside` has further columns as text, by `arm`."""
    scores = summarize(results)
    scores = scores[scores["metric"] == METRIC].set_index(["arm", "share"])["mean"]
    shares = sorted(results["share"].unique())
    columns = ["arm", *map(percent, shares), "endpoint", "against classical", "verdict"]
    whole = areas(results, "test").groupby("arm")["value"]
    declared = endpoint[endpoint["is_best"].astype(bool)].set_index("arm")
    rows, ranks = [], []
    for arm in [arm for arm in results["arm"].unique() if arm != FLOOR]:
        values = whole.get_group(arm).to_numpy()
        low, high = score_interval(values, METRIC)
        row = {percent(share): f"{mean:.3f}" for share, mean in scores[arm].items()}
        row |= {"arm": arm, "endpoint": f"{values.mean():.3f} ({low:.3f} to {high:.3f})"}
        if arm in declared.index:
            row["against classical"] = _points(declared.loc[arm])
            row["verdict"] = endpoint_verdict(declared.loc[arm])
        rows.append(row)
        ranks.append(-values.mean())
    table = pd.DataFrame(rows, columns=columns).iloc[np.argsort(ranks, kind="stable")]
    return table.merge(beside, on="arm", how="left").fillna("")


def student_table(results: pd.DataFrame) -> pd.DataFrame:
    """Every student against its teacher at every share, in accuracy."""
    rows = []
    for student in [arm for arm in results["arm"].unique() if arm.endswith(SELFTRAIN)]:
        teacher = student.removesuffix(SELFTRAIN)
        pair = results[results["arm"].isin([student, teacher])]
        for row in paired_statistics(pair, [teacher], ["accuracy"]).to_dict("records"):
            scores = (f"{row['mean']:.3f}", f"{row['reference_mean']:.3f}")
            holm = f"{row['p_holm']:.2g}"
            rows.append([student, percent(row["share"]), *scores, _points(row), holm])
    columns = ["student", "share", "student's", "teacher's", "difference", "Holm p"]
    return pd.DataFrame(rows, columns=columns)


def _points(row: Any) -> str:
    """A difference of scores and its interval, in points."""
    numbers = [100 * row[name] for name in ("difference", "ci_low", "ci_high")]
    return "{:+.1f} ({:+.1f} to {:+.1f})".format(*numbers)


def _markdown(table: pd.DataFrame) -> str:
    """The table with bars; what names a row is set as code."""
    rows = [[f"`{first}`", *map(str, rest)] for first, *rest in table.to_numpy().tolist()]
    return as_markdown(list(table.columns), rows)
