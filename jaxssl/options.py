"""Options of every pretraining method, each with its default and its source.

Zero for a count marked "from the data" is chosen by `settle`. A number with a fraction changes
values alone, never a shape: members of one compiled program may differ in it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from jaxssl.types import InputError

MAX_PROTOTYPES = 100  # chosen where the count is left to the data
N_CLUSTERS = 50


@dataclass
class MethodConfig:
    """What the options of all methods have in common."""

    MIN_VIEWS: ClassVar[int] = 2
    NEEDS_CHANGE: ClassVar[bool] = False  # whether views that are the profiles teach nothing

    name: str = ""

    def settle(self, batch_size: int, n_train: int) -> None:
        """Choose what is left to the data.

        Raises:
            InputError: if the options do not fit the batch or the training samples.
        """

    def check_views(self, changes: Collection[str]) -> None:
        """Refuse augmentations (`changes`: which are on) from which the method learns nothing.

        Raises:
            InputError: naming the option to change.
        """
        if self.NEEDS_CHANGE and not changes:
            raise InputError(
                f"{self.name} has views that are the profiles themselves; pass "
                "--config.augment.mask_rate or --config.augment.noise"
            )


def _settle_clusters(counts: tuple[int, ...], n_train: int) -> tuple[int, ...]:
    """Clusters of every head; 0: from the data.

    Raises:
        InputError: with more clusters than training samples.
    """
    settled = tuple(k or min(N_CLUSTERS, n_train) for k in counts)
    if max(settled) > n_train:
        raise InputError(
            f"--config.method.n_prototypes={settled}: {n_train} training samples have at most as "
            "many clusters"
        )
    return settled


@dataclass
class ProjectedConfig(MethodConfig):
    """A method whose loss is on the output of a projection head."""

    projection: str = "mlp"  # "none", "linear" or "mlp" (one hidden layer)
    projection_hidden: int = 256
    projection_dim: int = 128
    projection_norm: str = "layer"  # "layer" (LayerNorm in the hidden layer) or "none"


@dataclass
class SwAVConfig(ProjectedConfig):
    """SwAV. Caron et al. 2020, arXiv 2006.09882, unless noted."""

    name: str = "swav"
    n_prototypes: tuple[int, ...] = (0,)  # one count per prototype head; 0: from the data
    epsilon: float = 0.05  # softness of the codes
    n_iterations: int = 3  # of Sinkhorn-Knopp
    temperature: float = 0.1
    hard_codes: bool = False
    queue_length: int = 0  # embeddings per view; 0: no queue
    queue_start: int = 0  # step from which the (full) queue takes part in the codes
    freeze_steps: int = 0  # first steps in which the prototypes do not move
    projection: str = "none"
    projection_hidden: int = 128
    projection_dim: int = 64
    projection_norm: str = "none"

    def settle(self, batch_size: int, n_train: int) -> None:
        """As `MethodConfig`; a batch, with the queue, must have a sample for every prototype."""
        in_codes = batch_size + self.queue_length
        self.n_prototypes = tuple(k or min(MAX_PROTOTYPES, batch_size) for k in self.n_prototypes)
        if max(self.n_prototypes) > in_codes:
            raise InputError(
                f"{max(self.n_prototypes)} prototypes cannot share {in_codes} samples evenly "
                "(batch and queue); lower --config.method.n_prototypes, or raise "
                "--config.pretrain.batch_size or --config.method.queue_length"
            )


@dataclass
class SimCLRConfig(ProjectedConfig):
    """SimCLR. Chen et al. 2020, arXiv 2002.05709."""

    name: str = "simclr"
    temperature: float = 0.5
    decoupled: bool = False  # the positive left out of the denominator: arXiv 2110.06848


@dataclass
class MoCoConfig(ProjectedConfig):
    """MoCo v2. He et al. 2020, arXiv 1911.05722; Chen et al. 2020, arXiv 2003.04297."""

    name: str = "moco"
    queue_length: int = 1024  # keys
    momentum: float = 0.99  # of the key encoder; 0.999 in the paper, which has more steps
    temperature: float = 0.2

    def settle(self, batch_size: int, n_train: int) -> None:
        """As `MethodConfig`; without a queue there are no negatives."""
        if self.queue_length < 1:
            raise InputError("--config.method.queue_length=0: moco needs a queue, of 512 or more")


@dataclass
class BYOLConfig(ProjectedConfig):
    """BYOL. Grill et al. 2020, arXiv 2006.07733; heads with LayerNorm in place of BatchNorm."""

    name: str = "byol"
    projection_dim: int = 256
    momentum: float = 0.99  # of the target at first, rising to 1 by a cosine; 0.996 in the paper
    predictor: str = "mlp"  # "none": the method without it, which collapses
    predictor_hidden: int = 256
    stop_gradient: bool = True  # False: the target is the online network, which collapses


@dataclass
class DeepClusterConfig(MethodConfig):
    """DeepCluster. Caron et al. 2018, arXiv 1807.05520."""

    MIN_VIEWS: ClassVar[int] = 1
    name: str = "deepcluster"
    n_prototypes: tuple[int, ...] = (0,)  # clusters, of one head; 0: 50, or from the data
    n_iterations: int = 20  # of k-means
    cluster_every: int = 5  # epochs, which are some 50 steps: a classifier must have time to learn

    def settle(self, batch_size: int, n_train: int) -> None:
        """As `MethodConfig`; one head, and no more clusters than samples."""
        if len(self.n_prototypes) != 1:
            raise InputError(
                f"--config.method.n_prototypes={self.n_prototypes}: deepcluster has one number of "
                "clusters; deepcluster_v2 has several"
            )
        self.n_prototypes = _settle_clusters(self.n_prototypes, n_train)


@dataclass
class DeepClusterV2Config(ProjectedConfig):
    """DeepCluster-v2. Caron et al. 2020, arXiv 2006.09882, appendix."""

    MIN_VIEWS: ClassVar[int] = 1
    name: str = "deepcluster_v2"
    n_prototypes: tuple[int, ...] = (0, 0, 0)  # clusters of every head; 0: 50, or from the data
    n_iterations: int = 10  # of spherical k-means
    cluster_every: int = 1  # epochs
    temperature: float = 0.1

    def settle(self, batch_size: int, n_train: int) -> None:
        """As `MethodConfig`; no more clusters than samples."""
        self.n_prototypes = _settle_clusters(self.n_prototypes, n_train)


@dataclass
class ScarfConfig(ProjectedConfig):
    """SCARF. Bahri et al. 2021, arXiv 2106.15147; the corruption is the augmentation.

    NT-Xent over both directions, where the paper's loss has the profiles alone as anchors; every
    feature is redrawn on its own, where the paper redraws a fixed number.
    """

    MIN_VIEWS: ClassVar[int] = 1
    NEEDS_CHANGE: ClassVar[bool] = True
    name: str = "scarf"
    temperature: float = 1.0


@dataclass
class VimeConfig(MethodConfig):
    """VIME. Yoon et al. 2020, NeurIPS 33; the corruption is the augmentation."""

    MIN_VIEWS: ClassVar[int] = 1
    NEEDS_CHANGE: ClassVar[bool] = True
    name: str = "vime"
    alpha: float = 2.0  # weight of the values beside the mask

    def check_views(self, changes: Collection[str]) -> None:
        """As `MethodConfig`; what changes every value leaves no mask to find."""
        super().check_views(changes)
        if set(changes) != {"mask_rate"}:
            raise InputError(
                "vime finds which values were replaced, and other augmentations change all; pass "
                "--config.augment.noise=0 --config.augment.latent_radius=0"
            )


@dataclass
class DenoisingConfig(MethodConfig):
    """Denoising autoencoder. Vincent et al. 2008, doi 10.1145/1390156.1390294."""

    MIN_VIEWS: ClassVar[int] = 1
    NEEDS_CHANGE: ClassVar[bool] = True
    name: str = "denoising"
    decoder_hidden: int = 256  # 0: a linear decoder
    target: str = "all"  # "changed": only what the augmentation changed, as a masked autoencoder


@dataclass
class VICRegConfig(ProjectedConfig):
    """VICReg. Bardes et al. 2022, arXiv 2105.04906; means and sums as in the authors' code."""

    name: str = "vicreg"
    projection_dim: int = 256
    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0


@dataclass
class BarlowTwinsConfig(ProjectedConfig):
    """Barlow Twins. Zbontar et al. 2021, arXiv 2103.03230."""

    name: str = "barlow_twins"
    projection_dim: int = 256
    redundancy: float = 5e-3  # weight of the correlations off the diagonal


METHOD_OPTIONS: dict[str, type[MethodConfig]] = {
    "swav": SwAVConfig,
    "simclr": SimCLRConfig,
    "moco": MoCoConfig,
    "byol": BYOLConfig,
    "deepcluster": DeepClusterConfig,
    "deepcluster_v2": DeepClusterV2Config,
    "scarf": ScarfConfig,
    "vime": VimeConfig,
    "denoising": DenoisingConfig,
    "vicreg": VICRegConfig,
    "barlow_twins": BarlowTwinsConfig,
}
"""Options class of every method."""
