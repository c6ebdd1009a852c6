"""Nothing is fetched: the whole suite runs without a network."""

import socket
import urllib.request

import pytest
from verbs import launch_alone


def test_a_request_of_any_kind_is_an_error_here():
    with pytest.raises(OSError, match=r"the network was asked for example\.org"):
        urllib.request.urlopen("http://example.org")
    with socket.socket() as s, pytest.raises(OSError, match=r"asked for 192\.0\.2\.1"):
        s.connect(("192.0.2.1", 80))
    with socket.socket(type=socket.SOCK_DGRAM) as s, pytest.raises(OSError, match="asked for 192"):
        s.sendto(b"", ("192.0.2.1", 80))


def test_a_verb_in_a_process_of_its_own_has_no_network_either(tmp_path):
    config = tmp_path / "fetching.py"
    config.write_text("import urllib.request\nurllib.request.urlopen('http://example.org')\n")
    error = launch_alone("pretrain", f"--config={config}", f"--out={tmp_path / 'run'}", code=2)
    assert "the network was asked for example.org" in error
