"""Groups and batches that leave nothing to hold out are refused, with what can be done."""

import re
import warnings

import numpy as np
import pytest

import jaxssl
from jaxssl.config import Config, SplitConfig, with_options
from jaxssl.data.split import make_split
from jaxssl.data.synthetic import make_synthetic
from jaxssl.types import InputError

pytestmark = [
    pytest.mark.usefixtures("numerics"),
    pytest.mark.filterwarnings("ignore:this encoder's pretraining is not healthy"),
    pytest.mark.filterwarnings("ignore:.*bear the id of one whose label"),
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
]
CLASSES = ("a", "b", "c")
FEW = {"pretrain.n_steps": 10, "encoder.hidden": (8, 4), "finetune.transfer_layers": 2}
FEW |= {"finetune.n_steps": 3, "finetune.probe_steps": 3, "finetune.scratch_steps": 3}


@pytest.fixture(scope="module")
def data():
    return make_synthetic(n_samples=120, n_genes=60, n_classes=3)


# what is held out


def split(codes, groups, batches=None, protocol="grouped"):
    batches = np.full(len(codes), "", object) if batches is None else batches
    return make_split(codes, groups, batches, CLASSES, SplitConfig(protocol=protocol))


CODES = np.repeat(np.arange(3, dtype=np.int32), 30)
NAMES = np.array(CLASSES, object)[CODES]


@pytest.mark.parametrize("groups", [NAMES, np.full(90, "all", object)], ids=["label", "one"])
def test_groups_that_leave_nothing_to_hold_out_are_refused_with_what_can_be_done(groups):
    with pytest.raises(InputError) as error:
        split(CODES, groups)
    assert "leave_batch_out" not in error.value.fix
    assert re.search(
        "`split.protocol=stratified` .*and `allow_leaks=groups,twins`", error.value.fix
    )
    assert len(split(CODES, groups, protocol="stratified").test) == 14  # the fix, followed


def test_batches_that_share_no_class_cannot_be_left_out():
    alone = np.full(90, "", object)
    with pytest.raises(InputError, match="batch a shares no class with the others"):
        split(CODES, alone, NAMES, "leave_batch_out")
    with pytest.raises(InputError, match="leave none to train on"):
        split(CODES, alone, np.full(90, "one", object), "leave_batch_out")
    assert len(split(CODES, alone, NAMES).test) == 14


def test_the_advice_on_groups_that_are_classes_ends_in_a_study(data, tmp_path):
    config = with_options(Config(), FEW)
    data = data.copy()
    data.obs["lot"] = data.obs["class"]
    asked = {"arms": ["logreg"], "shares": [1], "seeds": 1, "progress": False}
    with pytest.raises(InputError, match=r"every class lies in one group|too few"):
        jaxssl.study(data, group="lot", config=config, **asked)
    config.split.protocol = "stratified"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        allowed = {"config": config, "allow_leaks": "groups", "out": tmp_path / "run"}
        result = jaxssl.study(data, group="lot", **allowed, **asked)
    assert result.summary["allowed_leaks"]
