"""Four genes of three samples, and what reading them in any container must come to."""

import numpy as np
import pytest

from jaxssl import inspect, read
from jaxssl.types import InputError

GENES = ["TSPAN6", "TNMD", "DPM1", "SCYL3"]
SAMPLES = ["TCGA-A1-A0SB-01", "TCGA-A1-A0SD-01", "TCGA-B6-A0I1-06"]
VALUES = [[100.0, 0.0, 7.0], [12.0, 3.0, 5.0], [1.0, 2.0, 900.0], [4.0, 5.0, 6.0]]
ROWS = [["gene", *SAMPLES], *([g, *row] for g, row in zip(GENES, VALUES, strict=True))]
TEXT = "\n".join(",".join(f"{cell}" for cell in row) for row in ROWS) + "\n"


def check(path, **options):
    """What is read is what was written, and `inspect` proposes options that work."""
    adata = read(path, **options)
    assert list(adata.obs_names) == SAMPLES
    assert list(adata.var_names) == GENES
    np.testing.assert_array_equal(adata.X, np.array(VALUES, np.float32).T)
    given = {name: options[name] for name in ("layer", "sheet") if name in options}
    proposed = inspect(path, **given)
    asked = {k: v for k, v in proposed.options.items() if k not in ("labels", "label")}
    np.testing.assert_array_equal(read(path, **asked).X, adata.X)
    return adata


def refusal(path, **options):
    """What `read` and `inspect` alike say of a file that they refuse."""
    with pytest.raises(InputError) as error:
        read(path, **options)
    with pytest.raises(InputError, match=r".") as seen:
        inspect(path, **options)
    assert str(seen.value) == str(error.value)
    return str(error.value)
