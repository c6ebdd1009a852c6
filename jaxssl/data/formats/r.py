"""R's files (RDS, RData): matrices and data frames, read by rdata, which is an extra."""

import functools
import importlib.util
import io
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from jaxssl.data.formats.matrix import BLOCK, RawTable, by_name, dense
from jaxssl.types import InputError

_ROWS = 1000  # of a data frame that are written together
_ACCESSORS = {
    "SummarizedExperiment": "SummarizedExperiment::assay(x)",
    "RangedSummarizedExperiment": "SummarizedExperiment::assay(x)",
    "SingleCellExperiment": "SummarizedExperiment::assay(x)",
    "DESeqDataSet": "DESeq2::counts(x)",
    "ExpressionSet": "Biobase::exprs(x)",
    "DGEList": "x$counts",
    "EList": "x$E",
    "Seurat": "Seurat::GetAssayData(x)",
}
"""Class of R → how its matrix is taken out."""


def read_matrix(path: Path, name: str) -> RawTable:
    """The matrix of a file, or the one called `name`."""
    name, table = _choose(path, name)
    forget()
    values, rows, columns = _parts_of(table)
    if rows is None or columns is None:
        raise InputError(
            f"{path}: matrix {name} has no names of its {'rows' if rows is None else 'columns'}",
            "give them in R by dimnames() and save it again",
        )
    if values.dtype.kind not in "fiub":
        raise InputError(
            f"{path}: matrix {name} holds text", "save it in R after storage.mode(x) = 'numeric'"
        )
    x = np.empty(values.shape, np.float32)
    step = max(1, BLOCK // max(1, values.shape[1]))
    for start in range(0, len(x), step):
        block = dense(values[start : start + step])
        x[start : start + step] = block
    notes = [f"object {name}"] if name else []
    return RawTable(_form(path), x, by_name(rows), by_name(columns), notes=notes)


def lines(path: Path, name: str) -> Iterator[bytes]:
    """A data frame as lines of cells between tabs, its names of rows first where it has them."""
    name, frame = _choose(path, name)
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{path}: {name or 'the object'} is a matrix, no data frame")
    is_named = list(frame.index) != list(range(1, len(frame) + 1))
    for start in range(0, max(1, len(frame)), _ROWS):
        text = io.StringIO()
        part = frame.iloc[start : start + _ROWS]
        part.to_csv(text, sep="\t", index=is_named, header=start == 0, na_rep="NA")
        yield text.getvalue().encode()


def forget() -> None:
    """Leave the file that was read last."""
    _objects.cache_clear()


def is_frame(path: Path, name: str) -> bool:
    """Whether the object of that name, or the only one, is a data frame."""
    return isinstance(_choose(path, name)[1], pd.DataFrame)


def _as_csv(path: Path, matrix: str = "x") -> str:
    """What to type in R."""
    loaded = f"x <- readRDS('{path.name}')"
    if _form(path) == "RData":
        loaded = f"x <- get(load('{path.name}')[1])"
    return f"in R: {loaded}; write.csv(as.matrix({matrix}), 'x.csv')"


def _form(path: Path) -> str:
    return "RDS" if path.suffix.lower() == ".rds" else "RData"


def _choose(path: Path, name: str) -> tuple[str, Any]:
    """The matrix or data frame that is named, or the only one."""
    stat = path.stat()
    tables, others = _objects(path, stat.st_mtime_ns, stat.st_size)
    if name and name not in tables:
        known = f"it has {', '.join(tables)}" if tables else "it has none"
        raise InputError(f"{path} has no matrix {name!r}: {known}", "correct `layer`")
    if len(tables) > 1 and not name:
        raise InputError(
            f"{path} holds {len(tables)} tables: {', '.join(tables)}",
            f"say which with `layer={next(iter(tables))}`",
        )
    if not tables:
        what = ", ".join(others) or "nothing"
        accessor = next((_ACCESSORS[o] for o in others if o in _ACCESSORS), "x")
        raise InputError(
            f"{path} holds {what}: no matrix and no data frame of R", _as_csv(path, accessor)
        )
    name = name or next(iter(tables))
    return name, tables[name]


@functools.lru_cache(maxsize=1)
def _objects(path: Path, _changed: int, _size: int) -> tuple[dict[str, Any], list[str]]:
    """Matrices and data frames by name, "" for the only one of an RDS; what else there is."""
    if importlib.util.find_spec("rdata") is None:
        raise InputError(
            f"{path} is of R, which rdata reads, and that is not installed",
            f"pip install 'jaxssl[r]', or {_as_csv(path)}",
        )
    import rdata

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes without a constructor
            parsed = rdata.parser.parse_file(path)
            found = rdata.conversion.convert(parsed)
    except Exception as error:  # of many kinds, by what is damaged or unknown
        raise InputError(
            f"{path} is a file of R that is damaged or holds what cannot be read "
            f"({' '.join(str(error).split())[:80]})",
            _as_csv(path),
        ) from error
    named = dict(found) if isinstance(found, Mapping) else {"": found}
    tables, others = {}, []
    for name, value in named.items():
        table = _table_of(value)
        if table is None and len(named) == 1 and isinstance(value, Mapping):
            inner = {str(k): _table_of(v) for k, v in value.items()}
            tables |= {k: v for k, v in inner.items() if v is not None}
        if table is not None:
            tables[str(name)] = table
        else:
            others.append(_kind_of(value))
    return tables, others


def _table_of(value: Any) -> Any:
    """A matrix or data frame, None for anything else."""
    if isinstance(value, pd.DataFrame):
        return value
    slots = vars(value) if hasattr(value, "__dict__") else {}
    if {"i", "p", "x", "Dim"} <= set(slots):
        return value
    return value if getattr(value, "ndim", 0) == 2 else None


def _kind_of(value: Any) -> str:
    """What R calls a value."""
    slots = vars(value) if hasattr(value, "__dict__") else {}
    if "class" in slots:
        return str(np.ravel(slots["class"])[0])
    return {"list": "a list", "dict": "a list", "ndarray": "a vector"}.get(
        type(value).__name__, f"an object of the kind {type(value).__name__}"
    )


def _parts_of(table: Any) -> tuple[Any, Any, Any]:
    """Values of a matrix, names of its rows and of its columns, None where it has none."""
    if hasattr(table, "Dim"):  # dgCMatrix
        shape = tuple(int(n) for n in np.ravel(table.Dim))
        values = sparse.csc_matrix((table.x, table.i, table.p), shape=shape).tocsr()
        rows, columns = getattr(table, "Dimnames", [None, None])
        return values, rows, columns
    if not hasattr(table, "coords"):
        return np.asarray(table), None, None
    rows, columns = (table.coords[d].values if d in table.coords else None for d in table.dims)
    return table.values, rows, columns
