"""The supervised baseline, and SwAV against it over all label shares."""

from collections.abc import Sequence
from itertools import product

from jaxssl.evaluation.claims import Cell, Claim
from jaxssl.evaluation.grid import as_text

from .experiment import LOGREG, SCRATCH, SWAV, Experiment
from .scales import SMOKE, Setting


def hidden(setting: Setting) -> Experiment:
    """Figure 11: depths and widths."""
    points = {
        widths: {"encoder.hidden": widths, "finetune.transfer_layers": 0}
        for widths in setting.grids["hidden"]
    }
    three = setting.config().encoder.hidden
    claims = [
        setting.claim(
            f"{as_text(widths)} is no better than {as_text(three)}",
            [points[widths]],
            [points[three]],
            "not positive",
            SCRATCH,
        )
        for widths in points
        # of one width: the paper's network with layers left out at its end, or added
        if widths != three and all(a == b for a, b in zip(widths, three, strict=False))
    ]
    return Experiment(
        "Hidden layers of the baseline",
        list(points.values()),
        "three hidden layers are enough",
        claims,
        "bars",
        line=lambda values: as_text(values["encoder.hidden"]),
        arms=(SCRATCH,),
    )


def rate(setting: Setting) -> Experiment:
    """The text beside Figure 11: learning rates and batch sizes."""
    rates, sizes = setting.grids["rate"], setting.grids["batch"]
    points = {
        (rate, size): {"finetune.scratch_learning_rate": rate, "finetune.batch_size": size}
        for rate, size in product(rates, sizes)
    }
    best, size = 4e-4, 256 if 256 in sizes else sizes[-1]
    rivals = {f"{r:g} is no better than 4e-4": points[r, size] for r in rates if r != best}
    rivals |= {f"batch {b} is no better than {size}": points[best, b] for b in sizes if b != size}
    claims = [
        setting.claim(text, [rival], [points[best, size]], "not positive", SCRATCH)
        for text, rival in rivals.items()
    ]
    return Experiment(
        "Learning rate and batch size of the baseline",
        list(points.values()),
        "learning rate 4e-4 and batch 256",
        claims,
        "grid",
        x=("finetune.scratch_learning_rate", "finetune.batch_size"),
        arms=(SCRATCH,),
    )


def curve(setting: Setting) -> Experiment:
    """Figures 12 and 13: the share of the labels."""
    shares = setting.curve_shares
    low, high = shares[0], shares[-1]
    knee = min(shares[1:-1], key=lambda share: abs(share - 0.1))
    if setting.scale != SMOKE and setting.dataset == "microarray":
        knee = 0.3  # the least shares of the compendium are a handful of labels
    text = (
        f"from {low:.0%} to {knee:.0%} of the labels accuracy rises by more than from there to all"
    )
    plus = [Cell("", SCRATCH, knee)]
    minus = [Cell("", SCRATCH, low), Cell("", SCRATCH, high)]
    return Experiment(
        "Share of the labels, baseline",
        [{}],
        "the curve bends early",
        [Claim(text, plus, minus, "positive")],
        "curve",
        arms=(SCRATCH, LOGREG),
    )


def comparison(setting: Setting) -> Experiment:
    """Figures 27 to 30: SwAV against the baseline."""
    shares = setting.curve_shares
    few = [share for share in shares if share <= 0.1] or shares[:1]
    many = [share for share in shares if share not in few]

    def gain(text: str, chosen: Sequence[float], expect: str) -> Claim:
        plus, minus = ([Cell("", arm, share) for share in chosen] for arm in (SWAV, SCRATCH))
        return Claim(text, plus, minus, expect)

    if setting.dataset == "microarray":
        finding = "no gain"
        claims = [
            gain("no gain at few labels (up to 10 %)", few, "not positive"),
            gain("no gain at more", many, "not positive"),
        ]
    else:
        finding = "a gain at every share, up to 2.5 points, still positive at 100 %"
        claims = [gain("a gain at few labels (up to 10 %)", few, "positive")]
        claims += [gain(f"a gain at {share:.0%}", [share], "positive") for share in shares]
    arms = (SCRATCH, LOGREG, SWAV)
    return Experiment("SwAV against the baseline", [{}], finding, claims, "curve", arms=arms)
