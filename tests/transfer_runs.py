"""Small transfers: their options, what they wrote and what they fit."""

import sys

import pandas as pd

TINY = {
    "pretrain.n_steps": 4,
    "pretrain.batch_size": 16,
    "encoder.hidden": (16, 8),
    "method.n_prototypes": (10,),
    "finetune.transfer_layers": 1,
    "finetune.scratch_steps": 8,
    "normalize.n_components": 6,
}


def rows_of(folder):
    return pd.read_parquet(folder / "transfer.parquet")


def watch(monkeypatch):
    """The cohorts and arms that are fitted from now on."""
    module, fitted = sys.modules["jaxssl.studies.transfer"], []
    fit_set = module.fit_set

    def watched(cohorts, config, frames):
        fitted.append(("".join(c.name[0] for c in cohorts), *config.sweep.arms))
        return fit_set(cohorts, config, frames)

    monkeypatch.setattr(module, "fit_set", watched)
    return fitted
