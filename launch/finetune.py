"""One encoder and labels to a classifier.

Example:

  python -m launch.finetune --encoder=runs/mirna/encoder/seed_000 --data=mirna.h5ad \\
      --label=label20 --share=0.05 --out=runs/clf

writes classifier/ (for launch.predict), predictions.parquet of the held-out parts, summary.json.
"""

import dataclasses

import pandas as pd
from absl import flags
from ml_collections import config_flags

from jaxssl.config import Config
from jaxssl.data.align import encoder_input
from jaxssl.data.labels import label_budget, label_order
from jaxssl.engine.bundle import diagnosis_of, save_bundle
from jaxssl.engine.pretrain import fingerprint
from jaxssl.evaluation.classifier import fit_classifier, predict
from jaxssl.evaluation.metrics import score
from jaxssl.files import write_text
from jaxssl.report.card import model_card
from jaxssl.types import InputError
from jaxssl.validate import validate
from launch import exit
from launch import folder as run_folder
from launch.inputs import pose, read, read_encoder
from launch.stages import announce

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Whose finetune options to use; default: the encoder's."
)
_ENCODER = flags.DEFINE_string("encoder", "", "Bundle folder, such as RUN/encoder/seed_000.")
_DATA = flags.DEFINE_string("data", "", "Expression file with labels.")
_LABEL = flags.DEFINE_string("label", "", "Label column; default: what prepare recorded.")
_GROUP = flags.DEFINE_string("group", "", "Group column; default: what prepare recorded.")
_SHARE = flags.DEFINE_float("share", 1.0, "Share of the training labels to use.")
_TRANSFER = flags.DEFINE_integer(
    "transfer_layers", -1, "Layers transferred; default: the config's."
)
_FREEZE = flags.DEFINE_integer(
    "freeze_layers", -1, "Transferred layers frozen; default: the config's."
)
_MAX_MISSING = flags.DEFINE_float("max_missing", 0.3, "Share of genes that may be imputed.", 0, 1)
_OUT = flags.DEFINE_string("out", "", "Folder to write.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Delete what --out holds.")


def main(arguments: list[str]) -> None:
    """Align, split, fit, score."""
    exit.no_arguments(arguments)
    if not _ENCODER.value:
        raise InputError("no encoder is given; pass --encoder=RUN/encoder/seed_000")
    bundle = read_encoder(_ENCODER.value)
    config = _with_flags(bundle.config)
    validate(config)
    adata = read(config.data)
    x, _ = encoder_input(adata, bundle.normalizer, max_missing=_MAX_MISSING.value)
    task = pose(adata, config)
    announce(config)
    seen = fingerprint(task) != bundle.provenance["training_samples"]
    if seen:
        print(
            "warning: this split is not that of the pretraining; if the data are the same, "
            "held-out samples were seen there, without their labels"
        )
    labelled = task.labelled_train
    n = label_budget(_SHARE.value, len(labelled), len(task.classes))
    seed = int(bundle.provenance["seed"])
    order = labelled[label_order(task.codes[labelled], len(task.classes), seed)][:n]
    output = run_folder.Output(_OUT.value, overwrite=_OVERWRITE.value, can_resume=False)
    folder = run_folder.open_folder(output)
    classifier = fit_classifier(bundle, config, x, task, order)
    save_bundle(folder / "classifier", classifier)
    tables, scores = [], {}
    for part in ("validation", "test"):
        rows = getattr(task.split, part)
        predictions = predict(classifier, x[rows], task.sample_ids[rows])
        scores[part] = score(task.codes[rows], predictions.probabilities)
        table = run_folder.predictions_frame(task, rows, seed, predictions.probabilities)
        tables.append(table.assign(part=part))
        print(f"{part}: accuracy {scores[part]['accuracy']:.3f} on {len(rows):,} samples")
    run_folder.write_table(folder / "predictions.parquet", pd.concat(tables))
    summary = {"classes": list(task.classes), "n_labelled": n, "share": _SHARE.value} | scores
    summary |= {"split_of_pretraining": not seen, "pretraining": diagnosis_of(bundle)._asdict()}
    run_folder.write_json(folder / "summary.json", summary)
    card = model_card(classifier, {"classifier": scores})
    write_text(folder / "classifier" / "MODEL_CARD.md", card)


def _with_flags(pretrained: Config) -> Config:
    """The encoder's configuration with the data and fine-tuning options that flags name."""
    layers = {"transfer_layers": _TRANSFER.value, "freeze_layers": _FREEZE.value}
    layers = {name: value for name, value in layers.items() if value >= 0}
    finetune = dataclasses.replace((_CONFIG.value or pretrained).finetune, **layers)
    given = {"path": _DATA.value, "label": _LABEL.value, "group": _GROUP.value}
    given = {name: value for name, value in given.items() if value}
    data = dataclasses.replace(pretrained.data, **given)
    return dataclasses.replace(pretrained, finetune=finetune, data=data)


if __name__ == "__main__":
    exit.run(main)
