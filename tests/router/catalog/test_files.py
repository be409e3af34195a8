"""The catalog's file: what is refused, what is found, how entries are added, and how weights are verified."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from llm_router.catalog.entry import Catalog, Model, WeightsFile
from llm_router.catalog.files import WrongWeights, append, known, read_catalog, verify
from llm_router.errors import ConfigError

CATALOG = Path(__file__).resolve().parents[3] / "models" / "catalog.yaml"
WEIGHTS = b"weights" * 1000


def model(sha256: str | None = hashlib.sha256(WEIGHTS).hexdigest(), name: str = "small") -> Model:
    return Model(
        name=name,
        family="llama",
        parameters="1B",
        licence="MIT",
        file=WeightsFile(
            uri="https://models.example.com/resolve/0123abc/small.gguf",
            sha256=sha256,
            size_bytes=len(WEIGHTS),
            source="this test",
        ),
        quantisation="Q4_K_M",
        context_length=2048,
        kv_bytes_per_token=1024,
        chat_template="in the file",
    )


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "small.gguf"
    file.write_bytes(WEIGHTS)
    return file


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    file = tmp_path / "catalog.yaml"
    file.write_text(CATALOG.read_text())
    return file


def problems(file: Path) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read_catalog(file)
    return [str(problem) for problem in refused.value.problems]


def test_the_projects_catalog_has_the_models_of_both_pools_with_sums() -> None:
    catalog = read_catalog(CATALOG)
    meant_for = {model.name: model.pools[0].pool for model in catalog.models}
    assert meant_for["tinyllama-1.1b-chat"] == "cpu"
    assert meant_for["llama-2-7b-chat"] == "gpu"
    assert len({model.file.sha256 for model in catalog.models} - {None}) == len(catalog.models)


@pytest.mark.parametrize("pool", ["cpu", "gpu"])
def test_every_model_fits_where_it_is_suggested(pool: str) -> None:
    """A T4 has 15 GiB of its own; a CPU node of 8 GiB has 7 to give."""
    room = {"cpu": 7 * 1024**3, "gpu": 15 * 1024**3}[pool]
    for entry in read_catalog(CATALOG).models:
        for hint in entry.pools:
            assert hint.pool != pool or entry.memory_bytes(hint) < room, entry.name


def test_figures_that_nobody_measured_say_so() -> None:
    for entry in read_catalog(CATALOG).models:
        for hint in entry.pools:
            assert hint.measured or "assumption" in hint.source


@pytest.mark.parametrize(
    ("found", "put", "told"),
    [
        ("qwen3-8b", "qwen3.5-4b", "has the same name"),
        (
            "https://huggingface.co/Qwen/Qwen3-8B-GGUF/resolve/7c41481f57cb95916b40956ab2f0b139b296d974",
            "ftp://x",
            "https",
        ),
        ("7c41481f57cb95916b40956ab2f0b139b296d974", "main", "name the revision"),
        ("    quantisation: Q4_K_M", "    quantization: Q4_K_M", 'did you mean "quantisation"'),
        ("contextPerSlot: 2048", "contextPerSlot: 8192", "at most that"),
        ("sha256: d98cdcbd", "sha256: D98CDCBD", "hexadecimal"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(copy: Path, found: str, put: str, told: str) -> None:
    copy.write_text(copy.read_text().replace(found, put))
    assert any(told in problem and problem.startswith(f"{copy}:") for problem in problems(copy))


def test_an_unknown_name_brings_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"did you mean \"tinyllama-1\.1b-chat\""):
        known(read_catalog(CATALOG), "tinyllama-1b-chat", CATALOG)


def test_an_entry_is_added_at_the_end_and_comments_stay(copy: Path) -> None:
    before = copy.read_text()
    append(copy, model())
    assert copy.read_text().startswith(before)
    assert read_catalog(copy).models[-1] == model()
    assert [file.name for file in copy.parent.iterdir()] == ["catalog.yaml"]


def test_an_entry_that_is_refused_changes_nothing(copy: Path) -> None:
    before = copy.read_text()
    with pytest.raises(ConfigError, match="has the same name"):
        append(copy, model(name="qwen3-8b"))
    assert copy.read_text() == before


def test_the_right_weights_pass(weights: Path) -> None:
    verify(model(), weights)


def test_weights_of_another_size_are_told_without_reading_them(weights: Path) -> None:
    weights.write_bytes(WEIGHTS[:-1])
    with pytest.raises(WrongWeights, match=r"6999 bytes.*has 7000"):
        verify(model(), weights)


def test_weights_with_another_sum_are_refused(weights: Path) -> None:
    weights.write_bytes(b"x" + WEIGHTS[1:])
    with pytest.raises(WrongWeights, match="do not use it"):
        verify(model(), weights)


def test_nothing_is_verified_without_a_sum(weights: Path) -> None:
    with pytest.raises(WrongWeights, match="knows no sha256"):
        verify(model(sha256=None), weights)


def test_memory_is_weights_and_cache_of_all_slots_and_some_to_work() -> None:
    entry = Catalog(models=read_catalog(CATALOG).models).find("llama-2-7b-chat")
    assert entry is not None
    hint = entry.hint("gpu")
    assert hint is not None
    assert entry.hint("cpu") is None
    assert entry.memory_bytes(hint) == 4_081_004_224 + 524_288 * 4 * 4096 + 512 * 1024**2
