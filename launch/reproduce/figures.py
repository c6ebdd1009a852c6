"""Every figure and table, in the order of the paper."""

from collections.abc import Callable

from jaxssl.types import InputError

from . import baseline, questions, swav
from .experiment import Experiment
from .scales import Setting
from .tables import TABLES

FIGURES: dict[str, dict[tuple[str, ...], Callable[[Setting], Experiment]]] = {
    "tcga": {
        ("11",): baseline.hidden,
        ("11b",): baseline.rate,
        ("12",): baseline.curve,
        ("15",): swav.transfer,
        ("16",): swav.freeze,
        ("17",): swav.prototypes,
        ("20",): swav.epsilon,
        ("22",): swav.batch,
        ("24",): swav.augment,
        ("autoencoder",): swav.autoencoder,
        ("29", "30"): baseline.comparison,
        ("map",): questions.count_map,
        ("reason",): questions.reason,
    },
    "microarray": {
        ("13",): baseline.curve,
        ("18",): swav.prototypes,
        ("21",): swav.epsilon,
        ("23",): swav.batch,
        ("25",): swav.augment,
        ("autoencoder",): swav.autoencoder,
        ("27", "28"): baseline.comparison,
        ("map",): questions.count_map,
        ("reason",): questions.reason,
    },
}
"""Data set → figures of the paper → experiment. What has no number is in no figure of the paper."""

ALL = "all"


def experiments_of(figure: str, setting: Setting) -> dict[tuple[str, ...], Experiment]:
    """The experiments behind a figure of the paper, or all of a data set's, by their figures.

    Raises:
        InputError: on a figure or table that the paper does not have for this data set.
    """
    having = FIGURES[setting.dataset]
    names = [number for numbers in having for number in numbers] + TABLES[setting.dataset]
    if figure not in (ALL, *names):
        raise InputError(
            f"the paper has no `figure={figure}` on {setting.dataset}",
            f"on {setting.dataset} choose all, or one of {', '.join(names)}",
        )
    return {n: make(setting) for n, make in having.items() if figure in (ALL, *n)}
