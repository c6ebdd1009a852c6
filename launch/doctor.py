"""Versions, devices, memory, and what will fit.

Example:

  python -m launch.doctor
"""

import jax
import psutil
from absl import flags

from jaxssl.config import Config, resolve
from jaxssl.engine.ensemble import use_cores
from jaxssl.engine.footprint import free_memory
from jaxssl.engine.pretrain import plan_pretraining
from launch import exit
from launch.identity import versions

_SEEDS = flags.DEFINE_integer("seeds", 50, "Repetitions to plan for.", lower_bound=1)

SIZES = (  # training samples, features, what that is
    (6_546, 100, "the default: 100 conditioned components"),
    (6_546, 2_000, "2,000 genes"),
    (6_546, 57_387, "the study's TCGA, all genes"),
    (14_870, 54_675, "the study's microarrays, all probe sets"),
)


def main(arguments: list[str]) -> None:
    """Print what a bug report should hold, then a memory plan per size."""
    exit.no_arguments(arguments)
    use_cores(_SEEDS.value)
    for package, version in versions().items():
        print(f"{package:18} {version}")
    for device in jax.devices():
        print(f"device {device.id}: {device.device_kind} ({device.platform})")
    memory = psutil.virtual_memory()
    print(f"memory: {memory.total / 1e9:.1f} GB, {memory.available / 1e9:.1f} GB free")
    print(f"free on the first device: {free_memory() / 1e9:.1f} GB")
    for n_samples, n_features, what in SIZES:
        config = resolve(Config(), n_samples)
        plan = plan_pretraining(config, n_samples, n_features, _SEEDS.value).memory
        print(f"{what}: {plan.sentence(_SEEDS.value)}")


if __name__ == "__main__":
    exit.run(main)
