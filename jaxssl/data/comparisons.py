"""Statistics over groups of samples, and results of comparing them, told by their names."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence

_TOKEN = (
    r"(log2?[ _.]?(fc|ratio)|lfc|(?<![a-z0-9])(fc|[pq])(?![a-z0-9])|fcabs|fold|[pq][ _.-]?val"
    "|p?[ _.-]?adj|fdr|ratio|stat|signif|basemean|diff)"
)
_MEAN = r"(mean|avg|average|median)( ?\(log2?\))?"
_BEFORE = r"(mean|avg|average|median|sd|std|stdev|sem|se|cv)"
_SPREAD = "(sd|std|stdev|stderr|sem|se|cv|var|variance|standard[ _.]deviation)"
WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        basemean basemeana basemeanb log2foldchange log2fc log2foldchanges logfc lfc lfcse
        foldchange pvalue pvalues pval padj adjpval adjpvalue adjustedpvalue fdr qvalue qval
        pvaladj pvals pvalsadj logfoldchanges aveexpr logcpm significant significance bonferroni
        fdrstepup
        """,
    )
)
"""Results of a comparison, in small letters and digits alone."""
RESULT = (
    r"(log2?[ _.]?(fc|fold[ _.]?change)|fold[ _.]?change)[ _.(].+"
    r"|(.+[ _.])?(fold[ _.-]?changes?|log2?[ _.-]?(fc|foldchange|fold[ _.]change))"
    r"|(t[ _.-]?test|anova|fdr|wald|lrt|bonferroni|bh|adj(usted)?|corrected|nominal)[ _.-]*"
    r"[pq][ _.-]*val(ue)?s?|(p|adj|padj|fdr|q)[ _.-]?(val(ue)?)?[ _.(].*vs.*"
    r"|(-|neg|minus|n)?[ _.]*log(10)?[ _.(]*(adj)?[ _.]*(p|q|fdr)[ _.-]*(val(ue)?|adj)?\)?"
)
"""Results of a comparison, in small letters; frontal cortex is called FC_1, too."""
CONTRAST = (
    rf"(?=.*[^a-z0-9]vs[^a-z0-9])(?=.*{_TOKEN}).*|(log2?([ _.-]?ratio)?|{_TOKEN}\w*) ?\(.+/.+\)"
    r"|.+vs.+[ _.](log2?fc|p[ _.]?adj|p[ _.]?val(ue)?|fdr)"
)
"""Results that name what is compared, as KO_vs_WT_padj and log2(KO/WT) do."""
MEANS = (
    r"(?!avg[ _.]?(signal|n))(avg|ls ?mean|mean|average|median)[ _.(](?!signal).+"
    rf"|.+[ _.-]{_MEAN}"
)
"""Means of groups, such as WT_mean."""
SPREADS = rf".+[ _.-]{_SPREAD}|(sd|std|stdev|sem|se|cv)[ _.].+"
"""Spreads of groups, such as WT_sd; plants in short days are called so, too."""
MAYBE = frozenset(
    re.findall(
        r"\w+",
        """
        stat t b f lr p q fc fold ratio log2ratio logratio teststat ttest score zscore rank delta
        diff difference direction
        """,
    )
)
"""Results that samples may be called after, in small letters and digits alone."""
WHOLE = frozenset(
    re.findall(
        r"\w+", "start end target group class label batch stage grade level location position"
    )
)
"""Facts about genes that have no fractions; samples are called so, too."""
_AMONG_OTHERS = ("contrast", "group")
_WRITTEN_TOGETHER = re.compile(
    r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=(mean|avg|average|median|sd|sem)$)"
)
_VERSUS = re.compile(r"(?:ratio[ _.(]+)?(.+?)(?:/|[ _.](?:vs?|versus|over)[ _.]+|vs)(.+?)\)?")
_BETWEEN = re.compile(r"(.+?)[-:_](.+)")
_FILED = re.compile(r"GSM\d+|[SED]RR\d+|(TCGA|GTEX)-[A-Z0-9-]*-[A-Z0-9]*\d[A-Z0-9]*")


def is_filed(name: str) -> bool:
    """Whether an archive named a sample so: it is no result, which need not be asked of thousands.

    >>> [is_filed(name) for name in ("GSM123", "TCGA-A1-A0SB-01A", "GSM123_sd", "TCGA-BRCA-MEAN")]
    [True, True, False, False]
    """
    return _FILED.fullmatch(name) is not None


def spaced(name: str) -> str:
    """A name in small letters, with a line where it had none between words.

    >>> spaced("meanKO"), spaced("WTmean")
    ('mean_ko', 'wt_mean')
    """
    return _WRITTEN_TOGETHER.sub("_", name.strip()).lower()


def stem_of(name: str) -> str:
    """The group of a mean or a spread, in small letters.

    >>> stem_of("Liver_mean"), stem_of("sdKO")
    ('liver', 'ko')
    """
    return re.sub(rf"[ _.-]({_MEAN}|{_SPREAD})$|^{_BEFORE}[ _.]", "", spaced(name))


def is_versus(name: str) -> bool:
    """Whether a name sets one thing against another, as KO/WT and KO_vs_WT do."""
    return _VERSUS.fullmatch(name.lower()) is not None


def in_order(names: Iterable[str]) -> list[str]:
    """Names in small letters, sorted, as `are_sides` looks them up."""
    return sorted({name.lower() for name in names})


def are_sides(name: str, others: Sequence[str], between: re.Pattern[str] = _BETWEEN) -> bool:
    """Whether a name joins two with which names of others start.

    >>> are_sides("KO-WT", in_order(["KO_1", "WT_1"]))
    True
    """
    own = name.lower()
    sides = between.fullmatch(own)
    return sides is not None and all(
        _begins(others, side.strip(" _.("), own) for side in sides.groups()
    )


def _begins(others: Sequence[str], side: str, own: str) -> bool:
    """Whether one of the others begins so."""
    first = bisect_left(others, side)
    return any(other.startswith(side) and other != own for other in others[first : first + 2])


def tell_contrasts(names: Sequence[str], kinds: list[str]) -> None:
    """Take KO/WT or KO_vs_WT for a contrast where samples are called after both.

    Changes `kinds`.
    """
    rest = in_order(
        n for n, kind in zip(names, kinds, strict=True) if not kind and not is_versus(n)
    )
    for i, name in enumerate(names):
        if not kinds[i] and are_sides(name, rest, _VERSUS):
            kinds[i] = "contrast"


def spare(names: Sequence[str], kinds: list[str]) -> None:
    """Take for samples what could be a mean or a contrast where there is no other sample.

    A spread is one beside the mean of its group. Changes `kinds`.

    >>> kinds = ["group", "spread"]
    >>> spare(["WT_mean", "WT_sd"], kinds)
    >>> kinds
    ['', 'spread']
    """
    if not {"spread", *_AMONG_OTHERS} & set(kinds):
        return
    stems = [stem_of(name) for name in names]
    of_means = {stem for stem, kind in zip(stems, kinds, strict=True) if kind == "group"}
    there = {name.lower() for name in names}
    for i, kind in enumerate(kinds):
        if kind == "spread" and (stems[i] not in of_means or stems[i] in there):
            kinds[i] = ""
    if not any(not kind and name for name, kind in zip(names, kinds, strict=True)):
        kinds[:] = ["" if kind in _AMONG_OTHERS else kind for kind in kinds]
