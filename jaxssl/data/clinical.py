"""Measures of the clinic, as tables of samples call them."""

import re

_MEASURES = (
    "psa|fpsa|ki-?67|mib-?1|ldh|cea|ca-?125|ca15-?3|ca19-?9|ca72-?4|hba1c|crp|hs-?crp|esr|afp"
    "|b?hcg|cyfra21-?1|nse|scc|pivka(ii)?|wbc|rbc|hgb|hb|hct|h(a)?ematocrit|plt|mcv|mch|mchc|rdw|inr|aptt"
    "|platelets?|neutrophils?|lymphocytes?|monocytes?|eosinophils?|basophils?|leu[ck]ocytes?"
    "|albumin|alb|bilirubin|creatinine|e?gfr|alt|ast|alp|ggt|bun|urea|uric acid|glucose|insulin"
    "|cholesterol|hdl|ldl|triglycerides?|sbp|dbp|(nt-?pro)?bnp|troponin|ferritin|d-?dimer"
    "|fibrinogen|procalcitonin|sodium|potassium|calcium|tsh|ft4|estradiol|testosterone|lh|fsh"
    "|progesterone|prolactin|cortisol|vitamin d|b2m|il-?6|her2|er|pr|pgr|nlr|plr|sii|whr|waist|hip"
    "|body ?fat|mmse|updrs|edss|das28|sofa|meld|fev1|fvc|heart rate|spo2|viral load|cd4|ecog( ps)?"
    "|karnofsky|kps|oncotype"
)
_BEFORE = "pre|post|pre-?op|post-?op|preoperative|baseline|initial|serum|plasma|blood|fasting|last"
_AFTER = (
    "levels?|values?|index|percent|pct|score|count|positivity|baseline|conc(entration)?|[%]"
    "|(ng|pg|ug|mg|g|u|iu|mmol|umol|nmol)( ?/? ?(ml|dl|l|mol))"
)
_BARE = re.compile(_MEASURES.replace("-?", "[ _.-]?").replace(" ?", "[ _.-]?"), re.IGNORECASE)
DECORATED = rf"({_BEFORE})[ _.-]({_MEASURES})([ _.(-]+({_AFTER})\)?)?" + (
    rf"|({_MEASURES})[ _.(-]+({_AFTER})\)?"
)
"""Measures with what no symbol has before or behind it, such as PSA (ng/mL), in small letters."""


def is_measure(name: str) -> bool:
    """Whether a measure of the clinic is called so; some genes are, too.

    >>> [is_measure(name) for name in ("Ki-67", "CRP", "TP53")]
    [True, True, False]
    """
    return _BARE.fullmatch(name.strip()) is not None
