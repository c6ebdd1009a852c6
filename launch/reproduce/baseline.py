"""The supervised baseline, and SwAV against it over all label shares."""

from collections.abc import Sequence
from itertools import product

from jaxssl.evaluation.claims import Cell, Claim
from jaxssl.evaluation.values import as_text

from .scales import LOGREG, SCRATCH, SMOKE, SWAV, Experiment, Setting, Values


def hidden(setting: Setting) -> Experiment:
    """Depths and widths; claims are about those of one width, with layers left out or added."""
    points: dict[tuple[int, ...], Values] = {
        widths: {"encoder.hidden": widths, "finetune.transfer_layers": 0}
        for widths in setting.grids["hidden"]
    }
    three = setting.config().encoder.hidden
    rest = f"is no better than {as_text(three)}"
    claims = [
        _no_better(setting, f"{as_text(widths)} {rest}", point, points[three])
        for widths, point in points.items()
        if widths != three and all(a == b for a, b in zip(widths, three, strict=False))
    ]
    title, finding = "Hidden layers of the baseline", "three hidden layers are enough"
    look = {"kind": "bars", "line": lambda values: as_text(values["encoder.hidden"])}
    return Experiment(title, finding, [*points.values()], claims, arms=(SCRATCH,), **look)


def rate(setting: Setting) -> Experiment:
    """Learning rates and batch sizes, in the text beside Figure 11."""
    rates, sizes = setting.grids["rate"], setting.grids["batch"]
    x = ("finetune.scratch_learning_rate", "finetune.batch_size")
    points: dict[tuple[float, int], Values] = {
        pair: dict(zip(x, pair, strict=True)) for pair in product(rates, sizes)
    }
    best, size = 4e-4, 256 if 256 in sizes else sizes[-1]
    rivals = {f"{r:g} is no better than 4e-4": points[r, size] for r in rates if r != best}
    rivals |= {f"batch {b} is no better than {size}": points[best, b] for b in sizes if b != size}
    claims = [_no_better(setting, *rival, points[best, size]) for rival in rivals.items()]
    title = "Learning rate and batch size of the baseline"
    finding = "learning rate 4e-4 and batch 256"
    return Experiment(title, finding, [*points.values()], claims, x, "grid", arms=(SCRATCH,))


def _no_better(setting: Setting, text: str, rival: Values, ours: Values) -> Claim:
    return setting.claim(text, [rival], [ours], "not positive", SCRATCH)


def curve(setting: Setting) -> Experiment:
    shares = setting.curve_shares
    low, high = shares[0], shares[-1]
    knee = min(shares[1:-1], key=lambda share: abs(share - 0.1))
    if setting.scale != SMOKE and setting.dataset == "microarray":
        knee = 0.3  # the least shares of the compendium are a handful of labels
    text = (
        f"from {low:.0%} to {knee:.0%} of the labels accuracy rises by more than from there to all"
    )
    ends = [Cell("", SCRATCH, low), Cell("", SCRATCH, high)]
    claims = [Claim(text, [Cell("", SCRATCH, knee)], ends, "positive")]
    title, finding = "Share of the labels, baseline", "the curve bends early"
    return Experiment(title, finding, [{}], claims, kind="curve", arms=(SCRATCH, LOGREG))


def comparison(setting: Setting) -> Experiment:
    shares = setting.curve_shares
    few = [share for share in shares if share <= 0.1] or shares[:1]
    many = [share for share in shares if share not in few]

    def gain(text: str, chosen: Sequence[float], expect: str) -> Claim:
        plus, minus = ([Cell("", arm, share) for share in chosen] for arm in (SWAV, SCRATCH))
        return Claim(text, plus, minus, expect)

    if setting.dataset == "microarray":
        finding = "no gain"
        claims = [gain("no gain at few labels (up to 10 %)", few, "not positive")]
        claims += [gain("no gain at more", many, "not positive")]
    else:
        finding = "a gain at every share, up to 2.5 points, still positive at 100 %"
        claims = [gain("a gain at few labels (up to 10 %)", few, "positive")]
        claims += [gain(f"a gain at {share:.0%}", [share], "positive") for share in shares]
    title, arms = "SwAV against the baseline", (SCRATCH, LOGREG, SWAV)
    return Experiment(title, finding, [{}], claims, kind="curve", arms=arms)
