"""Ports of the loopback interface for servers under test."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A TCP port that nobody listens on now. The kernel hands them out in turn, so the next caller gets another."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
