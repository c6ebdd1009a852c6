"""Statistics over groups of samples, and results of comparing them, told by their names."""

import re
from collections.abc import Sequence

_TOKEN = (
    r"(log2?[ _.]?(fc|ratio)|lfc|(?<![a-z0-9])(fc|[pq])(?![a-z0-9])|fcabs|fold|[pq][ _.-]?val"
    "|p?[ _.-]?adj|fdr|ratio|stat|signif|basemean|diff)"
)
_MEAN = r"(mean|avg|average|median)( ?\(log2?\))?"
_SPREAD = "(sd|std|stdev|stderr|sem|se|cv|var|variance|standard[ _.]deviation)"
WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        basemean basemeana basemeanb log2foldchange log2fc log2foldchanges logfc lfc lfcse
        foldchange pvalue pvalues pval padj adjpval adjpvalue adjustedpvalue fdr qvalue qval
        aveexpr logcpm significant significance bonferroni fdrstepup
        """,
    )
)
"""Results of a comparison, in small letters and digits alone."""
RESULT = (
    r"(log2?[ _.]?(fc|fold[ _.]?change)|fold[ _.]?change)[ _.(].+"
    r"|(.+[ _.])?(fold[ _.-]?changes?|log2?[ _.-]?(fc|foldchange|fold[ _.]change))"
    r"|(t[ _.-]?test|anova|fdr|wald|lrt|bonferroni|bh|adj(usted)?|corrected|nominal)[ _.-]*"
    r"[pq][ _.-]*val(ue)?s?|(p|adj|padj|fdr|q)[ _.-]?(val(ue)?)?[ _.(].*vs.*"
)
"""Results of a comparison, in small letters; frontal cortex is called FC_1, too."""
CONTRAST = (
    rf"(?=.*[^a-z0-9]vs[^a-z0-9])(?=.*{_TOKEN}).*|(log2?([ _.-]?ratio)?|{_TOKEN}\w*) ?\(.+/.+\)"
    r"|.+vs.+[ _.](log2?fc|p[ _.]?adj|p[ _.]?val(ue)?|fdr)"
)
"""Results that name what is compared, as KO_vs_WT_padj and log2(KO/WT) do."""
MEANS = rf"(?!avg[ _.]?(signal|n))(avg|ls ?mean)[ _.(].+|.+[ _.-]{_MEAN}"
"""Means of groups, such as WT_mean."""
SPREADS = rf".+[ _.-]{_SPREAD}"
"""Spreads of groups, such as WT_sd; plants in short days are called so, too."""
_AMONG_OTHERS = ("contrast", "group")


def spare(names: Sequence[str], kinds: list[str]) -> None:
    """Take for samples what could be a mean or a contrast where there is no other sample.

    A spread is one beside the mean of its group. Changes `kinds`.

    >>> kinds = ["group", "spread"]
    >>> spare(["WT_mean", "WT_sd"], kinds)
    >>> kinds
    ['', 'spread']
    """
    stems = [re.sub(rf"[ _.-]({_MEAN}|{_SPREAD})$", "", name.lower()) for name in names]
    of_means = {stem for stem, kind in zip(stems, kinds, strict=True) if kind == "group"}
    there = {name.lower() for name in names}
    for i, kind in enumerate(kinds):
        if kind == "spread" and (stems[i] not in of_means or stems[i] in there):
            kinds[i] = ""
    if not any(not kind and name for name, kind in zip(names, kinds, strict=True)):
        kinds[:] = ["" if kind in _AMONG_OTHERS else kind for kind in kinds]
