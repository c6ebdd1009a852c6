"""What a study came to, fresh or read back from its folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from jaxssl.arguments import checked, choose
from jaxssl.engine.bundle import EncoderBundle
from jaxssl.evaluation.fits import failed_fits
from jaxssl.runs import layout
from jaxssl.runs.journal import load_encoders
from jaxssl.runs.tables import read_parquet
from jaxssl.types import InputError


@dataclass(frozen=True, eq=False)
class StudyResult:
    """What one study came to; None or empty where it did not go so far.

    `jaxssl.study` returns one and `jaxssl.open_study` reads one; shards and splits that
    `runs.merge` joined are one, too.

    Attributes:
        name: of the folder.
        folders: where it lies; several where shards or splits were merged.
        config: all options, as `config.json` has them.
        environment: command, versions, device, data hash.
        summary: headline, means, health of the pretraining, warnings, seconds: `summary.json`.
        metrics: a row an epoch and seed of the pretraining.
        results: a row a score: arm, share, seed, part, metric, value and where they come from;
            `fit` is "diverged" where the fit is no number (it counts as knowing nothing), "lost"
            where it is worse on its own labels than that, "chance" where it does no better than
            naming one class for all, else "".
        statistics: a row a comparison of an arm with a reference, share and metric.
        endpoint: the primary endpoint of every arm against every reference.
        saved: how many labels each reference needs for what an arm reaches with fewer.
        all_labels: what arms come to with all labels: against every reference, and against naming
            one class for all, with p of a permutation test.
        batch: how well the batch is told from input and embedding.
        samples: part, label, group and batch of every sample.
        usage: share of the training samples of every prototype and seed.
        embedding: AnnData with the first seed's embedding in `obsm["X_jaxssl"]`.

    Example:
        >>> result = jaxssl.open_study("runs/mirna")  # doctest: +SKIP
        >>> result.headline, result.endpoint  # doctest: +SKIP
        >>> result.predictions("swav", 0.01)  # doctest: +SKIP
    """

    name: str
    folders: tuple[Path, ...]
    config: dict[str, Any] = field(repr=False)
    environment: dict[str, Any] = field(repr=False)
    summary: dict[str, Any] = field(repr=False)
    metrics: pd.DataFrame | None = field(repr=False)
    results: pd.DataFrame | None = field(repr=False)
    statistics: pd.DataFrame | None = field(repr=False)
    endpoint: pd.DataFrame | None = field(repr=False)
    saved: pd.DataFrame | None = field(repr=False)
    all_labels: pd.DataFrame | None = field(repr=False)
    batch: pd.DataFrame | None = field(repr=False)
    samples: pd.DataFrame | None = field(repr=False)
    usage: pd.DataFrame | None = field(repr=False)
    embedding: Any = field(repr=False)  # AnnData; Any, so that reading a result needs no anndata
    fresh: Mapping[int, EncoderBundle] | None = field(default=None, repr=False)  # just trained

    @property
    def headline(self) -> str:
        """What may be said of the study in a sentence or two; "" where no arm was compared."""
        return self.summary.get("headline", "")

    @property
    def tested(self) -> dict[str, int] | None:
        """How many different test samples each class has; None where the summary does not say."""
        return self.summary.get("tested")

    @property
    def verdict(self) -> dict[str, Any]:
        """What to use with all labels, and why: `use`, `at_chance`, `sentences`; {} if unknown."""
        return self.summary.get("verdict", {})

    @property
    def seeds(self) -> list[int]:
        """Ids of the repetitions, also of a study that was killed before its summary."""
        scored = [] if self.results is None else self.results["seed"].unique().tolist()
        return sorted({*self.summary.get("seeds", []), *scored})

    @property
    def failed_fits(self) -> pd.DataFrame:
        """A row an arm, share and kind of failure: `n` fits `of` how many, seeds."""
        return failed_fits(self.results)

    @property
    def pretraining(self) -> dict[str, Any]:
        """Health of the pretraining: status, collapsed_seeds, messages."""
        return self.summary.get("pretraining", {})

    @cached_property
    def encoders(self) -> Mapping[int, EncoderBundle]:
        """The pretrained encoders, by seed; of several splits, those of the last."""
        if self.fresh is not None:
            return self.fresh
        found: dict[int, EncoderBundle] = {}
        for folder in self.folders:
            _require(folder)
            found |= load_encoders(folder)
        return found

    @checked
    def predictions(self, arm: str, share: float) -> pd.DataFrame | None:
        """Test probabilities of an arm at a share; None where none were kept.

        Args:
            arm: such as "swav".
            share: of the labels.

        Returns:
            A row a seed and test sample: sample_id, seed, label, p_CLASS for every class; and split
            where there are several.

        Raises:
            InputError: on an arm or a share that was not compared.
        """
        if self.results is not None:
            for name, value in (("arm", arm), ("share", share)):
                known = self.results[name].unique().tolist()
                if value not in known:
                    fix = choose(value, known, "choose among")
                    raise InputError(f"no {name} {value} was compared", fix)
        return read_predictions(self.folders, arm, share)

    def groups(self) -> "pd.Series[str]":
        """Group of every sample, by sample id; empty where the study did not write them."""
        if self.samples is None or "group" not in self.samples:
            return pd.Series(dtype=str)
        return self.samples.set_index("sample_id")["group"]

    @checked
    def report(self, path: str | Path = "", *, overwrite: bool = False) -> Path:
        """Write the report, one HTML or Markdown file, and its figures beside it.

        Args:
            path: of the file, .html or .md; by default report.html in the study's folder.
            overwrite: replace a file that is there, and figures beside it.

        Returns:
            The path.

        Raises:
            InputError: on a file of another kind, and on one that is there.

        Example:
            >>> jaxssl.open_study("runs/mirna").report("mirna.md")  # doctest: +SKIP
        """
        from jaxssl.report.render import check_place, write_report  # draws: few callers want it

        first = self.folders[0]
        own = first if len(self.folders) == 1 else layout.whole_folder(first)
        out = Path(path) if path else own / layout.REPORT
        check_place(out, [own], overwrite=overwrite or not path)
        write_report([self], out)
        return out


def _require(folder: Path) -> None:
    """Refuse to read from a folder that went with its result, or that was moved away."""
    if not folder.is_dir():
        raise InputError(
            f"{folder}, where the study lay, is gone",
            "run the study with `out`, or read it by `open_study()` from where it lies now",
        )


def read_predictions(folders: Sequence[Path], arm: str, share: float) -> pd.DataFrame | None:
    """Test probabilities of an arm at a share, from one folder or from the parts of a run."""
    tables = []
    for folder in folders:
        _require(folder)
        of_split = {"split": int(n)} if (n := layout.split_number(folder)) else {}
        files = layout.predictions_files(folder, arm, share)
        found = [read_parquet(folder, path) for path in files]
        tables += [table.assign(**of_split) for table in found]
    if not tables:
        return None
    together = pd.concat(tables, ignore_index=True)
    keys = [name for name in ("split", "seed", "sample_id") if name in together]
    return together.drop_duplicates(keys, keep="last")
