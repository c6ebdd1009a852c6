"""Several measures of each sample side by side: which column is of which, and the one to take."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from jaxssl.data.comparisons import is_filed
from jaxssl.types import InputError

_EXPRESSION = (
    *(
        "(max)?lfq_intensity",
        "total_gene_reads",
        "expected_count",
        "est_counts?",
        "num_?reads",
        "raw_?(read_?)?counts?",
        "read_?counts?",
    ),
    *("counts?", "reads", "raw", "avg_?signal", "(raw_?)?signal(_?intensity)?", "intensity"),
    *("tpm", "rpkm", "fpkm", "fpkm_?uq", "reads_per_million(_mirna_mapped)?", "rpm", "cpm"),
    *("expression_value", "unique_gene_reads", "ibaq", "(unique_|total_)?spectral_count"),
    *(
        "ms/ms_count",
        "abundance",
        "normali[sz]ed(_?counts?)?",
        "norm(_?counts?)?",
        "scaled_estimate",
        "vst",
    ),
    *("rlog", "posterior_mean_count", "pme_tpm", "pme_fpkm", "cov(erage)?", "value", "expression"),
)
"""Measures of expression, in the order in which they are taken."""
_VAGUE = re.compile(
    "raw|norm|normali[sz]ed|intensity|expression|value|signal|counts?|reads|abundance|vst|rlog|cov"
)
"""Those of which a sample may bear the name."""
_DOUBT = (
    *("detection_?p_?val(ue)?", "detection_?p", "det_?p_?val(ue)?", "(abs|present)_?call"),
    *(
        "detection_?call",
        "bead_?std_?(err|ev)",
        "bead_?st_?dev",
        "avg_?n_?beads",
        "n_?beads",
        "n_?arrays",
    ),
    *("array_?stdev", "(min|max)_?signal", "((fpkm|tpm)_?)?conf_?(lo|hi)", "(fpkm|quant)_?status"),
    *("cross_?mapped(_?flag)?", "iso_?pct(_from_pme_tpm)?", "(tpm|fpkm)_?ci_?(lower|upper)_?bound"),
    *("gene_length", "(unique_|razor_\\+_unique_)?peptides", "identification_type"),
    *("(tpm|fpkm)_?coefficient_?of_?quartile_?variation", "posterior_standard_deviation_of_count"),
)
"""How sure a measurement is; no sample is called so."""
_BESIDE = ("p_?val(ue)?", "detection", "status", "flags?", "(eff(ective)?_?)?length", "call", "sd")
"""The same, where the sample's name is another column's, too."""
_HINT = re.compile(
    "raw|arrays|peptides|spectral|ibaq|identif|detect|det.?p|call|bead|stdev|signal|conf|status|map|pct|bound|variation|posterior|p.?val|flag"
    "|length|sd|count|reads|intensity|tpm|pkm|rpm|cpm|abund|norm|scaled|vst|rlog|cov|value|expre",
    re.IGNORECASE,
)


def _any_of(tokens: Sequence[str]) -> str:
    """A pattern of the tokens, the long ones first, whose words may be joined in any way."""
    joined = (
        "|".join(sorted(tokens, key=len, reverse=True)).replace("_?", "\0*").replace("_", "\0+")
    )
    return joined.replace("\0", "[ _.-]")


_RANKS = [re.compile(_any_of([token])) for token in _EXPRESSION]
_TOKEN = "|".join(
    f"(?P<{sort}>{_any_of(tokens)})"
    for sort, tokens in (("doubt", _DOUBT), ("beside", _BESIDE), ("expression", _EXPRESSION))
)
_BETWEEN = r"[ _.:|/-]+"
_FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?:{_TOKEN})(?P<stem>)(?:[ _.]\d+)?",
        rf"(?P<stem>.+?){_BETWEEN}(?:{_TOKEN})",
        rf"(?P<stem>.+?) ?[\[(](?:{_TOKEN})[\])]",
        rf"(?:{_TOKEN}){_BETWEEN}(?P<stem>.+)",
        rf"(?:{_TOKEN}) ?[\[(](?P<stem>.+)[\])]",
    )
]


class Measures(NamedTuple):
    """The columns to take as samples, and what is said of the others."""

    kept: Bool[np.ndarray, " columns"]
    names: np.ndarray  # of all columns; of those kept, without the measure
    known: list[str]  # measures of expression to choose from
    are_counts: bool  # by the name of the one taken, whole or estimated
    notes: list[str]


class _Column(NamedTuple):
    """What the name of a column says."""

    name: str
    stem: str  # its sample; "" where it names a measure alone
    measure: str = ""  # in small letters
    sort: str = ""  # "expression", "doubt" or "beside"; "" for a sample without a measure
    shown: str = ""  # the measure as it is written


def choose_measure(
    names: Sequence[str], layer: str, alone: str, own: Collection[str] = ()
) -> Measures:
    """Take one measure of every sample.

    Args:
        names: of the columns that could be samples.
        layer: the measure to take, as the columns write it; "" takes the first in `_EXPRESSION`.
        alone: name of the sample where all columns are measures of one, as RSEM has them.
        own: names that are of samples whatever they end in.

    Returns:
        What to keep; all columns, called as they are, where they are no measures side by side.

    Raises:
        InputError: where some of the samples lack the measure.

    Example:
        >>> found = choose_measure(["S1", "S1 Detection Pval", "S2", "S2 Detection Pval"], "", "x")
        >>> found.names[found.kept].tolist()
        ['S1', 'S2']
    """
    names = list(map(str, names))
    if names and all(map(is_filed, names)):
        return Measures(np.ones(len(names), bool), np.array(names, object), [], False, [])
    columns = [_Column(n, n) if n in own else _parse(n) for n in names]
    n_of = Counter(column.stem for column in columns if column.stem)
    values = [c for c in columns if not _is_beside(c, n_of)]
    n_measures = Counter(c.measure for c in values if not c.stem)
    is_one = bool(values) and n_measures.total() == len(values) == len(n_measures)
    if is_one:
        values = [c._replace(stem=alone) for c in values]
    else:
        values = [c for c in values if c.stem or _VAGUE.fullmatch(c.measure)]
        families = {c.measure for c in values if c.stem and n_of[c.stem] > 1}
        values = [c for c in values if c.stem or c.measure not in families]
        values = _side_by_side(values, n_of)
    options, shown = _options(values)
    chosen = next(
        (o for o in options if layer and shown[o] == layer), options[0] if options else ""
    )
    taken = {c.name: c.stem for c in values if c.measure == chosen}
    lacking = sorted({c.stem for c in values} - set(taken.values()))
    if lacking:
        raise InputError(
            f"{len(lacking)} samples have no column of {shown[chosen] or 'their name alone'}, as "
            f"the others have (first: {lacking[0]})",
            "choose another `layer`, or leave one column a sample",
        )
    kept = np.array([name in taken for name in names], bool)
    named = np.array([taken.get(name, name) for name in names], object)
    known = [shown[option] for option in options if option]
    are_counts = "count" in chosen or "reads" in chosen.replace("reads_per", "")
    notes = _notes(columns, kept, shown.get(chosen, ""), known)
    notes += [f"the sample of {chosen} is called {alone}, as the file"] if is_one else []
    return Measures(kept, named, known, are_counts, notes)


def _parse(name: str) -> _Column:
    if _HINT.search(name):
        for form in _FORMS:
            found = form.fullmatch(name)
            if found:
                sort = next(s for s in ("doubt", "beside", "expression") if found[s])
                measure = re.sub(r"[ _.-]+", "_", found[sort].lower())
                return _Column(name, found["stem"], measure, sort, found[sort])
    return _Column(name, name or " ")


def _is_beside(column: _Column, n_of: Counter[str]) -> bool:
    """Whether a column tells of a measurement, and is none."""
    return column.sort == "doubt" or (column.sort == "beside" and n_of[column.stem] != 1)


def _side_by_side(columns: list[_Column], n_of: Counter[str]) -> list[_Column]:
    """Columns by sample and measure, or by their whole names where most samples have but one."""
    paired = [n_of[c.stem] > 1 for c in columns if c.sort == "expression" and c.stem]
    if 2 * sum(paired) > len(paired):
        return [c if c.stem else c._replace(stem=c.name, measure="") for c in columns]
    return [_Column(c.name, c.name) for c in columns]


def _options(columns: list[_Column]) -> tuple[list[str], dict[str, str]]:
    """Measures, the one of most samples first, then by rank; and as they are written."""
    shown = {c.measure: c.shown for c in reversed(columns)}
    n_samples = Counter(c.measure for c in columns)
    ranks = {m: next((i for i, r in enumerate(_RANKS) if r.fullmatch(m)), -1) for m in shown}
    return sorted(shown, key=lambda m: (-n_samples[m], ranks[m])), shown


def _notes(columns: list[_Column], kept: np.ndarray, chosen: str, known: list[str]) -> list[str]:
    """Which measure is taken, and how many columns of which others are left out."""
    others = Counter(c.shown for c, is_kept in zip(columns, kept, strict=True) if not is_kept)
    if not others:
        return []
    which = f"column {chosen or 'of its name alone'} of each sample is taken"
    counts = ", ".join(f"{n:,} {name}" for name, n in others.items())
    asked = "; `layer` chooses" if len(known) + (not chosen) > 1 else ""
    return [f"{which}; columns left out: {counts}{asked}"]
