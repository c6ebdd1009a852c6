"""TCGA barcodes and GTEx ids: what a sample's name says of patient, tissue and vial.

TCGA-02-0001-01C-01D-0182-01 is project, site, patient, sample type 01 with vial C, and what was
done with it. Sample types are codes, not numbers; R turns "-" into ".".
"""

import re

import numpy as np
import pandas as pd

_GTEX = re.compile(r"GTEX-[^-]+-\S+")
_TCGA = re.compile(r"TCGA[-.]\w{2}[-.]\w{4}([-.]\d{2}[A-Z]?([-.]\S*)?)?")
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
    """Whether most ids are TCGA barcodes, dotted or not.

    >>> are_barcodes(np.array(["TCGA.A1.A0SB.01", "TCGA-A1-A0SB-11A"]))
    True
    """
    return _are(_TCGA, ids)


def dashed(barcode: str) -> str:
    """A barcode as TCGA writes it; other names stay.

    >>> dashed("TCGA.A1.A0SB.01A")
    'TCGA-A1-A0SB-01A'
    """
    return barcode.replace(".", "-") if barcode.startswith("TCGA.") else barcode


def at_level(ids: np.ndarray, level: str) -> np.ndarray:
    """Barcodes cut to "vial", "sample" or "patient"."""
    return np.array([dashed(str(i))[: LEVELS[level]] for i in ids], dtype=object)


def sample_type(barcode: str) -> str:
    """The two digits of the sample type; "" where the barcode has none.

    >>> sample_type("TCGA-A1-A0SB-11A-22R")
    '11'
    """
    return barcode[13:15] if _TCGA.fullmatch(barcode) and len(barcode) >= 15 else ""


def describe(ids: np.ndarray) -> pd.DataFrame:
    """What the names of samples tell; a table without columns where they tell nothing.

    Of TCGA: tcga_patient and tcga_sample_type. Of GTEx: gtex_donor, the first two fields.
    """
    index = pd.Index(ids, dtype=object)
    if _are(_GTEX, ids):
        donors = ["-".join(str(i).split("-")[:2]) for i in ids]
        return pd.DataFrame({"gtex_donor": donors}, index=index, dtype=object)
    if not are_barcodes(ids):
        return pd.DataFrame(index=index)
    types = [sample_type(str(i)) for i in ids]
    return pd.DataFrame(
        {
            "tcga_patient": at_level(ids, "patient"),
            "tcga_sample_type": [SAMPLE_TYPES.get(code, code) for code in types],
        },
        index=index,
        dtype=object,
    )


def _are(pattern: re.Pattern[str], ids: np.ndarray) -> bool:
    """Whether most ids match; judged on at most 1,000."""
    probe = ids[:: max(1, len(ids) // 1000)]
    return sum(pattern.fullmatch(str(i)) is not None for i in probe) > 0.5 * len(probe)
