"""The data sets of a study: its own, and the samples that join them."""

from collections.abc import Sequence
from pathlib import Path

import h5py
from anndata import AnnData

from jaxssl.config import DataConfig
from jaxssl.data.backed import is_contiguous, state_of
from jaxssl.data.expression import prepare, read, read_backed, record_of
from jaxssl.data.formats.arrays import bytes_of_matrix, is_zarr
from jaxssl.data.samples import STAYS, facts_of
from jaxssl.data.scale import check_matrix
from jaxssl.data.synthetic import load_demo, make_synthetic
from jaxssl.engine.footprint import free_on_host
from jaxssl.files import replacing, require_room
from jaxssl.studies.progress import Hooks
from jaxssl.types import ROLES, InputError

Data = AnnData | str | Path | None  # a data set, its file, or None where the options name one
EMBEDDED = {"demo": load_demo, "synthetic": make_synthetic}
"""Data sets that no file holds."""
COPIED = "jaxssl_copied"  # attribute of a copy: the state of its original
ROWS = ".rows.h5ad"
"""Of a copy, beside its original, whose samples can be read one by one."""
LARGE_SHARE = 0.2
"""Of the memory that is free: a larger matrix stays on disk; a study makes several of its size."""
DataSets = Sequence[AnnData | str | Path]
"""What a caller passes as `unlabelled`."""


def read_data(
    options: DataConfig, hooks: Hooks, data: Data = None, *, may_stay: bool = False
) -> AnnData:
    """A data set, with its name on record; says what was found in a file.

    A matrix that memory does not hold stays in its file, where it `may_stay`.
    """
    if isinstance(data, AnnData):
        check_matrix(data)
        if may_stay and data.isbacked and not data.is_view and STAYS in facts_of(data):
            return data
        return data.to_memory() if data.isbacked else data
    path = str(data or options.path)
    if not path:
        raise InputError("no data are given", "pass `data=FILE.h5ad`, or `data=demo`")
    if path in EMBEDDED:
        adata = EMBEDDED[path]()
        adata.uns["jaxssl"]["name"] = path
    elif may_stay and _is_large(Path(path), options.backed):
        rows = _row_by_row(Path(path), hooks)
        adata = read_backed(rows, **{role: getattr(options, role) for role in ROLES})
        adata.uns["jaxssl"]["name"] = Path(path).stem
        size = 4e-9 * adata.n_obs * adata.n_vars
        hooks.say(f"data: {size:.1f} GB stay on disk and are read by blocks (data.backed)")
    else:
        adata = read(path, **{role: getattr(options, role) for role in ROLES})
    hooks.say(adata.uns["jaxssl"]["notes"])
    return adata


def _is_large(path: Path, backed: str) -> bool:
    """Whether the matrix of an `.h5ad` is to stay in its file, or in a copy that it can stay in."""
    is_store = is_zarr(path)
    if backed == "never" or not (is_store or (path.is_file() and h5py.is_hdf5(path))):
        return False
    size = bytes_of_matrix(path)
    is_large = backed == "always" or size > LARGE_SHARE * free_on_host()
    if is_store and is_large:
        raise InputError(
            f"{path} ({size / 1e9:.1f} GB) is to stay on disk, where the samples of a zarr store "
            "cannot be read one by one",
            "import it once by `prepare()`, and use what it writes, or pass `data.backed=never`",
        )
    return is_large


def _row_by_row(path: Path, hooks: Hooks) -> Path:
    """The file, or where its matrix is packed or sparse, a copy that is made once, beside it."""
    if is_contiguous(path):
        return path
    copy, state = path.with_suffix(ROWS), state_of(path)
    if copy.exists():
        of = _copied_from(copy)
        if of == state:
            hooks.say(f"data: {copy}, the copy of {path.name} that is read row by row")
            return copy
        if not of:
            found = (
                f"{copy} is no whole copy that jaxssl made, and one of {path.name} would go there"
            )
            raise InputError(found, "move it, or pass `data.backed=never`")
    size = bytes_of_matrix(path)
    require_room(path.parent, size, f"a copy of {path.name} that can be read row by row")
    hooks.say(
        f"data: {path.name} does not hold its samples one after the other, uncompressed; {copy} "
        f"does, and is made once, {size / 1e9:.1f} GB"
    )
    with replacing(copy) as part:
        prepare(path, part)
        record_of(part).unlink()
        with h5py.File(part, "r+") as stored:
            stored.attrs[COPIED] = state
    return copy


def _copied_from(path: Path) -> str:
    """The state of the file that a copy is of; "": it is no copy of ours, or a damaged one."""
    if not h5py.is_hdf5(path):
        return ""
    try:
        with h5py.File(path, "r") as stored:
            return str(stored.attrs.get(COPIED, ""))
    except (OSError, RuntimeError):  # cut
        return ""


def read_unlabelled(given: Sequence[Data], data: Data, hooks: Hooks) -> list[AnnData]:
    """Samples to join those of `data`; what is the same file, or the study's own, is refused."""
    own, seen = _place(data), set()
    for one in given:
        place = _place(one)
        if place == own:
            raise InputError(
                f"`unlabelled` names the study's own data ({_called(one)}), whose training samples "
                "take part anyway",
                "drop it",
            )
        if place in seen:
            raise InputError(f"`unlabelled` names {_called(one)} twice", "drop one")
        seen.add(place)
    return [read_data(DataConfig(), hooks, one) for one in given]


def _place(data: Data) -> object:
    """What tells a data set from another: the file, or the object."""
    if isinstance(data, AnnData):
        return str(Path(data.filename).resolve()) if data.filename else id(data)
    return str(data) if str(data) in EMBEDDED else str(Path(str(data)).resolve())


def _called(data: Data) -> str:
    """A data set in a message."""
    return "an AnnData" if isinstance(data, AnnData) else str(data)
