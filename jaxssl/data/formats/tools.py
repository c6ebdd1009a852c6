"""Files of one sample, as counting tools and the GDC write them: which column is expression."""

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float32

from jaxssl.data.companions import AMONG_GENES, kinds_of
from jaxssl.data.corner import is_name_for_ids
from jaxssl.data.formats.delimited import read_matrix
from jaxssl.data.formats.head import Dialect, Head, find_text, read_head
from jaxssl.data.formats.matrix import Reading, by_name, dense, require_layer
from jaxssl.data.genes import id_type
from jaxssl.types import InputError

_STRANDS = {"unstranded": "counts", "stranded_first": "counts", "stranded_second": "counts"}
_ABUNDANCE = {"TPM": "linear", "FPKM": "linear"}
ISOFORMS = "GDC miRNA isoforms"


class Tool(NamedTuple):
    """What a tool writes of one sample: a row a gene, several columns."""

    name: str
    ids: str  # above the ids; "" where there is no header
    layers: Mapping[str, str]  # columns that are expression → their scale; the first is taken
    marks: tuple[str, ...] = ()  # columns that tell the tool, besides
    kept: tuple[str, ...] = ()  # columns about the genes that are kept
    of_transcripts: bool = False


TOOLS = (
    Tool(
        "GDC gene counts",
        "gene_id",
        {**_STRANDS, "tpm_unstranded": "linear", "fpkm_unstranded": "linear"}
        | {"fpkm_uq_unstranded": "linear"},
        kept=("gene_name", "gene_type"),
    ),
    Tool(
        ISOFORMS,
        "miRNA_ID",
        {"read_count": "counts", "reads_per_million_miRNA_mapped": "linear"},
        ("isoform_coords", "cross-mapped"),
        of_transcripts=True,
    ),
    Tool(
        "GDC miRNA counts",
        "miRNA_ID",
        {"read_count": "counts", "reads_per_million_miRNA_mapped": "linear"},
        ("cross-mapped",),
    ),
    Tool("RSEM genes", "gene_id", {"expected_count": "counts", **_ABUNDANCE}, ("length",)),
    Tool(
        "RSEM isoforms",
        "transcript_id",
        {"expected_count": "counts", **_ABUNDANCE},
        ("length",),
        ("gene_id",),
        of_transcripts=True,
    ),
    Tool("TCGA RSEM", "gene_id", {"raw_count": "counts", "scaled_estimate": "linear"}),
    Tool("TCGA RSEM normalized", "gene_id", {"normalized_count": "linear"}),
    Tool(
        "TCGA RNA-seq v1",
        "gene",
        {"raw_counts": "counts", "median_length_normalized": "linear", "RPKM": "linear"},
    ),
    Tool(
        "salmon",
        "Name",
        {"NumReads": "counts", "TPM": "linear"},
        ("Length", "EffectiveLength"),
        of_transcripts=True,
    ),
    Tool(
        "kallisto",
        "target_id",
        {"est_counts": "counts", "tpm": "linear"},
        ("length", "eff_length"),
        of_transcripts=True,
    ),
    Tool(
        "StringTie", "Gene ID", {"TPM": "linear", "FPKM": "linear"}, ("Coverage",), ("Gene Name",)
    ),
    Tool("Cufflinks", "tracking_id", {"FPKM": "linear"}, ("locus",), ("gene_short_name",)),
)
HTSEQ = Tool("counts of one sample", "", {"count": ""}, kept=("gene_name",))
STAR = Tool("STAR ReadsPerGene", "", _STRANDS)
_COMMENT = "#"
_MUCH, _LITTLE = 3.0, 1.5  # the one strand over the other: of a stranded library, of another
_PROBE = 50


class Sample(NamedTuple):
    """What a file tells of its sample."""

    tool: Tool
    layer: str  # the column taken
    genes: pd.DataFrame  # text about them; their ids are the index
    values: Float32[np.ndarray, " genes"]
    n_left_out: int  # rows that are no gene
    reads: str = ""  # the file of reads that the text names


def tool_of(head: Head) -> Tool | None:
    """The tool that wrote a text; None for any other text."""
    above = list(itertools.takewhile(lambda line: line.startswith(_COMMENT), head.lines))
    lines = [line for line in head.lines[len(above) :] if line.strip()][:_PROBE]
    if not lines:
        return None
    cells = [cell.strip('" ') for cell in lines[0].split("\t")]
    for tool in TOOLS:
        if cells[0] == tool.ids and {next(iter(tool.layers)), *tool.marks} <= set(cells):
            return tool
    return None if above else _without_header([line.split("\t") for line in lines])


def _without_header(rows: list[list[str]]) -> Tool | None:
    """HTSeq's or STAR's, which write counts from the first line on."""
    widths = {len(row) for row in rows}
    if len(widths) > 1 or not widths <= {2, 3, 4} or is_name_for_ids(rows[0][0].strip('" ')):
        return None
    ids = np.array([row[0].strip('" ') for row in rows], dtype=object)
    are_numbers = [all(_is_number(row[i]) for row in rows) for i in range(1, len(rows[0]))]
    if len(rows[0]) == 4:
        return STAR if all(are_numbers) and ids[0].startswith("N_") else None
    are_genes = id_type(ids) not in ("", "number") or _are_counters(ids).any()
    is_single = are_numbers[-1] and not any(are_numbers[:-1])
    return HTSEQ if is_single and are_genes else None


def read_sample(head: Head, tool: Tool, reading: Reading) -> Sample:
    """The column of a file that `reading.layer` names, or the first that is expression."""
    path = head.path
    dialect = _dialect(head, tool)
    columns = [n for n in tool.layers if n in dialect.header and n not in reading.text_columns]
    require_layer(path, reading.layer, columns)
    others = [i for i in find_text(dialect) if dialect.header[i] not in columns]
    kept = [n for n in dialect.header[1:] if n in (*tool.kept, *reading.text_columns)]
    texts = {dialect.header.index(name) for name in kept} | set(others)
    table = read_matrix(tool.name, dialect, sorted(texts), reading)
    genes = table.rows[kept]
    genes, names = plain_ids(genes), list(table.ids[1])
    is_gene = ~_are_counters(genes.index)
    x = dense(table.x[is_gene])
    layer = reading.layer or columns[0]
    if tool is STAR and not reading.layer:
        layer = _strand(path, x)
    values = x[:, names.index(layer)]
    is_of_genes = id_type(table.ids[0]) == "Ensembl gene" or "genes" in path.name
    if tool.of_transcripts and is_of_genes:
        tool = tool._replace(of_transcripts=False)
    return Sample(tool, layer, genes[is_gene], values, int((~is_gene).sum()))


def recognises(head: Head) -> bool:
    """Whether a text is a file of one sample, with more than its counts."""
    return tool_of(head) not in (None, HTSEQ)


def sample_of(path: Path, reading: Reading) -> Sample | None:
    """The sample of a file; None for a file of anything else."""
    try:
        head = read_head(path)
        tool = tool_of(head)
    except InputError:
        return None  # a figure, a log, an index
    return read_sample(head, tool, reading) if tool else None


def _dialect(head: Head, tool: Tool) -> Dialect:
    """The table below comments; names for the columns of one without a header."""
    n_above = len(list(itertools.takewhile(lambda line: line.startswith(_COMMENT), head.lines)))
    cells = [cell.strip('" ') for cell in head.lines[n_above].split("\t")]
    if tool.ids:
        return Dialect(head, "\t", cells, n_above + 1)
    names = list(_STRANDS) if tool is STAR else ["gene_name", "count"][-(len(cells) - 1) :]
    return Dialect(head, "\t", ["gene", *names], 0)


def plain_ids(genes: pd.DataFrame) -> pd.DataFrame:
    """Ids of transcripts up to their first bar, as GENCODE's fasta has more behind it."""
    ids = genes.index.to_numpy(dtype=object)
    if not len(ids) or not all(str(i).startswith("ENS") and "|" in str(i) for i in ids):
        return genes
    fields = [str(i).split("|") for i in ids]
    told = {"gene_id": [field[1] for field in fields]}
    if all(len(field) > 5 for field in fields):
        told["gene_name"] = [field[5] for field in fields]
    return by_name([field[0] for field in fields], told)


def _strand(path: Path, x: np.ndarray) -> str:
    """Which of STAR's columns fits the library: reads of one strand, or of both."""
    first, second = float(x[:, 1].sum()), float(x[:, 2].sum())
    low, high = sorted((first, second))
    if high <= _LITTLE * low:
        return "unstranded"
    if high >= _MUCH * low:
        return "stranded_first" if first > second else "stranded_second"
    raise InputError(
        f"{path} has {first:,.0f} reads on the first strand and {second:,.0f} on the second: "
        "whether the library is stranded cannot be told",
        f"pass `layer=unstranded`, or one of {', '.join(list(_STRANDS)[1:])}",
    )


def _are_counters(names: Iterable[str]) -> np.ndarray:
    """Which names of rows are of reads outside genes."""
    return kinds_of(names, AMONG_GENES) == "counter"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
