"""Gene sets that are over-represented among genes at the top of a ranking."""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import hypergeom
from statsmodels.stats.multitest import multipletests

from jaxssl.types import InputError

GeneSets = Mapping[str, frozenset[str]]
FEWEST = 3  # genes of a set that the encoder has


def read_gmt(path: Path) -> GeneSets:
    """Gene sets of a .gmt: a line each, with name, description and genes, by tabs.

    Raises:
        InputError: on a file that is none, and on a name that two lines have.

    Source: the format of MSigDB, Liberzon et al. 2011.
    """
    sets: dict[str, frozenset[str]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error})", "correct `gmt`") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, *rest = line.rstrip("\n").split("\t")
        genes = frozenset(gene.strip().upper() for gene in rest[1:]) - {""}
        if not genes:
            fix = "expected NAME, a description and genes, with tabs between"
            raise InputError(f"{path}: line {number} names no genes", fix)
        if name in sets:
            raise InputError(f"{path} has {name!r} twice", "rename one of them")
        sets[name] = genes
    if not sets:
        raise InputError(f"{path} has no gene sets", "correct `gmt`")
    return sets


def as_in_sets(genes: Iterable[str]) -> np.ndarray:
    """Names as gene sets have them: upper case, of symbol|Entrez and "symbol (Entrez)" the symbol.

    Example:
        >>> as_in_sets(["Tp53", "ALB|213", "MYC (4609)"]).tolist()
        ['TP53', 'ALB', 'MYC']
    """
    return np.array([re.split(r"[|]| [(]", gene)[0].upper() for gene in genes], dtype=object)


def within(sets: GeneSets, genes: Collection[str], path: Path | str = "the .gmt") -> GeneSets:
    """The sets as far as an encoder has their genes; those of fewer than 3 are left out.

    Args:
        sets: of `read_gmt`.
        genes: that the encoder has, in upper case.
        path: of the sets, for the message.

    Raises:
        InputError: where none is left, with first names of both.

    Example:
        >>> list(within({"a": frozenset("XYZ"), "b": frozenset("X")}, "WXYZ"))
        ['a']
    """
    known = frozenset(genes)
    found = {name: kept for name, of in sets.items() if len(kept := of & known) >= FEWEST}
    if not found:
        theirs = ", ".join(sorted(next(iter(sets.values())))[:3])
        raise InputError(
            f"no set of {path} has {FEWEST} genes in common with the encoder, whose genes are "
            f"called {', '.join(list(genes)[:3])}; those of the sets {theirs}",
            "name the genes alike: `prepare(gene_map=TABLE)` before the pretraining",
        )
    return {name: frozenset(of) for name, of in found.items()}


def over_represented(
    top: Collection[str], universe: Collection[str], sets: GeneSets
) -> pd.DataFrame:
    """Fisher's exact test, one-sided, of every set among the genes at the top.

    Args:
        top: genes at the top.
        universe: all genes that were ranked.
        sets: within the universe.

    Returns:
        A row a set, the least p first: set, n_genes, n_top, expected, p, q (Benjamini-Hochberg over
        the sets), genes (those at the top, by name).

    Example:
        >>> over_represented("AB", "ABCDEFGH", {"s": frozenset("ABC")})["n_top"].tolist()
        [2]
    """
    top, universe = frozenset(top), frozenset(universe)
    names = list(sets)
    sizes = np.array([len(sets[name]) for name in names])
    shared = [sorted(sets[name] & top) for name in names]
    counts = np.array([len(genes) for genes in shared])
    p = hypergeom.sf(counts - 1, len(universe), sizes, len(top))
    table = pd.DataFrame(
        {
            "set": names,
            "n_genes": sizes,
            "n_top": counts,
            "expected": sizes * len(top) / len(universe),
            "p": p,
            "q": multipletests(p, method="fdr_bh")[1],
            "genes": [" ".join(genes) for genes in shared],
        }
    )
    return table.sort_values(["p", "set"], kind="stable", ignore_index=True)
