"""The pages about sources print what `launch.inspect` prints."""

import re
import shlex
from pathlib import Path

import miniatures
import pytest

from jaxssl.data.inspect import inspect
from launch.inspect import text_of

PAGES = Path(__file__).parents[1] / "docs" / "sources"
WRITERS = [
    miniatures.xena_toil, miniatures.xena_toil_phenotype, miniatures.xena_pancan,
    miniatures.xena_survival, miniatures.xena_gdc, miniatures.xena_gdc_phenotype,
    miniatures.gdc_folder, miniatures.gdc_sample_sheet, miniatures.recount3,
    miniatures.recount3_qc, miniatures.archs4, miniatures.series_matrix, miniatures.array_express,
    miniatures.sdrf, miniatures.gtex, miniatures.gtex_attributes, miniatures.depmap,
    miniatures.depmap_models,
]  # fmt: skip


@pytest.mark.parametrize("page", sorted(p.name for p in PAGES.glob("*.md") if p.stem != "README"))
def test_page_shows_what_inspect_prints(tmp_path, monkeypatch, page):
    monkeypatch.chdir(tmp_path)
    for write in WRITERS:
        write(Path())
    shown = re.findall(r"```console\n\$ (.*)\n((?:.*\n)*?)```", (PAGES / page).read_text())
    assert shown
    for command, printed in shown:
        *flags, file = shlex.split(command)[3:]
        labels = next((flag.split("=", 1)[1] for flag in flags if "--labels" in flag), None)
        assert text_of(inspect(file, labels)) + "\n" == printed


def test_every_format_of_the_table_has_a_page():
    linked = re.findall(r"\]\((\w+)\.md\)", (PAGES / "README.md").read_text())
    assert set(linked) == {p.stem for p in PAGES.glob("*.md")} - {"README"}
