"""A resumed run must be the same one, by its options and its data."""

import json

import pytest

from jaxssl.config import Config
from jaxssl.runs.identity import Origin, write_identity
from jaxssl.types import InputError

DATA = Origin("data")


def edit_options(folder, change):
    file = folder / "config.json"
    options = json.loads(file.read_text())
    change(options)
    file.write_text(json.dumps(options))


def test_an_option_that_an_older_version_did_not_have_stood_at_its_default(tmp_path):
    write_identity(tmp_path, Config(), DATA)
    edit_options(tmp_path, lambda options: options["augment"].pop("noise"))
    edit_options(tmp_path, lambda options: options.pop("selftrain"))
    write_identity(tmp_path, Config(), DATA)
    edit_options(tmp_path, lambda options: options["augment"].pop("noise"))
    other = Config()
    other.augment.noise += 0.1
    with pytest.raises(InputError, match=f"augment.noise={Config().augment.noise}, now"):
        write_identity(tmp_path, other, DATA)


def test_other_data_are_refused_and_what_decides_nothing_may_change(tmp_path):
    write_identity(tmp_path, Config(), DATA)
    other = Config()
    other.run.chunk = 7
    write_identity(tmp_path, other, DATA)
    with pytest.raises(InputError, match="other data, labels or another split"):
        write_identity(tmp_path, other, Origin("other"))


@pytest.mark.parametrize("name", ["manifest.json", "results.parquet", "encoder", "checkpoints"])
def test_a_folder_where_a_file_belongs_is_a_sentence_and_so_is_the_reverse(name, tmp_path):
    write_identity(tmp_path, Config(), DATA)
    path, is_file = tmp_path / name, "." in name
    path.mkdir() if is_file else path.write_text("")
    swapped = "folder where a file" if is_file else "file where a folder"
    with pytest.raises(InputError, match=rf"{name} is a {swapped} belongs; move it away"):
        write_identity(tmp_path, Config(), DATA)
