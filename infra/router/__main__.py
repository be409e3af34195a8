"""The router over all clouds: merges what their stacks put out, and delivers it to a cluster or a machine."""

from __future__ import annotations

from pathlib import Path

from llm_infra.router import stack

stack.run(Path(__file__).parent)
