"""Embed samples with a pretrained encoder; genes are matched by name.

Example:

  python -m launch.embed --encoder=runs/mirna/encoder/seed_000 --data=new.h5ad --out=embedded.h5ad

writes the data with .obsm["X_jaxssl"] and .obs["prototype"].
"""

from absl import flags

from jaxssl.data.store import write_h5ad
from jaxssl.runs.output import new_file
from jaxssl.studies.classifier import MAX_MISSING, embed_samples
from jaxssl.types import InputError

from . import exit
from .screen import hooks

_ENCODER = flags.DEFINE_string("encoder", "", "Bundle, or a run folder with encoders.")
_DATA = flags.DEFINE_string("data", "", "Expression file.")
_OUT = flags.DEFINE_string("out", "", "The .h5ad to write.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing --out.")
_MISSING = flags.DEFINE_float(
    "max_missing", MAX_MISSING, "Share of genes that may be imputed.", 0, 1
)


def main(arguments: list[str]) -> None:
    """Align, normalise, embed, write."""
    exit.no_arguments(arguments)
    out = new_file(_OUT.value, (".h5ad",), overwrite=_OVERWRITE.value)
    if not _ENCODER.value:
        raise InputError("no encoder is given", "pass `encoder=RUN`")
    adata = embed_samples(_ENCODER.value, _DATA.value, hooks(), max_missing=_MISSING.value)
    write_h5ad(adata, out)
    print(f"wrote {out}: {adata.n_obs:,} samples, {adata.obsm['X_jaxssl'].shape[1]} dimensions")


if __name__ == "__main__":
    exit.run(main)
