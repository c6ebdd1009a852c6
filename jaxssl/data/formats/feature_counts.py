"""Tables of featureCounts: where genes lie, then a column of counts for each file of reads."""

import itertools
import re
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from jaxssl.data.formats.delimited import read_matrix
from jaxssl.data.formats.head import Dialect, Head, find_text, read_head
from jaxssl.data.formats.matrix import FILE_NAME, RawTable, Reading, by_name, dense, names_of
from jaxssl.data.formats.tools import Sample, Tool
from jaxssl.types import InputError

TOOL = Tool("featureCounts", "Geneid", {"count": "counts"})
_COLUMNS = ["Geneid", "Chr", "Start", "End", "Strand", "Length"]
_ENDINGS = re.compile(
    r"(?i)\.(bam|sam|cram)$|[._-]?Aligned(\.sortedByCoord|\.toTranscriptome)?(\.out)?$"
    r"|[._-](sorted|sort|dedup|deduplicated|markdup|rmdup|nodup)$"
)


class Counts(NamedTuple):
    """Where the table starts, and which of its columns are counts."""

    dialect: Dialect
    texts: list[int]  # positions of columns about the genes
    files: list[str]  # of reads, one a sample


def recognises(head: Head) -> bool:
    """Whether the columns of featureCounts stand in the first line that is no comment."""
    return counts_of(head) is not None


def counts_of(head: Head) -> Counts | None:
    """The layout of a table of featureCounts; None for any other text."""
    n_above = len(list(itertools.takewhile(lambda line: line.startswith("#"), head.lines)))
    if n_above == len(head.lines):
        return None
    header = [cell.strip('" ') for cell in head.lines[n_above].split("\t")]
    if header[: len(_COLUMNS)] != _COLUMNS or len(header) == len(_COLUMNS):
        return None
    dialect = Dialect(head, "\t", header, n_above + 1)
    places = {*range(1, len(_COLUMNS)), *find_text(dialect)}  # text: gene_name, if asked for
    files = [name for i, name in enumerate(header) if i and i not in places]
    return Counts(dialect, sorted(places), files) if files else None


def read(head: Head, reading: Reading) -> RawTable:
    """Read counts, samples called after their files of reads."""
    counts = counts_of(head)
    assert counts is not None
    told: dict[str, Any] = {"orientation": "genes_in_rows", "scale": "counts"}
    asked = [i for i, name in enumerate(counts.dialect.header) if name in reading.text_columns]
    texts = sorted({*counts.texts, *asked})
    table = read_matrix("featureCounts", counts.dialect, texts, reading, **told)
    files = [str(name) for name in names_of(table.columns)]
    names = called_after(files)
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    notes = [f"samples are called after their files of reads: {shown}"]
    columns = by_name(names, {FILE_NAME: [PurePath(file).name for file in files]})
    return table._replace(columns=columns, notes=notes)


def sample_of(path: Path, reading: Reading) -> Sample | None:
    """The sample of a file; None for a file of anything else."""
    try:
        head = read_head(path)
        counts = counts_of(head)
    except InputError:
        return None
    if counts is None:
        return None
    if len(counts.files) > 1:
        raise InputError(
            f"{path} is of featureCounts with {len(counts.files)} samples, in a folder of files of "
            "one sample each",
            "name the file itself",
        )
    table = read(head, reading)
    return Sample(TOOL, "count", table.rows, dense(table.x)[:, 0], 0, counts.files[0])


def called_after(files: list[str]) -> list[str]:
    """Names of samples by their files of reads, or by the folders of these where files are alike.

    >>> called_after(["/x/S1.sorted.bam", "/x/S2.sorted.bam"])
    ['S1', 'S2']
    >>> called_after(["S1/Aligned.sortedByCoord.out.bam", "S2/Aligned.sortedByCoord.out.bam"])
    ['S1', 'S2']
    """
    paths = [PurePath(file) for file in files]
    names = [_stem(path.name) for path in paths]
    for choice in (names, [path.parent.name for path in paths]):
        if len(set(choice)) == len(choice) and "" not in choice:
            return choice
    return files


def _stem(name: str) -> str:
    """A file's name without what aligners append."""
    while (shorter := _ENDINGS.sub("", name)) != name:
        name = shorter
    return name
