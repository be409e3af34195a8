"""Ports of the loopback interface for servers under test."""

from llm_router.demo.ports import free_port

__all__ = ["free_port"]
