"""A folder, zip or tar with a file for each sample, read one after the other."""

import re
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaxssl.data.formats import feature_counts, kallisto, tenx
from jaxssl.data.formats.archives import files_of, names_in
from jaxssl.data.formats.head import Head
from jaxssl.data.formats.matrix import FILE_NAME, Collector, Matrix, RawTable, Reading, by_name
from jaxssl.data.formats.tools import ISOFORMS, STAR, Sample, Tool, read_sample, sample_of, tool_of
from jaxssl.types import InputError

_NOTHING = np.empty(0, np.float32)
_NOT_READ = re.compile(
    r"(?i)manifest|annotations\.txt|\.(parcel|log|json|bam|bai|html|summary|md5|pdf|png|cel(\.gz)?)$"
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}")
_ENDING = re.compile(
    r"(?i)[._-]?(gz|bz2|xz|h5|txt|tsv|tab|csv|out|sf|results|genes|isoforms|quant|abundances?"
    r"|htseq|counts?|readspergene|star|quantification|mirnas|mirbase21|fpkm(-uq)?|gene_abund"
    r"|fpkm_tracking|featurecounts?|rsem|normalized_results)$"
)


class Gathered(NamedTuple):
    """The samples of a folder."""

    paths: list[PurePath]
    samples: list[Sample]  # without values, which `x` has
    x: Matrix
    n_others: int  # files of anything else
    is_cut: bool  # after the bytes that are read without being asked


def read(path: Path, reading: Reading) -> RawTable:
    """Read every file of a sample below a folder or in an archive, as rows of one matrix."""
    with tempfile.TemporaryDirectory(".part", ".jaxssl-", reading.scratch.folder) as place:
        found = _gather(path, Path(place), reading)
        if found is None:
            return tenx.read_folder(path, path if path.is_dir() else Path(place), reading)
    first = found.samples[0]
    rows, named = called(found.paths, path if path.is_dir() else PurePath(), first.tool, path)
    names = feature_counts.called_after([sample.reads for sample in found.samples])
    if all(names):
        rows = rows.set_axis(pd.Index(names, dtype=object), axis=0)
        named = "samples are called by their files of reads"
    notes = [*noted(found.samples), named]
    if found.n_others:
        notes.append(f"{found.n_others:,} other files passed over")
    if found.is_cut:
        notes.insert(0, f"judged by the first {len(rows):,} files; pass `whole` to read all")
    return _table(first, found.x, rows, notes)


def read_one(head: Head, reading: Reading) -> RawTable:
    """Read a file of one sample, called by its file or folder."""
    tool = tool_of(head)
    assert tool is not None
    table = alone(read_sample(head, tool, reading), head.path)
    return table._replace(format=f"{table.format} ({head.packing})") if head.packing else table


def alone(sample: Sample, path: Path) -> RawTable:
    """One sample as a matrix of one row, called by its file or folder."""
    path = path.absolute()
    rows, named = called([path], path.parent, sample.tool)
    return _table(sample, sample.values[None], rows, [*noted([sample]), named])


def _table(first: Sample, x: Matrix, rows: pd.DataFrame, notes: list[str]) -> RawTable:
    tool, scale = first.tool, first.tool.layers[first.layer]
    told = {"notes": notes, "of_transcripts": tool.of_transcripts}
    return RawTable(tool.name, x, rows, first.genes, "samples_in_rows", scale, **told)


def _gather(path: Path, place: Path, reading: Reading) -> Gathered | None:
    """The samples of all files; None where there are none."""
    paths: list[PurePath] = []
    samples: list[Sample] = []
    collector, n_others, n_bytes = None, 0, 0
    names = cache(lambda: names_in(path))  # of an archive, where they matter
    for name, file in files_of(path, place):
        sample = _sample_of(name, file, reading, names)
        if sample is None:
            n_others += 1
            continue
        first = samples[0] if samples else sample
        _require_alike(path, name, sample, first, paths)
        collector = collector or Collector(len(first.genes), reading.scratch)
        collector.append(_in_order(sample, first, name, paths)[None])
        paths.append(name)
        samples.append(sample._replace(values=_NOTHING, genes=first.genes))
        n_bytes += file.stat().st_size
        if 0 < reading.limit <= n_bytes:
            break
    if collector is None:
        return None
    is_cut = 0 < reading.limit <= n_bytes
    return Gathered(paths, samples, collector.finish(), n_others, is_cut)


def _sample_of(
    name: PurePath, file: Path, reading: Reading, names: Callable[[], frozenset[PurePath]]
) -> Sample | None:
    """The sample of a file of any tool; None for another file, or one whose text is beside it."""
    if _NOT_READ.search(name.name) or tenx.is_part(name):
        return None
    if name.suffix == ".h5":
        texts = {name.with_suffix(end) for end in (".tsv", ".tsv.gz")}
        is_told = file != name and texts & names()
        return None if is_told else kallisto.sample_of(file, reading)
    return sample_of(file, reading) or feature_counts.sample_of(file, reading)


def noted(samples: Sequence[Sample]) -> list[str]:
    """What was taken of the files, and what was left."""
    first, notes = samples[0], []
    others = [name for name in first.tool.layers if name != first.layer]
    count = "1 file" if len(samples) == 1 else f"{len(samples):,} files"
    if others:
        notes.append(f"column {first.layer} of {count}; others by `layer`: {', '.join(others)}")
    else:
        notes.append(f"{first.tool.name}: {count}")
    if first.n_left_out:
        notes[-1] += f"; {first.n_left_out} lines such as __no_feature or N_* are no genes"
    if first.tool.name == ISOFORMS:
        notes.append("rows are isoforms of miRNAs: `duplicates=sum` adds up those of each")
    elif first.tool.of_transcripts:
        notes.append(
            "rows are transcripts; `gene_map` with their genes sums them, and their lengths are "
            "left out"
        )
    return notes


def called(
    paths: Sequence[PurePath], root: PurePath, tool: Tool, archive: Path | None = None
) -> tuple[pd.DataFrame, str]:
    """The samples by their files, or by the folders of these where files are called alike.

    Files of the GDC keep their names, by which its sample sheet knows them.
    """
    files = [path.name for path in paths]
    if tool.name == "GDC gene counts" or all(_UUID.search(name) for name in files):
        return by_name(files), "samples are called by their files"
    names, what = [_stem(name) for name in files], "files"
    if len(set(names)) < len(names) or "" in names:
        what = "folders"
        names = [path.parent.name or _stem((archive or path).name) for path in paths]
    if len(set(names)) < len(names):
        names = ["_".join(path.relative_to(root).parts[:-1]) for path in paths]
    if len(set(names)) < len(names):
        names = ["_".join(path.relative_to(root).parts) for path in paths]
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return by_name(names, {FILE_NAME: files}), f"samples are called by their {what}: {shown}"


def _stem(name: str) -> str:
    """A file's name without the endings that tools give."""
    while (shorter := _ENDING.sub("", name)) != name:
        name = shorter
    return name


def _require_alike(
    path: Path, name: PurePath, sample: Sample, first: Sample, paths: Sequence[PurePath]
) -> None:
    """All files of a folder are of one tool, and one column of them is taken."""
    if sample.tool != first.tool:
        raise InputError(
            f"{path} holds files of {first.tool.name} ({paths[0].name}) and of "
            f"{sample.tool.name} ({name.name})",
            "leave files of one kind in the folder",
        )
    if sample.layer != first.layer:
        raise InputError(
            f"{path}: by their counts, {paths[0].name} is {first.layer} and {name.name} "
            f"{sample.layer}",
            f"pass `layer={next(iter(STAR.layers))}`, or {first.layer} or {sample.layer} for all",
        )


def _in_order(sample: Sample, first: Sample, name: PurePath, paths: Sequence[PurePath]) -> Any:
    """Values by the genes of the first file."""
    genes, known = sample.genes.index, first.genes.index
    if genes.equals(known):
        return sample.values
    if len(genes) == len(known) and genes.is_unique and known.is_unique:
        order = genes.get_indexer(known)
        if (order >= 0).all():
            return sample.values[order]
    fix = "import files of one gene model at a time"
    if first.tool.name == ISOFORMS:  # which has those with reads alone
        fix = "use the files *.mirnas.quantification.txt, which have the sums of each miRNA"
    raise InputError(
        f"{name.name} and {paths[0].name} have different genes ({len(genes)} and {len(known)})", fix
    )
