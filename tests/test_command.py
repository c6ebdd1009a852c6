"""The command `jaxssl`, what it lists, and what is installed with it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from verbs import launch as launch_verb

import launch.__main__ as command
from jaxssl.config import Config
from jaxssl.types import InputError
from launch.config_files import FOLDER, NAMES, config_file, load

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
HEAVY = {"matplotlib", "sklearn", "statsmodels", "scipy.stats"}


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["jaxssl", *arguments])
    command.main()


def test_every_module_that_is_run_is_a_verb_and_no_other():
    files = [*(ROOT / "launch").glob("*.py"), *(ROOT / "launch").glob("*/__main__.py")]
    run_as_main = {
        file.parent.name if file.stem == "__main__" else file.stem
        for file in files
        if "exit.run(main" in file.read_text()
    }
    assert set(command.VERBS) == run_as_main


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_verb_with_the_first_line_of_its_docstring(monkeypatch, capsys, arguments):
    run(monkeypatch, *arguments)
    lines = capsys.readouterr().out.splitlines()
    summaries = dict(line.split(maxsplit=1) for line in lines if line.startswith("  "))
    assert tuple(summaries) == command.VERBS
    assert all(summary.endswith((".", "?")) for summary in summaries.values())


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import launch.__main__ as command; command.overview()", {*HEAVY, "absl", "jax"}),
        ("import jaxssl", {*HEAVY, "jax"}),
        ("import launch.doctor", HEAVY),
    ],
)
def test_what_must_be_quick_imports_nothing_slow(statement, absent):
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not absent & set(done.stdout.split())


@pytest.mark.parametrize("verb", command.VERBS)
def test_every_verb_shows_how_it_is_called(verb):
    assert f"python -m launch.{verb} " in launch_verb(verb, "--helpshort")


def test_an_unknown_verb_is_told_which_one_was_meant(monkeypatch, capsys):
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, "stduy")
    assert end.value.code == 2
    assert "no verb stduy; did you mean study?" in capsys.readouterr().err


def test_a_config_is_found_by_name_and_by_path(tmp_path):
    own = tmp_path / "own.py"
    own.write_text("from jaxssl.config import Config\nget_config = Config")
    assert load("default") == Config()
    assert config_file("demo") == FOLDER / "demo.py"
    assert load(str(own)) == Config()
    assert [isinstance(load(name), Config) for name in NAMES] == [True] * len(NAMES)


def test_a_config_that_is_not_there_is_told_with_the_names_that_are():
    with pytest.raises(
        InputError, match=r"no config demos; did you mean demo\? There are .*demo, "
    ):
        config_file("demos")


def test_every_package_is_installed_and_only_below_jaxssl():
    mapped = SETUPTOOLS["package-dir"]
    packages = {
        ".".join([package, *file.parent.relative_to(ROOT / folder).parts])
        for package, folder in mapped.items()
        for file in (ROOT / folder).rglob("__init__.py")
    }
    assert packages == set(SETUPTOOLS["packages"])
    assert {package.partition(".")[0] for package in packages} == {"jaxssl"}


def test_launch_names_itself_and_the_configs_nowhere_as_top_level_packages():
    absolute = re.compile(r"^\s*(from|import) (launch|configs)\b", re.MULTILINE)
    files = [
        file for name in ("launch", "configs", "jaxssl") for file in (ROOT / name).rglob("*.py")
    ]
    assert [file for file in files if absolute.search(file.read_text())] == []
