"""Real Codex binaries for tests, and a fresh lab (home, work folder, mock) for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.codex import CodexLab, NpmError, install
from tests.lab.responses import MockResponses


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests that may have to install Codex first the time for it."""
    for item in items:
        if {"codex_169", "codex_130"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(600))


def binary(version: str) -> Path:
    """The installed binary, or a skip that says why there is none."""
    try:
        return install(version)
    except NpmError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def codex_169() -> Path:
    """Codex 0.169.0."""
    return binary("0.169.0")


@pytest.fixture(scope="session")
def codex_130() -> Path:
    """Codex 0.130.0."""
    return binary("0.130.0")


@pytest.fixture
def mock() -> Iterator[MockResponses]:
    """A scripted Responses API; set `mock.script` before running Codex."""
    with MockResponses() as server:
        yield server


@pytest.fixture
def lab(codex_169: Path, mock: MockResponses, tmp_path: Path) -> CodexLab:
    """Codex 0.169.0 in an empty home, pointed at the mock."""
    return CodexLab(codex_169, mock, tmp_path, model="gpt-5.5")
