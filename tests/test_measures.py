"""Of several measures of each sample one is taken, and the others are told."""

import numpy as np
import pandas as pd
import pytest
from miniatures import GENES, GSM
from traps import COUNTS, agree, notes_of, refusal

from jaxssl.data.expression import read
from jaxssl.data.inspect import inspect

MEASURED = {
    "{s} Detection Pval": "{s}", "{s}.Detection Pval": "{s}.AVG_Signal",
    "Detection-{s}": "AVG_Signal-{s}", "{s}.BEAD_STDERR": "{s}.AVG_Signal",
    "{s}.Avg_NBEADS": "{s}", "{s}_TPM": "{s}_count", "{s} (FPKM)": "{s} (TPM)",
    "abundance.{s}": "counts.{s}", "length.{s}": "counts.{s}", "{s}_conf_lo": "{s}_FPKM",
    "reads_per_million_miRNA_mapped_{s}": "read_count_{s}", "{s}_norm": "{s}",
    "cov.{s}": "FPKM.{s}",
    "Detection Pval": "{s}", "{s}_Detection_p-value": "{s}_Signal",
}  # fmt: skip


@pytest.mark.parametrize(("beside", "expression"), MEASURED.items())
@pytest.mark.parametrize("interleaved", [True, False])
def test_one_measure_of_each_sample_is_taken(tmp_path, beside, expression, interleaved):
    header = [expression.format(s=s) for s in GSM] + [beside.format(s=s) for s in GSM]
    x = np.hstack([COUNTS.T, np.full((8, 6), 0.25)])
    order = np.arange(12).reshape(2, 6).T.ravel() if interleaved else np.arange(12)
    frame = pd.DataFrame(x[:, order], GENES, [header[i] for i in order])
    frame.to_csv(tmp_path / "x.csv", index_label="ID_REF")
    adata = agree(tmp_path / "x.csv", scale="counts")
    assert list(adata.obs_names) == GSM
    np.testing.assert_array_equal(adata.X, COUNTS)
    assert "left out: 6 " in notes_of(adata)


SINGLE = {
    "gene_id transcript_id(s) length effective_length expected_count TPM FPKM": "expected_count",
    "target_id length eff_length est_counts tpm": "est_counts",
    "Name Length EffectiveLength TPM NumReads": "NumReads",
    "miRNA_ID read_count reads_per_million_miRNA_mapped cross-mapped": "read_count",
    "ID_REF VALUE ABS_CALL": "VALUE",
    "tracking_id class_code gene_short_name locus length coverage FPKM FPKM_conf_lo FPKM_conf_hi "
    "FPKM_status": "FPKM",
}


@pytest.mark.parametrize(("header", "taken"), SINGLE.items())
def test_measures_of_one_sample_are_one_sample(tmp_path, header, taken):
    names = header.split()
    texts = ("transcript_id(s)", "cross-mapped", "ABS_CALL", "class_code", "gene_short_name",
             "locus", "FPKM_status")  # fmt: skip
    table = {n: ["N" if n in texts else 100.5 + i + 10 * k for i in range(8)]
             for k, n in enumerate(names)}  # fmt: skip
    frame = pd.DataFrame(table | {names[0]: GENES})
    frame.to_csv(tmp_path / "S7.genes.results", sep="\t", index=False)
    options = inspect(tmp_path / "S7.genes.results").options
    adata = read(tmp_path / "S7.genes.results", text_columns=options.get("text_columns", []))
    assert list(adata.obs_names) == ["S7"]
    np.testing.assert_array_equal(adata.X[0], np.float32(table[taken]))
    scale = "counts" if "ount" in taken or taken == "NumReads" else "linear"
    assert adata.uns["jaxssl"]["scale"] == scale


def test_layer_chooses_the_measure_and_knows_its_names(tmp_path):
    names = [f"{m}.{s}" for m in ("abundance", "counts", "length") for s in GSM]
    x = np.hstack([COUNTS.T * 2, COUNTS.T, COUNTS.T * 3])
    pd.DataFrame(x, GENES, names).to_csv(tmp_path / "x.csv")
    adata = read(tmp_path / "x.csv", layer="abundance")
    np.testing.assert_array_equal(adata.X, COUNTS * 2)
    assert "it has counts, abundance; correct `layer`" in refusal(tmp_path / "x.csv", layer="tpm")
    frame = pd.DataFrame(COUNTS.T, GENES, GSM)
    frame.to_csv(tmp_path / "plain.csv")
    assert "has no layer 'tpm'" in refusal(tmp_path / "plain.csv", layer="tpm")


def test_a_sample_that_lacks_the_measure_is_named(tmp_path):
    names = [f"{s}_{m}" for s in GSM[:3] for m in ("TPM", "count")]
    pd.DataFrame(1.5, GENES, [*names, "S9"]).to_csv(tmp_path / "x.csv")
    assert "1 samples have no column of count, as the others have (first: S9)" in refusal(
        tmp_path / "x.csv"
    )


@pytest.mark.parametrize("names", [["norm_1", "norm_2", "tumor_1"], ["norm", "tumor", "x"],
                                   ["treated", "disease", "patient"],
                                   ["S1_FPKM", "S2_FPKM", "S3_FPKM"]])  # fmt: skip
def test_samples_that_are_called_after_a_measure_stay(tmp_path, names):
    pd.DataFrame(COUNTS[:3].T, GENES, names).to_csv(tmp_path / "x.csv")
    assert list(agree(tmp_path / "x.csv").obs_names) == names
