"""The page of a report: what is on it and what it says."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import groupby

import pandas as pd
import pytest
from run_folders import CLASSES, GAINS, write_pretraining, write_run
from verbs import run

from jaxssl.evaluation.stats import summarize
from jaxssl.report.facts import controlled
from jaxssl.report.render import write_report
from jaxssl.report.tables import comparison_tables, part_tables, score_tables
from jaxssl.runs.reading import read_run, read_runs

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
    figures += ["all_labels", "recall_all", "calibration_all", "confusion_swav_all", "batches_all"]
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
