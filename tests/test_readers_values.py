"""Values of another type or without range are refused in a sentence."""

import subprocess
import sys

from verbs import ROOT

MISTAKES = """
import math, sys
import jaxssl
from jaxssl.config import Config, FinetuneConfig
from jaxssl.validate import validate

def refused(call, **said):
    try:
        call(**said)
    except jaxssl.InputError as error:
        print(error)
    except Exception as error:
        print("TRACEBACK", call, said, type(error).__name__, error)
    else:
        print("ACCEPTED", call, said)

SMALL = {"shares": [0.001]}  # which is refused where nothing else is
def study(**said): jaxssl.study("synthetic", progress=False, **(SMALL | said))
def audit(**said): jaxssl.audit("synthetic", out=sys.argv[1], progress=False, **said)
def tune(**said):
    said = {"grid": {"augment.noise": [1.0]}} | SMALL | said
    jaxssl.tune("synthetic", out=sys.argv[1], progress=False, **said)
def compare(**said): jaxssl.compare_methods("synthetic", progress=False, **(SMALL | said))

for value in (2.5, True, -1, math.nan, "many", None, [1]):
    refused(study, seeds=value)
    refused(compare, trial_seeds=value)
for value in (2.5, True, -1, math.nan, "many", [1]):
    refused(study, splits=value)
    refused(audit, n_comparisons=value)
for value in (5, math.nan, "many", [math.nan], [-1], ["x"], [None], [True], [[0.1]]):
    refused(study, shares=value)
    refused(compare, shares=value)
for value in (5, "555", [5], [True, 2, 2], [5, 5, math.nan], ["a", "b", "c"]):
    refused(audit, what="variance", levels=value)
for value in (5, None, [5], [None], "logref", ["scratch", "scratch"]):
    refused(study, arms=value)
for value in (5, ["swav"], "swan"):
    refused(study, method=value)
refused(study, config=5)
refused(study, config=FinetuneConfig())
for section in vars(Config()):
    refused(study, config=Config(**{section: {"n_steps": 3}}))
refused(study, shard=3)
refused(study, allow_leaks=5)
refused(study, label=5)
refused(tune, grid=5)
refused(tune, grid={5: [1]})
refused(tune, grid={"augment.noise": None})
for values in (["loud"], [math.nan], [-1.0, 0.5], [True], [None], [[1]], "nan", 1e300):
    refused(tune, grid={"augment.noise": values})
    refused(tune, grid={"finetune.learning_rate": values})
refused(tune, metric=5)
refused(tune, metric=["accuracy"])
refused(audit, what=5)
refused(audit, what=["type1"])
for state in (True, "one", 1.5, -1):
    refused(jaxssl.SSLEncoder(random_state=state).fit, X=[[1.0, 2.0], [2.0, 1.0]])
for n in (True, "many", -5, 1.5, math.nan, [None]):
    refused(jaxssl.SSLEncoder(n_prototypes=n).fit, X=[[1.0, 2.0], [2.0, 1.0]])
refused(jaxssl.SSLEncoder(config=5).fit, X=[[1.0, 2.0], [2.0, 1.0]])
"""


def test_values_of_another_type_or_without_range_are_refused_in_a_sentence(tmp_path):
    done = subprocess.run(  # in a process whose annotations are not checked, as a user's are not
        [sys.executable, "-c", MISTAKES, str(tmp_path / "out")],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert not [line for line in lines if line.startswith(("TRACEBACK", "ACCEPTED"))]
    assert len(lines) > 90
    assert not (tmp_path / "out").exists()
