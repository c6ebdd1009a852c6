"""Attacks by names and values (kinds 6 and 8): text that looks like something else, odd numbers."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from run_folders import write_run
from scipy.sparse import csc_matrix, csr_matrix
from verbs import TINY, beside, instead, launch, run

import jaxssl
from jaxssl.config import Config, with_options
from jaxssl.data.expression import write_h5ad
from jaxssl.data.scale import finite_values
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.report.render import write_report
from jaxssl.runs import layout
from jaxssl.runs.journal import load_encoders
from jaxssl.runs.reading import read_runs
from jaxssl.types import InputError

if not os.environ.get("JAXSSL_ATTACKS"):
    pytest.skip("set JAXSSL_ATTACKS=1: minutes", allow_module_level=True)
pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings("ignore"),
]

SMALL = {
    "encoder.hidden": (8,),
    "pretrain.n_steps": 3,
    "finetune.transfer_layers": 1,
    "finetune.n_steps": 3,
    "finetune.probe_steps": 5,
}
SWEEP = ["--config=configs/demo_synthetic.py", "--arms=majority,pca_logreg", "--seeds=2"]
STEPS = "--config.pretrain.n_steps=30"
STUDY = [o for o in TINY if "shares" not in o and "arms" not in o and "n_steps=80" not in o]
SAMPLES, GENES = [f"S{i}" for i in range(40)], [f"TP{i}" for i in range(30)]
X = (np.random.default_rng(0).random((40, 30)) * 100).astype(np.float32)
X[X < 20] = 0
CODES = np.arange(40) % 3
AS_IS = {"scale": "linear", "orientation": "samples_in_rows"}


def data(label="kind", classes=("a", "b", "c", "d"), **columns):
    adata = make_synthetic(n_samples=200, n_genes=60, n_classes=4, n_superclasses=2)
    codes = pd.factorize(adata.obs["class"], sort=True)[0]
    obs = {label: np.array(classes, object)[codes]} | columns
    adata.obs = pd.DataFrame(obs, index=adata.obs_names)
    adata.uns["jaxssl"] = {"scale": "log2", "label": label, "notes": ""}
    return adata


def classes_of(values):
    adata = data()
    adata.obs["x"] = values(pd.factorize(adata.obs["kind"], sort=True)[0])
    return make_task(adata, with_options(Config(), {"data.label": "x"})).classes


def separable():
    x = np.random.default_rng(0).random((40, 20)).astype(np.float32)
    x[np.arange(40), CODES] += 5
    return x


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
    adata = data("007", ["NA1", "001", "1", "1.0"])
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


# Kind 6: text is text, all the way


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
    result = sweep(data(name), tmp_path)
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
    result = sweep(data(classes=classes), tmp_path)
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
    result = sweep(data(), folder)
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
    write_h5ad(data("日本"), tmp_path / "é.h5ad")
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


# Kind 8: values and types are what they are


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (lambda c: c.astype(np.int64) + 2**53, [str(2**53 + i) for i in range(4)]),
        (lambda c: c.astype(np.uint64) + np.uint64(2**63), [str(2**63 + i) for i in range(4)]),
        (lambda c: c > 1, ["False", "True"]),
        (lambda c: pd.array(c > 1, dtype="boolean"), ["False", "True"]),
        (lambda c: pd.array([v or None for v in c], dtype="Int64"), ["1", "2", "3"]),
        (lambda c: pd.Categorical(c, categories=[9, 3, 2, 1, 0]), list("0123")),
        (lambda c: np.where(c == 0, np.nan, c), ["1.0", "2.0", "3.0"]),
        (
            lambda c: pd.array([f"k{v}" for v in c], dtype="string[pyarrow]"),
            ["k0", "k1", "k2", "k3"],
        ),
    ],
)
def test_a_label_column_of_any_type_has_the_classes_that_it_shows(values, classes):
    assert list(classes_of(values)) == classes


@pytest.mark.parametrize("pair", [(1, 1.0), (True, 1), (0, False), (0.0, -0.0)])
def test_labels_that_are_equal_are_not_made_two_classes(pair):
    def values(codes):
        mixed = np.array([*codes], object)
        mixed[codes == 1], mixed[codes == 2] = pair
        mixed[codes == 0] = 7
        return mixed

    with pytest.raises(InputError):
        classes_of(values)


def test_a_label_column_that_is_called_by_a_number_is_found():
    adata = data()
    adata.obs[1] = adata.obs["kind"].to_numpy()
    assert len(make_task(adata, with_options(Config(), {"data.label": "1"})).classes) == 4
    assert len(jaxssl.SSLClassifier(label="1", config=SMALL).fit(adata).classes_) == 4


@pytest.mark.parametrize("twice", ["kind", "other"])
def test_two_columns_of_one_name_are_refused(twice):
    adata = data(other="x")
    adata.obs = pd.concat([adata.obs, adata.obs[[twice]]], axis=1)
    with pytest.raises(InputError, match=twice):
        make_task(adata, Config())


def test_a_classifier_refuses_two_columns_of_one_name():
    adata = data()
    adata.obs = pd.concat([adata.obs, adata.obs], axis=1)
    with pytest.raises(InputError, match="kind"):
        jaxssl.SSLClassifier(label="kind", config=SMALL).fit(adata)


@pytest.mark.parametrize(
    "form",
    [
        "csv",
        "tsv",
        "semicolons",
        "bom",
        "crlf",
        "parquet",
        "npz",
        "dense",
        "f64",
        "csr",
        "csc",
        "explicit zeros",
        "unsorted",
        "twice csr",
        "twice csc",
    ],
)
def test_every_form_has_the_same_numbers(tmp_path, form):
    frame, path, rows = pd.DataFrame(X, SAMPLES, GENES), tmp_path / "x", csr_matrix(X)
    separators = {"csv": ",", "tsv": "\t", "semicolons": ";"}
    if form in separators:
        frame.to_csv(path, sep=separators[form])
    elif form in ("bom", "crlf"):
        text = frame.to_csv(lineterminator="\r\n" if form == "crlf" else "\n")
        path.write_bytes(text.encode("utf-8-sig" if form == "bom" else "utf-8"))
    elif form == "parquet":
        frame.to_parquet(path)
    elif form == "npz":
        path = tmp_path / "x.npz"
        np.savez(path, X=X, sample_ids=SAMPLES, feature_ids=GENES)
    else:
        x = {"dense": X, "f64": X.astype(float), "csr": rows, "csc": csc_matrix(X)}.get(form)
        if form == "explicit zeros":
            ends = np.r_[rows.indptr[:-1], len(rows.data) + 1]
            x = csr_matrix((np.r_[rows.data, 0], np.r_[rows.indices, 29], ends), shape=X.shape)
        elif form == "unsorted":
            x = rows.copy()
            for i in range(len(X)):
                part = slice(x.indptr[i], x.indptr[i + 1])
                x.indices[part], x.data[part] = x.indices[part][::-1], x.data[part][::-1]
            x.has_sorted_indices = False
        elif form.startswith("twice"):
            kind = {"twice csr": csr_matrix, "twice csc": csc_matrix}[form]
            one = kind(X)
            parts = np.repeat(one.data / 2, 2), np.repeat(one.indices, 2), one.indptr * 2
            x = kind(parts, shape=X.shape)
        obs, var = pd.DataFrame(index=SAMPLES), pd.DataFrame(index=GENES)
        AnnData(x, obs=obs, var=var).write_h5ad(path)
        np.testing.assert_array_equal(finite_values(AnnData(x, obs=obs, var=var)), X)
    jaxssl.prepare(path, tmp_path / "o.h5ad", **AS_IS)
    for adata in (jaxssl.read(path, **AS_IS), jaxssl.read(tmp_path / "o.h5ad")):
        assert list(adata.obs_names) == SAMPLES
        assert list(adata.var_names) == GENES
        np.testing.assert_array_equal(adata.X, X)


@pytest.mark.parametrize("use", ["encoder", "anndata", "labels"])
def test_what_is_masked_is_not_used(use):
    x = separable()
    masked = np.ma.masked_array(x, x > 5.5)
    y = np.ma.masked_array(CODES, CODES == 2)
    act = {
        "encoder": lambda: jaxssl.SSLEncoder(config=SMALL).fit(masked),
        "anndata": lambda: finite_values(AnnData(masked)),
        "labels": lambda: jaxssl.SSLClassifier(config=SMALL).fit(x, y),
    }[use]
    with pytest.raises(InputError, match="mask"):
        act()


@pytest.mark.parametrize("kind", ["sparse", "sparse frame", "matrix", "mixed names", "no name"])
def test_samples_of_another_kind_are_an_input_error(kind):
    x = separable()
    names = [f"g{i}" for i in range(19)]
    given = {
        "sparse": lambda: csr_matrix(x),
        "sparse frame": lambda: pd.DataFrame.sparse.from_spmatrix(csr_matrix(x)),
        "matrix": lambda: np.asmatrix(x),
        "mixed names": lambda: pd.DataFrame(x, columns=[*names, 1]),
        "no name": lambda: pd.DataFrame(x, columns=[*names, None]),
    }[kind]()
    with pytest.raises(InputError):
        jaxssl.SSLEncoder(config=SMALL).fit(given)


@pytest.mark.parametrize("kind", ["infinite", "huge", "decimal", "date", "line break"])
def test_labels_that_are_none_are_an_input_error(kind):
    from datetime import date
    from decimal import Decimal

    y = {
        "infinite": np.where(CODES == 2, np.inf, CODES.astype(float)),
        "huge": np.array([[2**70, 1, 2][c] for c in CODES], object),
        "decimal": np.array([Decimal(int(c)) for c in CODES], object),
        "date": np.array([date(2020, 1, 1 + int(c)) for c in CODES], object),
        "line break": np.array(["a\nb", "b", "c"])[CODES],
    }[kind]
    with pytest.raises(InputError):
        jaxssl.SSLClassifier(config=SMALL).fit(separable(), y)


@pytest.mark.parametrize("kind", ["uint64", "int64", "bool", "float", "text", "categorical"])
def test_labels_come_back_from_a_saved_classifier(tmp_path, kind):
    y = {
        "uint64": CODES.astype(np.uint64) + np.uint64(2**63),
        "int64": CODES + 2**53,
        "bool": CODES > 0,
        "float": CODES.astype(float),
        "text": np.array(["NA", "-1", "x "], object)[CODES],
        "categorical": pd.Categorical([f"k{c}" for c in CODES], categories=["z", "k2", "k1", "k0"]),
    }[kind]
    fitted = jaxssl.SSLClassifier(config=SMALL).fit(separable(), y)
    fitted.save(tmp_path / "c")
    again = jaxssl.SSLClassifier.load(tmp_path / "c")
    assert set(fitted.classes_) == set(np.asarray(y))
    np.testing.assert_array_equal(again.predict(separable()), fitted.predict(separable()))


@pytest.mark.parametrize("share", ["10%", "1e-5", "nan", "inf", "0", "-0.1", "1.0000001", "0.1;1"])
def test_a_share_that_is_none_is_one_sentence(tmp_path, share):
    write_h5ad(data(), tmp_path / "d.h5ad")
    source, out = f"--data={tmp_path / 'd.h5ad'}", f"--out={tmp_path / 'o'}"
    done = run("sweep", *SWEEP, source, out, f"--shares={share}")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")


def test_shares_that_are_nearly_equal_stay_apart(tmp_path):
    shares = [1 / 3, 0.33333333, 0.1, 0.1 + 1e-9]
    write_h5ad(data(), tmp_path / "d.h5ad")
    source, out = f"--data={tmp_path / 'd.h5ad'}", f"--out={tmp_path / 'o'}"
    launch(
        *("sweep", *SWEEP, source, out, "--allow_leaks=twins"),
        f"--shares={','.join(map(repr, shares))}",
    )
    result = jaxssl.open_study(tmp_path / "o")
    assert sorted(set(result.results["share"])) == sorted(shares)
    for share in shares:
        assert result.predictions("pca_logreg", share).groupby("seed").size().nunique() == 1
    assert len(list((tmp_path / "o" / layout.PREDICTIONS).iterdir())) == 8


@pytest.mark.parametrize("value", [3e38, 1e-42, -0.0])
def test_an_extreme_value_in_one_cell_gives_finite_numbers(value):
    x = separable()
    x[3, 4] = value
    assert np.isfinite(jaxssl.SSLEncoder(config=SMALL).fit(x).transform(x)).all()
