"""The name above the ids of the rows: what it says of them."""

import re

_OF_GENES = re.compile(
    "gene|ensembl|ens[gt]|entrez|hugo|hgnc|symbol|probe|transcript|feature|mi?rna|mirbase|isoform"
    "|refseq|uniprot|protein|orf|locus|target|tracking|reporter|composite|hybridization|cpg|ilmn|mgi"
    "|systematicname"
)
_OF_SAMPLES = re.compile(
    "sample|samp|patient|subject|donor|case|individual|participant|cell|barcode|run|aliquot|specimen"
    "|tumou?r|biopsy|submitter|depmap|model|ccle|array|librar|geo|gsm|bam|file|mouse|mice|animal"
    "|person"
)
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
GENES, SAMPLES = "genes", "samples"


def named_in(corner: str) -> str:
    """What the rows are by the name above their ids: "genes", "samples", or "".

    The first word that says it counts, also within a name such as GeneSymbol.

    >>> [named_in(name) for name in ("Entrez_Gene_Id", "ID_REF", "patientId", "id")]
    ['genes', 'genes', 'samples', '']
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", corner.replace("miRNA", "mirna"))
    words = [word for word in re.split(r"[\W_]+", spaced.lower()) if word]
    if words == ["id", "ref"]:
        return GENES
    for word in words:
        if _OF_GENES.match(word):
            return GENES
        if _OF_SAMPLES.match(word):
            return SAMPLES
    return ""


def is_name_for_ids(name: str) -> bool:
    """Whether a column of that name holds ids: sample, gene_id, SAMPID, ..."""
    return bool(_CORNER.fullmatch(name) or _OF_IDS.search(name))
