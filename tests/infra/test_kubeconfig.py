from __future__ import annotations

import json
from typing import Any

from llm_infra import kubeconfig


def made(ca: str | None) -> dict[str, Any]:
    text = kubeconfig.with_command(
        cluster="c", server="https://x", ca_base64=ca, command="aws", args=["eks"], install_hint="install it"
    )
    return dict(json.loads(text))


def test_the_cloud_is_asked_for_the_token() -> None:
    config = made("Y2E=")
    assert config["current-context"] == "c"
    assert config["clusters"] == [
        {"name": "c", "cluster": {"server": "https://x", "certificate-authority-data": "Y2E="}}
    ]
    (user,) = config["users"]
    assert user["user"]["exec"]["command"] == "aws"
    assert user["user"]["exec"]["interactiveMode"] == "Never"


def test_a_public_certificate_needs_no_ca() -> None:
    assert made(None)["clusters"] == [{"name": "c", "cluster": {"server": "https://x"}}]
