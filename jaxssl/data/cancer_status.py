"""Cancer or not, by what an SDRF of ArrayExpress says of the disease."""

import re

import numpy as np
import pandas as pd

from jaxssl.types import InputError

_NOTHING = re.compile(
    r"|-+|\?|na|n/a|none|unknown|unspecified|missing"
    r"|not (available|specified|stated|applicable|known|reported|collected|provided)"
)
_HEALTHY = re.compile(r"\b(normal|healthy|controls?|unaffected)\b")
_HEALTHY_PHRASE = re.compile(  # no other words
    r"(normal|healthy|controls?|unaffected|tissue|donors?|subjects?|individuals?|volunteers?|samples?"
    r"|adults?|person|people|state|cells?|apparently|clinically|and|\W)+"
)
_NEGATED = re.compile(
    r"non[- ]?(tumou?r|cancer|neoplas|malignan)|(cancer|tumou?r|carcinoma)[- ]free"
    r"|adjacent (normal|non)|normal adjacent|tumou?r necrosis factor"
)
_NEGATED_LATER = re.compile(  # but not of a neoplasm that was named before
    r"\b(free of|without|no evidence of|no|adjacent to|history of)\b.*"
    r"(cancer|tumou?r|carcinoma|malignan)"
)
_ABBREVIATION = re.compile(r"[A-Z][A-Z0-9-]{1,4}")
_UNDECIDED = re.compile(r"benign|adenoma\b|premalignan|pre-malignan|precancer|polyp\b")
_UNKNOWN_STATUS = re.compile(
    r"((\w+ )?status|disease|diagnosis) (is )?"
    r"(unknown|unspecified|not (stated|specified|known|given))"
)
_NEOPLASM = re.compile(
    r"carcinoma|leuka?emi|lymphoma|sarcoma|melanoma|glioma|blastoma|myeloma|tumou?r|cancer|neoplas"
    r"|malignan|mesothelioma|seminoma|astrocytoma|ependymoma|meningioma|thymoma|carcinoid|hodgkin"
    r"|myelodysplas|myelofibrosis|polycyth(a?)emia vera|thrombocyth(a?)emia|waldenstr|metasta"
    r"|insulinoma|pheochromocytoma|paraganglioma|teratoma|germinoma|chordoma|craniopharyngioma"
    r"|schwannoma|gammopathy"
)


TEXT = (
    "column cancer is not_cancer where Characteristics[disease] is normal, healthy or control as a "
    "whole, denies a tumor (non-tumor, adjacent, free of), or names no neoplasm; cancer where it "
    "names one (carcinoma, leukemia, lymphoma, sarcoma, melanoma, glioma, blastoma, myeloma, "
    "tumor, cancer, neoplasm and their kin); empty where it says nothing, does not know the "
    "status, is a bare abbreviation (AML), or calls it benign, an adenoma or precancerous. tissue "
    "is Characteristics[organism part]; material is cell line where Characteristics[cell line] is "
    "given, else patient; group is the individual, else the cell line, else the study"
)


def derive(obs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Columns cancer, tissue, material and group of an SDRF; and the values behind each class."""
    names = ("disease", "disease state", "diseasestate", "clinical information")
    diseases = _characteristic(obs, names)
    if diseases is None:
        raise InputError(
            f"`label_rule=cancer` needs a column Characteristics[{names[0]}]",
            "pass the .sdrf.txt as `labels`",
        )
    tissues = _given(obs, "organism part", "organismpart", "tissue")
    lines = _given(obs, "cell line", "cellline")
    individuals = _given(obs, "individual", "patient")
    studies = _given(obs, "study", "experiment", "accession")
    told = zip(individuals, lines, studies, strict=True)
    columns = {
        "cancer": [cancer_of(str(value)) for value in diseases],
        "tissue": tissues,
        "material": ["cell line" if line else "patient" for line in lines],
        "group": [individual or line or study for individual, line, study in told],
    }
    made = pd.DataFrame(columns, index=obs.index, dtype=object)
    return made, _values_by_class(diseases, made["cancer"].to_numpy(dtype=object))


def cancer_of(disease: str) -> str:
    """ "cancer", "not_cancer", or "" where the disease does not tell.

    >>> [cancer_of(d) for d in ("acute myeloid leukemia", "normal", "asthma", "")]
    ['cancer', 'not_cancer', 'not_cancer', '']
    """
    value, n_unknown = _UNKNOWN_STATUS.subn("", disease.strip().lower())
    if _NOTHING.fullmatch(value) or _UNDECIDED.search(value):
        return ""
    if _HEALTHY.search(value) and _HEALTHY_PHRASE.fullmatch(value):
        return "not_cancer"
    named, denied = _NEOPLASM.search(value), _NEGATED_LATER.search(value)
    if _NEGATED.search(value) or (denied and not (named and named.start() < denied.start())):
        return "not_cancer"
    if named:
        return "cancer"
    return "" if n_unknown or _ABBREVIATION.fullmatch(disease.strip()) else "not_cancer"


def _characteristic(obs: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray | None:
    """The SDRF column Characteristics[NAME] or Factor Value[NAME], of the first name there is."""
    plain = {}
    for column in obs.columns:
        match = re.fullmatch(r"(characteristics|factor ?value)\s*\[(.+)\]", str(column).lower())
        plain.setdefault(match[2].strip() if match else str(column).lower(), column)
    found = [plain[name] for name in names if name in plain]
    return obs[found[0]].to_numpy(dtype=object) if found else None


def _given(obs: pd.DataFrame, *names: str) -> list[str]:
    """Values of a characteristic, "" for none and for one that says that there is none."""
    column = _characteristic(obs, names)
    values = [""] * len(obs) if column is None else [str(value).strip() for value in column]
    return ["" if _NOTHING.fullmatch(value.lower()) else value for value in values]


def _values_by_class(diseases: np.ndarray, classes: np.ndarray) -> list[str]:
    """What the rule made of the commonest values, for the user to check."""
    lines = []
    for name in ("cancer", "not_cancer", ""):
        counts = pd.Series(diseases[classes == name]).value_counts()
        shown = ", ".join(f"{str(v)[:40] or '(empty)'} {n}" for v, n in counts.head(8).items())
        more = f", ... ({len(counts)} values)" if len(counts) > 8 else ""
        lines += [f"  {name or 'no class'}: {shown}{more}"] if len(counts) else []
    return lines
