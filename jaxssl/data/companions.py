"""What stands among the genes or the samples of a table and is neither, told by its name."""

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from jaxssl.data import comparisons
from jaxssl.data.clinical import DECORATED


class Kind(NamedTuple):
    """What a name among genes, or among samples, stands for instead."""

    what: str  # in the plural, as it stands in a note
    words: frozenset[str]  # such names, in small letters and digits alone
    pattern: str = ""  # or in small letters with all else, whole
    company: int = 1  # so many of them, or each is taken for a gene or a sample
    is_kept: bool = False  # as text about the other axis


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COUNTERS = r"(no_?feature|ambiguous\w*|(too_)?low_?aqual|not_?aligned|alignment_not_unique)"
_ENDPOINT = "(os|pfs|pfi|dfs|dfi|dss|rfs|dmfs|mfs|efs|ttp|bcr|rf|overall|survival)"
_OF_TIME = "(time|event|status|stat|months?|days?|years?|survival|free|censor(ed|ing)?|cens)"
AMONG_GENES = {
    "nameless": Kind("without a name", frozenset(), ""),
    "counter": Kind(
        "counters of reads outside genes",
        _words("unmapped multimapping multimapped unassigned"),
        rf"x?_*{_COUNTERS}|(x?_)?_(_\w+|empty)|x?__\S+|n_(unmapped|multimapping|nofeature)"
        rf"|n_{_COUNTERS}|unassigned_\w+|\*|{_COUNTERS.replace('_', '[ .]')}",
    ),
    "total": Kind(
        "totals of the genes",
        _words(
            """
            total totals sum sums mean means average averages median medians sd std stdev variance
            grandtotal columntotal columnsum coltotal colsum colsums colmeans totalcount totalcounts
            totalreads totalmappedreads mappedreads librarysize libsize sizefactor sizefactors
            normfactor normfactors totalexpression sumofcounts assigned
            """
        ),
    ),
    "sample": Kind(
        "facts about the samples",
        _words(
            """
            condition conditions group groups groupid class classes classlabel label labels target
            outcome response responder phenotype diagnosis disease diseasestate diseasetype tumor
            tissue tissuetype sampletype sampleid sampleorigin samplename celltype cellline subtype
            molecularsubtype pam50 histology site primarysite bodysite patient patientid donor
            donorid subject subjectid individual individualid participant participantid caseid batch
            batchid plate plateid center centre cohort study series dataset platform lane flowcell
            sex gender race ethnicity age ages ageyears agegroup bmi height weight stage grade
            clinicalstage pathologicstage tnm tstage nstage mstage tumorstage tumorgrade
            histologicalgrade gleason gleasonscore treatment treated therapy drug dose timepoint
            time day week month year replicate rin rinscore rinvalue rnaintegritynumber rnaintegrity
            dv200 pmi postmorteminterval purity tumorpurity ploidy cellularity os pfs pfi dfs dfi
            dss rfs dmfs event events survival futime fustat followup followuptime alive death
            deceased mortality relapse recurrence progression metastasis censor censored smoking
            smoker packyears alcohol msi msistatus tmb cluster status tumorsize tumoursize nodes
            lymphnodes risk riskscore riskgroup split ncountrna nfeaturerna origident seuratclusters
            leiden louvain cellcycle phase chemotherapy radiotherapy hemoglobin haemoglobin
            menopause eweight ngenes ncounts totalumi percentmito percentmt pctcountsmt mitopercent
            isolate developmentalstage genotype organismpart sourcename
            """
        ),
        rf"{_ENDPOINT}[ _.-]*{_OF_TIME}\w*|{_OF_TIME}[ _.-]*{_ENDPOINT}"
        r"|.*(vital|node|er|pr|her2|hr|smoking|disease|menopausal?|tumou?r|mutation|survival)"
        r"[ _.-]status"
        r"|.*(days|months|years|time)[ _.-]?(to|until|from|since)[ _.-].*"
        r"|.*follow[ _.-]?up.*|.*survival.*|age[ _.-](at|in|of)[ _.-].*"
        r"|age[ _.(-]*(years?|yrs?|y|months?|days?)\)?"
        r"|.*[ _.-](stage|grade|diagnosis|batch|gender|sex|age|purity|rin|score|event)"
        r"|(x_)?(umap|tsne|pc)[ _]\d+|\w+_snn_res\.[\d.]+"
        r"|n_(genes|counts|features|umis?)(_by_counts)?"
        r"|tumou?r[ _.-]?size.*|.*(pos|positive|lymph)[ _.-]nodes.*|(percent|pct)(age)?[ _.-].+"
        rf"|{DECORATED}",
        is_kept=True,
    ),
}

_IDS_OF_GENES = _words(
    """
    entrez entrezid entrezgene entrezgeneid geneentrezid entrezids ncbiid ncbigene ncbigeneid geneid
    geneids hgncid hgncsymbol hugosymbol hugo ensembl ensemblid ensemblgene ensemblgeneid
    ensemblgeneidversion ensemblids ensg ensgid gene genes genename genenames genesymbol
    genesymbols symbol symbols officialsymbol geneshortname probe probeid probeids probeset
    probesetid idref ilmnid transcriptid txid trackingid mgiid mgisymbol locustag targetid id
    """
)
AMONG_SAMPLES = {
    "gene": Kind(
        "facts about the genes",
        _IDS_OF_GENES
        | _words(
            """
            hgnc genetitle genedescription genefullname description descriptions definition
            annotation synonym synonyms alias aliases accession genbank genbankaccession gbacc
            refseq refseqid refseqaccession uniprot uniprotid unigene unigeneid arrayaddressid
            transcript transcripts transcriptids transcripttype transcriptname txname proteinid
            ensemblversion nearestrefid nearestref classcode class tssid locus chr chrom chromosome
            chromosomename seqname seqnames seqid chromstart chromend start end startposition
            endposition genestart geneend strand band cytoband karyotypeband location molweightkda
            sequencelength sequencecoverage genomiclocation coordinates position width length
            lengths genelength exonlength exonlengths exoniclength unionlength transcriptlength
            txlength effectivelength efflength effectivegenelength medianlength medtxlen maxlength
            exoncount exonnumber nexons mapinfo basepairs bplength bpstart bpend genetype biotype
            genebiotype transcriptbiotype goterm genesource genestatus transcriptstatus level
            havanagene species organism taxid gccontent gcpercent percentgc percentagegccontent
            percentagegenegccontent gocategory goid keggid controltype probeuid systematicname
            subtypemask subtypename classname nsprobeid analytetype codeclass
            pathway gweight age stage grade sex gender label target batch group
            """
        ),
        r"unnamed: \d+|row[ ._]?(names?|num(ber)?)"
        r"|go[ _.-](biological|molecular|cellular).*|(gene|transcript)[ _]?ids?\(s\)"
        r"|gc[ _.]?(%|content|fraction)|% ?gc.*|.*gc[ _.]content|positive flag.*|% ?samples.*",
        is_kept=True,
    ),
    "statistic": Kind(
        "statistics over the samples",
        _words("mean means average avg averageexpression meanexpression median rowsum rowsums "
               "rowmean rowmeans sd stdev std stddev sem variance cv sumcounts")),
    "some": Kind("statistics over the samples", _words("max min sum total"), company=2),
    "test": Kind("results of a comparison", comparisons.WORDS, comparisons.RESULT, is_kept=True),
    "contrast": Kind("results of a comparison", frozenset(), comparisons.CONTRAST),
    "group": Kind("statistics over groups of samples", frozenset(), comparisons.MEANS),
    "spread": Kind("spreads of groups of samples", frozenset(), comparisons.SPREADS),
    "unlike": Kind("columns unlike the samples", frozenset(), is_kept=True),
    "of test": Kind(
        "results of a comparison",
        comparisons.MAYBE,
        r"(f|ss|ms)\(\D.*\)",
        99,
        is_kept=True,
    ),
}  # fmt: skip
_OF_EITHER = _words(
    "tumor disease treated treatment tissue relapse recurrence metastasis patient donor death time"
)
"""Facts about samples after which samples are called, too."""
_NAMELESS = re.compile(
    r"((NA|N/A|NaN|nan|null|NULL|None|#N/A|<NA>|[-\u2013\u2014]+|\?+|\.+|[Uu]nnamed: ?\d+"
    r"|\[?[Nn]ot [Aa]vailable\]?|#(NAME|REF|VALUE|DIV/0|NULL|NUM)[?!]?)([._]+\d*|\|(?!\d)\S*)?)?\s*"
)
_SPIKE = re.compile(
    r"ERCC[-_.]\d+|(POS|NEG)_[A-Z] ?(\([\d.]+\))?|R[12]_\d+_\d+|SIRV\d+|SEQUIN\S*", re.IGNORECASE
)
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")


def is_nameless(name: str) -> bool:
    """Whether a gene's name stands for none: NA, ---, ? or an error of Excel's.

    ?|100130426 is a gene of Firehose's without a symbol, by its Entrez id.

    >>> [is_nameless(name) for name in ("---", "NA.1", "?", "?|100130426", "NAT1")]
    [True, True, True, False, False]
    """
    return _NAMELESS.fullmatch(name.strip()) is not None


def is_id_of_genes(name: str) -> bool:
    """Whether a column of that name holds ids or symbols of genes."""
    return _plain(name) in _IDS_OF_GENES or name.lower() in ("transcript_id(s)", "gene_id(s)")


def is_spike(name: str) -> bool:
    """Whether a name is that of a spike-in control."""
    return _SPIKE.fullmatch(name) is not None


def kinds_of(names: Iterable[str], kinds: dict[str, Kind]) -> np.ndarray:
    """The key in `kinds` of each name; "" for a gene or a sample.

    >>> kinds_of(["__no_feature", "N_unmapped", "TP53", "OS.time"], AMONG_GENES).tolist()
    ['counter', 'counter', '', 'sample']
    """
    is_of_genes = kinds is AMONG_GENES
    names = [str(name) for name in names]
    found = ["" if comparisons.is_filed(name) else _kind_of(name, is_of_genes) for name in names]
    if not is_of_genes:
        comparisons.tell_contrasts(names, found)
        comparisons.spare(names, found)
    few = {key for key, kind in kinds.items() if 0 < found.count(key) < kind.company}
    if few and not is_of_genes and {"statistic", "test", "contrast", "group"} & set(found):
        few = set()
    return np.array(["" if key in few else key for key in found], dtype=object)


def facts_beside(
    names: Sequence[str], texts: Collection[str] = (), fractions: Collection[str] = ()
) -> list[str]:
    """Of names of columns, those about the rows, whatever these are.

    Facts about genes are told by name; those about samples by name where they are among `texts`,
    the columns that hold text: numbers called tumor may be of a sample, and so may those called T,
    and start or class where they are among `fractions`, the columns with numbers that have some.
    """
    of_genes, of_samples = _are_kept(names, AMONG_SAMPLES), _are_kept(names, AMONG_GENES)
    may = {name for name in fractions if _plain(name) in comparisons.WHOLE}
    return [
        name
        for name, is_of_gene, is_of_sample in zip(names, of_genes, of_samples, strict=True)
        if (is_of_gene and name not in may and _plain(name) not in comparisons.MAYBE)
        or ((is_of_gene or is_of_sample) and name in texts)
    ]


def is_about_samples(texts: Collection[str], names: Sequence[str]) -> bool:
    """Whether a table with columns of these names, ids apart, is one of samples.

    Most columns hold text, as `texts` do, those about genes apart; or all are facts about samples.
    """
    of_genes, of_samples = _are_kept(names, AMONG_SAMPLES), _are_kept(names, AMONG_GENES)
    if names and all(of_samples) and not {_plain(name) for name in names} <= _OF_EITHER:
        return True
    rest = [
        name
        for name, is_of_gene, is_of_sample in zip(names, of_genes, of_samples, strict=True)
        if is_of_sample or not is_of_gene
    ]
    return 2 * len(set(texts) & set(rest)) > len(rest) > 0


def _are_kept(names: Sequence[str], kinds: dict[str, Kind]) -> list[bool]:
    return [bool(key) and kinds[key].is_kept for key in kinds_of(names, kinds)]


@lru_cache(1 << 17)
def _kind_of(name: str, is_of_genes: bool) -> str:
    if is_of_genes and is_nameless(name):
        return "nameless"
    plain = _plain(name)
    words = name.strip().lower() if is_of_genes else comparisons.spaced(name)
    for key, kind in (AMONG_GENES if is_of_genes else AMONG_SAMPLES).items():
        if plain in kind.words or (kind.pattern and re.fullmatch(kind.pattern, words)):
            return key
    return ""


def _plain(name: str) -> str:  # small letters and digits alone
    return _NOT_PLAIN.sub("", name.lower())
