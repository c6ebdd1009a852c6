"""Grids end to end."""

import pandas as pd
import pytest
from run_folders import unknown
from verbs import TINY, launch

pytestmark = pytest.mark.usefixtures("drawn")


def test_search_tells_the_best_points_and_goes_on_where_it_stopped(tmp_path):
    flags = [*TINY[:1], *TINY[4:], "--seeds=2", "--shares=0.2", f"--out={tmp_path / 'search'}"]
    output = launch("search", *flags, "--grid=method.epsilon:0.03,0.1")
    assert not unknown(tmp_path / "search")
    assert output.count(" 0.03 ") == 1, "a row a point"
    table = pd.read_csv(tmp_path / "search" / "points.csv")
    assert table["point"].tolist() == ["method.epsilon=0.03", "method.epsilon=0.1"]
    more = launch("search", *flags, "--grid=method.epsilon:0.03,0.1,1000", "--resume")
    assert "fits 2/2" in more
    measures = pd.read_parquet(tmp_path / "search" / "pretraining.parquet").set_index("point")
    assert (measures.loc["method.epsilon=1000", "status"] == "uniform codes").all()
    assert (tmp_path / "search" / "figures" / "search.png").stat().st_size > 10_000
    both = launch(
        "search", *flags, "--grid=method.epsilon:1", "--grid=augment.noise:0,1", "--resume"
    )
    assert "augment.noise=0 method.epsilon=1" in both
    error = launch("search", *flags, "--grid=method.epsilom:1", "--resume", code=2)
    assert "did you mean method.epsilon" in error
