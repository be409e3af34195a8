"""The fields of Anthropic's Messages request, with the types and bounds that the real API enforces."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

BlockType = Literal[
    "bash_code_execution_tool_result",
    "code_execution_tool_result",
    "container_upload",
    "document",
    "image",
    "redacted_thinking",
    "search_result",
    "server_tool_use",
    "text",
    "text_editor_code_execution_tool_result",
    "thinking",
    "tool_result",
    "tool_search_tool_result",
    "tool_use",
    "web_fetch_tool_result",
    "web_search_tool_result",
]
Fraction: TypeAlias = Annotated[float, Meta(ge=0, le=1)]


class Block(Struct):
    """A content block: what the stand-in heeds of any of them."""

    type: BlockType
    text: str = ""
    id: str = ""
    tool_use_id: str = ""
    content: str | list[Any] | None = None
    input: dict[str, Any] | None = None
    citations: list[Any] | dict[str, Any] | None = None

    @property
    def words(self) -> str:
        if self.type == "tool_use":
            return json.dumps(self.input)
        if isinstance(self.content, list):
            return "".join(str(inner.get("text", "")) for inner in self.content if isinstance(inner, dict))
        return self.content or self.text


class Message(Struct, forbid_unknown_fields=True):
    role: str
    content: str | list[Block]

    @property
    def blocks(self) -> list[Block]:
        return [Block("text", self.content)] if isinstance(self.content, str) else self.content

    @property
    def text(self) -> str:
        return "".join(block.words for block in self.blocks)


class OfferedTool(Struct):
    """A tool of the caller's own (``input_schema``) or, named by ``type``, one that the provider runs."""

    name: str
    input_schema: dict[str, Any] | None = None
    type: str | None = None


class ToolChoice(Struct):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None


class OutputFormat(Struct):
    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfig(Struct, forbid_unknown_fields=True):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: OutputFormat | None = None


class Thinking(Struct):
    type: Literal["enabled", "disabled", "adaptive"]


class Metadata(Struct, forbid_unknown_fields=True):
    user_id: str | None = None


class CountFields(Struct, forbid_unknown_fields=True, kw_only=True):
    """What a token counting request may say; a message request says more."""

    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: str | list[Block] = ""
    tools: list[OfferedTool] = []
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    cache_control: Any = None
    speed: Any = None

    @property
    def system_text(self) -> str:
        return self.system if isinstance(self.system, str) else "".join(block.words for block in self.system)


class MessageFields(CountFields, forbid_unknown_fields=True, kw_only=True):
    """A request of API version 2026-10-21. ``max_tokens: 0`` warms the prompt cache and asks for no answer."""

    max_tokens: Annotated[int, Meta(ge=0)]
    stop_sequences: list[str] = []
    stream: bool = False
    metadata: Metadata | None = None
    container: Any = None
    diagnostics: Any = None
    inference_geo: Any = None
    service_tier: Literal["auto", "standard_only"] | None = None


class SampledMessageFields(MessageFields, forbid_unknown_fields=True, kw_only=True):
    """A request of API version 2023-06-01, which still knows sampling parameters."""

    temperature: Fraction | None = None
    top_p: Fraction | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
