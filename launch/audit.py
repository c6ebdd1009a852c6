"""Is the procedure sound, and where does the spread come from?

Type I: an arm against itself, with other initial weights and batches; a sound test calls that a
difference in 5 of 100 comparisons. Every one of --comparisons has --seeds repetitions of two fits:
200 comparisons of 10 seeds are 4,000 fits, the share of --shares. Writes type1.csv and all scores.

  python -m launch.audit --what=type1 --data=mirna.h5ad --shares=0.02 --out=runs/type1

--what=type1_best does so with the arm best: its sides have other encoders, out of 40.

Variance: what labels, pretraining and fine-tuning each contribute to the spread of an arm, from
every combination of a few of each (--levels: label subsets, pretrainings, fine-tunings); with
--splits, what the outer split contributes. Writes variance.csv and all scores.

  python -m launch.audit --what=variance --data=mirna.h5ad --shares=0.02,0.1 --splits=3 \\
      --out=runs/variance
"""

from typing import Any

from absl import flags as absl_flags

from jaxssl.studies.audit import AUDITS, MIN_COMPARISONS, reader_of, run_audit

from . import exit, flags

flags.define(*(name for name in flags.RUN if name != "resume"), "shares", "splits")
_WHAT = absl_flags.DEFINE_enum("what", "type1", list(AUDITS), "What to look into.")
_COMPARISONS = absl_flags.DEFINE_integer(
    "comparisons",
    None,
    "Null comparisons of type I; default: 200.",
    MIN_COMPARISONS,
)
_LEVELS = absl_flags.DEFINE_list(
    "levels", None, "Label subsets, pretrainings, fine-tunings of --what=variance; default: 5,5,3."
)


def main() -> None:
    """Fit, compare, print, write."""
    levels: Any = _LEVELS.value  # what is no number stays a text, and is refused
    levels = levels and [int(n) if n.isdecimal() else n for n in levels]
    run_audit(flags.job(reader_of(_WHAT.value)), _WHAT.value, _COMPARISONS.value, levels)


if __name__ == "__main__":
    exit.run(main)
