"""Embed samples with a pretrained encoder; genes are matched by name.

Example:

  python -m launch.embed --encoder=runs/mirna/encoder/seed_000 --data=new.h5ad --out=embedded.h5ad

writes the data with .obsm["X_jaxssl"] and .obs["prototype"].
"""

from absl import flags as absl_flags

from jaxssl.data.expression import write_h5ad
from jaxssl.runs.output import new_file
from jaxssl.studies.classifier import embed

from . import exit, flags
from .screen import hooks

flags.define("data", "encoder", "max_missing")
_OUT = absl_flags.DEFINE_string("out", "", "The .h5ad to write.")
_OVERWRITE = absl_flags.DEFINE_bool("overwrite", False, "Replace an existing --out.")


def main() -> None:
    """Align, normalise, embed, write."""
    out = new_file(_OUT.value, (".h5ad",), overwrite=_OVERWRITE.value)
    encoder, data = flags.folder_of("encoder", "pretrain"), flags.value_of("data")
    adata = embed(encoder, data, hooks(), max_missing=flags.value_of("max_missing"))
    write_h5ad(adata, out)
    print(f"wrote {out}: {adata.n_obs:,} samples, {adata.obsm['X_jaxssl'].shape[1]} dimensions")


if __name__ == "__main__":
    exit.run(main)
