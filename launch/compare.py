"""All pretraining methods on equal terms: tuned alike, then set beside the classical arms.

Example:

  python -m launch.compare --data=mirna.h5ad --out=runs/methods --shares=0.01,0.02,0.05,0.1,1

Every method takes its views, options and trials from its own file and all else from --config. Each
trial is scored on the validation part at 1 to 10 % of the labels over the first --trial_seeds
seeds; the best one is pretrained with all seeds, in OUT/METHOD. The method that did best in its
trials then teaches a student (arm METHOD+selftrain), tuned by as many trials. The test part is
looked at once, at the end. With --resume only what is missing is computed.
"""

from absl import flags as absl_flags

from jaxssl.studies.methods import beside, run_methods

from . import exit, flags

flags.define(*(name for name in flags.RUN if name != "method"), "shares", "arms", "frames")
_METHODS = absl_flags.DEFINE_list("methods", ["all"], "Methods to compare, or all.")
_TRIAL_SEEDS = absl_flags.DEFINE_integer("trial_seeds", 3, "Seeds of a trial.", lower_bound=1)


def main() -> None:
    """Tune and pretrain every method, compare all, tell."""
    job = flags.job("compare", arms=beside(flags.value_of("arms")))
    run_methods(job, _METHODS.value, range(_TRIAL_SEEDS.value))


if __name__ == "__main__":
    exit.run(main)
