"""Whatever a file of another dialect holds: it loads, or it is refused in words; and converting changes nothing."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from llm_router.config.decode import decode
from llm_router.config.dialects import DIALECTS
from llm_router.config.dialects.base import Dialect
from llm_router.config.hints import keys_of, read
from llm_router.config.importing import import_file
from llm_router.config.load import load, parse, references
from llm_router.config.scalars import Seconds, Secret
from llm_router.config.yaml_writer import dump
from llm_router.errors import ConfigError
from tests.router.config.dialects.files import ENV
from tests.router.config.dialects.sensible import litellm, loom, semantic_router

names = st.sampled_from(
    ["a", "b", "openai", "local", "gpt-5.4-mini", "openai/gpt-5.4-mini", "http://127.0.0.1:1", "hipaa"]
)
references_ = st.sampled_from(["${OPENAI_API_KEY}", "${PORT}", "${GONE}", "os.environ/OPENAI_API_KEY", "${", "file:/x"])
texts = names | references_ | st.text(max_size=6)
numbers = st.integers(-1, 400) | st.floats(allow_nan=True) | st.sampled_from([0.000001, 1e-9])
garbage = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def written(annotation: Any) -> st.SearchStrategy[Any]:
    """Plain data that suits a type of the dialects' structs, most of the time."""
    hint = read(annotation)
    if hint.is_union:
        return st.one_of([written(member) for member in hint.members])
    if hint.is_struct:
        return documents(hint.core)
    if hint.origin is tuple:
        return st.lists(written(hint.args[0]), max_size=3)
    if hint.origin is dict:
        return st.dictionaries(names, written(hint.args[1]), max_size=2)
    if hint.args and hint.origin is not None:
        return st.sampled_from(get_args(hint.core))
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: names,
        bool: st.booleans(),
        int: st.integers(0, 500),
        float: st.floats(0, 500),
        Seconds: st.sampled_from(["30s", "5m", 10]),
        Secret: st.sampled_from(["${OPENAI_API_KEY}", "${GATE_KEY}"]),
    }
    return plain[hint.core]


def documents(struct: type[Struct]) -> st.SearchStrategy[dict[str, Any]]:
    keys = keys_of(struct)
    required: Any = {key.spelling: written(key.annotation) for key in keys if key.required}
    optional: Any = {key.spelling: written(key.annotation) for key in keys if not key.required}
    return st.fixed_dictionaries(required, optional=optional)


any_dialect = st.sampled_from(DIALECTS)
well_formed = any_dialect.flatmap(lambda dialect: documents(dialect.struct))


@settings(max_examples=100)
@given(well_formed)
def test_well_formed_values_make_it_fail_in_no_other_way_than_in_words(data: dict[str, Any]) -> None:
    with contextlib.suppress(ConfigError):
        parse(dump(data), env=ENV)


@settings(max_examples=100)
@given(any_dialect, st.dictionaries(texts, garbage, max_size=4), garbage)
def test_no_data_make_it_fail_in_any_other_way(dialect: Dialect[Any], rest: dict[str, Any], value: Any) -> None:
    with contextlib.suppress(ConfigError):
        parse(dump({**rest, dialect.keys[0]: value}), env=ENV)


@settings(max_examples=100)
@given(well_formed, st.data())
def test_nor_does_garbage_in_the_place_of_one_value(data: dict[str, Any], draw: st.DataObject) -> None:
    spoilt = data
    while isinstance(spoilt, dict | list) and spoilt:
        keys = list(spoilt) if isinstance(spoilt, dict) else range(len(spoilt))
        key = draw.draw(st.sampled_from(list(keys)))
        if not isinstance(spoilt[key], dict | list) or draw.draw(st.booleans()):
            spoilt[key] = draw.draw(garbage)
            break
        spoilt = spoilt[key]
    with contextlib.suppress(ConfigError):
        parse(dump(data), env=ENV)


@settings(max_examples=150)
@given(semantic_router() | loom() | litellm())
def test_a_sensible_file_loads_and_is_the_same_configuration_once_converted(data: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "theirs.yaml"), Path(folder, "router.yaml")
        source.write_text(dump(data))
        loaded = load(str(source), ENV)
        target.write_text(import_file(str(source), ENV, allow_literal_secrets=True).text)
        assert load(str(target), ENV).config == loaded.config


@given(semantic_router() | loom() | litellm())
def test_every_literal_secret_and_no_reference_is_refused_by_a_conversion(data: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "theirs.yaml")
        source.write_text(dump(data))
        if "sk-0123" in source.read_text():
            with pytest.raises(ConfigError, match="a secret stands in the file"):
                import_file(str(source), ENV)
        else:
            assert "a1b2c3d4" not in import_file(str(source), ENV).text


@given(well_formed)
def test_the_documents_of_these_tests_suit_the_dialects_types(data: dict[str, Any]) -> None:
    structs: list[type[Struct]] = [dialect.struct for dialect in DIALECTS]
    suiting = next(struct for struct in structs if set(data) <= {key.spelling for key in keys_of(struct)})
    assert decode(data, suiting, references("x", ENV)).value is not None
