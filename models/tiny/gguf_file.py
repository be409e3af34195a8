"""Writes a trained network as GGUF, the file format of llama.cpp."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from .network import Floats, Shape
from .tokenizer import CHAT_TEMPLATE, CONTROL_TOKENS, END_OF_TEXT, TURN_END, TURN_START, Tokenizer
from .training import Trained

CONTEXT_LENGTH = 32_768
"""What the file declares; nothing in the network ends there, but the text gets worse with the distance."""

_OUTPUTS_OF_A_LAYER = ("attn_output", "ffn_down")


def write(path: Path, model: Trained, *, name: str, idle_layers: int = 0) -> None:
    """Writes ``model`` to ``path`` with ``idle_layers`` more layers that work and add nothing.

    An idle layer has the weights of a trained one, but zeros where it would add to the running sum: the text is the
    same token for token, and costs as much more as there are more layers. The same input gives the same bytes.
    """
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_license("MIT")
    _add_shape(writer, model.shape, model.shape.layers + idle_layers)
    _add_tokenizer(writer, model.tokenizer)
    for tensor, weight in model.weights.items():
        writer.add_tensor(tensor, _stored(weight))
    for layer in range(idle_layers):
        _add_idle_layer(writer, model, layer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_idle_layer(writer: gguf.GGUFWriter, model: Trained, layer: int) -> None:
    copied = f"blk.{layer % model.shape.layers}."
    for tensor, weight in model.weights.items():
        if tensor.startswith(copied):
            part = tensor.removeprefix(copied)
            values = np.zeros_like(weight) if part.startswith(_OUTPUTS_OF_A_LAYER) else weight
            writer.add_tensor(f"blk.{model.shape.layers + layer}.{part}", _stored(values))


def _stored(weight: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.floating]]:
    return weight if weight.ndim == 1 else weight.astype(np.float16)


def _add_shape(writer: gguf.GGUFWriter, shape: Shape, layers: int) -> None:
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    ordinary = len(tokenizer.vocabulary) - len(CONTROL_TOKENS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokenizer.vocabulary)
    writer.add_token_types([gguf.TokenType.NORMAL] * ordinary + [gguf.TokenType.CONTROL] * len(CONTROL_TOKENS))
    writer.add_token_merges([" ".join(pair) for pair in tokenizer.merges])
    writer.add_bos_token_id(tokenizer.ids[TURN_START])
    writer.add_eos_token_id(tokenizer.ids[TURN_END])
    writer.add_pad_token_id(tokenizer.ids[END_OF_TEXT])
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
