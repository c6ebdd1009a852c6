"""Result rows that tests share."""

import pandas as pd


def results_of(values, split=0, share=0.1, metric="accuracy", part="test"):
    """Rows of {arm: value per seed}."""
    return pd.DataFrame(
        [
            {"dataset": "d", "task": "t", "arm": arm, "method": "", "share": share}
            | {"n_labelled": int(1000 * share), "seed": seed, "split": split, "part": part}
            | {"metric": metric, "value": value, "fit_seconds": 0.0, "device": "cpu"}
            for arm, column in values.items()
            for seed, value in enumerate(column)
        ]
    )
