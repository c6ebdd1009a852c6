"""The report in a real browser: what it shows, what it asks for, what a click does."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
from run_folders import CLASSES

PROBE = Path(__file__).parent / "report_probe.js"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def open_in_browser(page, profile):
    """The page's final document and what the browser had to say."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={profile}"]
    command += ["--enable-logging=stderr", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.fixture(scope="module")
def probed(report, tmp_path_factory):
    """What a browser finds on the page, and after clicks on the headers of its tables."""
    if CHROMIUM is None:
        pytest.skip("no chromium to open the page with")
    folder = tmp_path_factory.mktemp("probe")
    probe = PROBE.read_text()
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report.read_text())
    page = folder / "page.html"
    page.write_text(text.replace("</body>", f"<script>{probe}</script></body>"))
    found = open_in_browser(page, folder / "profile").stdout
    match = re.search(r'<pre id="probe">(.*?)</pre>', found, re.DOTALL)
    assert match
    return json.loads(unescape(match[1]))


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium to open the page with")
def test_browser_opens_the_page_without_a_console_error(report, tmp_path):
    result = open_in_browser(report, tmp_path)
    assert result.stdout.count("<svg") == 18
    assert "CONSOLE" not in result.stderr


def test_browser_shows_every_figure_and_asks_for_nothing(probed):
    assert len(probed["figures"]) == 18
    for figure in probed["figures"]:
        assert min(figure["width"], figure["height"]) > 150, figure
        assert figure["drawn"] > 10, figure
        assert figure["inside"], figure
    assert probed["requests"] == []


def test_browser_sorts_every_table_by_every_column_both_ways(probed):
    def key(text):
        number = re.match(r"[+-]?\d[\d,]*(\.\d+)?(e[+-]?\d+)?", text)
        return (0, float(number[0].replace(",", "")), "") if number else (1, 0.0, text.lower())

    assert len(probed["columns"]) > 30
    for column in probed["columns"]:
        assert column["states"] == ["ascending", "descending"]
        if set(CLASSES) & set(column["rising"]):  # how letters stand to symbols is the language's
            assert column["falling"] == column["rising"][::-1]
            continue
        keys = [key(text) for text in column["rising"]]
        assert keys == sorted(keys), column
        keys = [key(text) for text in column["falling"]]
        assert keys == sorted(keys, reverse=True), column
