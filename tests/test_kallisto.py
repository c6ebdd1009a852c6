"""HDF5 of kallisto."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from sample_files import COUNTS, TRANSCRIPTS, kallisto

from jaxssl import inspect, read


def abundance(path, counts):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["est_counts"] = np.array(counts, float)
        file["aux/ids"] = np.array(TRANSCRIPTS, "S20")
        file["aux/lengths"], file["aux/eff_lengths"] = [9, 9, 9], np.array([5.0, 2.0, 4.0])
        file["bootstrap/bs0"] = np.zeros(3)


def test_hdf5_of_kallisto_is_read_as_its_text_is(tmp_path):
    for i, counts in enumerate(COUNTS):
        abundance(tmp_path / f"S{i}" / "abundance.h5", counts)
    for path, called in ((tmp_path / "S1" / "abundance.h5", ["S1"]), (tmp_path, ["S0", "S1"])):
        adata = read(path)
        assert list(adata.obs_names) == called
        np.testing.assert_array_equal(adata.X, COUNTS[-len(called) :])
        assert list(adata.var_names) == TRANSCRIPTS
        rate = np.array(COUNTS[-len(called) :]) / [5, 2, 4]
        tpm = 1e6 * rate / rate.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(read(path, layer="tpm").X, tpm, rtol=1e-6)
        assert inspect(path).problems == []
    for i, counts in enumerate(COUNTS):  # the text beside counts once
        (tmp_path / f"S{i}" / "abundance.tsv").write_text(kallisto(counts))
    np.testing.assert_array_equal(read(tmp_path).X, COUNTS)


@pytest.mark.parametrize("samples", [["S0"], ["S0", "S1"]])
@pytest.mark.parametrize("form", ["zip", "tar.gz"])
def test_hdf5_of_kallisto_in_an_archive_is_read_unless_its_text_is_there(tmp_path, samples, form):
    for i, sample in enumerate(samples):
        (tmp_path / "runs" / sample).mkdir(parents=True)
        abundance(tmp_path / "runs" / sample / "abundance.h5", COUNTS[i])
    kind = {"zip": "zip", "tar.gz": "gztar"}[form]
    archive = Path(shutil.make_archive(str(tmp_path / "out"), kind, tmp_path / "runs"))
    adata = read(archive)
    assert list(adata.obs_names) == samples
    np.testing.assert_array_equal(adata.X, np.array(COUNTS[: len(samples)], np.float32))
    for i, sample in enumerate(samples):
        (tmp_path / "runs" / sample / "abundance.tsv").write_text(kallisto(COUNTS[i]))
    archive = Path(shutil.make_archive(str(tmp_path / "out"), kind, tmp_path / "runs"))
    assert list(read(archive).obs_names) == samples
