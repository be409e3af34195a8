"""Who would answer, by the configuration alone."""

from __future__ import annotations

import json

from llm_router.config.load import Loaded
from llm_router.explaining import explain_request
from llm_router.model import Decision


def decision(loaded: Loaded, model: str = "auto", **requirements: str) -> Decision:
    """``requirements`` are headers: ``max_latency_ms="200"`` is ``X-LLM-Max-Latency-Ms: 200``."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10}
    headers = [(f"x-llm-{name.replace('_', '-')}".encode(), value.encode()) for name, value in requirements.items()]
    return explain_request(loaded, json.dumps(body).encode(), headers)


def answering(loaded: Loaded, model: str = "auto", **requirements: str) -> list[str]:
    """The owners of the targets, in order."""
    return [choice.target.owner for choice in decision(loaded, model, **requirements).choices]
