"""SwAV against the baseline over all label shares: Figures 27 to 30."""

from collections.abc import Sequence

from jaxssl.evaluation.claims import Cell, Claim
from launch.reproduce.experiment import SCRATCH, SWAV, Finding
from launch.reproduce.scales import Setting


def comparison_finding(setting: Setting) -> Finding:
    """Figures 27 to 30."""
    shares = setting.size.curve_shares
    few = [share for share in shares if share <= 0.1] or shares[:1]

    def gain(text: str, chosen: Sequence[float], expect: str) -> Claim:
        plus, minus = ([Cell("", arm, share) for share in chosen] for arm in (SWAV, SCRATCH))
        return Claim(text, plus, minus, expect)

    if setting.dataset == "microarray":
        many = [share for share in shares if share not in few]
        claims = [
            gain("no gain at few labels (up to 10 %)", few, "not positive"),
            gain("no gain at more", many, "not positive"),
        ]
        return Finding("no gain", claims)
    claims = [gain("a gain at few labels (up to 10 %)", few, "positive")]
    claims += [gain(f"a gain at {share:.0%}", [share], "positive") for share in shares]
    return Finding("a gain at every share, up to 2.5 points, still positive at 100 %", claims)
