"""What `pip install` gives: built, installed in an environment of its own, used from elsewhere."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STUDY = (
    *("--config=demo_synthetic", "--seeds=2", "--shares=0.1", "--arms=scratch,logreg,swav"),
    *("--config.pretrain.n_steps=40", "--config.encoder.hidden=(32,16)"),
    *("--config.finetune.transfer_layers=2", "--config.finetune.scratch_steps=20"),
    *("--config.finetune.n_steps=10", "--config.finetune.probe_steps=20"),
)
OPEN = """
import jaxssl
from pathlib import Path
print(Path(jaxssl.__file__).parent)
print(jaxssl.__version__)
print(jaxssl.load_bundle("run/encoder/seed_000").config.method.name)
"""


def call(*command, cwd):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Folder with the sdist, and the wheel that is built from it."""
    if int(version("setuptools").partition(".")[0]) < 77:
        pytest.skip("setuptools is older than pyproject.toml asks for")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for folder in ("jaxssl", "launch", "configs", "tests"):
        shutil.copytree(ROOT / folder, source / folder)
    for file in filter(Path.is_file, ROOT.glob("[!.]*")):
        shutil.copy(file, source)
    call(sys.executable, "-m", "build", "--no-isolation", f"--outdir={out}", source, cwd=out)
    return out


@pytest.fixture(scope="module")
def installed(distributions, tmp_path_factory):
    """Folder of the programs of an environment with the wheel; it borrows all other packages."""
    folder = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin" / "python"
    (wheel,) = distributions.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--python", python)
    call(*pip, "install", "--no-index", "--no-deps", wheel, cwd=folder)
    names = {"base": folder, "platbase": folder}
    own = Path(sysconfig.get_path("purelib", "venv", names))
    borrowed = [path for path in sys.path if path.endswith("-packages")]
    (own / "borrowed.pth").write_text("\n".join(borrowed))  # after our own on the path
    return python.parent


def test_the_wheel_holds_one_top_level_package_with_its_types_configs_and_templates(distributions):
    (wheel,) = distributions.glob("*.whl")
    files = zipfile.ZipFile(wheel).namelist()
    package = f"jaxssl-{version('jaxssl')}.dist-info"
    assert {name.partition("/")[0] for name in files} == {"jaxssl", package}
    wanted = {"py.typed", "configs/demo.py", "data/symbols.txt", "launch/study.py"}
    wanted.add("report/templates/report.css")
    assert {f"jaxssl/{name}" for name in wanted} <= set(files)


def test_an_installed_jaxssl_runs_a_study_from_an_empty_folder_and_opens_it(installed, tmp_path):
    program, python = installed / "jaxssl", installed / "python"
    assert "\n  study " in call(program, "--help", cwd=tmp_path)
    assert "jaxssl study" in call(program, "study", "--helpshort", cwd=tmp_path)
    assert "report: run/report.html" in call(program, "study", *STUDY, "--out=run", cwd=tmp_path)
    package, release, method = call(python, "-c", OPEN, cwd=tmp_path).split()
    assert Path(package).is_relative_to(installed.parent)
    assert (release, method) == (version("jaxssl"), "swav")
    assert os.listdir(tmp_path) == ["run"]
