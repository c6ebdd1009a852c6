"""npz: X (samples x genes), sample_ids and feature_ids, without pickled objects."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from jaxssl.data.formats.matrix import RawTable, Reading, no_text, text_ids
from jaxssl.types import InputError

_EXPECTED = "expected X (samples x genes), sample_ids and feature_ids"


def read(path: Path, reading: Reading) -> RawTable:
    """Read the three arrays.

    Raises InputError on other arrays, other shapes, pickled objects, and a damaged file.
    """
    names: list[str] = []
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            names = arrays.files
            found = {key: arrays[key] for key in ("X", "sample_ids", "feature_ids")}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise InputError(f"{path} is a damaged npz file ({error})", "write it again") from error
    except KeyError as error:
        holds = f"a zip that holds {', '.join(names[:6])}"
        raise InputError(f"{path} is {holds}, not an npz of expression", _EXPECTED) from error
    except ValueError as error:
        raise InputError(f"{path}: {error}", f"{_EXPECTED}, without pickled objects") from error
    x, rows, columns = found["X"], found["sample_ids"], found["feature_ids"]
    if x.dtype.kind not in "fiu" or x.shape != (rows.size, columns.size) or rows.ndim != 1:
        raise InputError(
            f"{path}: X is {x.dtype} of shape {x.shape}, yet there are {rows.size} sample_ids and "
            f"{columns.size} feature_ids",
            _EXPECTED,
        )
    samples, genes = text_ids(rows), text_ids(columns)
    return RawTable("npz", samples, genes, x, no_text(samples), no_text(genes), "samples_in_rows")
