"""Ports of the loopback interface for servers that are started a moment later."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A TCP port that nobody listens on, and that nobody but the caller is given for a minute.

    A connection to it was closed a moment ago: Linux hands out no such port to whom any will do, be it a server or an
    outgoing connection. A server that names the port and sets ``SO_REUSEADDR`` gets it all the same.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            # Who closes first is who waits: here the server's end.
            server.accept()[0].close()
    return port
