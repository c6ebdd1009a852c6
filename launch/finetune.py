"""One encoder and labels to a classifier.

Example:

  python -m launch.finetune --encoder=runs/mirna/encoder/seed_000 --data=mirna.h5ad \\
      --label=label20 --share=0.05 --out=runs/clf

writes classifier/ (for predict), predictions.parquet of the held-out parts, summary.json.
"""

import dataclasses

from absl import flags as absl_flags

from jaxssl.studies.arguments import with_data
from jaxssl.studies.classifier import MAX_MISSING, run_finetuning
from jaxssl.studies.start import read_encoder
from jaxssl.types import InputError

from . import exit, flags
from .screen import hooks

flags.define(*flags.DATA, "out", "overwrite")
_ENCODER = absl_flags.DEFINE_string("encoder", "", "Bundle, or a run folder with encoders.")
_SHARE = absl_flags.DEFINE_float("share", 1.0, "Share of the training labels to use.")
_TRANSFER = absl_flags.DEFINE_integer(
    "transfer_layers", -1, "Layers transferred; default: the config's."
)
_FREEZE = absl_flags.DEFINE_integer(
    "freeze_layers", -1, "Transferred layers frozen; default: the config's."
)
_MISSING = absl_flags.DEFINE_float(
    "max_missing", MAX_MISSING, "Share of genes that may be imputed.", 0, 1
)


def main(arguments: list[str]) -> None:
    """Align, split, fit, score."""
    exit.no_arguments(arguments)
    if not _ENCODER.value:
        raise InputError("no encoder is given", "pass `encoder=RUN`")
    bundle = read_encoder(_ENCODER.value)
    layers = {"transfer_layers": _TRANSFER.value, "freeze_layers": _FREEZE.value}
    layers = {name: value for name, value in layers.items() if value >= 0}
    config = dataclasses.replace(
        with_data(bundle.config, flags.data_of_run()),
        finetune=dataclasses.replace(flags.finetune_options(bundle.config), **layers),
    )
    run_finetuning(
        config,
        bundle,
        flags.output(),
        hooks(),
        share=_SHARE.value,
        max_missing=_MISSING.value,
    )


if __name__ == "__main__":
    absl_flags.adopt_module_key_flags(flags)  # for --helpshort
    exit.run(main)
