"""A catalog entry from a GGUF file on this machine."""

from __future__ import annotations

import re
from pathlib import Path

from .entry import Model, WeightsFile
from .files import sha256_of
from .gguf_header import UnreadableHeader, read_header


def entry_of(file: Path, *, uri: str | None, name: str | None, licence: str | None, parameters: str | None) -> Model:
    """What the header says, and what was told where it is silent. Raises ``UnreadableHeader``."""
    header = read_header(file)
    name = name or _as_name(header.name or file.stem)
    licence = licence or header.licence
    if licence is None:
        raise UnreadableHeader(f"{file} does not say its licence: give it with --licence")
    return Model(
        name=name,
        family=header.family,
        parameters=parameters or "unknown",
        licence=licence,
        file=WeightsFile(
            uri=uri or "", sha256=sha256_of(file), size_bytes=file.stat().st_size, source=f"computed from {file.name}"
        ),
        quantisation=header.quantisation,
        context_length=header.context_length,
        kv_bytes_per_token=header.kv_bytes_per_token,
        chat_template="in the file" if header.has_chat_template else "none in the file: llama-server takes ChatML",
    )


def _as_name(text: str) -> str:
    """``TinyLlama 1.1B Chat`` as requests write it: ``tinyllama-1.1b-chat``."""
    return re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-.")
