"""The documents say what the code says: every key with its default, every metric, path, error, command and option, none
that is not there; and their examples load and add up."""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import click
import pytest
import yaml
from msgspec import Struct
from prometheus_client import CollectorRegistry
from starlette.routing import BaseRoute, Route

from llm_router.admission.key_file import KeyFile
from llm_router.api.admin import admin_routes
from llm_router.api.admin_login import Login
from llm_router.api.health import health_routes
from llm_router.api.metrics import metrics_route
from llm_router.api.models import model_routes
from llm_router.api.openai import PATH as CHAT_PATH
from llm_router.api.openapi_document import document
from llm_router.api.requirements import read_requirements
from llm_router.api.route import route_routes
from llm_router.api.ui import ui_routes
from llm_router.cli import main as llm_router
from llm_router.config.json_schema import schema
from llm_router.config.load import load_struct, parse
from llm_router.config.schema import Config
from llm_router.exporter.check import check as check_exporter
from llm_router.exporter.config import ExporterConfig
from llm_router.exporter.metrics import Figures, PoolMetrics
from llm_router.exporter.unsigned import create_app as exporter_app
from llm_router.gate.config import GateConfig
from llm_router.gate.config import check as check_gate
from llm_router.gate.gate import FORWARDED, STATUS_PATH
from llm_router.gate.metrics import GateMetrics
from llm_router.model import ClusterStatus
from llm_router.pricing.cluster_cost import usd_per_1k_tokens
from llm_router.routing.requirements import LASTING, PASSING
from llm_router.routing.vocabulary import Vocabulary
from llm_router.telemetry.metrics import Metrics
from llm_router.workers.admin import admin_routes as all_workers_routes
from llm_router.workers.metrics import WorkerMetrics

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SOURCE = ROOT / "router" / "llm_router"

FILES: Mapping[str, type[Struct]] = {
    "router.yaml": Config,
    "keys.yaml": KeyFile,
    "gate.yaml": GateConfig,
    "exporter.yaml": ExporterConfig,
}


# ---------------------------------------------------------------- what the pages say


def tables(page: str) -> dict[str, list[list[str]]]:
    """The rows of each table, the header first, by the heading above it (without backticks)."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in (DOCS / page).read_text().splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ").replace("`", "")
        elif line.startswith("|") and not line.startswith("| ---"):
            found.setdefault(heading, []).append([cell.strip() for cell in line[1:-1].split("|")])
    return found


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def first_column(page: str, heading: str) -> list[str]:
    return [code for row in tables(page)[heading][1:] for code in codes(row[0])]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


# ---------------------------------------------------------------- what the code says


def sections(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], list[str]]]:
    """Path, properties and required keys of every mapping with fixed keys in a JSON Schema."""

    def walk(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any], list[str]]]:
        if "$ref" in node:
            yield from walk(document["$defs"][node["$ref"].rpartition("/")[2]], path)
        elif "anyOf" in node:
            for option in node["anyOf"]:
                yield from walk(option, path)
        elif node.get("type") == "array":
            yield from walk(node["items"], path + "[]")
        elif "properties" in node:
            yield path, node["properties"], node.get("required", [])
            for key, value in node["properties"].items():
                yield from walk(value, f"{path}.{key}".lstrip("."))

    yield from walk(document, "")


def calls(*names: str) -> Iterator[ast.Call]:
    """Every call of one of these functions or methods in the package, but for the demo."""
    for path in SOURCE.rglob("*.py"):
        if "demo" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in names:
                    yield node


def words(expression: ast.expr) -> Iterator[str]:
    """The texts that an expression may have as its value."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def nobody(*_: object) -> NoReturn:
    raise AssertionError("nothing is asked of the routes here")


def requests(routes: list[BaseRoute]) -> set[str]:
    """``METHOD path`` of each, as the pages write them."""
    return {
        f"{method} {re.sub(r':path}', '}', route.path)}"
        for route in routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }


def commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, f"{path} {name}".strip())
    elif not command.hidden:
        yield path, command


# ---------------------------------------------------------------- reference/configuration.md


def headings(file: str) -> dict[str, list[list[str]]]:
    """The page's tables of keys of one file, by path."""
    found = {}
    for heading, rows in tables("reference/configuration.md").items():
        name, _, path = heading.rpartition(": ")
        if rows[0][0] == "key" and (heading == file or (heading not in FILES and (name or "router.yaml") == file)):
            found["" if heading == file else path] = rows[1:]
    return found


@pytest.mark.parametrize("file", FILES)
def test_every_key_stands_in_its_section_with_its_default(file: str) -> None:
    def default(key: str, value: Mapping[str, Any], required: list[str]) -> str:
        if key in required:
            return "required"
        if "default" not in value:
            return "–"
        given = value["default"]
        return f"`{given if isinstance(given, str) and given else json.dumps(given)}`"

    expected = {
        path: {f"`{key}`": default(key, value, required) for key, value in keys.items()}
        for path, keys, required in sections(schema(FILES[file]))
    }
    assert {path: {row[0]: row[2] for row in rows} for path, rows in headings(file).items()} == expected


@pytest.mark.parametrize("file", FILES)
def test_every_value_of_a_choice_is_named(file: str) -> None:
    page = headings(file)
    for path, keys, _ in sections(schema(FILES[file])):
        meanings = {row[0]: set(codes(row[2])) | set(codes(row[3])) for row in page[path]}
        if "`routingStrategy`" in meanings:  # its values stand in a table of their own
            meanings["`routingStrategy`"] |= set(first_column("reference/strategies.md", "Strategies"))
        for key, value in keys.items():
            choices = [option for option in (value, *value.get("anyOf", ())) if "enum" in option]
            for choice in choices:
                assert set(choice["enum"]) <= meanings[f"`{key}`"], f"{path}.{key}"


# ---------------------------------------------------------------- reference/metrics.md


def test_every_metric_stands_in_its_table_with_its_type() -> None:
    def registry_of(process: str) -> CollectorRegistry:
        registry = CollectorRegistry()
        if process == "Router":
            Metrics(registry)
        elif process == "Workers":
            registry = WorkerMetrics().registry
        elif process == "Gate":
            GateMetrics(registry)
        else:
            status = ClusterStatus(target="pool", state="up")
            registry.register(PoolMetrics(lambda: Figures(pool="pool", status=status)))
        return registry

    for process in ("Router", "Workers", "Gate", "Exporter"):
        expected = {
            (f"{metric.name}_total" if metric.type == "counter" else metric.name, metric.type)
            for metric in registry_of(process).collect()
        }
        rows = tables("reference/metrics.md")[process][1:]
        assert {(codes(name)[0], kind) for name, kind, *_ in rows} == expected


def test_every_reason_of_the_gate_is_named() -> None:
    reasons = {word for node in calls("Refused") for word in words(node.args[0])}
    reasons |= {word for node in calls("Refusal") for word in words(node.args[1])}
    given = [keyword for node in calls("Reply") for keyword in node.keywords if keyword.arg == "reason"]
    reasons |= {word for keyword in given for word in words(keyword.value)}
    reasons |= {word for node in calls("rejected") for word in words(node.args[0])}
    named = re.search(r"^The reasons: (.*)$", (DOCS / "reference" / "metrics.md").read_text(), re.MULTILINE)
    assert named
    assert set(codes(named[1])) == reasons


# ---------------------------------------------------------------- reference/http.md


def test_every_path_stands_in_its_table() -> None:
    public = [*health_routes(nobody, nobody), *model_routes(nobody), *route_routes(nobody), metrics_route(nobody)]
    page = "reference/http.md"
    assert set(first_column(page, "Public listener")) == requests([*public]) | {f"POST {CHAT_PATH}"}
    one, several = (
        requests([*admin_routes(nobody, nobody)]),
        requests([*all_workers_routes(cast(Any, SimpleNamespace(reload=nobody, scrape=nobody)), nobody)]),
    )
    assert several == one | {"GET /admin/workers"}
    pages = requests([*ui_routes(nobody), *Login(nobody, cast(Any, None)).routes()])
    assert set(first_column(page, "Admin listener")) == several | pages
    assert set(first_column(page, "Exporter")) == requests(exporter_app(nobody).routes)
    gate = {f"{method} {path.decode()}" for method, path in FORWARDED | {("GET", STATUS_PATH)}}
    assert set(first_column(page, "Gate")) == gate | {"GET /livez", "GET /readyz"}


def test_every_error_is_listed_with_its_status_and_every_listed_one_exists() -> None:
    listed = {(int(row[0]), code) for row in tables("reference/http.md")["Errors"][1:] for code in codes(row[1])}
    raised = {
        (status.value, code.value)
        for node in calls("ClientError", "NoTarget", "Refusal", "error_body")
        for status, code in [node.args[:2]]
        if isinstance(status, ast.Constant) and isinstance(code, ast.Constant)
    }
    assert raised <= listed
    source = "".join(path.read_text() for path in SOURCE.rglob("*.py"))
    assert [code for _, code in listed if f'"{code}"' not in source] == []


def test_every_request_header_is_listed_and_its_example_is_understood() -> None:
    rows = tables("reference/http.md")["Request headers"][1:]
    examples = {codes(name)[0].lower(): codes(example)[0] for name, example, _ in rows}
    source = (SOURCE / "api" / "requirements.py").read_text()
    assert examples.keys() == {f"x-llm-{name}" for name in re.findall(r'given\.pop\("([a-z0-9-]+)"', source)}
    for name, example in examples.items():
        read_requirements([(name.encode(), example.encode())], None, Vocabulary(regions=frozenset({example})))


def test_the_openapi_document_has_the_paths_headers_and_statuses_of_the_page() -> None:
    said, page = document("1.0.0"), tables("reference/http.md")
    methods = {
        f"{method.upper()} {path}" for path, each in said["paths"].items() for method in each.keys() - {"parameters"}
    }
    assert methods == set(first_column("reference/http.md", "Public listener"))
    assert said["components"]["parameters"].keys() == set(first_column("reference/http.md", "Request headers"))
    answered = said["paths"][CHAT_PATH]["post"]["responses"]["200"]["headers"].keys()
    assert answered <= set(first_column("reference/http.md", "Answer headers"))
    # What takes another method is no operation of the document.
    statuses = {row[0] for row in page["Errors"][1:]} - {"405"}
    assert said["components"]["responses"].keys() == statuses


# ---------------------------------------------------------------- reference/cli.md


def test_every_command_has_its_section_with_every_option() -> None:
    page = tables("reference/cli.md")
    listed = {
        heading: {code.split()[0] for row in rows[1:] for code in codes(row[0])} for heading, rows in page.items()
    }
    expected = {
        path: {
            name
            for param in command.params
            if isinstance(param, click.Option)
            for name in (*param.opts, *param.secondary_opts)
        }
        for path, command in commands(llm_router)
    }
    assert listed == expected


# ---------------------------------------------------------------- concepts


def test_every_requirement_is_explained() -> None:
    assert set(first_column("concepts/request-flow.md", "Requirements")) == LASTING | PASSING


def test_the_worked_examples_of_cost_add_up() -> None:
    per_1k = usd_per_1k_tokens(node_usd_per_hour=0.0738, nodes=1, tokens_per_second=120, overhead_factor=1.10)
    cost = (10 + 17) * per_1k / 1000
    saved = 17 * 0.0001 / 1000 + 10 * 0.0005 / 1000 - cost
    page = (DOCS / "concepts" / "cost.md").read_text()
    for figure in (f"= {per_1k:.9f} USD per 1K tokens", f"= {cost:.8f} USD", f"= {saved:.8f} USD"):
        assert figure in page


# ---------------------------------------------------------------- examples


def secret(number: int) -> str:
    return base64.b64encode(bytes((number, *range(1, 32)))).decode()


ENVIRONMENT = {
    "AWS_GATE_KEY": secret(1),
    "AWS_GATE_KEY_NEXT": secret(2),
    "OPENAI_API_KEY": "sk-0123456789abcdef",
    "LLAMA_API_KEY": "0123456789abcdef0123456789abcdef",
    "GCP_API_KEY": "AIzaSyA-0123456789abcdef",
}


@pytest.mark.parametrize("document", ["README.md", "docs/how-to/run-the-router.md"])
def test_the_example_of_a_configuration_loads_without_a_warning(document: str) -> None:
    (example,) = (block for block in blocks(ROOT / document, "yaml") if "externalProviders:" in block)
    assert parse(example, env=ENVIRONMENT).warnings == ()


def test_the_parts_of_an_exporters_file_load_with_the_rest_of_one(tmp_path: Path) -> None:
    parts = [yaml.safe_load(block) for block in blocks(DOCS / "how-to" / "live-node-prices.md", "yaml")]
    parts = [part for part in parts if "kind" not in part]
    assert {key for part in parts for key in part} >= {"price", "upstreams", "kubernetes", "metrics", "status"}
    for part in parts:
        usual: dict[str, Any] = {"pool": "aws-us-west-2", "price": {"usdPerHour": 0.5}}
        here = {} if "kubernetes" in part else {"upstreams": [{"url": "http://127.0.0.1:8081"}]}
        (tmp_path / "exporter.yaml").write_text(yaml.safe_dump(usual | here | part))
        check_exporter(load_struct(str(tmp_path / "exporter.yaml"), ExporterConfig, ENVIRONMENT))


def test_the_examples_of_gate_and_exporter_load(tmp_path: Path) -> None:
    how_to = DOCS / "how-to" / "put-a-gate-in-front-of-llama-server.md"
    for block in blocks(how_to, "yaml"):
        name = block.partition("\n")[0].removeprefix("# ")
        file = tmp_path / name if name in FILES else tmp_path / "other.yaml"
        file.write_text(block)
    check_gate(load_struct(str(tmp_path / "gate.yaml"), GateConfig, ENVIRONMENT))
    check_exporter(load_struct(str(tmp_path / "exporter.yaml"), ExporterConfig, ENVIRONMENT))
