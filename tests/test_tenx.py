"""Cells of 10x: folders of three files, and HDF5."""

import gzip

import h5py
import numpy as np
import pytest
from sample_files import COUNTS, GENES, as_folder, as_tar, as_zip, refusal

from jaxssl import inspect, read


def mtx(kind="features", prefix="", end=""):
    """The three files of a matrix of genes x cells, with an antibody beside."""
    cells = [(i + 1, j + 1, c) for j, row in enumerate(COUNTS) for i, c in enumerate(row) if c]
    lines = ["%%MatrixMarket matrix coordinate integer general", "%made by hand"]
    lines += [f"4 2 {len(cells) + 1}", *(f"{i} {j} {c}" for i, j, c in cells), "4 1 55"]
    more = "\tGene Expression" if kind == "features" else ""
    names = [f"{g}\tSYM{i}{more}" for i, g in enumerate(GENES)]
    last = "CD3\tCD3\tAntibody Capture" if kind == "features" else "ENSG00000000457.14\tX"
    texts = {f"{prefix}matrix.mtx": lines, f"{prefix}{kind}.tsv": [*names, last],
             f"{prefix}barcodes.tsv": ["AAAC-1", "AAAG-1"]}  # fmt: skip
    packed = gzip.compress if end else bytes
    return {f"x/{n}{end}": packed(("\n".join(t) + "\n").encode()) for n, t in texts.items()}


@pytest.mark.parametrize("pack", [as_folder, as_tar, as_zip])
@pytest.mark.parametrize(("prefix", "end"), [("", ""), ("GSM1_a_", ".gz")])
def test_folders_of_10x_are_cells_by_genes(tmp_path, pack, prefix, end):
    path = pack(tmp_path, mtx("features", prefix, end))
    for given in (path, *(path.rglob("*.mtx*") if path.is_dir() else ())):
        adata = read(given)
        np.testing.assert_array_equal(adata.X, COUNTS)
        assert list(adata.obs_names) == ["AAAC-1", "AAAG-1"]
        assert list(adata.var["gene_name"]) == ["SYM0", "SYM1", "SYM2"]
        assert "1 rows left out that are Antibody Capture" in adata.uns["jaxssl"]["notes"]
        assert inspect(given).n_genes == 3


def test_matrices_without_their_lists_or_several_are_refused(tmp_path):
    files = mtx("genes")
    path = as_folder(tmp_path / "a", files)
    np.testing.assert_array_equal(read(path).X, [[*COUNTS[0], 55], [*COUNTS[1], 0]])
    (path / "x/genes.tsv").rename(path / "x/other.tsv")
    assert "without features.tsv or genes.tsv beside it; put the list" in refusal(path)
    several = as_folder(tmp_path / "b", {**mtx("genes", "A_"), **mtx("genes", "B_")})
    assert "holds 2 matrices (x/A_matrix.mtx, x/B_matrix.mtx); name one" in refusal(several)


@pytest.mark.parametrize("version", [2, 3])
def test_hdf5_of_cell_ranger_is_cells_by_genes(tmp_path, version):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        group = file.create_group("matrix" if version == 3 else "GRCh38")
        about = group.create_group("features") if version == 3 else group
        about["id" if version == 3 else "genes"] = np.array(GENES, "S")
        about["name" if version == 3 else "gene_names"] = np.array(["A", "B", "C"], "S")
        if version == 3:
            about["feature_type"] = np.array(["Gene Expression"] * 3, "S")
        group["barcodes"] = np.array(["AAAC-1", "AAAG-1"], "S")
        group["data"], group["indices"] = np.array([100, 7, 12, 3, 900]), [0, 2, 0, 1, 2]
        group["indptr"], group["shape"] = [0, 2, 5], [3, 2]
    adata = read(tmp_path / "x.h5")
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert list(adata.var_names) == GENES
    assert inspect(tmp_path / "x.h5").scale == "counts"
