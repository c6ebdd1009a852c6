"""Attacks of kind 6: text is taken for something else."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from attacks import AS_IS, CODES, GENES, SAMPLES, SWEEP, X, named
from run_folders import write_run
from verbs import TINY, beside, instead, launch, run

import jaxssl
from jaxssl.data.expression import write_h5ad
from jaxssl.report.render import write_report
from jaxssl.runs.journal import load_encoders
from jaxssl.runs.reading import read_runs
from jaxssl.types import InputError

pytestmark = [pytest.mark.usefixtures("standard_promotion"), pytest.mark.filterwarnings("ignore")]
STEPS = "--config.pretrain.n_steps=30"
STUDY = [o for o in TINY if "shares" not in o and "arms" not in o and "n_steps=80" not in o]


def sweep(adata, folder, *options):
    write_h5ad(adata, folder / "d.h5ad")
    own = [*SWEEP, "--shares=0.2,1", "--allow_leaks=twins"]
    own += [f"--data={folder / 'd.h5ad'}", f"--out={folder / 'o'}"]
    done = run("sweep", *instead(*options, of=own))
    assert done.returncode == 0, done.stderr
    return jaxssl.open_study(folder / "o")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study of odd names, its data in several forms, and a classifier."""
    folder = tmp_path_factory.mktemp("text")
    adata = named("007", ["NA1", "001", "1", "1.0"])
    odd = [
        "NA",
        "nan",
        "None",
        "001",
        "1",
        "1.0",
        "1e5",
        "True",
        "=1+1",
        "-1",
        "a b",
        "é",
        "e\u0301",
    ]
    odd += ["a,b", "2020-01-01", "😀", "x|y"]
    adata.obs_names = [*odd, *(f"s{i}" for i in range(200 - len(odd)))]
    odd = [
        "NA",
        "nan",
        "1",
        "01",
        "1.0",
        "TRUE",
        "=A1",
        "2-Sep",
        "g|1",
        "$x$",
        "<b>",
        "{0}",
        "é",
        "É",
    ]
    adata.var_names = [*odd, *(f"g{i}" for i in range(60 - len(odd)))]
    write_h5ad(adata, folder / "1e5.h5ad")
    frame = pd.DataFrame(adata.X, adata.obs_names, adata.var_names)
    frame.to_csv(folder / "m.csv")
    frame.to_parquet(folder / "m.parquet")
    ids = {"sample_ids": list(frame.index), "feature_ids": list(frame.columns)}
    np.savez(folder / "m.npz", X=adata.X, **ids)
    source = f"--data={folder / '1e5.h5ad'}"
    launch(
        *("study", *beside("majority,swav", STUDY), STEPS, "--shares=0.2,1", source),
        *("--allow_leaks=twins", f"--out={folder / 'NA'}"),
    )
    launch(
        *("finetune", f"--encoder={folder / 'NA'}", source, "--allow_leaks=twins"),
        f"--out={folder / 'nan'}",
    )
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "seed",
        "sample_id",
        "label",
        "part",
        "p_x",
        "split",
        "share",
        "prototype",
        "index",
        "_x",
        "X_jaxssl",
        "dataset",
        "é 😀",
        "a|b`c`",
        "{{1}} %s",
    ],
)
def test_a_label_column_of_any_name_is_studied(tmp_path, name):
    result = sweep(named(name), tmp_path)
    assert set(result.results["task"]) == {name}
    assert (
        set(result.samples["label"]) == set("abcd") == set(result.predictions("majority", 1).label)
    )


@pytest.mark.parametrize(
    "classes",
    [
        ["p_x", "p_", "label", "seed"],
        ["a|b", "a\\|b", "<b>&amp;", "`label`"],
        ["{{7*7}}", "{%x%}", "$x_1$", "%s %(a)d {0}"],
        ["=1+1", "+1", "-1", "@x"],
        ["\u200bx", "x", "x\u00a0", "\ufeffx"],
        ["e\u0301", "é", "E\u0301", "\u202eabc"],
        ["0", "00", "0.0", "-0"],
        ["True", "None", "nan", "1e300"],
        ["a,b", 'a"b', "a'b", "a;b"],
        ["a\tb", "a b", "a  b", " "],
        ["X" * 300, "x" * 300, "X" * 301, "y"],
    ],
)
def test_classes_of_any_name_are_kept_apart(tmp_path, classes):
    result = sweep(named(classes=classes), tmp_path)
    table = result.predictions("pca_logreg", 1)
    assert set(table["label"]) == set(classes) == set(result.samples["label"])
    scores = result.results.query("arm == 'pca_logreg' and metric == 'accuracy'")
    assert scores["value"].min() > 0.9
    text = result.report(tmp_path / "r.md", overwrite=True).read_text()
    assert "{{7*7}}" not in classes or "49:" not in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):  # a bar of a name is no cell's end
        assert len({re.sub(r"\\.", "", row).count("|") for row in table.splitlines()}) == 1


def test_names_survive_prediction_into_csv(made):
    launch(
        *("predict", f"--classifier={made / 'nan'}", f"--data={made / '1e5.h5ad'}"),
        f"--out={made / 'p.csv'}",
    )
    table = pd.read_csv(made / "p.csv", dtype=str, keep_default_na=False)
    assert table["sample_id"].tolist() == list(jaxssl.read(made / "1e5.h5ad").obs_names)
    assert list(table.columns[2:]) == ["p_001", "p_1", "p_1.0", "p_NA1"]
    assert set(table["predicted"]) <= {"001", "1", "1.0", "NA1"}


@pytest.mark.parametrize("suffix", ["csv", "parquet", "npz"])
def test_each_form_of_the_data_is_embedded_alike(made, suffix):
    stored = jaxssl.read(made / "1e5.h5ad")
    adata = jaxssl.read(made / f"m.{suffix}", orientation="samples_in_rows", scale="log2")
    assert list(adata.obs_names) == list(stored.obs_names)
    assert list(adata.var_names) == list(stored.var_names)
    of_file, of_form = jaxssl.embed(made / "NA", stored), jaxssl.embed(made / "NA", adata)
    np.testing.assert_array_equal(of_file.obsm["X_jaxssl"], of_form.obsm["X_jaxssl"])


def test_a_quote_in_a_name_is_read_alike_from_every_form(tmp_path):
    names = ['q"x', '"q"', "it's", *SAMPLES[3:]]
    frame = pd.DataFrame(X, names, GENES)
    frame.to_csv(tmp_path / "a.csv")
    frame.to_csv(tmp_path / "a.tsv", sep="\t")
    frame.to_parquet(tmp_path / "a.parquet")
    for form in ("csv", "tsv", "parquet"):
        assert list(jaxssl.read(tmp_path / f"a.{form}", **AS_IS).obs_names) == names


@pytest.mark.parametrize("name", ["NA", "nan", "null", "None", "001", "1.0", "N/A"])
def test_a_sample_that_is_called_like_nothing_finds_its_label(tmp_path, name):
    names = [name, *SAMPLES[1:]]
    pd.DataFrame(X, names, GENES).to_csv(tmp_path / "a.csv")
    table = pd.DataFrame({"id": names, "kind": [f"k{c}" for c in CODES]})
    table.to_csv(tmp_path / "l.csv", index=False)
    adata = jaxssl.read(tmp_path / "a.csv", labels=tmp_path / "l.csv", label="kind", **AS_IS)
    assert adata.obs.loc[name, "kind"] == "k0"


@pytest.mark.parametrize(
    "name", ["é 😀", "a'b\"c", "$HOME", "{x}", "%s", "-x", "~", "[a]", "*", "a`b`"]
)
def test_files_and_folders_of_any_name(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    result = sweep(named(), folder)
    assert result.folders == (folder / "o",)
    assert result.report(folder / f"{name}.md").exists()


def test_runs_whose_names_differ_by_letters_alone_do_not_share_figures(tmp_path):
    runs = []
    for name in ("α", "β", "a b", "a-b"):
        runs.append(shutil.copytree(write_run(tmp_path / "made" / name), tmp_path / name))
    (tmp_path / "all").mkdir()
    write_report(read_runs(runs), tmp_path / "all" / "r.md")
    shown = re.findall(r"\((figures/\S+?\.svg)\)", (tmp_path / "all" / "r.md").read_text())
    first = [name for name in shown if name.endswith("endpoint.svg")]
    assert len({*first}) == len(runs)


@pytest.mark.parametrize("copy", ["seed_000_1", "seed_000 copy 2", "seed_000.bak1", "seed_0001"])
def test_a_copy_of_an_encoder_is_no_other_seed(made, tmp_path, copy):
    shutil.copytree(made / "NA", tmp_path / "r")
    own = tmp_path / "r" / "encoder"
    shutil.rmtree(own / "seed_001")
    shutil.copytree(own / "seed_000", own / copy)
    try:
        found = load_encoders(tmp_path / "r")
    except InputError:
        return
    assert {seed: b.provenance["seed"] for seed, b in found.items()} == {0: 0}


@pytest.mark.parametrize("variable", ["PYTHONIOENCODING=ascii", "PYTHONIOENCODING=latin-1"])
def test_a_terminal_that_cannot_show_a_name_ends_nothing(tmp_path, variable):
    write_h5ad(named("日本"), tmp_path / "é.h5ad")
    name, _, value = variable.partition("=")
    done = in_shell(f'-m launch.inspect "{tmp_path}/é.h5ad"', {name: value})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("end", ["| true", "| head -c 1", ">&-", "2>&-", ">/dev/full"])
def test_a_stream_that_no_one_reads_is_no_bug(made, end):
    done = in_shell(f"-m launch.inspect {made / '1e5.h5ad'} {end}")
    assert "this is a bug" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "change",
    [
        {"HOME": "/nonexistent"},
        {"TMPDIR": "/nonexistent"},
        {"TZ": "Asia/Kathmandu"},
        {"PYTHONHASHSEED": "77"},
        {"LC_ALL": "C", "PYTHONUTF8": "0"},
        {"XDG_CACHE_HOME": "/proc/x"},
    ],
)
def test_the_environment_changes_no_number(made, tmp_path, change):
    source, out = f"--data={made / '1e5.h5ad'}", tmp_path / "p.csv"
    done = in_shell(f"-m launch.predict --classifier={made / 'nan'} {source} --out={out}", change)
    assert done.returncode == 0, done.stderr
    here = jaxssl.predict(made / "nan", str(made / "1e5.h5ad"))
    there = pd.read_csv(out, dtype={"sample_id": str, "predicted": str}, keep_default_na=False)
    np.testing.assert_allclose(there.iloc[:, 2:], here.iloc[:, 2:], atol=1e-6)


def test_a_file_that_grows_too_large_is_named(made, tmp_path):
    words = f"-m launch.embed --encoder={made / 'NA'} --data={made / '1e5.h5ad'}"
    out = tmp_path / "out.h5ad"
    done = in_shell(f"{words} --out={out}", limit="ulimit -f 20;")
    assert done.returncode == 2
    assert "1e5.h5ad: the file would be larger" not in done.stderr  # it is the other one
    assert not list(tmp_path.iterdir())


def test_a_sample_in_backquotes_is_not_shown_as_a_flag(made, tmp_path):
    pd.DataFrame(X, ["`label`", *SAMPLES[1:]], GENES).to_csv(tmp_path / "a.csv")
    done = run("prepare", f"--out={tmp_path / 'o.h5ad'}", "--scale=linear", tmp_path / "a.csv")
    assert "--label" not in done.stderr


def in_shell(words, variables=(), limit=""):
    env = os.environ | {"JAX_PLATFORMS": "cpu"} | dict(variables)
    root = os.path.dirname(os.path.dirname(__file__))
    env["PYTHONPATH"] = f"{root}{os.pathsep}{env.get('PYTHONPATH', '')}"
    command = ["bash", "-c", f"set -o pipefail; {limit} {sys.executable} {words}"]
    return subprocess.run(
        command, cwd=root, env=env, capture_output=True, errors="replace", check=False
    )
