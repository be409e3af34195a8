"""``llm-router import`` as users type it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("llm-router")
DIALECTS = Path(__file__).parent / "fixtures" / "dialects"
KEYS = {"OPENAI_API_KEY": "sk-proj-0123456789abcdef0123456789", "ANTHROPIC_API_KEY": "sk-ant-0123456789abcdef"}


def llm_router(*arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        env={"PATH": os.environ["PATH"], **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_file_converts_checks_and_explains_as_it_did_before(tmp_path: Path) -> None:
    source, target = DIALECTS / "loom/valid/one-provider.yaml", tmp_path / "router.yaml"
    done = llm_router("import", source, "--out", target)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "warning: " in done.stderr
    request = tmp_path / "request.json"
    request.write_text('{"model": "gpt-4", "messages": [{"role": "user", "content": "Hi"}]}')
    for config in (source, target):
        assert llm_router("check", "--config", config, env=KEYS).returncode == 0
    explained = [llm_router("explain", "--config", c, "--json", request, env=KEYS).stdout for c in (source, target)]
    assert explained[0] == explained[1]
    assert '"gpt-5.4-mini"' in explained[0]


def test_standard_output_holds_the_configuration_and_nothing_else() -> None:
    done = llm_router("import", "--from", "litellm", DIALECTS / "litellm/valid/one-model.yaml")
    assert done.returncode == 0
    assert done.stdout.startswith("# yaml-language-server: ")
    assert "${OPENAI_API_KEY}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--from", "envoy"), 2, "semantic-router, loom, litellm"),
        (("--from", "litellm"), 78, "this is Loom's configuration"),
        ((), 78, "--allow-literal-secrets"),
        (("--allow-literal-secrets",), 0, "warning: "),
    ],
)
def test_a_refusal_writes_nothing(arguments: tuple[str, ...], code: int, message: str, tmp_path: Path) -> None:
    source, target = tmp_path / "loom.yaml", tmp_path / "router.yaml"
    source.write_text(
        "ai_gateway: {providers: [{name: a, type: openai, api_key: sk-0123456789abcdefghij, models: [m]}]}\n"
    )
    done = llm_router("import", *arguments, source, "--out", target)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert target.exists() is (code == 0)
