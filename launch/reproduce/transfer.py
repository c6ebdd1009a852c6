"""What is handed over to fine-tuning: Figures 15 and 16."""

from launch.reproduce.experiment import Finding, Values, claim
from launch.reproduce.scales import Setting


def transfer_points(setting: Setting) -> list[Values]:
    """Layers transferred."""
    del setting
    return [{"finetune.transfer_layers": n} for n in (1, 2, 3)]


def transfer_finding(setting: Setting) -> Finding:
    """Figure 15."""
    one, two, three = ([p] for p in transfer_points(setting))
    claims = [
        claim(setting, "three layers are better than one", three, one),
        claim(setting, "two are about equal to three", two, three, "zero"),
    ]
    return Finding("three transferred layers are best, two about equal", claims)


def freeze_points(setting: Setting) -> list[Values]:
    """Transferred layers frozen."""
    del setting
    return [{"finetune.freeze_layers": n} for n in (0, 1, 2, 3)]


def freeze_finding(setting: Setting) -> Finding:
    """Figure 16."""
    none, *_, two, three = ([p] for p in freeze_points(setting))
    claims = [
        claim(setting, "none frozen is better than three", none, three),
        claim(setting, "none frozen is better than two", none, two),
    ]
    return Finding("freezing hurts", claims)
