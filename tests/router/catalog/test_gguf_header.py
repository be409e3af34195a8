"""What is read off the header of a GGUF file, and what is said where it is silent."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from llm_router.catalog.adding import entry_of
from llm_router.catalog.gguf_header import UnreadableHeader, read_header

URI = "https://models.example.com/resolve/0123abc/model.gguf"


def written(file: Path, *, licence: str | None = "MIT", grouped: bool = True, hybrid: bool = False) -> Path:
    """A GGUF file of one tensor with the header of a model of 24 layers, 16 heads and 2048 dimensions."""
    writer = gguf.GGUFWriter(file, "qwen3")
    writer.add_name("Qwen3 Test Instruct")
    if licence:
        writer.add_license(licence)
    writer.add_file_type(int(gguf.LlamaFileType.MOSTLY_Q4_K_M))
    writer.add_context_length(32768)
    writer.add_block_count(24)
    writer.add_embedding_length(2048)
    writer.add_head_count(16)
    if grouped:
        writer.add_head_count_kv(4)
        writer.add_key_length(256)
        writer.add_value_length(256)
    if hybrid:
        writer.add_uint32("qwen3.full_attention_interval", 4)
    writer.add_chat_template("{{ messages }}")
    writer.add_tensor("token_embd.weight", np.zeros((4, 4), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def test_the_header_says_what_the_catalog_needs(tmp_path: Path) -> None:
    header = read_header(written(tmp_path / "model.gguf"))
    assert (header.family, header.quantisation, header.context_length) == ("qwen3", "Q4_K_M", 32768)
    assert header.kv_bytes_per_token == 2 * 24 * 4 * 256 * 2


def test_without_groups_every_head_has_its_own_cache(tmp_path: Path) -> None:
    assert read_header(written(tmp_path / "m.gguf", grouped=False)).kv_bytes_per_token == 2 * 24 * 16 * (2048 // 16) * 2


def test_of_a_hybrid_only_the_layers_with_full_attention_keep_a_growing_cache(tmp_path: Path) -> None:
    assert read_header(written(tmp_path / "m.gguf", hybrid=True)).kv_bytes_per_token == 2 * 6 * 4 * 256 * 2


def test_an_entry_is_made_of_it(tmp_path: Path) -> None:
    model = entry_of(written(tmp_path / "model.gguf"), uri=URI, name=None, licence=None, parameters="1B")
    assert (model.name, model.licence, model.chat_template) == ("qwen3-test-instruct", "MIT", "in the file")
    assert model.file.size_bytes == (tmp_path / "model.gguf").stat().st_size
    assert model.file.sha256


def test_a_licence_must_come_from_somewhere(tmp_path: Path) -> None:
    file = written(tmp_path / "model.gguf", licence=None)
    with pytest.raises(UnreadableHeader, match="--licence"):
        entry_of(file, uri=URI, name=None, licence=None, parameters=None)
    assert entry_of(file, uri=URI, name="mine", licence="MIT", parameters=None).name == "mine"


def test_another_file_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("<html>Not found</html>" * 10)
    with pytest.raises(UnreadableHeader, match="cannot be read as GGUF"):
        read_header(file)
