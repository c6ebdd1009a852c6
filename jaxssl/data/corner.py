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
