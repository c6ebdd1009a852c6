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
    """The study's open question: why does accuracy fall as K grows?"""
    points = map_points(setting)
    counts, batches, _, _ = setting.values("map")
    many = [p for p in points if p["method.n_prototypes"] == (counts[-1],)]
    few = [p for p in points if p["method.n_prototypes"] == (counts[-2],)]

    def like(p: Values, q: Values) -> bool:
        shared = [name for name in p if name != "method.n_prototypes"]
        return all(p[name] == q[name] for name in shared)

    paired = [p for p in few if any(like(p, q) for q in many)]
    queued = [p for p in many if p["method.queue_length"] and p["pretrain.batch_size"] ==
              batches[-1]]  # fmt: skip
    unqueued = [p for p in many if not p["method.queue_length"]
                and p["pretrain.batch_size"] == batches[-1]]  # fmt: skip
    claims = [claim(setting, f"{counts[-1]} prototypes are worse than {counts[-2]}", paired, many)]
    if unqueued:
        claims.append(claim(setting, f"a queue helps {counts[-1]} prototypes", queued, unqueued))
    return Finding("accuracy falls as K grows; the study cannot say why", claims)


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
"""From the study's recipe to the default one, a change at a time."""


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
    return Finding("no finding of the study: what its recipe lacks here", claims)
