"""The main job, end to end: data, pretraining of all seeds, label sweep, statistics, report.

Example, on data that install with jaxssl[demo]:

  python -m launch.study --config=demo --out=runs/demo

Example, on your own:

  python -m launch.prepare --labels=labels.csv --label=label20 --group=patient_id \\
      --out=mirna.h5ad expression.npz
  python -m launch.study --data=mirna.h5ad --out=runs/mirna --seeds=10

As ten jobs of a cluster (docs/cluster.md):

  python -m launch.study --data=mirna.h5ad --out=runs/mirna --seeds=50 --jobs=10 \\
      --cluster=slurm --cluster_options=partition=gpu,gpus=1
"""

from absl.flags import DEFINE_enum, DEFINE_integer, DEFINE_list

from jaxssl.engine.launchers import find_process
from jaxssl.studies.study import run_study
from jaxssl.types import InputError

from . import cluster, exit, flags

flags.define(*flags.RUN, "unlabelled", "shares", "arms", "frames", "splits", "shard")
CLUSTER = DEFINE_enum("cluster", None, cluster.KINDS, "Run as jobs: of Slurm, or processes here.")
DEFINE_integer("jobs", 0, "Of a cluster; each has some of the seeds. 0: up to ten.", 0)
DEFINE_list("cluster_options", [], "Of each job, as sbatch has them: partition=gpu,gpus=1.")


def main() -> None:
    """Run every stage that the folder lacks."""
    process = find_process()
    if CLUSTER.value and process.n > 1:
        found = f"each of {process.n} processes would submit the same jobs"
        raise InputError(found, "start one process, or leave `cluster` out")
    if CLUSTER.value:
        cluster.submit(flags.job("study"))
    elif process.n > 1 and not flags.value_of("shard"):
        cluster.run_share(process)
    else:
        run_study(flags.job("study"))


if __name__ == "__main__":
    exit.run(main)
