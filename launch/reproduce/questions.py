"""Questions of our own: the fall of accuracy with K, and what the study's recipe lacks."""

from itertools import product

from jaxssl.evaluation.claims import Claim
from launch.reproduce.experiment import SCRATCH, SWAV, Finding, Values, cells, claim
from launch.reproduce.scales import Setting


def map_points(setting: Setting) -> list[Values]:
    """Prototypes x batch x queue x epsilon, at equal numbers of samples seen."""
    config = setting.config()
    seen = config.pretrain.n_steps * config.pretrain.batch_size
    return [
        {"method.n_prototypes": (k,), "pretrain.batch_size": b, "pretrain.n_steps": round(seen / b),
         "method.queue_length": q, "method.epsilon": e}
        for k, b, q, e in product(*setting.values("map"))
        if k <= b + q
    ]  # fmt: skip


def map_finding(setting: Setting) -> Finding:
    """The study's open question: why does accuracy fall as K grows?

    At the smallest epsilon, where codes are not uniform.
    """
    counts, batches, _, epsilons = setting.values("map")
    points = [p for p in map_points(setting) if p["method.epsilon"] == epsilons[0]]
    many = [p for p in points if p["method.n_prototypes"] == (counts[-1],)]
    few = [{**p, "method.n_prototypes": (counts[-2],)} for p in many]
    claims = [claim(setting, f"{counts[-1]} prototypes are worse than {counts[-2]}", few, many)]
    wide = [p for p in many if p["pretrain.batch_size"] == batches[-1]]
    queued = [p for p in wide if p["method.queue_length"]]
    unqueued = [p for p in wide if not p["method.queue_length"]]
    if queued and unqueued:
        claims.append(claim(setting, f"a queue helps {counts[-1]} prototypes", queued, unqueued))
    with_queue = [p for p in many if p["method.queue_length"]]
    small = [p for p in with_queue if p["pretrain.batch_size"] == batches[0]]
    large = [p for p in with_queue if p["pretrain.batch_size"] == batches[-1]]
    if small != large:
        text = f"a large batch helps {counts[-1]} prototypes"
        claims.append(claim(setting, text, large, small))
    return Finding("accuracy falls as K grows, and it cannot say why", claims, is_open=True)


STEPS: dict[str, Values] = {
    "LayerNorm, no ReLU on the embedding": {
        "encoder.norm": "layer",
        "encoder.activate_last": False,
    },
    "noise in place of the mask": {"augment.noise": 1.0, "augment.mask_rate": 0.0},
    "probe first, then all layers slowly (LP-FT)": {
        "finetune.probe_steps": 200,
        "finetune.n_steps": 200,
        "finetune.learning_rate": 1e-4,
    },
    "conditioned components": {"normalize.input": "spectral"},
}
"""From the study's recipe towards the default one; prototypes, steps and batch stay the study's."""


def reason_points(setting: Setting) -> list[Values]:
    """The study's recipe, each change alone, then one after the other."""
    del setting
    alone = list(STEPS.values())
    cumulative: list[Values] = [{}]
    for change in alone:
        cumulative.append({**cumulative[-1], **change})
    return [{}, *alone, *cumulative[2:]]


def reason_line(values: Values) -> str:
    """Which changes a point has."""
    changes = [name for name, change in STEPS.items() if change.items() <= values.items()]
    if len(changes) < 2:
        return changes[0] if changes else "the study's recipe"
    return f"the first {len(changes)} changes together"


def reason_finding(setting: Setting) -> Finding:
    """Why the study's recipe does not beat its own baseline here."""
    claims = [
        claim(setting, f"better with: {name}", [change], [{}]) for name, change in STEPS.items()
    ]
    whole = reason_points(setting)[-1]
    swav, scratch = (cells(setting, [whole], SWAV), cells(setting, [{}], SCRATCH))
    claims.append(Claim("with all changes, better than the baseline", swav, scratch, "positive"))
    return Finding("nothing of the kind was tried", claims, is_open=True)
