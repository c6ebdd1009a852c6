"""Labels that no table holds as such: derived by a rule that is printed with the result."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxssl.data import barcodes, cancer_status
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
_TUMOURS = tuple(_DISEASES.values())
_PRIMARY = {"LAML": ("01", "03"), "SKCM": ("01", "06")}  # sample types; of other cancers 01 alone
_TCGA20 = (
    "column tcga20 is normal for sample type 11, else the cancer for sample type 01 (03 too for "
    f"LAML, 06 too for SKCM) of {', '.join(_TUMOURS)}; other samples have no class"
)


class Rule(NamedTuple):
    """How columns are derived from those of the samples."""

    text: str  # the rule in words, printed with the result
    makes: tuple[str, ...]  # columns; the first is the label, the last the group
    derive: Callable[[pd.DataFrame], tuple[pd.DataFrame, list[str]]]  # columns, and notes


def derive(obs: pd.DataFrame, rule: str) -> tuple[pd.DataFrame, list[str]]:
    """Columns that a rule makes, and new ones that the names of samples tell without it; notes."""
    told = barcodes.describe(obs.index.to_numpy(dtype=object))
    told = told[told.columns.difference(obs.columns, sort=False)]
    notes = []
    if len(told.columns):
        notes.append(f"columns read from the sample names: {', '.join(told.columns)}")
    if not rule:
        return told, notes
    made, found = _apply(rule, obs)
    notes += [f"`label_rule={rule}`: {RULES[rule].text}", *found]
    return pd.concat([told[told.columns.difference(made.columns)], made], axis=1), notes


def possible(obs: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Rules that give these samples two classes or more: rule → class → count."""
    found = {}
    for name, rule in RULES.items():
        try:
            labels = _apply(name, obs)[0][rule.makes[0]]
        except InputError:
            continue
        counts = labels[labels != ""].value_counts()
        if len(counts) > 1:
            found[name] = {str(value): int(count) for value, count in counts.items()}
    return found


def _apply(rule: str, obs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """What a rule makes; it may blank what says nothing, but replaces no value by another."""
    made, found = RULES[rule].derive(obs)
    for name in made.columns.intersection(obs.columns):
        new, old = made[name].to_numpy(dtype=object), obs[name].to_numpy(dtype=object)
        differs = (new != "") & (new != old)
        if differs.any():
            raise InputError(
                f"`label_rule={rule}` makes a column {name}, and the samples have one that "
                f"differs in {differs.sum()} (first: {old[differs][0]!r}, by the rule "
                f"{new[differs][0]!r})",
                "use that one by `label`, or rename it",
            )
    return made, found


def _derive_tcga20(obs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
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
    for values in (obs.index, *(obs[name] for name in obs.columns)):
        ids = values.to_numpy(dtype=object)
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
    return code if code in _TUMOURS else _DISEASES.get(code.lower(), "")


RULES = {
    "tcga20": Rule(_TCGA20, ("tcga20", barcodes.DONOR), _derive_tcga20),
    "cancer": Rule(
        cancer_status.TEXT, ("cancer", "tissue", "material", "group"), cancer_status.derive
    ),
}
"""What `label_rule` may name. "cancer" is for SDRF tables such as that of E-MTAB-3732."""
