"""Estimators that fit in a second, and what their tests expect to be warned of."""

import pytest

FITS = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings("ignore:.*not healthy:UserWarning"),
    pytest.mark.filterwarnings("ignore:the array looks like:UserWarning"),
    pytest.mark.filterwarnings("ignore:the test part holds:UserWarning"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in cast"),  # of infinite labels
]
SMALL = {"encoder.hidden": (8,), "finetune.transfer_layers": 1, "pretrain.n_steps": 20}
