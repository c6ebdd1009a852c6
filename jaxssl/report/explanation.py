"""An explanation as files: tables, rank files, a heat map, and a page."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from jaxssl.data.genes import SYMBOL
from jaxssl.evaluation.enrichment import as_in_sets
from jaxssl.evaluation.explanation import LEFT, Explanation
from jaxssl.files import write_table, write_text
from jaxssl.report.drawing import Drawing, add_axes, save, short, styled
from jaxssl.report.render import unlike
from jaxssl.report.tables import as_markdown
from jaxssl.runs import layout

UNSTABLE = 0.5  # rank correlation between encoders below which an explanation is called so
ORDERS = ("attribution", "difference", "logreg", "random")  # in which genes are taken away
MIRNA = "miRNA"
RANKS = "ranks"  # folder
SATURATED = 0.99  # quantile of what is drawn, beyond which colours are full
SHOWN, PER_TARGET = 30, 3  # targets of the heat map, and genes that each brings


def told(explanation: Explanation) -> list[str]:
    """What is to be said of an explanation: what it is of, and whether to believe it."""
    targets, lines = explanation.targets, []
    for kind, of in targets.groupby("kind", sort=False):
        firsts = explanation.genes[
            (explanation.genes["kind"] == kind) & explanation.genes["rank"].le(3)
        ]
        some = firsts.groupby("target", sort=False)["gene"].agg(", ".join).head(3)
        examples = "; ".join(f"{name}: {genes}" for name, genes in some.items())
        lines.append(f"{len(of)} targets of kind {kind} ({examples}; …)")
        left = [f"{by} {of[LEFT + by].mean():.2f}" for by in ORDERS if _is_told(of, by)]
        lines.append(f"{kind}: score left while genes are taken away, mean: {', '.join(left)}")
        worse = of[of[f"{LEFT}attribution"] >= of[f"{LEFT}random"]]["target"].tolist()
        if worse:
            lines.append(f"not better than random genes, so not to be believed: {', '.join(worse)}")
        if of["stability"].isna().all():
            lines.append(f"{kind}: of one encoder; whether others agree is not known")
            continue
        shaky = of[of["stability"] < UNSTABLE]["target"].tolist()
        lines.append(f"{kind}: rank correlation between encoders {of['stability'].mean():.2f}")
        if shaky:
            lines.append(f"not stable, encoders disagree (below {UNSTABLE}): {', '.join(shaky)}")
    if explanation.genes_are not in (SYMBOL, MIRNA):
        lines.append(
            f"genes are called by {explanation.genes_are}; gene sets of symbols need "
            "`prepare(gene_map=TABLE)` before the pretraining"
        )
    return lines


def _is_told(targets: pd.DataFrame, order: str) -> bool:
    return LEFT + order in targets and bool(targets[LEFT + order].notna().any())


def write_explanation(folder: Path, explanation: Explanation) -> None:
    """Write targets.csv, genes.csv, deletion.csv, sets.csv, ranks/, figures/ and explanation.md."""
    write_table(folder / "targets.csv", explanation.targets)
    write_table(folder / "genes.csv", explanation.genes)
    write_table(folder / "deletion.csv", explanation.deletion)
    if explanation.sets is not None:
        write_table(folder / "sets.csv", explanation.sets)
    (folder / RANKS).mkdir(exist_ok=True)
    taken: set[str] = set()
    for column in explanation.ranks:
        name = unlike(re.sub(r"[^A-Za-z0-9.-]+", "_", str(column)), taken)
        taken.add(name)
        called = explanation.ranks[column].set_axis(as_in_sets(explanation.ranks.index))
        write_text(folder / RANKS / f"{name}.rnk", rank_file(called))
    (folder / layout.FIGURES).mkdir(exist_ok=True)
    lines = ["# The genes behind the scores", *told(explanation)]
    for kind in explanation.targets["kind"].unique():
        drawing = heat_map(explanation, kind)
        save(drawing, folder / layout.FIGURES)
        lines += [f"![{drawing.title}](figures/{drawing.name}.png)", drawing.caption]
        page = _page(explanation, kind)
        cells = page.astype(str).map(lambda text: text.replace("|", r"\|"))
        lines.append(as_markdown([*map(str, page.columns)], cells.to_numpy().tolist()))
    write_text(folder / "explanation.md", "\n\n".join(lines) + "\n")


def rank_file(values: pd.Series) -> str:
    """A .rnk, which GSEA and gseapy read: a gene and its value a line, the highest first.

    Of genes that share a name, the value furthest from 0 stays; equal ones are in order of name.

    Example:
        >>> rank_file(pd.Series([1.0, -2.0, 3.0], index=["B", "A", "A"]))
        'A\\t3\\nB\\t1\\n'
    """
    table = pd.DataFrame({"gene": values.index.astype(str), "value": values.to_numpy()})
    table = table.assign(size=table["value"].abs()).sort_values(
        ["size", "gene"], ascending=[False, True], kind="stable"
    )
    table = table.drop_duplicates("gene").sort_values(
        ["value", "gene"], ascending=[False, True], kind="stable"
    )
    lines = zip(table["gene"], table["value"], strict=True)
    return "".join(f"{gene}\t{value:.6g}\n" for gene, value in lines)


def heat_map(explanation: Explanation, kind: str) -> Drawing:
    """The first genes of the largest targets of a kind: how far each stands above or below."""
    targets = explanation.targets[explanation.targets["kind"] == kind]
    names = targets.nlargest(SHOWN, "n_samples")["target"].sort_index().tolist()
    firsts = explanation.genes[explanation.genes["kind"] == kind].set_index("target")
    genes = firsts[firsts["rank"].le(PER_TARGET)].loc[names, "gene"].drop_duplicates()
    data = explanation.ranks.loc[genes.tolist(), [f"{kind}_{name}" for name in names]]
    data = data.set_axis(names, axis=1)
    figure = Figure(layout="constrained")
    with styled():
        ax = add_axes(figure, 1.8 + 0.26 * len(names), 1.2 + 0.17 * len(data))
        most = float(np.quantile(np.abs(data.to_numpy()), SATURATED)) or 1.0
        image = ax.imshow(data, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto")
        look = {"fontsize": 7, "parse_math": False}
        ax.set_xticks(range(len(names)), [short(str(name)) for name in names], rotation=90, **look)
        ax.set_yticks(range(len(data)), [short(str(gene)) for gene in data.index], **look)
        ax.grid(visible=False)
        bar = figure.colorbar(image, ax=ax, shrink=0.5, pad=0.02, extend="both")
        bar.set_label("attribution, red where the gene is high")
    title = f"First genes of each {kind}"
    caption = (
        f"What each gene adds to the score of a {kind} over that of other samples: red where its "
        f"samples have more of it, blue where less. The {PER_TARGET} first genes of "
        f"{'the largest' if len(targets) > len(names) else 'all'} {len(names)}."
    )
    return Drawing("explanation", f"genes_{kind}", title, caption, figure, data)


def _page(explanation: Explanation, kind: str) -> pd.DataFrame:
    """A row a target, with its first genes, an arrow each for more or less."""
    targets = explanation.targets[explanation.targets["kind"] == kind]
    genes = explanation.genes[
        (explanation.genes["kind"] == kind) & explanation.genes["rank"].le(10)
    ]
    arrows = np.where(genes["level"] > 0, "↑", "↓")
    first = (genes["gene"] + arrows).groupby(genes["target"], sort=False).agg(", ".join)
    shown = targets.dropna(axis=1, how="all").drop(columns="kind").round(3)
    return shown.assign(genes=targets["target"].map(first))
