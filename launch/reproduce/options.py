"""Options of SwAV: Figures 17 to 25, and the study's third augmentation."""

from jaxssl.engine.diagnose import COLLAPSED_LOSS, UNIFORM_CODES
from jaxssl.evaluation.claims import MeasureClaim
from jaxssl.evaluation.grid import name_of
from jaxssl.validate import get_option
from launch.reproduce.experiment import Finding, Values, claim
from launch.reproduce.scales import SMOKE, Setting


def prototype_points(setting: Setting) -> list[Values]:
    """Prototypes, at a batch that has room for all of them."""
    values = setting.values("prototypes")
    batch = {"pretrain.batch_size": 256} if setting.scale != SMOKE else {}
    return [{**batch, "method.n_prototypes": (k,)} for k in values]


def prototype_finding(setting: Setting) -> Finding:
    """Figures 17 and 18."""
    by_count = {p["method.n_prototypes"][0]: [p] for p in prototype_points(setting)}
    counts = list(by_count)
    if setting.dataset == "tcga":
        best, text = min(counts, key=lambda k: abs(k - 60)), "best near 50 to 60, falls above"
    else:
        best, text = 16, "best at 16"
    claims = [
        claim(setting, f"{best} are better than {k}", by_count[best], by_count[k])
        for k in (counts[0], counts[-1])
        if k != best
    ]
    return Finding(text, claims)


def epsilon_points(setting: Setting) -> list[Values]:
    """Softness of the codes; with hard ones too where the study had them."""
    values = [{"method.epsilon": v} for v in setting.values("epsilon")]
    if setting.dataset == "tcga":
        return values
    return [{**v, "method.hard_codes": hard} for v in values for hard in (False, True)]


def epsilon_line(values: Values) -> str:
    """Hard codes or soft ones."""
    return {True: "hard codes", False: "soft codes"}.get(values.get("method.hard_codes", ""), "")


def epsilon_finding(setting: Setting) -> Finding:
    """Figures 20 and 21."""
    points, values = epsilon_points(setting), setting.values("epsilon")
    largest = points[-1] if setting.dataset == "tcga" else points[-2]
    uniform = MeasureClaim(
        f"the codes are uniform at {values[-1]:g}",
        name_of(largest, setting.config()), "code_entropy_ratio", UNIFORM_CODES,
    )  # fmt: skip
    if setting.dataset == "tcga":
        small = [p for p in points if p["method.epsilon"] <= 0.1]
        claims = [
            claim(setting, "up to 0.1 it is flat", small[:1], small[-1:], "zero"),
            claim(setting, f"0.1 is better than {values[-1]:g}", small[-1:], points[-1:]),
        ]
        return Finding("flat, then falls past 0.13: codes become uniform", [*claims, uniform])
    soft, hard = ([p for p in points if p["method.hard_codes"] is h] for h in (False, True))
    claims = [
        claim(setting, f"{values[0]:g} is better than {values[-1]:g}", soft[:1], soft[-1:]),
        claim(setting, f"at {values[0]:g} hard codes are better", hard[:1], soft[:1]),
    ]
    return Finding("falls as epsilon grows; hard codes are better", claims)


def batch_points(setting: Setting) -> list[Values]:
    """Batch sizes of the pretraining at equal numbers of samples seen."""
    config = setting.config()
    seen = config.pretrain.n_steps * config.pretrain.batch_size
    least, count = min(setting.values("batch")), get_option(config, "method.n_prototypes")[0]
    # as many prototypes at every size as the smallest batch has room for
    room: Values = {} if count <= least else {"method.n_prototypes": (least,)}
    return [
        {"pretrain.batch_size": b, "pretrain.n_steps": round(seen / b), **room}
        for b in setting.values("batch")
    ]


def batch_finding(setting: Setting) -> Finding:
    """Figures 22 and 23."""
    smallest, *_, largest = ([p] for p in batch_points(setting))
    if setting.dataset == "tcga":
        claims = [claim(setting, "the smallest is better than the largest", smallest, largest)]
        return Finding("a small batch is better", claims)
    claims = [claim(setting, "the largest is better than the smallest", largest, smallest)]
    return Finding("a large batch is better", claims)


def augment_points(setting: Setting) -> list[Values]:
    """Masked shares, then noise coefficients, each without the other."""
    masks = [{"augment.mask_rate": v} for v in setting.values("mask_rate")]
    noise = [{"augment.noise": v, "augment.mask_rate": 0.0} for v in setting.values("noise")]
    return masks + noise


def augment_finding(setting: Setting) -> Finding:
    """Figures 24 and 25."""
    points = augment_points(setting)
    masks = [p for p in points if 0 < p["augment.mask_rate"] < 1]
    noises = [p for p in points if p["augment.mask_rate"] == 0]
    collapse = MeasureClaim(
        "masking everything collapses", name_of({"augment.mask_rate": 1.0}, setting.config()),
        "loss_ratio", COLLAPSED_LOSS,
    )  # fmt: skip
    large = [p for p in masks if p["augment.mask_rate"] >= 0.5]
    small = [p for p in masks if p["augment.mask_rate"] < 0.5]
    if setting.dataset == "tcga":
        claims = [
            claim(setting, "masking is better than noise", masks, noises),
            claim(setting, "large shares are better than small ones", large, small),
        ]
        return Finding("masking is best, at large shares; collapses at 100 %", [*claims, collapse])
    claims = [claim(setting, "large and small shares are about equal", large, small, "zero")]
    return Finding("flat; collapses at 100 % masked", [*claims, collapse])


DECLARED_RADIUS = 1.0
"""Larger radii were added after a look at the validation part, where accuracy still rose with the
radius: they are shown, and no claim is about them."""


def radius_points(setting: Setting) -> list[Values]:
    """The three augmentations of the study, each alone."""
    plain = {"augment.mask_rate": 0.0}
    middle = setting.values("noise")[len(setting.values("noise")) // 2]
    return [
        {"augment.mask_rate": 0.5},
        {"augment.noise": middle, **plain},
        *({**plain, "augment.latent_radius": r} for r in setting.values("radius")),
    ]


def radius_line(values: Values) -> str:
    """Name of the augmentation."""
    if "augment.latent_radius" in values:
        return f"autoencoder, radius {values['augment.latent_radius']:g}"
    if "augment.noise" in values:
        return f"noise {values['augment.noise']:g}"
    return f"mask {values['augment.mask_rate']:g}"


def radius_finding(setting: Setting) -> Finding:
    """The study's third augmentation, which it found discouraging."""
    masking, _, *latent = radius_points(setting)
    claims = [
        claim(setting, f"masking is better than {radius_line(p)}", [masking], [p])
        for p in latent
        if p["augment.latent_radius"] <= DECLARED_RADIUS
    ]
    return Finding("the autoencoder's views are discouraging", claims)
