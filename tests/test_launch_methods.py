"""Every verb takes another method than SwAV, one without prototypes and with a single view."""

import json

import anndata
import pandas as pd
from verbs import TINY, launch

from jaxssl.data.expression import write_h5ad
from jaxssl.data.synthetic import make_synthetic


def test_an_encoder_of_another_method_is_pretrained_embedded_compared_and_fine_tuned(tmp_path):
    data, run = tmp_path / "data.h5ad", tmp_path / "vime"
    write_h5ad(make_synthetic(), data)
    options = [flag for flag in TINY if not flag.startswith(("--config=", "--arms", "--shares"))]
    small = [*options, f"--data={data}"]
    launch("pretrain", "--method=vime", *small, f"--out={run}")
    encoder = run / "encoder" / "seed_000"
    launch("embed", f"--encoder={encoder}", f"--data={data}", f"--out={tmp_path / 'e.h5ad'}")
    embedded = anndata.read_h5ad(tmp_path / "e.h5ad")
    assert embedded.obsm["X_jaxssl"].shape == (600, 16)
    assert "prototype" not in embedded.obs
    # the arms and the teacher follow the encoders, no --config is needed
    sweep = ["--seeds=2", "--shares=0.1", f"--data={data}", f"--encoder={run}"]
    sweep += ["--config.selftrain.n_steps=10", "--config.finetune.transfer_layers=2"]
    launch("sweep", *sweep, f"--out={tmp_path / 'sweep'}", "--arms=scratch,vime,selftrain")
    results = pd.read_parquet(tmp_path / "sweep" / "results.parquet")
    assert set(results["arm"]) == {"scratch", "vime", "vime+selftrain"}
    kept = json.loads((tmp_path / "sweep" / "config.json").read_text())
    assert kept["selftrain"]["n_steps"] == 10
    assert kept["method"]["name"] == "vime"
    classifier = tmp_path / "classifier"
    launch("finetune", f"--encoder={encoder}", f"--data={data}", f"--out={classifier}",
           "--transfer_layers=2")  # fmt: skip
    launch("predict", f"--classifier={classifier}", f"--data={data}", f"--out={tmp_path / 'p.csv'}")
    assert len(pd.read_csv(tmp_path / "p.csv")) == 600
