"""Embed samples with a pretrained encoder; genes are matched by name.

Example:

  python -m launch.embed --encoder=runs/mirna/encoder/seed_000 --data=new.h5ad --out=embedded.h5ad

writes the data with .obsm["X_jaxssl"] and .obs["prototype"]; of an .h5ad, all else is as it was,
and --out may be --data itself.
"""

from absl import flags as absl_flags

from jaxssl.runs.output import new_file
from jaxssl.studies.embedding import embed_file

from . import exit, flags
from .screen import hooks

flags.define("data", "encoder", "max_missing", "shift")
absl_flags.DEFINE_string("batch", "", flags.OF_NEW_SAMPLES)
_OUT = absl_flags.DEFINE_string("out", "", "The .h5ad to write.")
_OVERWRITE = absl_flags.DEFINE_bool("overwrite", False, "Replace an existing --out, or embedding.")


def main() -> None:
    """Align, normalise, embed, write."""
    encoder, data = flags.folder_of("encoder", "pretrain"), flags.value_of("data")
    words = {name: flags.value_of(name) for name in ("batch", "max_missing", "shift")}
    out = new_file(
        _OUT.value, (".h5ad",), inputs=[("encoder", encoder)], overwrite=_OVERWRITE.value
    )
    adata = embed_file(encoder, data, out, hooks(), **words, overwrite=_OVERWRITE.value)
    print(f"wrote {out}: {adata.n_obs:,} samples, {adata.obsm['X_jaxssl'].shape[1]} dimensions")


if __name__ == "__main__":
    exit.run(main)
