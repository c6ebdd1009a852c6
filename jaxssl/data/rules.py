"""Labels that no table holds as such: derived by a rule that is printed with the result."""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxssl.data import barcodes
from jaxssl.types import InputError

TUMOURS = (
    "BRCA", "UCEC", "KIRC", "LGG", "LUAD", "THCA", "HNSC", "LUSC", "PRAD", "SKCM", "COAD", "BLCA",
    "OV", "STAD", "LIHC", "CESC", "KIRP", "SARC", "LAML",
)  # fmt: skip
"""The 19 cancers of the study."""
_DISEASES = {
    "acute myeloid leukemia": "LAML",
    "bladder urothelial carcinoma": "BLCA",
    "brain lower grade glioma": "LGG",
    "breast invasive carcinoma": "BRCA",
    "cervical & endocervical cancer": "CESC",
    "colon adenocarcinoma": "COAD",
    "head & neck squamous cell carcinoma": "HNSC",
    "kidney clear cell carcinoma": "KIRC",
    "kidney papillary cell carcinoma": "KIRP",
    "liver hepatocellular carcinoma": "LIHC",
    "lung adenocarcinoma": "LUAD",
    "lung squamous cell carcinoma": "LUSC",
    "ovarian serous cystadenocarcinoma": "OV",
    "prostate adenocarcinoma": "PRAD",
    "sarcoma": "SARC",
    "skin cutaneous melanoma": "SKCM",
    "stomach adenocarcinoma": "STAD",
    "thyroid carcinoma": "THCA",
    "uterine corpus endometrioid carcinoma": "UCEC",
}
"""`_primary_disease` of UCSC Xena → TCGA's abbreviation, of the study's cancers."""
_NEOPLASM = re.compile(
    r"carcinoma|adenoma|leuk|lymphoma|sarcoma|melanoma|glioma|blastoma|myeloma|tumou?r|cancer|"
    r"neoplas|mesothelioma|seminoma|astrocytoma|myelodysplas|metasta"
)
_HEALTHY = re.compile(r"\b(normal|healthy|control|disease free)\b")
_NOTHING = ("", "na", "n/a", "not available", "not specified", "unknown", "not applicable", "none")


class Rule(NamedTuple):
    """How columns are derived from those of the samples."""

    text: str  # the rule in words, printed with the result
    columns: dict[str, str]  # role → column that it makes
    derive: Callable[[pd.DataFrame], pd.DataFrame]


def derive(obs: pd.DataFrame, rule: str) -> tuple[pd.DataFrame, list[str]]:
    """Columns that a rule makes, and those that the names of samples tell without one; notes.

    Raises:
        InputError: where the rule does not find what it rests on.
    """
    told = barcodes.describe(obs.index.to_numpy(dtype=object))
    made = [told]
    notes = [f"columns {' and '.join(told.columns)} by the names of the samples"] * len(
        told.columns[:1]
    )
    if rule:
        made.append(RULES[rule].derive(obs))
        notes.append(f"--label_rule={rule}: {RULES[rule].text}")
    together = pd.concat(made, axis=1)
    return together.loc[:, ~together.columns.duplicated(keep="last")], notes


def possible(obs: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Rules that give these samples two classes or more: rule → class → count."""
    found = {}
    for name, rule in RULES.items():
        try:
            labels = rule.derive(obs)[rule.columns["label"]]
        except InputError:
            continue
        counts = labels[labels != ""].value_counts()
        if len(counts) > 1:
            found[name] = {str(value): int(count) for value, count in counts.items()}
    return found


def columns_of(rule: str) -> dict[str, str]:
    """Role → column that the rule makes; {} without a rule."""
    return RULES[rule].columns if rule else {}


def _tcga20(obs: pd.DataFrame) -> pd.DataFrame:
    ids = _tcga_ids(obs)
    cancers = _cancer_types(obs)
    types = np.array([barcodes.sample_type(barcodes.dashed(str(i))) for i in ids])
    allowed = {"LAML": ("01", "03"), "SKCM": ("01", "06")}
    classes = [
        "normal" if kind == "11"
        else cancer if cancer in TUMOURS and kind in allowed.get(cancer, ("01",))
        else ""
        for cancer, kind in zip(cancers, types, strict=True)
    ]  # fmt: skip
    patients = barcodes.at_level(ids, "patient")
    return pd.DataFrame(
        {"tcga20": classes, "tcga_patient": patients}, index=obs.index, dtype=object
    )


def _tcga_ids(obs: pd.DataFrame) -> np.ndarray:
    """Barcodes with a sample type: the samples' names, else a column of them."""
    candidates = [obs.index.to_numpy(dtype=object)]
    candidates += [obs[name].to_numpy(dtype=object) for name in obs.columns]
    for ids in candidates:
        filled = ids[ids != ""]
        if len(filled) and barcodes.are_barcodes(filled) and len(str(filled[0])) >= 15:
            return ids
    raise InputError(
        "--label_rule=tcga20 needs TCGA barcodes of samples, such as TCGA-A1-A0SB-01; neither the "
        "samples nor a column of the table are called so"
    )


def _cancer_types(obs: pd.DataFrame) -> np.ndarray:
    """TCGA's abbreviation for every sample, by the first column that tells it."""
    best, found = np.full(len(obs), "", object), 0
    for name in obs.columns:
        values = [str(v).removeprefix("TCGA-") for v in obs[name]]
        codes = [v if v in TUMOURS else _DISEASES.get(v.lower(), "") for v in values]
        n_known = sum(code != "" for code in codes)
        if n_known > found:
            best, found = np.array(codes, dtype=object), n_known
    if not found:
        raise InputError(
            "--label_rule=tcga20 needs a column of cancer types (cancer type abbreviation, "
            "project_id or _primary_disease); pass the phenotype table as --labels"
        )
    return best


def _cancer(obs: pd.DataFrame) -> pd.DataFrame:
    diseases = _characteristic(
        obs, ("disease", "disease state", "diseasestate", "clinical information")
    )
    tissues = _characteristic(obs, ("organism part", "organismpart", "tissue"), required=False)
    lines = _characteristic(obs, ("cell line", "cellline"), required=False)
    individuals = _characteristic(obs, ("individual", "patient"), required=False)
    studies = _characteristic(obs, ("study", "experiment", "accession"), required=False)
    return pd.DataFrame(
        {
            "cancer": [cancer_of(str(value)) for value in diseases],
            "tissue": [_given(str(value)) for value in tissues],
            "material": ["cell line" if _given(str(v)) else "patient" for v in lines],
            "group": [
                _given(str(i)) or _given(str(s)) for i, s in zip(individuals, studies, strict=True)
            ],
        },
        index=obs.index,
        dtype=object,
    )


def cancer_of(disease: str) -> str:
    """ "cancer", "not_cancer", or "" where the disease does not tell.

    >>> [cancer_of(d) for d in ("acute myeloid leukemia", "normal", "asthma", "")]
    ['cancer', 'not_cancer', 'not_cancer', '']
    """
    value = disease.strip().lower()
    if value in _NOTHING:
        return ""
    if _HEALTHY.search(value):
        return "not_cancer"
    return "cancer" if _NEOPLASM.search(value) else "not_cancer"


def _characteristic(
    obs: pd.DataFrame, names: tuple[str, ...], *, required: bool = True
) -> np.ndarray:
    """The SDRF column Characteristics[NAME] or Factor Value[NAME], of the first name there is."""
    plain = {}
    for column in obs.columns:
        match = re.fullmatch(r"(characteristics|factor ?value)\s*\[(.+)\]", str(column).lower())
        plain.setdefault(match[2].strip() if match else str(column).lower(), column)
    for name in names:
        if name in plain:
            return obs[plain[name]].to_numpy(dtype=object)
    if required:
        raise InputError(
            f"--label_rule=cancer needs a column Characteristics[{names[0]}]; pass the .sdrf.txt "
            "as --labels"
        )
    return np.full(len(obs), "", object)


def _given(value: str) -> str:
    """A value, "" for one that says that there is none."""
    return "" if value.strip().lower() in _NOTHING else value.strip()


RULES = {
    "tcga20": Rule(
        "column tcga20 is normal for sample type 11, else the cancer for sample type 01 (03 too "
        f"for LAML, 06 too for SKCM) of {', '.join(TUMOURS)}; other samples have no class",
        {"label": "tcga20", "group": "tcga_patient"},
        _tcga20,
    ),
    "cancer": Rule(
        "column cancer is not_cancer where Characteristics[disease] says normal, healthy or "
        "control, or names no neoplasm; cancer where it names one (carcinoma, leukemia, lymphoma, "
        "sarcoma, melanoma, glioma, blastoma, myeloma, tumor, cancer, neoplasm and their kin); "
        "empty where it says nothing. tissue is Characteristics[organism part]; material is cell "
        "line where Characteristics[cell line] is given, else patient; group is the individual, "
        "else the study",
        {"label": "cancer", "group": "group"},
        _cancer,
    ),
}
"""What --label_rule may name. "cancer" is for SDRF tables such as that of E-MTAB-3732."""
