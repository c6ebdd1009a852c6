"""Run folders in miniature, as `launch.study` writes them, for the report to read."""

import json

import anndata
import numpy as np
import pandas as pd

from jaxssl.evaluation.conclusions import conclude
from jaxssl.evaluation.headline import sentence_by_share
from jaxssl.evaluation.predictions import score
from jaxssl.places import divide
from jaxssl.runs.kinds import is_another, names_of
from jaxssl.runs.output import Output, open_folder, release

CLASSES = ("$a$ & b", "<script>alert(1)</script>", "lung")  # names that would break a page
SHARES = (0.1, 1.0)
GAINS = {"swav": 1.5, "scratch": 0.8, "logreg": 5.0, "majority": 0.0}


def mark(folder):
    """What tells a folder of a run from any other."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "environment.json").write_text(json.dumps({"versions": {}, "data_hash": ""}))
    (folder / "config.json").write_text(json.dumps({"method": {}, "pretrain": {}}))


def unknown(folder):
    """What lies in a run folder that an overwriting would leave."""
    return divide(folder, names_of(folder), is_another(folder))[1]


def overwrite(folder, *inputs):
    """Begin a run in the place of another, and end there."""
    try:
        return open_folder(Output(str(folder), overwrite=True, inputs=inputs))
    finally:
        release()


def write_run(folder, seeds=(0, 1, 2)):
    """A run folder in miniature: three classes, two shares, the last seed collapsed."""
    (folder / "predictions").mkdir(parents=True)
    codes = np.arange(24) % 3
    rows = []
    for arm, gain in GAINS.items():
        for share in SHARES:
            tables = []
            for seed in seeds:
                rng = np.random.default_rng([seed, int(10 * share), int(10 * gain)])
                logits = rng.normal(size=(24, 3)) * bool(gain)
                logits[np.arange(24), codes] += gain
                p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
                key = {
                    "dataset": "mini",
                    "task": "tissue",
                    "arm": arm,
                    "method": "",
                    "share": share,
                }
                key |= {"n_labelled": int(60 * share), "seed": seed, "split": 0, "part": "test"}
                rows += [key | {"metric": m, "value": v} for m, v in score(codes, p).items()]
                table = pd.DataFrame(p, columns=[f"p_{name}" for name in CLASSES])
                table.insert(0, "label", np.array(CLASSES)[codes])
                table.insert(0, "seed", seed)
                table.insert(0, "sample_id", [f"s{i}" for i in range(24)])
                tables.append(table)
            name = f"{arm}_{share:.4f}.parquet"
            pd.concat(tables).to_parquet(folder / "predictions" / name)
    results = pd.DataFrame(rows).assign(fit_seconds=0.0, device="cpu", fit="")
    results.to_parquet(folder / "results.parquet")
    validation = results.assign(part="validation")
    results = pd.concat([results, validation], ignore_index=True)
    results.to_parquet(folder / "results.parquet")
    ids = [f"s{i}" for i in range(24)]
    samples = pd.DataFrame({"sample_id": ids, "part": "test", "group": [i[:2] for i in ids]})
    samples.assign(batch=["HiSeq", "GA"] * 12).to_parquet(folder / "splits.parquet")
    concluded = conclude(
        results,
        ["scratch", "logreg"],
        lambda arm, share: pd.read_parquet(folder / "predictions" / f"{arm}_{share:.4f}.parquet"),
        samples.set_index("sample_id")["group"],
    )
    for name, table in concluded._asdict().items():
        table.to_csv(folder / f"{name}.csv", index=False)
    statistics = concluded.statistics
    write_pretraining(folder, seeds)
    summary = {"dataset": "mini", "task": "tissue", "classes": CLASSES, "seeds": list(seeds)}
    summary |= {"n_train": 70, "n_labelled": 60, "n_validation": 20, "n_test": 24}
    summary["headline"] = sentence_by_share(statistics, "swav")
    collapse = f"seed {seeds[-1]}: collapsed; try --config.augment.noise=0.2"
    pretraining = {"status": "collapsed", "collapsed_seeds": [seeds[-1]], "messages": [collapse]}
    summary |= {"pretraining": pretraining, "warnings": ["<b>beware</b>"], "timings": {"read": 1.0}}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def write_pretraining(folder, seeds, with_embedding=True):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    log = [
        {"phase": "pretrain", "seed": seed, "epoch": epoch, "step": 3 * epoch}
        | {"loss": ratio * np.log(6), "loss_ratio": ratio, "code_entropy_ratio": ratio}
        | {"usage_perplexity": 5.0, "effective_rank": 4.0, "embedding_std": 0.1}
        for seed in seeds
        for epoch, ratio in enumerate((1.0, 0.7, 0.5), start=1)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    usage = [{"seed": s, "prototype": k, "share": k / 15} for s in seeds for k in range(6)]
    pd.DataFrame(usage).to_csv(folder / "prototype_usage.csv", index=False)
    (folder / "config.json").write_text(
        json.dumps({"method": {"name": "swav", "n_prototypes": [6]}})
    )
    environment = {"command": "python -m launch.study --out=runs/mini", "device": "cpu"}
    (folder / "environment.json").write_text(json.dumps(environment))
    if with_embedding:
        write_embedding(folder, rng)


def write_embedding(folder, rng):
    obs = pd.DataFrame(index=[f"s{i}" for i in range(40)])
    obs["label"] = [("", *CLASSES)[i % 4] for i in range(40)]
    obs["batch"], obs["part"] = ["HiSeq", "GA"] * 20, "train"
    obs["prototype"] = np.arange(40) % 6
    x = rng.normal(size=(40, 8)).astype(np.float32)
    anndata.AnnData(obs=obs, obsm={"X_jaxssl": x}).write_h5ad(folder / "embedding.h5ad")
