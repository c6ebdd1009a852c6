"""Text is read as text everywhere, and a name that no file could give back is refused first."""

import html
import shutil
import warnings

import miniatures
import numpy as np
import pandas as pd
import pytest
from traps import refusal
from verbs import TINY, launch

import jaxssl
from jaxssl.config import Config, with_options
from jaxssl.data.align import encoder_input
from jaxssl.data.expression import prepare, read, write_h5ad
from jaxssl.data.inspect import inspect
from jaxssl.data.names import check_alike
from jaxssl.data.synthetic import make_synthetic
from jaxssl.data.task import make_task
from jaxssl.engine.bundle import load_bundle
from jaxssl.estimators.labels import encode, labels_of
from jaxssl.files import read_table, write_table
from jaxssl.report import maps
from jaxssl.runs import layout, output
from jaxssl.types import InputError

pytestmark = pytest.mark.usefixtures("drawn")

LOOK_ALIKE = ["001", "1", "NA", "nan", "null", "1e5", "True", "-0", " ", "", "1.0", "007", "None"]
UNUSABLE = ["a\0", "a\nb", "a\r", "a\x0b", "a\u2028", "\ud800"]
CLASSES = ["007", "NA", "$x^$", "a" * 300]


def data(column="kind"):
    adata = make_synthetic(n_samples=120, n_genes=30, n_classes=4)
    codes = pd.factorize(adata.obs["class"])[0]
    adata.obs = pd.DataFrame({column: np.array(CLASSES, object)[codes]}, index=adata.obs_names)
    adata.uns["jaxssl"] = {"scale": "log2", "label": column, "notes": ""}
    return adata


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_text_of_a_table_comes_back_as_it_was(tmp_path, suffix):
    table = pd.DataFrame(dict.fromkeys(["dataset", "task", "group", "label"], LOOK_ALIKE))
    table["value"] = [0.1 + 0.2, np.nan, np.inf, *range(len(table) - 3)]
    table["is_best"] = True
    write_table(tmp_path / f"x.{suffix}", table)
    pd.testing.assert_frame_equal(read_table(tmp_path / f"x.{suffix}"), table)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A study of a file and a column whose names look like a number and like nothing."""
    folder = tmp_path_factory.mktemp("names")
    write_h5ad(data("NA"), folder / "001.h5ad")
    launch("study", *TINY, f"--data={folder / '001.h5ad'}", "--label=NA", f"--out={folder / 'r'}")
    return folder / "r"


def test_a_column_of_lists_is_refused():
    with pytest.raises(InputError, match="column d holds lists or tables; make each value a text"):
        check_alike(pd.Series([["a"], None]), "d")


def test_a_study_of_names_like_numbers_ends_with_its_report(run):
    result = jaxssl.open_study(run)
    for table in (result.results, result.statistics, result.endpoint, result.saved):
        assert set(zip(table["dataset"], table["task"], strict=True)) == {("001", "NA")}
    parquet, csv = result.results, read_table(run / layout.RESULTS_CSV)
    pd.testing.assert_frame_equal(parquet, csv)  # text is declared: the file does not tell
    assert set(result.samples["label"]) == set(CLASSES) == set(result.embedding.obs["label"])
    assert result.summary["headline"] in html.unescape((run / layout.REPORT).read_text())
    assert result.report(run.parent / "again" / "a.md").stat().st_size > 0


def test_several_such_studies_make_one_report(run, tmp_path):
    shutil.copytree(run, tmp_path / "copy")
    launch("report", run, tmp_path / "copy", f"--out={tmp_path / 'both.md'}")
    headline = jaxssl.open_study(run).summary["headline"].replace("_", r"\_")
    assert (tmp_path / "both.md").read_text().count(headline) == 2


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_name_that_no_file_gives_back_is_refused_first(name):
    of_gene, of_sample, of_class, of_group = data(), data(), data(), data()
    of_gene.var_names = [name, *of_gene.var_names[1:]]
    of_sample.obs_names = [name, *of_sample.obs_names[1:]]
    of_class.obs["kind"] = of_class.obs["kind"].replace("007", name)
    of_group.obs["group"] = [name] * 60 + [""] * 60
    of_group.uns["jaxssl"]["group"] = "group"
    of_set = data()
    of_set.uns["jaxssl"]["name"] = name
    for adata in (of_gene, of_sample, of_class, of_group, of_set):
        with pytest.raises(InputError, match=r"control character \(first: .*\); rename them"):
            make_task(adata, Config())
    frame = pd.DataFrame(of_gene.X, columns=of_gene.var_names)
    with pytest.raises(InputError, match="1 genes hold a line break or another control"):
        jaxssl.SSLEncoder().fit(frame)
    with pytest.raises(InputError, match="1 labels hold a line break or another control"):
        encode(np.array([name, "b"], object))


@pytest.mark.usefixtures("standard_promotion")
def test_odd_names_of_genes_that_can_be_written_come_back(tmp_path):
    odd = ["a\x85b", "c\td", " ", "NA", "", "é", "e\u0301", "1e5", "x "]
    frame = pd.DataFrame(data().X, columns=[*odd, *(f"g{i}" for i in range(21))])
    options = {"encoder.hidden": (8,), "pretrain.n_steps": 5, "finetune.transfer_layers": 1}
    with warnings.catch_warnings(action="ignore"):
        encoder = jaxssl.SSLEncoder(config=options).fit(frame)
        encoder.save(tmp_path / "e")
        again = jaxssl.SSLEncoder.load(tmp_path / "e")
    assert set(odd) < set(again.bundle_.normalizer.genes)
    np.testing.assert_array_equal(again.transform(frame), encoder.transform(frame))


def test_names_are_refused_on_import_before_anything_is_written(tmp_path):
    x = np.arange(8.0).reshape(4, 2)
    for samples, genes in ((["a\0b", *"cde"], ["u", "v"]), (list("abcd"), ["u\nv", "w"])):
        np.savez(tmp_path / "x.npz", X=x, sample_ids=samples, feature_ids=genes)
        with pytest.raises(InputError, match="control character"):
            read(tmp_path / "x.npz", scale="linear")
        with pytest.raises(InputError, match="control character"):
            prepare(tmp_path / "x.npz", tmp_path / "out.h5ad", scale="linear")
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


@pytest.mark.parametrize("name", ["a\nb.csv", "\udce9.csv"])
def test_a_file_whose_name_cannot_be_recorded_is_refused_before_it_is_read(tmp_path, name):
    (tmp_path / name).write_text("no table")
    with pytest.raises(InputError, match=r"1 files hold a line break or another control character"):
        prepare(tmp_path / name, tmp_path / "o.h5ad")


def test_columns_that_no_h5ad_holds_beside_the_others_are_refused_on_import(tmp_path):
    pd.DataFrame(np.arange(12.0).reshape(4, 3), list("wxyz"), list("abc")).to_csv(
        tmp_path / "x.csv"
    )
    options = {"scale": "linear", "orientation": "samples_in_rows", "sample_column": "id"}
    for columns, first in ({"/": "u"}, "/"), ({"a": "u", "a/b": "v"}, "a/b"), ({".": "u"}, "."):
        labels = pd.DataFrame({"id": list("wxyz")} | columns)
        labels.to_csv(tmp_path / "l.csv", index=False)
        with pytest.raises(InputError, match="1 columns about samples have names") as caught:
            prepare(tmp_path / "x.csv", tmp_path / "o.h5ad", labels=tmp_path / "l.csv", **options)
        assert f"(first: {first!r})" in str(caught.value)
    labels.set_axis(["id", "a/b"], axis=1).to_csv(tmp_path / "l.csv", index=False)
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        prepare(tmp_path / "x.csv", tmp_path / "o.h5ad", labels=tmp_path / "l.csv", **options)
    assert read(tmp_path / "o.h5ad", label="a/b").obs["a/b"].tolist() == ["u"] * 4


@pytest.mark.parametrize("name", ["x" * 245, "x" * 300, "a\nb", "\udce9", "a\0b"])
def test_an_out_that_could_not_be_written_is_refused_before_the_data_are_read(tmp_path, name):
    with pytest.raises(InputError, match=r"is too long|control character"):
        jaxssl.pretrain("no such file", out=tmp_path / name)
    with pytest.raises(InputError, match=r"is too long|control character"):
        output.new_file(str(tmp_path / f"{name}.h5ad"), (".h5ad",), overwrite=False)
    assert not list(tmp_path.iterdir())


def test_a_new_file_removes_no_parts_of_others(tmp_path):
    of_another = tmp_path / ".x.csv.1.part"
    of_another.touch()
    output.new_file(str(tmp_path / "[x].csv"), (".csv",), overwrite=False)
    output.new_file(str(tmp_path / "*.csv"), (".csv",), overwrite=False)
    output.release(tmp_path)
    assert of_another.exists()


def test_an_encoder_is_given_no_samples_whose_names_cannot_be_written(run):
    adata = data()
    adata.obs_names = ["a\0", *adata.obs_names[1:]]
    with pytest.raises(InputError, match="1 samples hold a line break"):
        encoder_input(adata, load_bundle(layout.encoder_folder(run, 0)).normalizer)


def test_classes_that_differ_by_little_stay_apart():
    names = ["é", "e\u0301", "a", "a ", " a", "A"]
    classes, codes = encode(np.array(names * 3, object))
    assert sorted(classes) == sorted(names)
    assert classes[codes].tolist() == names * 3


def test_only_what_has_no_name_is_grey_on_a_map():
    adata = data()
    adata.obsm["X_jaxssl"] = adata.X
    for values, names in (
        (["-1", "nan", "", None] * 30, {"-1", "nan"}),
        ([-1, 0, 1, 2] * 30, {"0", "1", "2"}),
        ([0.0, np.nan] * 60, {"0.0"}),
    ):
        adata.obs["kind"] = np.array(values, object)
        table = maps.coordinates(adata, ["kind"], ["PCA"])
        assert set(maps._categories(table, "kind").index) == names


def test_numbers_and_text_that_look_alike_are_not_made_one():
    adata = data()
    for role, values in (("label", [1, "1", 2]), ("group", [1.5, "1.5", None])):
        adata.obs["mixed"] = pd.Series(np.array(values * 40, object), adata.obs_names)
        config = with_options(Config(), {f"data.{role}": "mixed"})
        with pytest.raises(InputError, match=r"column mixed holds '1.*' as text and as another"):
            make_task(adata, config)
        adata.obs["mixed"] = adata.obs["mixed"].astype("category")
        with pytest.raises(InputError, match=r"column mixed holds '1.*' as text and as another"):
            make_task(adata, config)


def test_labels_of_several_types_are_not_made_one():
    x = np.zeros((4, 2))
    assert labels_of(x, ["a", "a\0", "b", "b"], "").tolist() == ["a", "a\0", "b", "b"]
    with pytest.raises(InputError, match="2 of 4 labels are text; make all of one type"):
        encode(labels_of(x, ["1", 1, "2", 2], ""))
    for y in (np.array([b"a", b"b"]), pd.to_datetime(["2020", "2021"]).to_numpy()):
        with pytest.raises(InputError, match=r"the labels are of type .*; pass text"):
            encode(y)


def test_a_column_that_is_written_otherwise_is_proposed():
    adata = data("Tissue")
    adata.obs["tissue "] = adata.obs["Tissue"]
    for name in (" Tissue", "tissue", "TISSUE   "):
        with pytest.raises(InputError, match=r"did you mean Tissue, 'tissue '\?"):
            labels_of(adata, None, name)
        with pytest.raises(InputError, match=r"did you mean Tissue, 'tissue '\?"):
            make_task(adata, with_options(Config(), {"data.label": name}))


def test_text_of_windows_is_read_as_such_and_told_by_a_word(tmp_path):
    samples = [f"Day 0\u2013{i}" for i in range(6)]
    path = tmp_path / "x.tsv"
    text = miniatures.genes_in_rows("gene", samples, miniatures.GENES, miniatures.values())
    path.write_bytes(text.encode("cp1252"))
    rows = "".join(f"{s}\tCrohn\u2019s\n" for s in samples)
    labels = tmp_path / "labels.tsv"
    labels.write_bytes(f"sample\tdisease\n{rows}".encode("cp1252"))
    adata = read(path, labels=labels, label="disease")
    assert list(adata.obs_names) == samples
    assert set(adata.obs["disease"]) == {"Crohn\u2019s"}
    notes = adata.uns["jaxssl"]["notes"]
    assert (
        "x.tsv is no UTF-8 and read as Windows-1252: '0\u20130', '0\u20131', '0\u20132'; save it"
        in notes
    )
    assert "labels.tsv is no UTF-8 and read as Windows-1252: '0\u20130', 'Crohn\u2019s'" in notes
    labels.write_bytes(f"sample\tdisease\n{rows}".encode("cp1252").replace(b"\x92", b"\xd5"))
    assert "'Crohn\u00d5s'" in inspect(path, labels).join  # of an old Mac
    path.write_bytes(path.read_bytes().replace(b"\x96", b"\x81"))
    assert "control character" in refusal(path)
