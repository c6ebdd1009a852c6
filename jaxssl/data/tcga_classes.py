"""The study's 20 classes of TCGA: 19 cancers, and the normal tissue beside them."""

import numpy as np
import pandas as pd

from jaxssl.data import barcodes
from jaxssl.types import InputError

_DISEASES = {
    "breast invasive carcinoma": "BRCA",
    "uterine corpus endometrioid carcinoma": "UCEC",
    "kidney clear cell carcinoma": "KIRC",
    "brain lower grade glioma": "LGG",
    "lung adenocarcinoma": "LUAD",
    "thyroid carcinoma": "THCA",
    "head & neck squamous cell carcinoma": "HNSC",
    "lung squamous cell carcinoma": "LUSC",
    "prostate adenocarcinoma": "PRAD",
    "skin cutaneous melanoma": "SKCM",
    "colon adenocarcinoma": "COAD",
    "bladder urothelial carcinoma": "BLCA",
    "ovarian serous cystadenocarcinoma": "OV",
    "stomach adenocarcinoma": "STAD",
    "liver hepatocellular carcinoma": "LIHC",
    "cervical & endocervical cancer": "CESC",
    "kidney papillary cell carcinoma": "KIRP",
    "sarcoma": "SARC",
    "acute myeloid leukemia": "LAML",
}
"""`_primary_disease` of UCSC Xena → TCGA's abbreviation, of the 19 cancers of the study."""
TUMOURS = tuple(_DISEASES.values())
_PRIMARY = {"LAML": ("01", "03"), "SKCM": ("01", "06")}  # sample types; of other cancers 01 alone
TEXT = (
    "column tcga20 is normal for sample type 11, else the cancer for sample type 01 (03 too for "
    f"LAML, 06 too for SKCM) of {', '.join(TUMOURS)}; other samples have no class"
)


def derive(obs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Columns tcga20 and donor_by_name, by cancer type and barcode."""
    ids = _tcga_ids(obs)
    cancers = _cancer_types(obs)
    types = np.array([barcodes.sample_type(barcodes.dashed(str(i))) for i in ids])
    classes = [_class_of(str(cancer), kind) for cancer, kind in zip(cancers, types, strict=True)]
    donors = [barcodes.donor(str(i)) for i in ids]
    columns = {"tcga20": classes, barcodes.DONOR: donors}
    return pd.DataFrame(columns, index=obs.index, dtype=object), []


def _class_of(cancer: str, sample_type: str) -> str:
    if sample_type == "11":
        return "normal"
    return cancer if cancer and sample_type in _PRIMARY.get(cancer, ("01",)) else ""


def _tcga_ids(obs: pd.DataFrame) -> np.ndarray:
    """Barcodes with a sample type: the samples' names, else a column of them."""
    candidates = [obs.index.to_numpy(dtype=object)]
    candidates += [obs[name].to_numpy(dtype=object) for name in obs.columns]
    for ids in candidates:
        filled = ids[ids != ""]
        if len(filled) and barcodes.are_barcodes(filled) and len(str(filled[0])) >= 15:
            return ids
    raise InputError(
        "`label_rule=tcga20` needs TCGA barcodes of samples, such as TCGA-A1-A0SB-01; neither "
        "the samples nor a column of the table are called so"
    )


def _cancer_types(obs: pd.DataFrame) -> np.ndarray:
    """TCGA's abbreviation for every sample, by the column that tells it of the most."""
    columns = [[_abbreviation(str(value)) for value in obs[name]] for name in obs.columns]
    best = max(columns, key=lambda codes: sum(code != "" for code in codes), default=[])
    if not any(best):
        raise InputError(
            "`label_rule=tcga20` needs a column of cancer types (cancer type abbreviation, "
            "project_id or _primary_disease)",
            "pass the phenotype table as `labels`",
        )
    return np.array(best, dtype=object)


def _abbreviation(cancer: str) -> str:
    code = cancer.removeprefix("TCGA-")
    return code if code in TUMOURS else _DISEASES.get(code.lower(), "")
