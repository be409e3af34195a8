"""Secure by default: nothing starts with a configuration of the list, and the refusal says where and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.router.insecure import INSECURE, SOUND, Started, changed, is_refusal, start, tried


@pytest.mark.parametrize("mistake", INSECURE)
def test_nothing_starts_with(mistake: str, tmp_path: Path) -> None:
    result = tried(INSECURE[mistake], tmp_path)
    assert is_refusal(result, INSECURE[mistake]), (result.exit_code, result.exception, result.output)


@pytest.mark.parametrize("command", SOUND)
def test_without_the_mistake_it_starts(command: str, tmp_path: Path) -> None:
    result = start(command, changed(SOUND[command], "", ""), tmp_path)
    assert isinstance(result.exception, Started), result.output


def test_there_are_thirty_and_more() -> None:
    assert len(INSECURE) >= 30
