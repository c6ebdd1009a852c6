"""Tables with a row for each gene and sample, which are to be spread before they are read."""

from collections import Counter

from jaxssl.data.companions import AMONG_GENES, kinds_of
from jaxssl.data.corner import SAMPLES, named_in
from jaxssl.data.formats.head import Dialect
from jaxssl.data.formats.matrix import RawTable
from jaxssl.types import InputError

_MOST_MEASURES = 6  # columns of numbers in a long table
_FILLED = 0.8  # of its genes and samples together, at least


def refuse_long(dialect: Dialect, table: RawTable) -> None:
    """Refuse a long table: its rows, one for each gene and sample, would become one a gene."""
    ids, columns = table.ids
    known = set(ids)
    if len(columns) > _MOST_MEASURES or 2 * len(known) > len(ids):
        return
    for name, cells in zip(map(str, table.rows.columns), table.rows.to_numpy().T, strict=True):
        values = set(cells)
        if len(values) < 2 or 2 * len(values) > len(ids):
            continue
        pairs = Counter(zip(ids, cells, strict=True))
        is_full = len(pairs) >= _FILLED * len(known) * len(values)
        of_samples = named_in(name) == SAMPLES or kinds_of([name], AMONG_GENES)[0] == "sample"
        if len(set(pairs.values())) > 1 or not (is_full or (of_samples and len(pairs) == len(ids))):
            continue
        path, fix = dialect.head.path, "write a column for each sample"
        if table.corner and len(pairs) == len(ids):
            fix += (
                f", as pandas.read_csv(FILE, sep={dialect.delimiter!r}).pivot(index="
                f"{table.corner!r}, columns={name!r}, values={columns[-1]!r}).to_csv(NEW) does"
            )
            if len(pairs) < len(known) * len(values):
                fix += ", with .fillna(0) before .to_csv if rows that are not there stand for 0"
        what = f"a row for each {table.corner or 'gene'} and {name}"
        raise InputError(f"{path} is a long table, with {what}", fix)
