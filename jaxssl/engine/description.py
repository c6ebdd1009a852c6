"""What a bundle says beside its arrays: a sealed description, and the names of its genes."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxssl.data.presence import Classes
from jaxssl.data.shift import Reference
from jaxssl.types import Calibration, InputError

GENES = "genes.txt"


def write_description(file: Path, description: dict[str, Any], genes: Sequence[str]) -> None:
    """Write a description, with hashes of itself and of the genes' names, and these beside it."""
    named = description | {"genes_sha256": hash_of_genes(genes)}
    sealed = named | {"sha256": hash_of_description(named)}
    (file.parent / GENES).write_text("\n".join(genes) + "\n", encoding="utf-8")
    file.write_text(json.dumps(sealed, indent=2))


def read_description(file: Path, readable: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A description and the names of genes beside it, not compared with their hashes.

    Another format than `readable`, which may say the rest in other words, is refused.
    """
    description = json.loads(file.read_text(encoding="utf-8"))
    if description["format"] != readable:
        raise InputError(
            f"bundle format {description['format']}, this version reads format {readable}",
            "read it with the jaxssl that wrote it",
        )
    names = (file.parent / GENES).read_text(encoding="utf-8")
    return description, tuple(names.split("\n")[:-1])


def check_seal(file: Path, description: dict[str, Any], genes: Sequence[str], again: str) -> None:
    """Refuse a description, or genes beside it, that are not as they were written.

    Args:
        file: that holds the description.
        description, genes: as `read_description` read them.
        again: what to do then.

    Raises:
        InputError: if one is not, naming the file.
    """
    found = {
        GENES: (description.get("genes_sha256"), hash_of_genes(genes)),
        file.name: (description.get("sha256"), hash_of_description(description)),
    }
    for name, (recorded, own) in found.items():
        if recorded != own:
            raise InputError(f"{file.parent}: {name} is not as it was written", again)


def hash_of_description(description: dict[str, Any]) -> str:
    """Hash of all that a description says, but for this hash."""
    rest = {name: value for name, value in description.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def hash_of_genes(genes: Sequence[str]) -> str:
    """Hash of names of genes, in their order."""
    return hashlib.sha256("\n".join(genes).encode()).hexdigest()


def static_of(calibration: Calibration | None) -> dict[str, Any]:
    """What of a calibration is no array."""
    names = ("temperature", "is_held_out") if calibration else ()
    return {name: getattr(calibration, name) for name in names}


def kept_of(
    tree: dict[str, Any], calibrated: dict[str, Any]
) -> tuple[Reference | None, Calibration | None, Classes | None]:
    """What not every bundle has, from its arrays and what of a calibration is no array."""
    reference = Reference(**tree["reference"]) if "reference" in tree else None
    calibration = Calibration(**tree["calibration"], **calibrated) if calibrated else None
    return reference, calibration, Classes(**tree["classes"]) if "classes" in tree else None
