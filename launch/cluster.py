"""A study as jobs of a cluster: the shards of its seeds side by side, then one report of all.

Through submitit (extra `cluster`), which starts the jobs by Slurm or as processes of this machine.
The same command again goes on with what is not finished.
"""

import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib

from jaxssl.runs import layout
from jaxssl.types import InputError

from . import flags

if TYPE_CHECKING:
    import submitit

    from jaxssl.engine.launchers import Process
    from jaxssl.studies.job import Job

LOCAL, SLURM = KINDS = "local", "slurm"
JOBS = "jobs"  # the folder of what they say, in that of the run
MOST_JOBS = 10  # where --jobs says nothing
MINUTES = 24 * 60  # of a job; one that is ended goes on when it is started again
OWN = ("cluster", "jobs", "cluster_options", "resume")
"""Flags of the command that a job's command has not."""
_NAMES = {"gpus": "gpus_per_node", "time": "timeout_min"}
"""Option of sbatch → what submitit calls it."""
_WHOLE = ("gpus_per_node", "timeout_min", "cpus_per_task", "nodes", "mem_gb")


@dataclass(frozen=True)
class Shard:
    """A job: the command of a shard of the seeds, which goes on where it was ended."""

    words: tuple[str, ...]

    def __call__(self) -> None:
        """Run it; submitit keeps what it says."""
        subprocess.run(self.words, check=True)

    def checkpoint(self) -> Any:
        """What a job does again that Slurm ends and requeues."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


@dataclass(frozen=True)
class Report:
    """The job after the others: one report of all shards."""

    shards: tuple[Path, ...]
    out: Path

    def __call__(self) -> str:
        """Write it, if no shard is missing; returns the headline."""
        from jaxssl.report.render import write_report
        from jaxssl.runs.reading import read_runs

        if left := unfinished(self.shards):
            raise InputError(
                f"{len(left)} of {len(self.shards)} shards are not finished (first: {left[0]})",
                f"see what its job said in {self.out.parent / JOBS}, and run the same "
                "command again: it goes on with these",
            )
        [result] = read_runs(self.shards)
        write_report([result], self.out)
        return str(result.headline)


def submit(job: "Job") -> None:
    """Start every shard that is not finished, then the report.

    Args:
        job: what the flags ask for; its options have been looked at, its data not.
    """
    kind, folder = flags.value_of("cluster"), Path(job.output.folder).absolute()
    refuse(kind, job)
    n = n_jobs(job.config.run.seeds)
    shards = [layout.shard_folder(folder, f"{i}/{n}") for i in range(n)]
    refuse_others(folder, shards)
    left = unfinished(shards)
    work = {shard: Shard(tuple(command(f"{i}/{n}"))) for i, shard in enumerate(shards)}
    report = Report(tuple(shards), folder / layout.REPORT)
    executor = executor_of(kind, folder / JOBS, parse(flags.value_of("cluster_options")))
    job.hooks.say(f"{len(left)} of {n} jobs are to be run; what they say is in {executor.folder}")
    if kind == LOCAL:
        _run_here(executor, [work[shard] for shard in left], max(1, joblib.cpu_count() // 2))
        job.hooks.say(report())
        job.hooks.say(f"report: {report.out}")
        return
    before = ""
    if left:
        with executor.batch():
            started = [executor.submit(work[shard]) for shard in left]
        array = started[0].job_id.partition("_")[0]
        executor.update_parameters(slurm_dependency=f"afterany:{array}")
        before = f"array {array}, then "
    last = executor.submit(report)
    job.hooks.say(f"submitted: {before}{last.job_id} for {report.out}")


def run_share(process: "Process") -> None:
    """Run the shard of one of several processes that a launcher started; the last one reports.

    Args:
        process: this one among them.
    """
    from jaxssl.studies.study import run_study

    folder = Path(flags.value_of("out") or ".").absolute()
    shards = [layout.shard_folder(folder, f"{i}/{process.n}") for i in range(process.n)]
    whole = flags.job("study")  # which is looked at before its seeds are shared out
    refuse("", whole)
    refuse_others(folder, shards)
    if process.n > whole.config.run.seeds:
        found = f"{process.n} processes were started, and there are {whole.config.run.seeds} seeds"
        raise InputError(found, "start fewer, or raise `seeds`")
    job = flags.job("study", shard=f"{process.index}/{process.n}")
    job.hooks.say(f"{process}: its seeds are {[*job.seeds]}")
    run_study(job)
    if not unfinished(shards):
        report = Report(tuple(shards), folder / layout.REPORT)
        job.hooks.say(report())
        job.hooks.say(f"report: {report.out}")


def _run_here(executor: "submitit.AutoExecutor", work: Sequence[Shard], at_once: int) -> None:
    """Run jobs on this machine, so many at once, to the end of each, whatever becomes of others."""
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda one: executor.submit(one).exception(), work))


def refuse(kind: str, job: "Job") -> None:
    """Refuse what jobs cannot be made of."""
    if not job.output.folder:
        raise InputError("several processes write into a folder", "pass `out=RUN`")
    for name in ("shard", "overwrite"):
        if flags.value_of(name):
            fix = "drop it" if name == "shard" else "delete the folder first, or drop it"
            raise InputError(f"`{name}` is not for several processes, which are shards", fix)
    if "run.seeds" in job.is_open:
        raise InputError(
            "seeds are shared out, and their number is not given", "pass `seeds=20`, say"
        )
    if kind == SLURM and not shutil.which("sbatch"):
        raise InputError(
            "there is no sbatch on this machine",
            "start from a login node of the cluster, or pass `cluster=local`",
        )


def refuse_others(folder: Path, shards: Collection[Path]) -> None:
    """Refuse a folder whose seeds are shared out otherwise, or that holds a run of one process."""
    others = [path for path in folder.glob("shard_*_of_*") if path not in shards]
    if others:
        n = others[0].name.rpartition("_")[2]
        raise InputError(
            f"{folder} is shared out to {n} jobs", f"pass `jobs={n}`, or another `out`"
        )
    if (folder / layout.CONFIG).is_file():
        raise InputError(f"{folder} holds a run of one process", "pass another `out`")


def n_jobs(n_seeds: int) -> int:
    """As many as asked for, each with a seed at least."""
    n = flags.value_of("jobs") or min(n_seeds, MOST_JOBS)
    if n > n_seeds:
        raise InputError(f"`jobs={n}`, and there are {n_seeds} seeds", "lower it, or raise `seeds`")
    return n


def unfinished(shards: Sequence[Path]) -> list[Path]:
    """Those that have not come to their end, on every split."""
    return [
        shard
        for shard in shards
        if not (shard / layout.SUMMARY).is_file()
        or not all((p / layout.MANIFEST).is_file() for p in [*shard.glob("split_*")] or [shard])
    ]


def command(shard: str) -> Iterator[str]:
    """The command of a shard: the one that was given, without what is of the cluster."""
    yield from (sys.executable, "-m", f"{__package__}.study")
    words = iter(sys.argv[1:])
    for word in words:
        name, is_joined, _ = word.lstrip("-").partition("=")
        if not word.startswith("-") or name.removeprefix("no") not in OWN:
            yield word
        elif not is_joined and name in OWN and name != "resume":
            next(words)  # its value
    yield from (f"--shard={shard}", "--resume")


def parse(options: Sequence[str]) -> dict[str, Any]:
    """Options of sbatch, such as partition=gpu, as submitit has them."""
    found: dict[str, Any] = {}
    for option in options:
        name, has_value, value = option.partition("=")
        if not name or not has_value:
            raise InputError(f"`cluster_options={option}`", "write NAME=VALUE, such as gpus=1")
        name = _NAMES.get(name, name)
        if name in _WHOLE and not value.isdecimal():
            unit = " of minutes" if name == "timeout_min" else ""
            raise InputError(f"`cluster_options={option}`", f"give a whole number{unit}")
        found[name] = int(value) if name in _WHOLE else value
    return found


def executor_of(kind: str, folder: Path, options: Mapping[str, Any]) -> "submitit.AutoExecutor":
    """What starts jobs, with the options of each."""
    try:
        import submitit
    except ImportError as error:
        raise InputError(
            "submitit, which starts the jobs, is not installed", "pip install 'jaxssl[cluster]'"
        ) from error

    executor = submitit.AutoExecutor(folder, cluster=kind)
    own = {name: value for name, value in options.items() if name in _WHOLE}
    others = {name: value for name, value in options.items() if name not in _WHOLE}
    words = {"name": "jaxssl", "timeout_min": MINUTES, **own}
    executor.update_parameters(slurm_additional_parameters=others, **words)
    return executor
