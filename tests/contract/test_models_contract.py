"""The stacks judge a context by a table of their own, the chart by the catalogue: both say the same of each model."""

from __future__ import annotations

from llm_infra.tables.models import CONTEXT_LENGTHS
from llm_router.catalog.files import read_catalog
from tests.charts.helm import ROOT


def test_the_stacks_know_every_model_of_the_catalogue_and_its_context() -> None:
    catalog = read_catalog(ROOT / "models" / "catalog.yaml")
    assert {model.name: model.context_length for model in catalog.models} == CONTEXT_LENGTHS
