"""Small files in the portals' own layout, with the traps that the large ones have.

Every writer takes a folder and returns the path; the values are those of `values()`.
"""

import gzip
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

GENES = [f"ENSG{i:011d}.{i % 7 + 1}" for i in range(1, 9)]
GENES[7] = "ENSG00000000008.2_PAR_Y"
SYMBOLS = ["TSPAN6", "TNMD", "DPM1", "SCYL3", "FIRRM", "FGR", "CFH", "PLCXD1"]
BARCODES = [
    f"TCGA-{site}-{patient}-{kind}"
    for site, patient, kind in (
        ("A1", "A0SB", "01"),
        ("A1", "A0SB", "11"),
        ("A1", "A0SD", "01"),
        ("B6", "A0I1", "06"),
        ("AB", "2802", "03"),
        ("C4", "A0F0", "01"),
    )
]
CANCERS = ["BRCA", "BRCA", "BRCA", "SKCM", "LAML", "THYM"]
CLASSES = ["BRCA", "normal", "BRCA", "SKCM", "LAML", ""]  # of the study
GSM = [f"GSM{100 + i}" for i in range(6)]


def values(kind: str = "log2") -> np.ndarray:
    """Samples x genes: "counts", "linear" or "log2"."""
    counts = np.random.default_rng(7).poisson(300, (6, 8)).astype(np.float32)
    counts[2, 3] = 0
    if kind == "counts":
        return counts
    linear = (counts / 7).round(4).astype(np.float32)
    return linear if kind == "linear" else np.log2(linear + 1).round(4).astype(np.float32)


def text_of(x: float) -> str:
    return f"{x:.4f}".rstrip("0").rstrip(".")


def genes_in_rows(
    corner: str, samples: list[str], genes: list[str], x: np.ndarray, end: str = "\n"
) -> str:
    lines = ["\t".join([corner, *samples])]
    lines += ["\t".join([g, *map(text_of, row)]) for g, row in zip(genes, x.T, strict=True)]
    return end.join(lines) + end


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    data = text.encode(encoding)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def xena_toil(folder: Path) -> Path:
    """log2(TPM + 0.001): a zero is -9.9658."""
    x = np.log2(values("linear") + 0.001).round(4)
    return write(folder / "tcga_RSEM_gene_tpm.gz", genes_in_rows("sample", BARCODES, GENES, x))


def xena_toil_phenotype(folder: Path) -> Path:
    """latin-1, diseases in words, samples of other projects beside TCGA's."""
    names = {
        "BRCA": "breast invasive carcinoma",
        "SKCM": "skin cutaneous melanoma",
        "LAML": "acute myeloid leukemia",
        "THYM": "thymoma",
    }
    rows = ["sample\tdetailed_category\t_primary_disease\t_sample_type\tsite"]
    rows += [
        f"{b}\tcafé\t{names[c]}\tPrimary Tumor\tu"
        for b, c in zip(BARCODES[::-1], CANCERS[::-1], strict=True)
    ]
    rows += ["GTEX-1117F-0226-SM-5GZZ7\tAdipose\tAdipose Tissue\tNormal Tissue\tu"]
    return write(folder / "TcgaTargetGTEX_phenotype.txt.gz", "\n".join(rows) + "\n", "latin-1")


def xena_pancan(folder: Path) -> Path:
    """Symbols, one of them twice, and NaN where a cohort lacks a gene."""
    x = values()
    text = genes_in_rows("sample", BARCODES, [*SYMBOLS[:7], "CFH"], x)
    lines = text.split("\n")
    cells = lines[3].split("\t")
    cells[2] = "NA"
    lines[3] = "\t".join(cells)
    name = "EB++AdjustPANCAN_IlluminaHiSeq_RNASeqV2.geneExp.xena.gz"
    return write(folder / name, "\n".join(lines))


def xena_survival(folder: Path) -> Path:
    rows = ["sample\t_PATIENT\tcancer type abbreviation\tage"]
    rows += [f"{b}\t{b[:12]}\t{c}\t61" for b, c in zip(BARCODES, CANCERS, strict=True)]
    return write(folder / "Survival_SupplementalTable_S1_20171025_xena_sp", "\n".join(rows) + "\n")


def xena_gdc(folder: Path) -> Path:
    """Vials in the barcodes, log2(x + 1)."""
    vials = [b + "A" for b in BARCODES]
    return write(
        folder / "TCGA-BRCA.star_tpm.tsv.gz", genes_in_rows("Ensembl_ID", vials, GENES, values())
    )


def xena_gdc_phenotype(folder: Path) -> Path:
    """As GDC-PANCAN.basic_phenotype has it; a patient has two vials of one sample."""
    rows = ["sample\tprogram\tsample_type_id\tproject_id\tAge"]
    rows += [f"{b}A\tTCGA\t{int(b[-2:])}\tTCGA-{c}\t50" for b, c in zip(BARCODES, CANCERS,
                                                                    strict=True)]  # fmt: skip
    rows += [f"{BARCODES[0]}B\tTCGA\t1\tTCGA-BRCA\t51"]
    return write(folder / "GDC-PANCAN.basic_phenotype.tsv.gz", "\n".join(rows) + "\n")


def probemap(folder: Path) -> Path:
    rows = ["#id\tgene\tchrom\tchromStart\tchromEnd\tstrand"]
    rows += [f"{g}\t{s}\tchr1\t1\t2\t+" for g, s in zip(GENES[:7], SYMBOLS[:7], strict=True)]
    return write(folder / "gencode.v23.annotation.gene.probemap", "\n".join(rows) + "\n")


def gdc_folder(folder: Path) -> Path:
    """A folder a file, named by UUIDs, as the download tool leaves it; N_* rows without TPM."""
    counts, tpm = values("counts"), values("linear")
    columns = (
        "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\t"
        "tpm_unstranded\tfpkm_unstranded\tfpkm_uq_unstranded"
    )
    for i, barcode in enumerate(BARCODES):
        lines = ["# gene-model: GENCODE v36", columns]
        lines += [f"{n}\t\t\t{1000 + i}\t5\t6\t\t\t" for n in
                  ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous")]  # fmt: skip
        lines += [
            f"{g}\t{s}\tprotein_coding\t{int(c)}\t1\t2\t{text_of(t)}\t0.1\t0.2"
            for g, s, c, t in zip(GENES, SYMBOLS, counts[i], tpm[i], strict=True)
        ]
        name = f"{i:08d}-aaaa.rna_seq.augmented_star_gene_counts.tsv"
        write(folder / "gdc" / f"uuid-{barcode[-5]}{i}" / name, "\n".join(lines) + "\n")
        write(folder / "gdc" / f"uuid-{barcode[-5]}{i}" / "annotations.txt", "id\tx\n")
    return folder / "gdc"


def gdc_sample_sheet(folder: Path) -> Path:
    rows = [
        "File ID\tFile Name\tData Category\tData Type\tProject ID\tCase ID\tSample ID\tSample Type"
    ]
    rows += [
        f"f{i}\t{i:08d}-aaaa.rna_seq.augmented_star_gene_counts.tsv\tTranscriptome Profiling\t"
        f"Gene Expression Quantification\tTCGA-{c}\t{b[:12]}\t{b}A\tPrimary Tumor"
        for i, (b, c) in enumerate(zip(BARCODES, CANCERS, strict=True))
    ]
    return write(folder / "gdc_sample_sheet.2025-01-01.tsv", "\n".join(rows) + "\n")


def recount3(folder: Path) -> Path:
    """Sums of coverage: counts times the length of the reads."""
    lengths = np.array([50, 50, 100, 76, 48, 50], np.float32)[:, None]
    text = genes_in_rows("gene_id", [f"u{i}" for i in range(6)], GENES, values("counts") * lengths)
    comments = "##annotation=G026\n##date.generated=2020-10-16\n"
    return write(folder / "tcga.gene_sums.BRCA.G026.gz", comments + text)


def recount3_qc(folder: Path) -> Path:
    rows = ["rail_id\texternal_id\tstudy\tstar.average_mapped_length\ttcga.tcga_barcode"]
    rows += [f"{i}\tu{i}\t{CANCERS[i]}\t{n}\t{BARCODES[i]}A-11R-A089-07" for i, n in
             enumerate((50, 50, 100, 76, 48, 50))]  # fmt: skip
    return write(folder / "tcga.recount_qc.BRCA.MD.gz", "\n".join(rows) + "\n")


def archs4(folder: Path) -> Path:
    """Genes x samples, one sample of which is a single cell; a symbol twice."""
    path = folder / "human_gene_v2.5.h5"
    with h5py.File(path, "w") as file:
        counts = values("counts").T.astype(np.uint32)
        file.create_dataset("data/expression", data=counts, chunks=(4, 3), compression="gzip")
        file["meta/genes/symbol"] = np.array([*SYMBOLS[:7], "CFH"], "S")
        file["meta/genes/ensembl_gene"] = np.array(GENES, "S")
        file["meta/samples/geo_accession"] = np.array(GSM, "S")
        file["meta/samples/series_id"] = np.array(["GSE1", "GSE1", "GSE2", "GSE2,GSE3", "GSE4",
                                                   "GSE4"], "S")  # fmt: skip
        file["meta/samples/characteristics_ch1"] = np.array(["tissue: liver"] * 6, "S")
        file["meta/samples/singlecellprobability"] = np.array([0.1, 0.2, 0.0, 0.9, 0.3, 0.5])
    return path


def series_matrix(folder: Path, *, is_empty: bool = False) -> Path:
    """Quoted; characteristics that are not aligned between samples; `null` for a value."""
    quoted = [f'"{g}"' for g in GSM]
    lines = [
        '!Series_title\t"A study, with ""quotes"" and	tabs"'.replace("	", " "),
        '!Series_supplementary_file\t"ftp://ftp.ncbi.nlm.nih.gov/geo/GSE1_counts.txt.gz"',
        "",
        "\t".join(["!Sample_title", *(f'"s {i}"' for i in range(6))]),
        "\t".join(["!Sample_geo_accession", *quoted]),
        "\t".join(["!Sample_source_name_ch1", *['"blood"'] * 6]),
        "\t".join(["!Sample_characteristics_ch1", *['"tissue: liver"'] * 3, *['"age: 61"'] * 3]),
        "\t".join(
            ["!Sample_characteristics_ch1", *['"age: 50"'] * 2, '""', *['"tissue: lung"'] * 3]
        ),
        "!series_matrix_table_begin",
        "\t".join(['"ID_REF"', *quoted]),
    ]
    probes = [f'"{100 + i}_at"' for i in range(8)]
    if not is_empty:
        body = genes_in_rows("", GSM, probes, values()).split("\n")[1:-1]
        cells = body[4].split("\t")
        cells[6] = "null"
        body[4] = "\t".join(cells)
        lines += body
    lines.append("!series_matrix_table_end")
    return write(folder / "GSE1_series_matrix.txt.gz", "\n".join(lines) + "\n")


def gpl(folder: Path) -> Path:
    """Comments, an empty symbol, and a probe set of two genes."""
    symbols = [*SYMBOLS[:5], "FGR /// CFH", "", "FGR"]
    lines = ["#ID = Affymetrix Probe Set ID", "#Gene Symbol = symbol",
             "ID\tGB_ACC\tGene Title\tGene Symbol\tENTREZ_GENE_ID"]  # fmt: skip
    lines += [f"{100 + i}_at\tU{i}\tsome gene\t{s}\t{i}" for i, s in enumerate(symbols)]
    return write(folder / "GPL570-55999.txt", "\n".join(lines) + "\n")


def array_express(folder: Path) -> Path:
    """A second header row, CRLF, and names of arrays in another order than in the SDRF."""
    arrays = [f"array {i}.CEL" for i in range(6)]
    text = genes_in_rows("Scan REF", arrays, [f"{100 + i}_at" for i in range(8)], values(), "\r\n")
    first, rest = text.split("\r\n", 1)
    second = "\t".join(["Composite Element REF", *["RMA"] * 6])
    return write(folder / "processedMatrix.Aurora.july2015.txt", "\r\n".join([first, second, rest]))


def sdrf(folder: Path) -> Path:
    """latin-1, with columns called alike."""
    lines = [
        "\t".join(
            [
                "Source Name",
                "Characteristics[organism part]",
                "Characteristics[disease]",
                "Characteristics[cell line]",
                "Characteristics[individual]",
                "Protocol REF",
                "Protocol REF",
                "Array Data File",
                "Factor Value[disease]",
            ]
        )
    ]
    diseases = [
        "acute myeloid leukemia",
        "normal",
        "",
        "asthma",
        "not available",
        "naïve T-cell lymphoma",
    ]
    for i, disease in reversed(list(enumerate(diseases))):
        line = "HeLa" if i == 5 else "not applicable"
        lines.append(f"s{i}\tblood\t{disease}\t{line}\tp{i // 2}\tP1\tP2\tarray {i}.CEL\t{disease}")
    return write(folder / "E-MTAB-3732.sdrf.txt", "\n".join(lines) + "\n", "latin-1")


def gtex(folder: Path) -> Path:
    ids = [f"GTEX-111{i // 2}-0{i}26-SM-5EGH{i}" for i in range(6)]
    body = genes_in_rows("Name", ids, GENES, values("linear")).split("\n")
    rows = [line.replace("\t", f"\t{s}\t", 1) for line, s in
            zip(body, ["Description", *SYMBOLS], strict=False)]  # fmt: skip
    return write(folder / "GTEx_gene_tpm.gct.gz", "\n".join(["#1.2", "8\t6", *rows]) + "\n")


def gtex_attributes(folder: Path) -> Path:
    rows = ["SAMPID\tSMATSSCR\tSMTS\tSMTSD"]
    rows += [f"GTEX-111{i // 2}-0{i}26-SM-5EGH{i}\t\t{t}\t{t} - x" for i, t in
             enumerate(["Blood", "Brain"] * 3)]  # fmt: skip
    return write(folder / "GTEx_SampleAttributesDS.txt", "\n".join(rows) + "\n")


def depmap(folder: Path) -> Path:
    """Keys before the genes; one model has a second profile that is not its default."""
    names = [f"{s} ({100 + i})" for i, s in enumerate(SYMBOLS)]
    keys = ["", "SequencingID", "ModelID", "IsDefaultEntryForModel", "ModelConditionID",
            "IsDefaultEntryForMC"]  # fmt: skip
    frame = pd.DataFrame(values(), columns=names)
    models = ["ACH-000001", "ACH-000002", "ACH-000003", "ACH-000003", "ACH-000005", "ACH-000006"]
    for place, column in enumerate(
        [range(6), [f"CDS-{i}" for i in range(6)], models, ["Yes"] * 3 + ["No"] + ["Yes"] * 2,
         [f"MC-{i}" for i in range(6)], ["Yes"] * 6]
    ):  # fmt: skip
        frame.insert(place, keys[place], list(column))
    lines = [",".join(frame.columns)]
    lines += [",".join(map(str, row)) for row in frame.itertuples(index=False)]
    return write(folder / "OmicsExpressionProteinCodingGenesTPMLogp1.csv", "\n".join(lines) + "\n")


def depmap_models(folder: Path) -> Path:
    rows = ["ModelID,PatientID,CellLineName,OncotreeLineage"]
    rows += [f'ACH-00000{i},PT-{i},"A, {i}",{"Lung" if i % 2 else "Skin"}' for i in range(1, 7)]
    return write(folder / "Model.csv", "\n".join(rows) + "\n")
