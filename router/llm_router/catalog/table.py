"""The catalog for a person's eyes."""

from __future__ import annotations

from .entry import Catalog, Model

_GB = 1000**3
_COLUMNS = ("MODEL", "QUANT", "FILE GB", "CONTEXT", "POOL", "SLOTS", "MEMORY GB", "TOKENS/S", "LICENCE")


def table(catalog: Catalog) -> str:
    """A line for each model and pool; speeds that are assumptions have a question mark."""
    rows = [_COLUMNS, *(row for model in catalog.models for row in _rows(model))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _rows(model: Model) -> list[tuple[str, ...]]:
    start = (model.name, model.quantisation, f"{model.file.size_bytes / _GB:.2f}", str(model.context_length))
    end = model.licence if model.file.sha256 else f"{model.licence}, no sha256"
    if not model.pools:
        return [(*start, "-", "-", "-", "-", end)]
    return [
        (
            *start,
            hint.pool,
            f"{hint.slots}×{hint.context_per_slot}",
            f"{model.memory_bytes(hint) / _GB:.1f}",
            f"{hint.decode_tokens_per_second:g}{'' if hint.measured else '?'}",
            end,
        )
        for hint in model.pools
    ]
