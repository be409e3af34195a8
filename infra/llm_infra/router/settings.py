"""The router stack's configuration."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import Problem, SettingsError
from ..router_fragment import HOST
from ..settings.model import GitOps
from ..settings.reader import Get, Reader
from . import dns

DELIVERIES = ("none", "kubernetes", "vm")
_IMAGE = re.compile(
    r"(?P<repository>[a-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)+):(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]*)"
    r"(@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSettings:
    """``base`` is what the operator writes, ``keys`` the text of the file of API keys, empty where there is none."""

    stacks: tuple[str, ...]
    delivery: str
    on_cloud: str
    host: str
    image: str
    base: dict[str, Any]
    keys: str
    gitops: GitOps
    dns: dns.Dns | None


def image_parts(image: str) -> dict[str, str]:
    """``repository``, ``tag`` and, where there is one, ``digest``; empty for what is no image with its tag."""
    found = _IMAGE.fullmatch(image)
    return {} if found is None else {name: text for name, text in found.groupdict().items() if text}


def load(get: Get, folder: Path, given: Collection[str] = ()) -> RouterSettings:
    """``folder`` is what the names of files count from. Raises ``SettingsError`` with every problem."""
    reader = Reader("llm-router", get)
    settings = RouterSettings(
        stacks=reader.texts("stacks"),
        delivery=reader.one_of("deliver", DELIVERIES),
        on_cloud=reader.optional("onCloud") or "",
        host=reader.optional("host") or "",
        image=reader.optional("image") or "",
        base=_base(reader, folder / reader.text("baseFile")),
        keys=_keys(folder / reader.text("keysFile")),
        gitops=GitOps(repo_url=reader.optional("gitRepoUrl") or "", revision=reader.text("gitRevision"), path=""),
        dns=dns.read(reader),
    )
    reader.refuse_others(key for key in given if not key.endswith(":providerKeys"))
    reader.problems += _problems(settings)
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


def _base(reader: Reader, path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        reader.tell("baseFile", f"{path} cannot be read: {error}")
        return {}
    if not isinstance(data, dict):
        reader.tell("baseFile", f"{path}: write what the router's configuration has besides clusters")
        return {}
    return data


def _keys(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _problems(settings: RouterSettings) -> Iterator[Problem]:
    if not settings.stacks:
        yield Problem("stacks", "empty: name the cloud stacks, as pulumi stack ls prints them")
    yield from dns.problems(settings.dns, settings.host, settings.delivery)
    if settings.delivery == "none":
        return
    if not HOST.fullmatch(settings.host):
        yield Problem("host", f"{settings.host!r}: name the host that callers use, such as router.llm.example.com")
    image = image_parts(settings.image)
    if not image:
        yield Problem("image", f"{settings.image!r}: name the router's image with its tag")
    elif settings.delivery == "kubernetes" and "digest" not in image:
        yield Problem(
            "image", f"{settings.image!r}: name the image's digest behind it, @sha256:…, which is what is pulled"
        )
    if not settings.keys:
        # Behind a proxy the router listens on loopback, where it serves without keys.
        message = "not there, and without API keys everybody could spend your money: llm-router keys create --file …"
        yield Problem("keysFile", message)
    if "apiKeysFile" not in (settings.base.get("access") or {}):
        yield Problem("baseFile", "says no access.apiKeysFile: set it to /etc/llm-router/keys.yaml")
    if settings.delivery == "kubernetes":
        yield from _problems_on_kubernetes(settings)


def _problems_on_kubernetes(settings: RouterSettings) -> Iterator[Problem]:
    if not settings.on_cloud:
        yield Problem("onCloud", "not set: name the cloud whose cluster runs the router")
    if not settings.gitops.repo_url:
        yield Problem("gitRepoUrl", "not set: this repository, as Argo CD reaches it")
    for section in ("server", "admin"):
        if not isinstance(settings.base.get(section) or {}, dict):
            yield Problem("baseFile", f"{section} is no mapping: write {section}: {{…}}, or take it away")
    admin = settings.base.get("admin")
    for key in ("metrics", "metricsToken"):
        if isinstance(admin, dict) and key in admin:
            message = f"says admin.{key}: take it away; in a cluster the chart's port and the Secret that it makes "
            yield Problem("baseFile", message + "are where Prometheus reads the router's metrics")
