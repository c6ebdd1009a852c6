"""Nothing is fetched: the whole suite runs without a network."""

import socket
import subprocess
import urllib.request

import pytest
from verbs import TINY, launch

NAMESPACE = ["unshare", "--map-root-user", "--net"]


@pytest.fixture
def without_network():
    """A command that runs another where the system itself has no network."""
    try:
        subprocess.run([*NAMESPACE, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this system gives no process a network of its own: {error}")
    return NAMESPACE


def test_a_request_of_any_kind_is_an_error_here():
    with pytest.raises(OSError, match=r"the network was asked for example\.org"):
        urllib.request.urlopen("http://example.org")
    with socket.socket() as s, pytest.raises(OSError, match=r"asked for 192\.0\.2\.1"):
        s.connect(("192.0.2.1", 80))


def test_a_verb_in_a_process_of_its_own_has_no_network_either(tmp_path):
    config = tmp_path / "fetching.py"
    config.write_text("import urllib.request\nurllib.request.urlopen('http://example.org')\n")
    error = launch("pretrain", f"--config={config}", f"--out={tmp_path / 'run'}", code=2)
    assert "the network was asked for example.org" in error


def test_a_study_runs_where_the_system_has_no_network(without_network, tmp_path):
    printed = launch("study", *TINY, f"--out={tmp_path / 'run'}", prefix=without_network)
    assert "report:" in printed
