import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import groupby

import anndata
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from rows import results_of
from run_folders import CLASSES, GAINS, write_pretraining, write_run
from verbs import run

from jaxssl.evaluation.arms import ARMS, FRAMED
from jaxssl.evaluation.stats import summarize
from jaxssl.report import maps
from jaxssl.report.classes import confusion_counts, nearest_share
from jaxssl.report.curves import MAX_TICKS, label_efficiency
from jaxssl.report.drawing import arm_marks, marks, short
from jaxssl.report.facts import controlled
from jaxssl.report.figures import draw_run
from jaxssl.report.render import write_report
from jaxssl.report.tables import comparison_tables, part_tables, score_tables
from jaxssl.runs.merge import merge_parts
from jaxssl.runs.reading import expand, read_run, read_runs
from jaxssl.types import InputError

pytestmark = pytest.mark.usefixtures("drawn")


class Page(HTMLParser):
    """Tags, ids and everything that a browser would fetch."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.sources = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "srcset", "action"):
                self.sources.append(value)


def test_every_figure_is_on_the_page_and_saved_as_png_svg_and_csv(report):
    figures = ["endpoint", "labels_saved", "label_efficiency", "paired_differences"]
    figures += ["recall", "calibration", "confusion_swav", "batches", "pretraining"]
    figures += ["prototype_usage", "embedding_class", "embedding_batch", "embedding_prototype"]
    page = Page(report.read_text())
    assert set(figures) <= set(page.ids)
    assert page.tags.count("figure") == len(figures)
    for name in figures:
        for suffix in ("png", "svg", "csv"):
            assert (report.parent / "figures" / f"{name}.{suffix}").stat().st_size > 0


def test_page_fetches_nothing(report):
    text = report.read_text()
    page = Page(text)
    assert page.tags.count("script") == 1
    assert "iframe" not in page.tags
    assert all(source.startswith(("data:", "#")) for source in page.sources)
    assert not re.search(r"url\((?!#)|@import", text)
    assert len(text) < 3e6


def test_ids_are_unique_and_every_reference_has_a_target(report):
    text = report.read_text()
    ids = Page(text).ids
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", text)) <= {
        pair for name in ids for pair in ((name, ""), ("", name))
    }


def test_names_from_the_data_are_escaped(report):
    text = report.read_text()
    assert text.count("<script") == 1, "the page's own"
    assert "<b>beware" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&lt;b&gt;beware&lt;/b&gt;" in text
    assert "$a$ &amp; b" in text  # no formula


def test_collapse_is_told_before_the_headline_and_losses_are_told(report):
    text = report.read_text()
    assert text.index("seed 2: collapsed; try") < text.index('class="headline"')
    assert 'class="loses"' in text
    assert "python -m launch.study --out=runs/mini" in text
    assert ">method.n_prototypes<" in text


def test_every_arm_share_and_metric_has_its_row(report, run_folder):
    curve = pd.read_csv(report.parent / "figures" / "label_efficiency.csv")
    results = read_run(run_folder).results
    assert results is not None
    expected = results.groupby(["arm", "share", "metric"])["value"].mean()
    for row in curve.itertuples():
        assert row.mean == pytest.approx(expected[row.arm, row.share, row.metric], rel=1e-5)
    assert set(curve["arm"]) == set(GAINS)
    assert report.read_text().count(">majority</th>") == 5  # once per metric


def test_declared_comparison_is_marked_among_all(run_folder):
    endpoint = read_run(run_folder).endpoint
    assert endpoint is not None
    [table] = comparison_tables(endpoint)
    assert len(table.rows) == len(endpoint)
    marked = {(row[0].text, row[1].text) for row in table.rows if row[1].note}
    best = endpoint[endpoint["is_best"]]
    assert marked == set(zip(best["arm"], best["reference"], strict=True))


def test_figures_of_classes_and_batches_have_their_table(report):
    data = pd.read_csv(report.parent / "figures" / "recall.csv")
    [table] = part_tables(data, "class")
    cells = {row[0].text: [cell.text for cell in row[2:]] for row in table.rows}
    assert set(cells) == set(CLASSES)
    for row in data.itertuples():
        column = table.header.index(str(row.arm)) - 2
        assert float(cells[str(row.part)][column]) == pytest.approx(row.mean, abs=5e-4)
    [table] = part_tables(pd.read_csv(report.parent / "figures" / "batches.csv"), "batch")
    assert {row[0].text for row in table.rows} == {"HiSeq", "GA"}
    assert part_tables(pd.read_csv(report.parent / "figures" / "calibration.csv"), "") == []


def test_an_arm_that_lacks_a_batch_has_an_empty_cell():
    whole = pd.DataFrame({"part": ["x", "y"], "mean": 0.5, "low": 0.4, "high": 0.6, "n": [3, 2]})
    data = pd.concat([whole.assign(arm="a"), whole.iloc[:1].assign(arm="b")])
    [table] = part_tables(data, "batch")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["x", "3", "0.500", "0.500"],
        ["y", "2", "0.500", "not run"],
    ]


def test_what_was_controlled_follows_the_options_and_the_leaks(run_folder):
    run = read_run(run_folder)
    split = {"protocol": "leave_batch_out"}
    config = {"split": split, "data": {"group": "patient", "batch": "series"}}
    leak = "leak (fitted), allowed: scaling was fitted on other samples"
    run = replace(run, config=config, summary=run.summary | {"allowed_leaks": [leak]})
    said = dict(controlled(run))
    assert "samples of one patient in one part" in said["split"]
    assert "fitted on training samples alone" not in said
    assert said["allowed leaks"] == leak
    assert "fitted" not in said["looked for and absent"]
    assert "groups" in said["looked for and absent"]
    no_group = dict(controlled(replace(run, config={"split": split, "data": {}})))
    assert "no group column" in no_group["split"]
    assert "groups" not in no_group["looked for and absent"]
    assert controlled(replace(run, config={})) == []


def test_the_stratified_split_is_told_also_of_a_run_that_has_its_old_name(run_folder):
    run = read_run(run_folder)
    for name in ("stratified", "study"):
        said = dict(controlled(replace(run, config={"split": {"protocol": name}})))
        assert said["split"].startswith("stratified, groups not kept together")


def test_splits_of_a_study_report_as_the_study(tmp_path):
    study = tmp_path / "study"
    for number in range(2):
        folder = write_run(study / f"split_{number}", seeds=(0, 1))
        told = pd.DataFrame({"representation": ["input"], "seed": 0, "batches": 2})
        told.assign(balanced_accuracy=0.6 + number / 10, chance=0.5).to_csv(
            folder / "batch.csv", index=False
        )
        results = pd.read_parquet(folder / "results.parquet").assign(split=number)
        results.to_parquet(folder / "results.parquet")
    (study / "summary.json").write_text(json.dumps({"splits": ["split_0", "split_1"]}))
    [merged] = merge_parts([read_run(folder) for folder in expand([study])])
    assert merged.name == "study"
    assert merged.batch is not None
    assert merged.batch["balanced_accuracy"].tolist() == [0.6, 0.7]
    assert merged.summary["pretraining"]["collapsed_seeds"] == ["0/1", "1/1"]
    write_report(read_runs([study]), tmp_path / "report.md")
    usage = pd.read_csv(tmp_path / "figures" / "prototype_usage.csv")
    assert usage.groupby(["split", "seed"]).size().tolist() == [6, 6, 6, 6]
    text = (tmp_path / "report.md").read_text()
    assert "over outer splits" in text
    assert "0.600 to 0.700" in text


def test_splits_without_a_share_of_few_labels_have_a_report(tmp_path):
    for number in range(2):
        folder = write_run(tmp_path / "study" / f"split_{number}", seeds=(0, 1))
        results = pd.read_parquet(folder / "results.parquet").assign(split=number)
        results[results["share"] == 1].to_parquet(folder / "results.parquet")
    folders = sorted((tmp_path / "study").iterdir())
    write_report(read_runs(folders), tmp_path / "report.html")
    ids = Page((tmp_path / "report.html").read_text()).ids
    assert "endpoint" not in ids
    assert {"labels_saved", "label_efficiency"} <= set(ids)


def test_markdown_shows_the_same_figures_and_tables(report, run_folder, tmp_path):
    write_report(read_runs([run_folder]), tmp_path / "report.md")
    lines = (tmp_path / "report.md").read_text().splitlines()
    shown = [m[1] for line in lines if (m := re.match(r"!\[.*\]\((figures/.*\.png)\)", line))]
    assert len(shown) == Page(report.read_text()).tags.count("figure")
    assert all((tmp_path / name).is_file() for name in shown)
    tables = [
        list(group) for is_row, group in groupby(lines, lambda s: s.startswith("|")) if is_row
    ]
    assert len(tables) > 10
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1, table
    assert not any("<script" in line.replace("\\<", "") for line in lines)


def test_same_run_gives_the_same_page(tmp_path):
    write_pretraining(tmp_path / "pre", seeds=(0, 1), with_embedding=False)
    for name in ("one.html", "two.html"):
        write_report(read_runs([tmp_path / "pre"]), tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_a_run_without_a_sweep_says_what_it_lacks(tmp_path):
    write_pretraining(tmp_path / "pre", seeds=(0, 1))
    write_report(read_runs([tmp_path / "pre"]), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "This run compared no arms" in text
    assert "holds no predictions" in text
    assert "pretraining" in Page(text).ids
    assert "label_efficiency" not in Page(text).ids


def test_a_run_that_measured_less_draws_less_and_says_so(run_folder, tmp_path):
    run = read_run(run_folder)
    assert run.metrics is not None
    assert run.embedding is not None
    metrics = run.metrics.drop(columns=["loss_ratio", "code_entropy_ratio", "usage_perplexity"])
    embedding = run.embedding.copy()
    embedding.obs["label"], embedding.obs["batch"] = ["a", "b"] * 20, "one"
    less = replace(run, folders=(tmp_path,), metrics=metrics, usage=None, embedding=embedding)
    less = replace(less, endpoint=None, saved=None)
    drawn = {drawing.name: drawing.figure for drawing in draw_run(less)}
    sweep = {"label_efficiency", "paired_differences"}
    assert set(drawn) == sweep | {"pretraining", "embedding_class", "embedding_prototype"}
    said = [text.get_text() for ax in drawn["pretraining"].axes for text in ax.texts]
    assert said.count("not measured for this method") == 2
    assert not any("ln K" in text for text in said)
    on_map = [text.get_text() for ax in drawn["embedding_class"].axes for text in ax.texts]
    assert on_map == ["a", "b"]


def test_a_killed_run_is_read_to_its_last_whole_line(tmp_path):
    write_pretraining(tmp_path, seeds=(0, 1), with_embedding=False)
    log = tmp_path / "metrics.jsonl"
    whole = read_run(tmp_path).metrics
    lines = log.read_text().splitlines()
    log.write_text("\n".join([*lines[:5], lines[4], lines[5], lines[0][:30]]))
    again = read_run(tmp_path).metrics.reset_index(drop=True)
    pd.testing.assert_frame_equal(again, whole.reset_index(drop=True))
    log.write_text(lines[0][:30])
    assert read_run(tmp_path).metrics is None


def test_results_that_are_kept_as_csv_alone_are_the_same(run_folder, tmp_path):
    expected = read_run(run_folder).results
    assert expected is not None
    expected.to_csv(tmp_path / "results.csv", index=False)
    found = read_run(tmp_path).results.fillna({"method": ""})
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_an_axis_of_many_shares_names_the_largest_and_none_twice_over():
    shares = np.geomspace(0.01, 1, 60)
    results = pd.concat([results_of({"swav": [0.5, 0.6]}, share=share) for share in shares])
    [ax, _] = label_efficiency(Figure(), summarize(results), ["swav"])
    places = ax.get_xticks()
    assert places.max() == 1
    assert len(places) <= MAX_TICKS
    assert (np.diff(np.log(np.sort(places))) > np.log(100) / MAX_TICKS).all()


def test_damaged_files_of_a_run_are_refused(tmp_path):
    for name, text in {
        **{"results.parquet": "PAR1", "summary.json": '{"a": 1', "config.json": "[]"},
        **{"metrics.jsonl": '{"seed": 0, "ep\n{}\n', "statistics.csv": 'a,b\n"1,2\n3,4,5\n'},
        **{"splits.parquet": "", "embedding.h5ad": "HDF"},
    }.items():
        folder = tmp_path / name.replace(".", "_")
        folder.mkdir()
        (folder / "results.csv").write_text("arm,share\n")
        (folder / name).write_text(text)
        with pytest.raises(InputError, match=rf"{name} is damaged \(.*\); put a whole copy there"):
            read_run(folder)


def test_shards_of_a_pretraining_join_without_a_sweep(tmp_path):
    shards = [tmp_path / f"shard_{i}_of_2" for i in range(2)]
    for i, shard in enumerate(shards):
        write_pretraining(shard, seeds=(i,), with_embedding=False)
    [merged] = merge_parts([read_run(shard) for shard in shards])
    assert merged.statistics is None
    assert merged.metrics["seed"].unique().tolist() == [0, 1]
    assert merged.usage.groupby("seed").size().tolist() == [6, 6]
    assert merged.groups().empty


def test_an_arm_that_lacks_a_share_has_an_empty_cell(run_folder):
    rows = summarize(read_run(run_folder).results)
    rows = rows[(rows["arm"] != "swav") | (rows["share"] == 1)]
    [*_, last] = score_tables(rows, ["swav"])
    cells = {row[0].text: [cell.text for cell in row[1:]] for row in last.rows}
    assert cells["swav"][0] == "not run"
    assert "not run" not in cells["logreg"]


def test_several_runs_share_a_page_under_names_of_their_own(tmp_path):
    folders = [tmp_path / parent / "run" for parent in ("a", "b")]
    for folder in folders:
        write_pretraining(folder, seeds=(0,), with_embedding=False)
    write_report(read_runs(folders), tmp_path / "report.html")
    ids = Page((tmp_path / "report.html").read_text()).ids
    assert {"run-1", "run-2", "run-1_pretraining", "run-2_pretraining"} <= set(ids)
    assert len(ids) == len(set(ids))


def test_shards_of_a_run_report_as_the_run(tmp_path, run_folder):
    shards = [
        write_run(tmp_path / "mini" / f"shard_{i}_of_2", seeds)
        for i, seeds in enumerate([(0, 2), (1,)])
    ]
    [merged] = merge_parts([read_run(folder) for folder in shards])
    whole = read_run(run_folder)
    assert merged.name == "mini"
    assert merged.summary["seeds"] == [0, 1, 2]
    assert merged.statistics is not None
    assert whole.statistics is not None
    pd.testing.assert_frame_equal(merged.statistics, whole.statistics, check_dtype=False)
    predictions = merged.predictions("swav", 0.1)
    assert predictions is not None
    assert set(predictions["seed"]) == {0, 1, 2}


def test_shards_with_different_options_are_refused(tmp_path):
    shards = [tmp_path / f"shard_{i}_of_2" for i in range(2)]
    for i, shard in enumerate(shards):
        write_pretraining(shard, seeds=(i,))
    (shards[1] / "config.json").write_text("{}")
    with pytest.raises(InputError, match="different options"):
        write_report(read_runs(shards), tmp_path / "report.html")


def test_confusion_counts_every_prediction_once():
    p = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.7, 0.3, 0.0], [0.1, 0.9, 0.0]])
    table = pd.DataFrame(p, columns=["p_a", "p_b", "p_c"]).assign(label=list("aabb"), seed=0)
    assert confusion_counts(table).to_numpy().tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_confusion_share_is_the_nearest_to_ten_per_cent():
    assert nearest_share([0.01, 0.05, 0.2, 1.0]) in (0.05, 0.2)
    assert nearest_share([0.01, 0.1, 1.0]) == 0.1
    assert nearest_share([0.06, 1.0]) == 0.06


def test_maps_of_a_large_embedding_draw_a_fixed_subsample(monkeypatch):
    monkeypatch.setattr(maps, "MAX_SAMPLES", 30)
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    obs = pd.DataFrame({"label": "a"}, index=[str(i) for i in range(50)])
    embedding = anndata.AnnData(obs=obs, obsm={"X_jaxssl": x})
    table = maps.coordinates(embedding)
    assert len(table) == 30
    assert table["sample_id"].is_unique
    pd.testing.assert_frame_equal(table, maps.coordinates(embedding))


def test_an_arm_looks_the_same_whatever_arms_are_beside_it():
    some, others = arm_marks(["swav", "logreg"]), arm_marks(["mine", "logreg", "swav"])
    known = (*ARMS, *FRAMED)
    assert {arm: some[arm] for arm in known} == {arm: others[arm] for arm in known}
    assert len({tuple(mark.items()) for mark in others.values()}) == len(known) + 1


def test_forty_classes_have_distinct_marks_and_long_names_keep_both_ends():
    of_classes = marks([str(i) for i in range(40)]).values()
    assert len({tuple(mark.items()) for mark in of_classes}) == 40
    name = short("Skin - Not Sun Exposed (Suprapubic)")
    assert len(name) == 24
    assert name.startswith("Skin - Not")
    assert name.endswith("rapubic)")


def test_wrong_input_is_one_line_and_exit_2(tmp_path):
    (tmp_path / "empty").mkdir()
    result = run("report", tmp_path / "empty", f"--out={tmp_path / 'report.html'}")
    assert result.returncode == 2
    assert "is not a run folder" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "empty"]


def test_verb_writes_the_report_and_refuses_to_overwrite_it(tmp_path):
    write_pretraining(tmp_path / "pre", seeds=(0,), with_embedding=False)
    out = f"--out={tmp_path / 'page.html'}"
    first = run("report", tmp_path / "pre", out)
    assert first.returncode == 0, first.stderr
    assert (tmp_path / "page.html").is_file()
    again = run("report", tmp_path / "pre", out)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
