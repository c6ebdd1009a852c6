"""The name above the ids of the rows: what it says of them."""

import re

_OF_GENES = re.compile(
    "gene|gen$|ensembl|ens[gt]|entrez|hugo|hgnc|symbol|probe|transcript|feature|mirbase|isoform|refseq"
    "|uniprot|protein|peptide|orf|locus|target|tracking|reporter|composite|hybridization|cpg|ilmn|mgi"
    "|systematicname|address|sequence|(mi?|circ|linc|lnc|nc|pi|sno|t)rna"
)
_OF_SAMPLES = re.compile(
    "sample|samp|patient|subject|donor|case|individual|participant|cell|barcode|run|aliquot|specimen"
    "|tumou?r|biopsy|submitter|depmap|model|ccle|librar|geo|gsm|bam|file|person"
)
_OF_EITHER = re.compile("array|mouse|mice|animal")
"""Samples, unless another word says genes: Array_Address_Id, Mouse Entrez ID."""
_KINDS = (
    "hugo|hgnc|genes?|ensembl|ensg|entrez|probes?|probeset|probe set|feature|transcript"
    r"|composite ?\w*|scan|assay|hybridization|reporter|extract|xena|tracking|target|sample"
)
_WORDS = (
    "ids?|ref|names?|symbols?|code|identifier|element ref|sequence identifier|array data file ref"
)
_CORNER = re.compile(
    rf"#?(x|samples?|rownames?|index|unnamed: 0"
    rf"|(({_KINDS})[ _.-]*)?(gene[ _.-]*)?({_WORDS}|sample)?)",
    re.IGNORECASE,
)
_OF_IDS = re.compile(
    r"(?i:(^|[ _.-])(ids?|names?|ref|file|samples?|barcode|accession|run|array|patient|donor|case"
    r"|key|code))$|[A-Za-z](ID|Id|IDs)$"
)
"""What stands above a column of ids, and is no name of a column of numbers."""
OVER_NUMBERS = {*("", "x", "index", "unnamed: 0", "row", "rownames", "rowname", "row.names")}
OVER_NUMBERS |= {*("row_names", "no", "no.", "nr", "#", "...1", "level_0", "v1")}
"""What stands above the numbers of rows, in small letters."""
_OF_VALUES = re.compile(
    r"(log\d*|raw|norm(alized|alised)?|relative|mean|read|expected|estimated"
    r"|[fr]pkm|tpm|cpm|tmm|counts?|reads|umis?|expressions?|values?|abundances?|intensit(y|ies)"
    r"|signals?|levels?|data|matrix|expr)+"
)
"""A table may be called after its values in its corner, which says nothing of its ids."""
GENES, SAMPLES = "genes", "samples"


def named_in(corner: str) -> str:
    """What the rows are by the name above their ids: "genes", "samples", or "".

    The first word that says it counts, also within a name such as GeneSymbol; that of an array or
    of a species after all others.

    >>> [named_in(name) for name in ("Entrez_Gene_Id", "ID_REF", "patientId", "Mouse gene", "id")]
    ['genes', 'genes', 'samples', 'genes', '']
    """
    whole = re.sub(r"(?<=[a-z])RNA", "rna", corner)
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", whole)
    words = [word for word in re.split(r"[\W_]+", spaced.lower()) if word]
    if words == ["id", "ref"]:
        return GENES
    for word in words:
        if _OF_GENES.match(word):
            return GENES
        if _OF_SAMPLES.match(word):
            return SAMPLES
    return SAMPLES if any(map(_OF_EITHER.match, words)) else ""


def names_something_else(corner: str) -> bool:
    """Whether it is a word of something else than genes, samples, ids and values: perturbation.

    >>> [names_something_else(name) for name in ("perturbation", "log2 TPM", "x", "sample")]
    [True, False, False, False]
    """
    is_word = re.search(r"[^\W\d_]{3}", corner) is not None
    are_values = _OF_VALUES.fullmatch(re.sub(r"[\W_]+", "", corner.lower())) is not None
    return is_word and not (named_in(corner) or is_name_for_ids(corner) or are_values)


def is_name_for_ids(name: str) -> bool:
    """Whether a column of that name holds ids: sample, gene_id, SAMPID, ..."""
    return bool(_CORNER.fullmatch(name) or _OF_IDS.search(name))
