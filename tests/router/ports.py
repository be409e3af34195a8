"""Ports of the loopback interface for servers under test."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from llm_router.demo.ports import free_port

__all__ = ["free_port", "no_descriptors"]


@contextmanager
def no_descriptors() -> Iterator[None]:
    """This process can open nothing: no socket, no file."""
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (usual, most))
