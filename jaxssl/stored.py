"""Configurations that earlier versions stored, in today's words."""

from collections.abc import Mapping
from typing import Any

BEFORE_SCHEDULES = {"n_steps", "learning_rate", "scratch_steps", "probe_steps", "probe_decay"}
"""Options of a whole section `finetune`; one of before there were schedules kept its rates."""


def renamed(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored configuration as it is called now, with what was so before it was an option.

    Before 1.0, the stratified split was "study".

    >>> renamed({"split": {"protocol": "study"}})["split"]
    {'protocol': 'stratified'}
    """
    split = dict(stored.get("split", {}))
    split |= {"protocol": "stratified"} if split.get("protocol") == "study" else {}
    normalize = {"frame": "training", "scaling": 1.0, **stored.get("normalize", {})}
    found = {**stored, "split": split, "normalize": normalize}
    tuned = stored.get("finetune", {})
    if set(tuned) >= BEFORE_SCHEDULES:
        found["finetune"] = {"schedule": "constant", **tuned}
    return found
