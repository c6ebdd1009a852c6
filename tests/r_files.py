"""Small files of R as saveRDS(x, ascii=TRUE) writes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

_LIST, _NIL, _NA = 1026, "254", -(1 << 31)


def _char(text: str) -> str:
    return f"262153\n{len(text)}\n{text}"


def strings(texts: Sequence[str]) -> str:
    return "\n".join(["16", str(len(texts)), *map(_char, texts)])


def _attributes(named: Mapping[str, str]) -> str:
    """A pairlist; `named` has what is written already."""
    return "\n".join([*(f"{_LIST}\n1\n{_char(n)}\n{v}" for n, v in named.items()), _NIL])


def numbers(values: Sequence[float], kind: int = 14, attributes: str = "") -> str:
    """Of the kind 14, real, or 13, whole."""
    shown = ["NA" if v == _NA or v != v else f"{v:.12g}" for v in values]
    flags = kind + (512 if attributes else 0)
    return "\n".join([str(flags), str(len(values)), *shown, *([attributes] if attributes else [])])


def listed(items: Sequence[str], attributes: str = "") -> str:
    flags = 19 + (512 if attributes else 0) + (256 if "data.frame" in attributes else 0)
    return "\n".join([str(flags), str(len(items)), *items, *([attributes] if attributes else [])])


def matrix(values, rows, columns, kind: int = 14) -> str:
    """By columns, as R has it; names may be None."""
    flat = [row[j] for j in range(len(values[0])) for row in values]
    named = [_NIL if names is None else strings(names) for names in (rows, columns)]
    dim = numbers([len(values), len(values[0])], 13)
    return numbers(flat, kind, _attributes({"dim": dim, "dimnames": listed(named)}))


def frame(columns: Mapping[str, str], rows: Sequence[str] | Sequence[int] | int) -> str:
    """With names of its rows, or their number."""
    rows = [_NA, -rows] if isinstance(rows, int) else rows
    names = numbers(rows, 13) if isinstance(rows[0], int) else strings(rows)
    named = {"names": strings(list(columns)), "row.names": names}
    return listed(list(columns.values()), _attributes({**named, "class": strings(["data.frame"])}))


def of_class(name: str, slots: Mapping[str, str]) -> str:
    """An S4 object."""
    package = _attributes({"package": strings(["Matrix"])})
    named = "\n".join(["528", "1", _char(name), package])
    return f"66329\n{_attributes({**slots, 'class': named})}"


def sparse(values, rows, columns) -> str:
    """A dgCMatrix."""
    n_rows, n_columns = len(values), len(values[0])
    cells = [(i, j, values[i][j]) for j in range(n_columns) for i in range(n_rows) if values[i][j]]
    ends = [sum(j < end for _, j, _ in cells) for end in range(n_columns + 1)]
    return of_class("dgCMatrix", {
        "i": numbers([i for i, _, _ in cells], 13), "p": numbers(ends, 13),
        "Dim": numbers([n_rows, n_columns], 13),
        "Dimnames": listed([strings(rows), strings(columns)]),
        "x": numbers([v for _, _, v in cells]), "factors": listed([]),
    })  # fmt: skip


def rds(path: Path, value: str) -> Path:
    path.write_text(f"A\n2\n263171\n131840\n{value}\n")
    return path


def rdata(path: Path, values: Mapping[str, str]) -> Path:
    """As save(a, b, ascii=TRUE) does."""
    path.write_text(f"RDA2\nA\n2\n263171\n131840\n{_attributes(values)}\n")
    return path
