"""Predict classes of new samples with a fine-tuned classifier; genes are matched by name.

Example:

  python -m launch.predict --classifier=runs/clf/classifier --data=new.h5ad --out=predictions.csv
"""

from pathlib import Path

import numpy as np
import pandas as pd
from absl import flags

from jaxssl.config import DataConfig
from jaxssl.data.align import encoder_input
from jaxssl.evaluation.classifier import predict
from jaxssl.evaluation.predictions import pack
from jaxssl.types import InputError
from launch import exit
from launch.folder import new_file, write_table
from launch.inputs import read, read_encoder

_CLASSIFIER = flags.DEFINE_string(
    "classifier", "", "Folder of launch.finetune, or its classifier/."
)
_DATA = flags.DEFINE_string("data", "", "Expression file.")
_OUT = flags.DEFINE_string("out", "", "The .csv or .parquet to write.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing --out.")
_MAX_MISSING = flags.DEFINE_float("max_missing", 0.3, "Share of genes that may be imputed.", 0, 1)


def main(arguments: list[str]) -> None:
    """Align, normalise, predict, write."""
    exit.no_arguments(arguments)
    out = new_file(_OUT.value, (".csv", ".parquet"), overwrite=_OVERWRITE.value)
    if not _CLASSIFIER.value:
        raise InputError("no classifier is given; pass --classifier=RUN/classifier")
    given = Path(_CLASSIFIER.value)
    folder = given / "classifier" if (given / "classifier").is_dir() else given
    bundle = read_encoder(folder)
    adata = read(DataConfig(path=_DATA.value))
    x, report = encoder_input(adata, bundle.normalizer, max_missing=_MAX_MISSING.value)
    predictions = predict(bundle, x, adata.obs_names.to_numpy())
    names = np.asarray(predictions.classes)
    head = {
        "sample_id": predictions.sample_ids,
        "predicted": names[predictions.probabilities.argmax(axis=1)],
    }
    columns = pack(predictions.classes, predictions.probabilities)
    write_table(out, pd.DataFrame(head | columns))
    print(f"genes: {report['n_genes'] - report['n_missing']} of {report['n_genes']} found by name")
    print(f"wrote {out}: {len(predictions.sample_ids):,} samples, {len(names)} classes")


if __name__ == "__main__":
    exit.run(main)
