"""Secure by default: nothing starts with a configuration of the list, and the refusal says where and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.router.insecure import INSECURE, SOUND, Started, changed, is_refused, start


@pytest.mark.parametrize("mistake", INSECURE)
def test_nothing_starts_with(mistake: str, tmp_path: Path) -> None:
    insecure = INSECURE[mistake]
    result = start(insecure.command, changed(SOUND[insecure.command], insecure.place, insecure.value), tmp_path)
    assert is_refused(insecure, tmp_path), (result.exit_code, result.exception, result.output)


@pytest.mark.parametrize("command", SOUND)
def test_without_the_mistake_it_starts(command: str, tmp_path: Path) -> None:
    result = start(command, changed(SOUND[command], "", ""), tmp_path)
    assert isinstance(result.exception, Started), result.output


def test_there_are_thirty_and_more() -> None:
    assert len(INSECURE) >= 30
