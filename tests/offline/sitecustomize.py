"""Python without a network: any address but this machine's own is refused before it is asked for.

Imported at the start of every process that has this folder on its PYTHONPATH, and by conftest.
"""

import sys

OWN = ("127.", "localhost", "::1")


def refuse_other_hosts(event: str, arguments: tuple) -> None:
    """An audit hook; it cannot be removed."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else ""  # "": a socket file
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0] or ""
    else:
        return
    if host and not str(host).startswith(OWN):
        raise OSError(f"the network was asked for {host}")


sys.addaudithook(refuse_other_hosts)
