"""One encoder and labels to a classifier.

Example:

  python -m launch.finetune --encoder=runs/mirna/encoder/seed_000 --data=mirna.h5ad \\
      --label=label20 --share=0.05 --out=runs/clf

writes classifier/ (for predict), predictions.parquet of the held-out parts, summary.json.
"""

import dataclasses

from absl import flags as absl_flags

from jaxssl.arguments import refuse_twice
from jaxssl.studies.classifier import own_options, run_finetuning
from jaxssl.studies.encoders import read_encoder

from . import exit, flags

flags.define(*flags.DATA, "encoder", "allow_leaks", "out", "overwrite", "max_missing", "shift")
_SHARE = absl_flags.DEFINE_float("share", 1.0, "Share of the training labels to use.")
_LAYERS = {
    name: absl_flags.DEFINE_integer(name, None, f"{text}; default: the config's.", lower_bound=0)
    for name, text in (
        ("transfer_layers", "Layers transferred"),
        ("freeze_layers", "Transferred layers frozen"),
    )
}


def main() -> None:
    """Align, split, fit, score."""
    bundle = read_encoder(flags.folder_of("encoder", "pretrain"))
    options = flags.options_beside(bundle)
    layers = {name: flag.value for name, flag in _LAYERS.items() if flag.value is not None}
    refuse_twice(flags.said(), {name: str(n) for name, n in layers.items()})
    finetune = dataclasses.replace(options.finetune, **layers)
    job = flags.job("finetune", own_options(bundle, options, finetune), encoder="")
    allowed = flags.value_of("max_missing"), flags.value_of("shift")
    run_finetuning(job, bundle, _SHARE.value, *allowed)


if __name__ == "__main__":
    exit.run(main)
