"""What each row and column of a table is: a gene, a sample, text about either, or none of these."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool

from jaxssl.data.companions import AMONG_GENES, AMONG_SAMPLES, Kind, is_spike, kinds_of
from jaxssl.data.evidence import tell_facts
from jaxssl.data.formats.matrix import RawTable, dense, names_of, require_layer
from jaxssl.data.genes import GENE_PATTERNS, id_type
from jaxssl.data.measures import choose_measure
from jaxssl.data.results import tell_results
from jaxssl.data.sample_major import SampleMajor, Survey, survey
from jaxssl.data.scale import COVERAGE, guess_scale
from jaxssl.types import InputError

_EXACT = 1 << 24  # whole numbers below are the same in float32
_SHOWN = 6
_UNLIKE = re.compile(r"[a-z]\w*[ _.]\w[\w .]*|[A-Z][a-z]+ [\w ]+")  # os_time, Tumor size


class Table(NamedTuple):
    """Samples x genes, with text about both, and what was found beside."""

    x: SampleMajor
    obs: pd.DataFrame
    var: pd.DataFrame
    notes: list[str]
    beside: list[str]  # names of what is neither a gene nor a sample
    are_counts: bool = False  # by their name, whole or estimated
    are_unsure: Bool[np.ndarray, " genes"] | None = None  # may be none, and tell nothing of scale


def settle(raw: RawTable, orientation: str, path: Path) -> Table:
    """Turn a matrix to samples x genes and take out of it what is neither.

    Args:
        raw: as the file has it.
        orientation: of `ORIENTATIONS`; "" where it cannot be told: nothing is taken out then.
        path: the file, for messages, and for the name of a single sample.

    Returns:
        The table. What is about genes or samples is kept as text in `var` or `obs`.

    Raises:
        InputError: where no gene or no sample is left.

    Example:
        >>> settle(raw, "genes_in_rows", path).notes  # doctest: +SKIP
        ['5 counters of reads outside genes left out: __no_feature, ...']
    """
    is_turned = orientation == "genes_in_rows"
    obs, var = (raw.columns, raw.rows) if is_turned else (raw.rows, raw.columns)
    kept = np.arange(len(obs)) if raw.dropped is None else np.flatnonzero(~raw.dropped)
    x = SampleMajor(raw.x, kept, is_turned)
    if not orientation:
        return Table(x, obs.iloc[kept], var, [], [])
    genes, samples = names_of(var), names_of(obs)
    of_genes = kinds_of(genes, AMONG_GENES)
    tests = [name for name in var.columns if kinds_of([name], AMONG_SAMPLES)[0] == "test"]
    of_samples = kinds_of([*samples, *tests], AMONG_SAMPLES)[: len(samples)]
    facts = tell_facts(raw, genes, of_genes, is_turned=is_turned)
    doubts, own = tell_results(
        raw, samples, of_samples, of_genes == "", is_turned=is_turned, has_results=bool(tests)
    )
    doubts = [*facts.notes, *doubts]
    obs = _add_text(obs, _text_of(raw, genes, of_genes == "sample", 0 if is_turned else 1))
    are_facts = np.array([bool(k) and AMONG_SAMPLES[k].is_kept for k in of_samples], bool)
    var = _add_text(var, _text_of(raw, samples, are_facts, 1 if is_turned else 0))
    left_out = _left_out(genes, of_genes, AMONG_GENES)
    left_out += _left_out(samples, of_samples, AMONG_SAMPLES)
    rest = np.flatnonzero(of_samples == "")
    measures = choose_measure(list(samples[rest]), raw.layer, path.name.split(".")[0], own)
    require_layer(path, raw.layer, measures.known)
    is_sample = np.zeros(len(samples), bool)
    is_sample[rest[measures.kept]] = True
    names = samples.copy()
    names[rest] = measures.names
    is_gene = of_genes == ""
    _require_some(path, genes, is_gene, of_genes, AMONG_GENES, "gene")
    _require_some(path, samples, is_sample, of_samples, AMONG_SAMPLES, "sample")
    kept = kept[is_sample[kept]]
    obs = obs.set_axis(pd.Index(names, dtype=object), axis=0).iloc[kept]
    if not is_gene.all():
        x, var = x._replace(genes=np.flatnonzero(is_gene)), var[is_gene]
    notes = [*left_out, *measures.notes, *doubts, *_doubtful(genes[is_gene])]
    beside = [*genes[~is_gene], *samples[~is_sample]]
    unsure = facts.are_unsure[is_gene]
    return Table(x._replace(kept=kept), obs, var, notes, beside, measures.are_counts, unsure)


def scale_told(raw: RawTable, table: Table, seen: Survey) -> str:
    """The scale by format or by name: estimated counts are not whole, and yet counts."""
    if raw.scale == COVERAGE:
        return "counts"
    are_counts = table.are_counts and guess_scale(seen.range)[0] in ("counts", "linear")
    return raw.scale or ("counts" if are_counts else "")


def surveyed(table: Table) -> tuple[Table, Survey]:
    """Look at all values; leave out samples and genes without any, with a note that names them.

    The range is of those genes alone that are surely such.
    """
    seen = survey(table.x, names_of(table.obs))
    if table.are_unsure is not None and table.are_unsure.any():
        seen = seen._replace(range=seen.range_of(~table.are_unsure))
    return _without_empty(table, seen)


def _without_empty(table: Table, seen: Survey) -> tuple[Table, Survey]:
    is_empty = seen.n_missing_of_samples == len(seen.n_missing)
    n_samples = seen.n_samples - int(is_empty.sum())
    n_missing = seen.n_missing - int(is_empty.sum())
    is_void = n_missing == n_samples
    if not is_empty.any() and not is_void.any():
        return table, seen
    if is_empty.all():
        raise InputError(f"{table.x.name} has no value in any sample", "name an expression file")
    x, var, obs = table.x, table.var, table.obs
    lost = [
        f"{mask.sum():,} {what} without any value left out: {_some(names_of(frame)[mask])}"
        for what, mask, frame in (("samples", is_empty, obs), ("genes", is_void, var))
        if mask.any()
    ]
    genes = np.arange(len(var)) if x.genes is None else x.genes
    divisor = None if x.divisor is None else x.divisor[~is_empty]
    x = x._replace(kept=x.kept[~is_empty], genes=genes[~is_void], divisor=divisor)
    names = ("n_infinite", "low", "high", "mean", "are_whole")
    of_genes = {name: getattr(seen, name)[~is_void] for name in names}
    seen = seen._replace(
        n_samples=n_samples,
        n_missing=n_missing[~is_void],
        n_missing_of_samples=seen.n_missing_of_samples[~is_empty] - int(is_void.sum()),
        **of_genes,
    )
    notes = [*table.notes, *lost]
    kept = {"x": x, "obs": obs[~is_empty], "var": var[~is_void]}
    return table._replace(**kept, notes=notes, are_unsure=None), seen


def _text_of(
    raw: RawTable, names: np.ndarray, is_text: Bool[np.ndarray, " names"], axis: int
) -> dict[str, np.ndarray]:
    """Rows (axis 0) or columns of the matrix as text, by their names."""
    text: dict[str, np.ndarray] = {}
    for i in np.flatnonzero(is_text):
        cells = raw.x[i : i + 1] if axis == 0 else raw.x[:, i : i + 1]
        values = np.asarray(dense(cells), np.float32).ravel()
        if (np.abs(values[np.isfinite(values)]) >= _EXACT).any():
            raise InputError(
                f"{names[i]} is no expression, and its numbers have more digits than are kept",
                f"pass `text_columns={names[i]}`, or remove it",
            )
        text.setdefault(str(names[i]), np.array([_written(v) for v in values], object))
    return text


def _written(value: np.float32) -> str:
    if np.isnan(value):
        return ""
    return str(int(value)) if np.isfinite(value) and value == int(value) else str(value)


def _add_text(frame: pd.DataFrame, text: dict[str, Any]) -> pd.DataFrame:
    """A table with further columns; those that it has stay."""
    new = {name: cells for name, cells in text.items() if name not in frame}
    return frame.assign(**new) if new else frame


def _left_out(names: np.ndarray, keys: np.ndarray, kinds: dict[str, Kind]) -> list[str]:
    """A line for each kind that was found: how many, and which."""
    notes = []
    for key in dict.fromkeys(keys[keys != ""]):
        mask = keys == key
        if key == "nameless":
            notes.append(f"{mask.sum():,} genes without a name left out{_examples(names[mask])}")
            continue
        fate = "kept as text" if kinds[key].is_kept else "left out"
        notes.append(f"{mask.sum():,} {kinds[key].what} {fate}: {_some(names[mask])}")
    return notes


def _examples(names: np.ndarray) -> str:
    shown = [name for name in dict.fromkeys(map(str, names)) if name.strip()]
    return f": {_some(shown)}" if shown else ""


def _some(names: Sequence[str] | np.ndarray) -> str:
    shown = ", ".join(str(name) for name in names[:_SHOWN])
    return shown + (f", ... ({len(names)})" if len(names) > _SHOWN else "")


def _require_some(
    path: Path,
    names: np.ndarray,
    is_there: Bool[np.ndarray, " names"],
    keys: np.ndarray,
    kinds: dict[str, Kind],
    what: str,
) -> None:
    """Refuse a table without a gene, or without a sample."""
    if is_there.any():
        return
    found = [key for key in dict.fromkeys(keys) if key]
    named = kinds[found[0]].what if found else "measures without a sample"
    fix = "pass it as `labels`" if found == ["sample"] else "name an expression file"
    raise InputError(f"{path} holds no {what}: {_some(names)} are {named}", fix)


def _doubtful(genes: np.ndarray) -> list[str]:
    """Notes on names that are kept, yet may be those of no gene."""
    notes = []
    spikes = [name for name in genes if is_spike(str(name))]
    if spikes:
        notes.append(f"{len(spikes):,} spike-ins are kept as genes: {_some(spikes)}")
    kind = id_type(genes, GENE_PATTERNS)
    if kind:
        pattern = re.compile(GENE_PATTERNS[kind])
        unlike = [n for n in genes if not pattern.fullmatch(str(n)) and not is_spike(str(n))]
    else:
        unlike = [n for n in genes if _UNLIKE.fullmatch(str(n))]
    if unlike and len(unlike) <= max(_SHOWN, 0.02 * len(genes)):
        notes.append(
            f"{len(unlike):,} names are unlike those of the other genes: {_some(unlike)}; "
            "`text_columns` keeps what is none as text"
        )
    return notes
