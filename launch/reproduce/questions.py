"""Questions of our own: the fall of accuracy with K, and what the paper's recipe lacks."""

from itertools import accumulate, product

from jaxssl.evaluation.claims import Claim

from .scales import SCRATCH, SWAV, Experiment, Setting, Values


def count_map(setting: Setting) -> Experiment:
    """The paper's open question: why does accuracy fall as K grows?

    Prototypes x batch x queue x epsilon, at equal numbers of samples seen. The claims are about the
    smallest epsilon, where codes are not uniform.
    """
    config = setting.config()
    seen = config.pretrain.n_steps * config.pretrain.batch_size
    counts, batches, _, epsilons = setting.grids["map"]
    x = ("method.n_prototypes", "method.epsilon", "pretrain.batch_size", "method.queue_length")
    points: list[Values] = [
        dict(zip(x, ((k,), e, b, q), strict=True)) | {"pretrain.n_steps": round(seen / b)}
        for k, b, q, e in product(*setting.grids["map"])
        if k <= b + q
    ]
    most = {"method.n_prototypes": (counts[-1],), "method.epsilon": epsilons[0]}
    many = [p for p in points if most.items() <= p.items()]
    few = [{**p, "method.n_prototypes": (counts[-2],)} for p in many]
    claims = [setting.claim(f"{counts[-1]} prototypes are worse than {counts[-2]}", few, many)]
    wide = [p for p in many if p["pretrain.batch_size"] == batches[-1]]
    queued = [p for p in wide if p["method.queue_length"]]
    unqueued = [p for p in wide if not p["method.queue_length"]]
    small = [p for p in many if p["method.queue_length"] and p["pretrain.batch_size"] == batches[0]]
    if queued and unqueued:
        claims.append(setting.claim(f"a queue helps {counts[-1]} prototypes", queued, unqueued))
    if small != queued:
        claims.append(setting.claim(f"a large batch helps {counts[-1]} prototypes", queued, small))
    title = "Why accuracy falls as K grows"
    finding = "accuracy falls as K grows, and it cannot say why"
    return Experiment(title, finding, points, claims, x, "map", is_open=True)


CHANGES: dict[str, Values] = {
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
"""From the paper's recipe towards the default one; prototypes, steps and batch stay the paper's."""


def reason(setting: Setting) -> Experiment:
    """Why the paper's recipe does not beat its own baseline here: each change alone, then all."""
    alone = list(CHANGES.values())
    in_turn = list(accumulate(alone, lambda before, change: {**before, **change}))
    claims = [
        setting.claim(f"better with: {name}", [change], [{}]) for name, change in CHANGES.items()
    ]
    swav, scratch = setting.cells(in_turn[-1:], SWAV), setting.cells([{}], SCRATCH)
    claims.append(Claim("with all changes, better than the baseline", swav, scratch, "positive"))
    points, finding = [{}, *alone, *in_turn[1:]], "nothing of the kind was tried"
    title, look = "What the paper's recipe lacks", {"kind": "bars", "line": _changes_of}
    return Experiment(title, finding, points, claims, is_open=True, **look)


def _changes_of(values: Values) -> str:
    changes = [name for name, change in CHANGES.items() if change.items() <= values.items()]
    if len(changes) < 2:
        return changes[0] if changes else "the paper's recipe"
    return f"the first {len(changes)} changes together"
