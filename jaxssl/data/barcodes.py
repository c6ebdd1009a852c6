"""TCGA barcodes and GTEx ids: what a sample's name says of patient, tissue and vial.

TCGA-02-0001-01C-01D-0182-01 is project, site, patient, sample type 01 with vial C, and what was
done with it. Sample types are codes, not numbers; R turns "-" into ".".
"""

import re

import numpy as np
import pandas as pd

from jaxssl.data.genes import id_type

_GTEX = re.compile(r"(GTEX[-.][^-.]+|K[-.]562)[-.]\S+")  # K-562: its cell line for reference
_TARGET = re.compile(r"TARGET[-.]\d{2}[-.][^-.]+([-.]\S+)?")
DONOR, SAMPLE_TYPE = "donor_by_name", "tcga_sample_type"
"""Columns that the names of samples tell."""
_TCGA = re.compile(r"TCGA[-._][^\W_]{2}[-._][^\W_]{4}([-._]\d{2}[A-Z]?([-._]\S*)?)?")
_WRITTEN = re.compile(r"TCGA[-._]\w{2}[-._]\w{4}(?![A-Za-z0-9])", re.IGNORECASE)
LEVELS = {"vial": 16, "sample": 15, "patient": 12}
"""Name of a level → characters that tell it, finest first."""
SAMPLE_TYPES = {
    "01": "primary tumor",
    "02": "recurrent tumor",
    "03": "primary blood cancer, peripheral blood",
    "04": "recurrent blood cancer, bone marrow",
    "05": "additional new primary",
    "06": "metastatic",
    "07": "additional metastatic",
    "08": "human tumor original cells",
    "09": "primary blood cancer, bone marrow",
    "10": "blood derived normal",
    "11": "solid tissue normal",
    "12": "buccal cell normal",
    "13": "EBV immortalized normal",
    "14": "bone marrow normal",
    "20": "control analyte",
    "40": "recurrent blood cancer, peripheral blood",
    "50": "cell line",
    "60": "primary xenograft",
    "61": "cell line derived xenograft",
}


def are_barcodes(ids: np.ndarray) -> bool:
    """Whether most ids are TCGA barcodes, dotted or not, in either case."""
    return bool(id_type(ids, {"TCGA": f"(?i:{_TCGA.pattern})"}))


def dashed(barcode: str) -> str:
    """A barcode as TCGA writes it, with dashes and in upper case; other names stay.

    >>> dashed("tcga.a1.a0sb.01a")
    'TCGA-A1-A0SB-01A'
    """
    return re.sub(r"[._]", "-", barcode).upper() if _WRITTEN.match(barcode) else barcode


def at_level(ids: np.ndarray, level: str) -> np.ndarray:
    """Barcodes cut to "vial", "sample" or "patient"; other names stay."""
    names = [dashed(str(i)) for i in ids]
    cut = [name[: LEVELS[level]] if _TCGA.fullmatch(name) else name for name in names]
    return np.array(cut, dtype=object)


def donor(name: str) -> str:
    """Whose sample it is: TCGA's patient, GTEx's donor, TARGET's case; else the sample itself.

    >>> [donor(n) for n in ("TCGA-A1-A0SB-11A", "GTEX-111CU-0226-SM-5GZXC", "K-562-SM-2D7VW")]
    ['TCGA-A1-A0SB', 'GTEX-111CU', 'K-562']
    """
    dotless = name.replace(".", "-")
    for pattern, n_fields in ((_TCGA, 3), (_GTEX, 2), (_TARGET, 3)):
        if pattern.fullmatch(name):
            return "-".join(dotless.split("-")[:n_fields])
    return name


def sample_type(barcode: str) -> str:
    """The two digits of the sample type; "" where the barcode has none."""
    return barcode[13:15] if _TCGA.fullmatch(barcode) and len(barcode) >= 15 else ""


def describe(ids: np.ndarray) -> pd.DataFrame:
    """Donors where most samples are TCGA's, GTEx's or TARGET's, and sample types of TCGA."""
    names = [str(i) for i in ids]
    donors = [donor(name) for name in names]
    told: dict[str, list[str]] = {}
    if sum(a != b for a, b in zip(names, donors, strict=True)) > 0.5 * len(names):
        told[DONOR] = donors
    types = [sample_type(dashed(name)) for name in names]
    if any(types) and are_barcodes(ids):
        told[SAMPLE_TYPE] = [SAMPLE_TYPES.get(code, code) for code in types]
    return pd.DataFrame(told, index=pd.Index(ids, dtype=object), dtype=object)
