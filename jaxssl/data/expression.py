"""Any expression file to samples x genes in float32; nothing is changed that was not asked for."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from anndata import AnnData

from jaxssl.arguments import checked
from jaxssl.data.backed import open_backed, state_of
from jaxssl.data.formats.matrix import Reading, Scratch
from jaxssl.data.import_options import ImportOptions, Paths, paths_of
from jaxssl.data.plan import plan_import
from jaxssl.data.samples import STAYS
from jaxssl.files import replacing, require_room, write_text
from jaxssl.places import input_within
from jaxssl.types import InputError


@checked
def read(
    path: Paths,
    *,
    labels: Paths | None = None,
    label: str = "",
    group: str = "",
    batch: str = "",
    scale: str = "auto",
    orientation: str = "auto",
    no_header: bool = False,
    layer: str = "",
    sheet: str = "",
    sample_column: str = "",
    id_column: str = "",
    text_columns: Sequence[str] = (),
    label_rule: str = "",
    rename_classes: Sequence[str] = (),
    min_class_size: int = 0,
    min_match: float = 0.5,
    read_length: str = "",
    gene_map: str | Path | None = None,
    gene_column: str = "",
    duplicates: str = "error",
    duplicate_samples: str = "error",
    impute: str = "error",
) -> AnnData:
    """Read expression, and what is known of the samples, into memory.

    csv, tsv, xlsx, GCT, GEO's series matrices and SOFT, files of one sample each (a file, folder,
    zip or tar of the GDC, HTSeq, STAR, featureCounts, salmon, kallisto, RSEM), 10x, RDS and RData,
    recount, ArrayExpress, DepMap, ARCHS4, h5ad, zarr, parquet and npz are told by their
    content; text may be packed. What cannot be told is asked about by an error, never guessed; no
    value is changed unless an option says so. Peak memory is the result and about 400 MB.

    Args:
        path: an expression file, or several of the same genes.
        labels: tables of samples. Those of the same columns are stacked; the others are joined
            to the samples one after the other, by the column that holds their ids.
        label: column of the class labels, in `labels` or in the file itself.
        group: column of what must stay in one part of a split, such as the patient.
        batch: column of technical batches.
        scale: "counts", "linear", "log2" or "log_ratio"; "auto" tells it by the values, or asks.
        orientation: "genes_in_rows" or "samples_in_rows"; "auto" tells it by the ids, or asks.
        no_header: the first line of a csv or tsv is data: its columns are called after the file.
        layer: which matrix of a file that holds several: a layer or "raw" of an h5ad, a column of
            the GDC or of a counting tool, one of the measures of each sample, such as TPM, a
            platform of GEO, an object of an RData file.
        sheet: which sheet of a workbook.
        sample_column: column of `labels` with the ids of the samples; "" finds it.
        id_column: column of the file with the ids of its rows; "" is the first, or where that
            numbers the rows, the one of ids beside it.
        text_columns: columns of the file beside expression, kept as text about its rows; those of
            known names, such as Chr or age, are so without it.
        label_rule: derives labels: "tcga20" of TCGA, "cancer" of an SDRF of ArrayExpress.
        rename_classes: OLD=NEW for classes to be called otherwise, as those that are one; "OLD="
            makes them unlabelled.
        min_class_size: samples; the labels of smaller classes are blanked.
        min_match: share of the samples that `labels` must know.
        read_length: bases, or a column of `labels`: turns the coverage of recount into counts.
        gene_map: table that renames genes: a probemap, HGNC, GPL or ADF.
        gene_column: column of `gene_map` with the new names; "" is that of symbols.
        duplicates: of genes called alike: "error", "mean", "max", "first" or "sum"; transcripts are
            summed to the genes of `gene_map` without being asked.
        duplicate_samples: of samples called alike: "error", "first" of copies, or "number" of
            replicates, which are called WT, WT.1, WT.2.
        impute: fills missing values: "error", "mean" (of the gene), "zero" or "drop_genes".

    Returns:
        Samples x genes in float32. `obs` is text, "" where nothing is known. `uns["jaxssl"]` holds
        the columns that are label, group and batch, the scale, and "notes", sentences of what was
        found and done. A file that `read` or `prepare` wrote brings its own as the default.

    Raises:
        InputError: on what cannot be used, and on what cannot be told without asking.

    Example:
        >>> adata = jaxssl.read(  # doctest: +SKIP
        ...     "expression.tsv.gz", labels="labels.tsv", label="tissue", group="donor"
        ... )
        >>> print(adata.uns["jaxssl"]["notes"])  # doctest: +SKIP
    """
    # every keyword is a field: a test compares names and defaults
    options = ImportOptions(**{name: value for name, value in locals().items() if name != "path"})
    with Scratch() as scratch:
        plan = plan_import(paths_of(path), options, Reading(scratch))
        x = np.empty((len(plan.obs), len(plan.var)), np.float32)
        for rows, block in plan.blocks():
            x[rows] = block
    facts = plan.facts | {"name": paths_of(path)[0].stem}  # as verbs call the data set
    return AnnData(x, obs=plan.obs, var=plan.var, uns={"jaxssl": facts})


def read_backed(path: Path, **options: Any) -> AnnData:
    """As `read`, of an `.h5ad` that `prepare` wrote, but its matrix stays in the file."""
    with Scratch() as scratch:
        plan = plan_import([path], ImportOptions(**options), Reading(scratch))
    rows = open_backed(path)
    if rows.shape != (len(plan.obs), len(plan.var)) or plan.facts["n_missing_values"]:
        raise InputError(
            f"samples, genes or values of {path} have to go, so that it cannot stay as it is",
            "import it once by `prepare()`, and use what it writes, or pass `data.backed=never`",
        )
    facts = plan.facts | {"name": path.stem, STAYS: state_of(path)}
    words = {"filename": path, "filemode": "r"}
    return AnnData(obs=plan.obs, var=plan.var, uns={"jaxssl": facts}, **words)


def write_h5ad(adata: AnnData, path: str | Path) -> None:
    """Write atomically: a reader sees the old file or the whole new one, never a part."""
    with replacing(Path(path)) as part:
        adata.write_h5ad(part, convert_strings_to_categoricals=False)


def inputs_of(
    path: Paths, labels: Paths | None, gene_map: str | Path | None
) -> list[tuple[str, Path]]:
    """The files that an import reads, by their options; "" for those of expression."""
    named = {"": paths_of(path), "labels": paths_of(labels), "gene_map": paths_of(gene_map)}
    return [(name, file) for name, files in named.items() for file in files]


def record_of(out: Path) -> Path:
    """Where the record of an import lies, beside what it wrote."""
    return out.with_suffix(".prepare.json")


def _check_places(out: Path, beside: Path, inputs: Iterable[tuple[str, Path]]) -> None:
    """Refuse to write an import where an input lies, or its record where something else does."""
    for file in (out, beside):
        within = input_within(file, inputs)
        if within:
            raise InputError(f"{within} would be replaced by {file}", "pass another `out`")
    if beside.exists() and not _is_record(beside):
        raise InputError(f"{beside} is no record of an import", "move it, or pass another `out`")


def _is_taken(out: Path) -> bool:
    """Whether a folder lies where a file is to be made, or a file where its folder is."""
    return out.is_dir() or any(p.exists() and not p.is_dir() for p in out.absolute().parents)


def _is_record(file: Path) -> bool:
    """Whether an import wrote a file, or was cut off in it."""
    try:
        return {"n_samples", "sha256"} <= set(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return False


@checked
def prepare(
    path: Paths,
    out: str | Path,
    advance: Callable[[Path, int], None] = lambda _path, _bytes: None,
    **options: Any,
) -> dict[str, Any]:
    """As `read`, but onto disk: a sample-major `.h5ad` of any size, in bounded memory.

    What `jaxssl prepare` does. What does not fit in memory goes to a scratch file beside `out`, as
    large as the matrix. `out` appears whole or not at all, in place of what is there.

    Args:
        path: an expression file, or several of the same genes.
        out: the `.h5ad` to write.
        advance: told how far reading has come, by `advance(path, bytes)`.
        options: as for `read`.

    Returns:
        The record that stands beside `out`: the facts with the counts of classes and a hash of X.

    Raises:
        InputError: as `read` does.

    Example:
        >>> jaxssl.prepare(  # doctest: +SKIP
        ...     "expression.tsv.gz", "tissues.h5ad", labels="labels.tsv", label="tissue"
        ... )
    """
    out = Path(out)
    if _is_taken(out):
        raise InputError(f"no file can be made at {out}", "pass another `out`")
    beside = record_of(out)
    asked = ImportOptions(**options)
    _check_places(out, beside, inputs_of(path, asked.labels, asked.gene_map))
    out.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with Scratch(out.parent) as scratch:
        plan = plan_import(paths_of(path), asked, Reading(scratch, advance=advance))
        obs, var, facts = plan.obs, plan.var, plan.facts
        require_room(out.parent, 4 * len(obs) * len(var), out.name)
        with replacing(out) as part:
            AnnData(obs=obs, var=var, uns={"jaxssl": facts}).write_h5ad(
                part, convert_strings_to_categoricals=False
            )
            with h5py.File(part, "r+") as file:
                if "X" in file:
                    del file["X"]
                x = file.create_dataset("X", (len(obs), len(var)), np.float32)
                x.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
                for rows, block in plan.blocks():
                    x[rows] = block
                    digest.update(np.ascontiguousarray(block).data)
            beside.unlink(missing_ok=True)
    labels = Counter(obs[facts["label"]] if facts["label"] else [])
    record = facts | {
        "n_samples": len(obs),
        "n_genes": len(var),
        "classes": {name: count for name, count in labels.most_common() if name},
        "sha256": digest.hexdigest(),
    }
    write_text(beside, json.dumps(record, indent=2) + "\n")
    return record
