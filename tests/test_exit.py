"""What a command ends with: the library's messages in the words of a shell."""

import subprocess
import sys

import pandas as pd
import pytest
from verbs import ROOT

from jaxssl import types
from jaxssl.data.formats.matrix import as_text
from jaxssl.types import InputError
from launch import exit


def test_an_input_error_keeps_finding_and_fix_apart_and_says_both():
    error = InputError("no sample has a label", "pass `label=COLUMN`")
    assert (error.finding, error.fix) == ("no sample has a label", "pass `label=COLUMN`")
    assert str(error) == "no sample has a label; pass `label=COLUMN`"
    assert str(InputError("no file given")) == "no file given"


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("pass `label=COLUMN`", "pass --label=COLUMN"),
        ("pass `overwrite` or another `out`", "pass --overwrite or another --out"),
        ("raise `split.test_share`", "raise --config.split.test_share"),
        ("`method.n_prototypes=0` fits", "--config.method.n_prototypes=0 fits"),
        ("name it: `label=disease state`", "name it: --label='disease state'"),
        ("read `obs.label` of 'x`y.csv'", "read `obs.label` of 'x`y.csv'"),
        ("make one with `finetune()`", "make one with python -m launch.finetune"),
        ("`read(labels=T, scale=log2)`", "python -m launch.prepare --labels=T --scale=log2"),
        ("a text without options; 3 < 4", "a text without options; 3 < 4"),
    ],
)
def test_options_in_backquotes_become_flags(text, rendered):
    assert exit.as_flags(text) == rendered


@pytest.mark.parametrize("name", ["`label`", "a|b`c`", "'`out`", "x`split.seed`\t", "`read()`"])
def test_names_in_backquotes_are_not_shown_as_flags(name, monkeypatch):
    monkeypatch.setattr(types, "NAMES_QUOTED", set())
    monkeypatch.setattr(exit, "NAMES_QUOTED", types.NAMES_QUOTED)
    table = pd.DataFrame({"id": [name, "b"]}, index=["x", "y"])
    as_text(table.set_index("id"))
    text = f"{name}, {name!r} and `{name}`: pass `group=COLUMN`"
    assert exit.as_flags(text) == f"{name}, {name!r} and `{name}`: pass --group=COLUMN"


def test_words_of_the_command_line_in_backquotes_are_not_shown_as_flags(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["study", "--data=`out`.h5ad", "--arms=a,`seeds`"])
    text = "`out`.h5ad and `seeds` are none; pass `label`"
    assert exit.as_flags(text) == "`out`.h5ad and `seeds` are none; pass --label"


def test_verbs_are_named_as_they_are_called_where_launch_is_installed(monkeypatch):
    monkeypatch.setattr(exit, "__package__", "jaxssl.launch")
    assert exit.as_flags("see `sweep(encoder=RUN)`") == "see jaxssl sweep --encoder=RUN"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("--config.method.n_protoypes=3", "did you mean --config.method.n_prototypes"),
        ("--config.methd.epsilon=3", "did you mean --config.method.epsilon"),
        ("--config.method.xxxxxxxx=3", "jaxssl/config.py has every option"),
    ],
)
def test_a_misspelt_option_of_the_configuration_gets_a_proposal(typed, message, monkeypatch):
    from ml_collections.config_flags import config_path

    from jaxssl.config import Config

    monkeypatch.setattr(sys, "argv", ["launch/sweep.py", typed])
    with pytest.raises((KeyError, TypeError)) as error:
        config_path.get_type(typed.partition(".")[2].partition("=")[0], Config())
    text = exit.unknown_option(error.value)
    assert text.startswith(f"there is no option {typed.partition('=')[0]}; ")
    assert message in text


def test_a_misspelt_flag_gets_a_proposal(capsys):
    with pytest.raises(SystemExit):
        exit._parse(["sweep", "--debgu"])
    assert "there is no flag --debgu; did you mean --debug?" in capsys.readouterr().err


@pytest.mark.parametrize("platforms", ["cuda", "misspelt"])
def test_a_device_that_is_not_there_is_no_bug(platforms, monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_PLATFORMS", platforms)
    done = sweep(tmp_path / "run")
    assert f"JAX finds no device of JAX_PLATFORMS={platforms}; unset it" in done.stderr
    assert done.returncode == 2


def test_the_backend_of_a_notebook_is_not_asked_for_a_figure(monkeypatch, tmp_path):
    monkeypatch.setenv("MPLBACKEND", "of_a_notebook")
    done = sweep(tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").is_file()


def sweep(out):
    """A sweep in a process of its own, with the environment of this one."""
    words = ["--arms=majority", "--seeds=1", "--shares=1", f"--out={out}"]
    command = [sys.executable, "-m", "launch.sweep", "--config=configs/demo_synthetic.py", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
