"""Pulumi's values of an AWS resource ↔ Terraform's: other names, and lists of one where Pulumi has the thing itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_LISTS = (2, 3)


def snake(name: str) -> str:
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def type_of(token: str, known: Mapping[str, Any]) -> str:
    """``aws:ec2/vpc:Vpc`` → ``aws_vpc``."""
    _, module, name = token.split(":")
    service = module.split("/")[0]
    for found in (f"aws_{service}_{snake(name)}", f"aws_{snake(name)}", _SPELT_OTHERWISE.get(token, "")):
        if found in known:
            return found
    raise LookupError(token)


_SPELT_OTHERWISE = {
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": "aws_iam_openid_connect_provider",
    "aws:cloudwatch/logGroup:LogGroup": "aws_cloudwatch_log_group",
    "aws:autoscaling/tag:Tag": "aws_autoscaling_group_tag",
}


def block(schema: Any, given: Mapping[str, Any], path: str = "") -> tuple[dict[str, Any], list[str]]:
    """A block's value, and the paths of what the block does not have."""
    attributes = {each.name: each for each in schema.attributes}
    nested = {each.type_name: each for each in schema.block_types}
    found: dict[str, Any] = {
        **dict.fromkeys(attributes),
        **{name: [] if each.nesting in _LISTS else None for name, each in nested.items()},
    }
    strange: list[str] = []
    for key, value in given.items():
        name = next((each for each in _spellings(snake(key)) if each in found), None)
        if name is None:
            strange.append(f"{path}{key}")
        elif name in attributes:
            found[name] = _of_type(json.loads(attributes[name].type), value)
        else:
            many = nested[name].nesting in _LISTS
            blocks = [
                block(nested[name].block, each, f"{path}{key}.")
                for each in (value if isinstance(value, list) else [value])
            ]
            strange += [where for _, more in blocks for where in more]
            found[name] = [each for each, _ in blocks] if many else blocks[0][0]
    return found, strange


def proposed(schema: Any, prior: Mapping[str, Any] | None, config: Mapping[str, Any]) -> dict[str, Any]:
    """What Terraform proposes: the configuration, and for what a provider computes the value before."""
    whole = dict(config)
    for each in schema.attributes:
        if each.computed and config[each.name] is None:
            whole[each.name] = None if prior is None else prior.get(each.name)
    for each in schema.block_types:
        if prior is not None and not config[each.type_name]:
            whole[each.type_name] = prior.get(each.type_name)
    return whole


def like(example: Any, real: Any) -> Any:
    """Terraform's value in the form of Pulumi's."""
    if isinstance(real, list) and not isinstance(example, list):
        return like(example, real[0]) if real else None
    if isinstance(example, dict) and isinstance(real, dict):
        return {key: like(value, found(real, key)) for key, value in example.items()}
    if isinstance(example, list) and isinstance(real, list) and example:
        return [like(example[0], each) for each in real]
    return real


def found(state: Mapping[str, Any], key: str) -> Any:
    return next((state[each] for each in _spellings(snake(key)) if each in state), None)


def _spellings(name: str) -> Iterator[str]:
    """Pulumi has the plural where Terraform repeats a block, and the singular where there is one at most."""
    yield name
    if name.endswith("ies"):
        yield f"{name[:-3]}y"
    if name.endswith("es"):
        yield name[:-2]
    if name.endswith("s"):
        yield name[:-1]
    yield f"{name}s"


def _of_type(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, str):
        if kind != "string":
            return value
        return str(value).lower() if isinstance(value, bool) else str(value)
    form, inner = kind
    if form in ("list", "set"):
        return [_of_type(inner, each) for each in (value if isinstance(value, list) else [value])]
    if form == "map":
        return {key: _of_type(inner, each) for key, each in value.items()}
    given = {snake(key): each for key, each in value.items()}
    return {key: _of_type(each, given.get(key)) for key, each in inner.items()}
