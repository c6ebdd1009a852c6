"""The supervised baseline: Figures 11 to 13."""

from itertools import product

from jaxssl.evaluation.claims import Cell, Claim
from jaxssl.evaluation.grid import as_text
from launch.reproduce.experiment import SCRATCH, Finding, Values, claim
from launch.reproduce.scales import SMOKE, Setting


def hidden_points(setting: Setting) -> list[Values]:
    """Depths and widths of the baseline."""
    return [{"encoder.hidden": h, **NO_TRANSFER} for h in setting.values("hidden")]


NO_TRANSFER = {"finetune.transfer_layers": 0}


def hidden_finding(setting: Setting) -> Finding:
    """Figure 11."""
    three, *others = sorted(
        hidden_points(setting), key=lambda p: p["encoder.hidden"] != setting.config().encoder.hidden
    )
    # of one width: the study's network with layers left out at its end, or added
    widths = three["encoder.hidden"]
    rivals = [p for p in others if _one_begins(p["encoder.hidden"], widths)]
    claims = [
        claim(setting, f"{as_text(p['encoder.hidden'])} is no better than {as_text(widths)}",
              [p], [three], "not positive", SCRATCH)
        for p in rivals
    ]  # fmt: skip
    return Finding("three hidden layers are enough", claims)


def _one_begins(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether one of two networks is the other's beginning."""
    n = min(len(a), len(b))
    return a[:n] == b[:n]


def rate_points(setting: Setting) -> list[Values]:
    """Learning rates and batch sizes of the baseline."""
    batches = setting.values("batch")
    return [
        {"finetune.scratch_learning_rate": r, "finetune.batch_size": b}
        for r, b in product(setting.values("rate"), batches)
    ]


def rate_finding(setting: Setting) -> Finding:
    """The text beside Figure 11."""
    points = rate_points(setting)
    batches = setting.values("batch")
    batch = 256 if 256 in batches else batches[-1]

    def at(rate: float, size: int) -> list[Values]:
        wanted = {"finetune.scratch_learning_rate": rate, "finetune.batch_size": size}
        return [p for p in points if p == wanted]

    claims = [
        claim(setting, f"{rate:g} is no better than 4e-4", at(rate, batch), at(4e-4, batch),
              "not positive", SCRATCH)
        for rate in setting.values("rate") if rate != 4e-4
    ] + [
        claim(setting, f"batch {size} is no better than {batch}", at(4e-4, size), at(4e-4, batch),
              "not positive", SCRATCH)
        for size in batches if size != batch
    ]  # fmt: skip
    return Finding("learning rate 4e-4 and batch 256", claims)


def curve_finding(setting: Setting) -> Finding:
    """Figures 12 and 13."""
    shares = setting.size.curve_shares
    low, high = shares[0], shares[-1]
    knee = min(shares, key=lambda share: abs(share - 0.1) if low < share < high else 2.0)
    if setting.scale != SMOKE and setting.dataset == "microarray":
        knee = 0.3  # the least shares of the compendium are a handful of labels
    plus = [Cell("", SCRATCH, knee)]
    minus = [Cell("", SCRATCH, low), Cell("", SCRATCH, high)]
    text = (
        f"from {low:.0%} to {knee:.0%} of the labels accuracy rises by more than from there to all"
    )
    return Finding("the curve bends early", [Claim(text, plus, minus, "positive")])
