"""Embed samples with a pretrained encoder; genes are matched by name.

Example:

  python -m launch.embed --encoder=runs/mirna/encoder/seed_000 --data=new.h5ad --out=embedded.h5ad

writes the data with .obsm["X_jaxssl"] and .obs["prototype"].
"""

from absl import flags

from jaxssl.config import DataConfig
from jaxssl.data.align import encoder_input
from jaxssl.data.store import write_h5ad
from jaxssl.engine.embed import embed, prototype_scores
from jaxssl.types import InputError
from launch import exit
from launch.folder import new_file
from launch.inputs import read, read_encoder

_ENCODER = flags.DEFINE_string("encoder", "", "Bundle folder, such as RUN/encoder/seed_000.")
_DATA = flags.DEFINE_string("data", "", "Expression file.")
_OUT = flags.DEFINE_string("out", "", "The .h5ad to write.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing --out.")
_MAX_MISSING = flags.DEFINE_float("max_missing", 0.3, "Share of genes that may be imputed.", 0, 1)


def main(arguments: list[str]) -> None:
    """Align, normalise, embed, write."""
    exit.no_arguments(arguments)
    out = new_file(_OUT.value, (".h5ad",), overwrite=_OVERWRITE.value)
    if not _ENCODER.value:
        raise InputError("no encoder is given; pass --encoder=RUN/encoder/seed_000")
    bundle = read_encoder(_ENCODER.value)
    adata = read(DataConfig(path=_DATA.value))
    x, report = encoder_input(adata, bundle.normalizer, max_missing=_MAX_MISSING.value)
    adata.obsm["X_jaxssl"] = embed(bundle, x)
    scores = prototype_scores(bundle, x)
    if scores is not None:
        adata.obs["prototype"] = scores.argmax(axis=1).astype(str)
    write_h5ad(adata, out)
    print(f"genes: {report['n_genes'] - report['n_missing']} of {report['n_genes']} found by name")
    print(f"wrote {out}: {adata.n_obs:,} samples, {adata.obsm['X_jaxssl'].shape[1]} dimensions")


if __name__ == "__main__":
    exit.run(main)
