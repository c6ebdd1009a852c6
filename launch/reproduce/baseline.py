"""The supervised baseline: Figures 11 to 13."""

from itertools import product

from jaxssl.evaluation.claims import Cell, Claim
from launch.reproduce.experiment import SCRATCH, Finding, Values, claim
from launch.reproduce.scales import Setting


def hidden_points(setting: Setting) -> list[Values]:
    """Depths and widths of the baseline."""
    return [{"encoder.hidden": h, **NO_TRANSFER} for h in setting.values("hidden")]


NO_TRANSFER = {"finetune.transfer_layers": 0}


def hidden_finding(setting: Setting) -> Finding:
    """Figure 11."""
    by_depth = {
        depth: [p for p in hidden_points(setting) if len(p["encoder.hidden"]) == depth]
        for depth in (1, 2, 3, 4)
    }
    claims = [
        claim(setting, "three layers are no worse than two", by_depth[2], by_depth[3],
               "not positive", SCRATCH),
        claim(setting, "a fourth adds nothing", by_depth[4], by_depth[3], "not positive", SCRATCH),
    ]  # fmt: skip
    return Finding("three hidden layers are enough", claims)


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
    chosen_rate = [p for p in points if p["finetune.scratch_learning_rate"] == 4e-4]
    others = [p for p in points if p["finetune.scratch_learning_rate"] != 4e-4]
    batch = 256 if 256 in setting.values("batch") else setting.values("batch")[-1]
    largest = [p for p in chosen_rate if p["finetune.batch_size"] == batch]
    rest = [p for p in chosen_rate if p["finetune.batch_size"] != batch]
    claims = [
        claim(setting, "other rates are no better than 4e-4", others, chosen_rate,
               "not positive", SCRATCH),
        claim(setting, f"other batch sizes are no better than {batch}", rest, largest,
               "not positive", SCRATCH),
    ]  # fmt: skip
    return Finding("learning rate 4e-4 and batch 256", claims)


def curve_finding(setting: Setting) -> Finding:
    """Figures 12 and 13."""
    shares = setting.size.curve_shares
    low, high = shares[0], shares[-1]
    knee = min(shares, key=lambda share: abs(share - 0.1) if low < share < high else 2.0)
    if setting.scale != "smoke" and setting.dataset == "microarray":
        knee = 0.3
    plus = [Cell("", SCRATCH, knee)]
    minus = [Cell("", SCRATCH, low), Cell("", SCRATCH, high)]
    text = (
        f"from {low:.0%} to {knee:.0%} of the labels accuracy rises by more than from there to all"
    )
    return Finding("the curve bends early", [Claim(text, plus, minus, "positive")])
