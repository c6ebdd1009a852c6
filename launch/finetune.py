"""One encoder and labels to a classifier.

Example:

  python -m launch.finetune --encoder=runs/mirna/encoder/seed_000 --data=mirna.h5ad \\
      --label=label20 --share=0.05 --out=runs/clf

writes classifier/ (for predict), predictions.parquet of the held-out parts, summary.json.
"""

import dataclasses

from absl import flags as absl_flags

from jaxssl.studies.classifier import run_finetuning
from jaxssl.studies.start import read_encoder

from . import exit, flags

flags.define(*flags.DATA, "encoder", "out", "overwrite", "max_missing")
_SHARE = absl_flags.DEFINE_float("share", 1.0, "Share of the training labels to use.")
_TRANSFER = absl_flags.DEFINE_integer(
    "transfer_layers", -1, "Layers transferred; default: the config's."
)
_FREEZE = absl_flags.DEFINE_integer(
    "freeze_layers", -1, "Transferred layers frozen; default: the config's."
)


def main() -> None:
    """Align, split, fit, score."""
    bundle = read_encoder(flags.folder_of("encoder", "pretrain"))
    layers = {"transfer_layers": _TRANSFER.value, "freeze_layers": _FREEZE.value}
    layers = {name: value for name, value in layers.items() if value >= 0}
    finetune = dataclasses.replace(flags.finetune_options(bundle.config), **layers)
    job = flags.job(dataclasses.replace(bundle.config, finetune=finetune), encoder="")
    run_finetuning(job, bundle, _SHARE.value, flags.value_of("max_missing"))


if __name__ == "__main__":
    exit.run(main)
