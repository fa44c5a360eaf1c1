"""The peek at a line's fixed places says the same as parsing it whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_usage.logs import RolloutDecoder
from tests.support.cases import case_folders
from tests.support.rollouts import Rollout


class Facts:
    """A sink that keeps what it is told, but for byte positions."""

    wants_repeats = True

    def __init__(self) -> None:
        self.told: list[Any] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        def keep(*facts: Any) -> None:
            position = name in ("count", "record")
            values = [fact() if callable(fact) else fact for fact in facts[position:]]
            if name == "windows":
                values = [[window[1:] for window in map(_fields, values[0])]]
            self.told.append((name, values))

        return keep


def _fields(window: Any) -> tuple[Any, ...]:
    return tuple(getattr(window, name) for name in window.__struct_fields__)


def facts(path: Path) -> list[Any]:
    """Everything that a log tells."""
    sink = Facts()
    RolloutDecoder(sink).read(str(path), 0)
    return sink.told


@pytest.mark.parametrize("case", case_folders()[::4], ids=lambda case: case.name)
def test_a_recorded_log_says_the_same_with_another_spacing(tmp_path: Path, case: Path) -> None:
    for path in sorted((case / "codex_home").rglob("rollout-*.jsonl")):
        spaced = tmp_path / path.name
        lines = [json.dumps(json.loads(line), ensure_ascii=False) for line in path.read_bytes().splitlines()]
        spaced.write_text("\n".join(lines) + "\n", encoding="utf-8")
        ours = [fact for fact in facts(path) if fact[0] != "windows"]
        theirs = [fact for fact in facts(spaced) if fact[0] != "windows"]
        assert ours == theirs, path.name


def test_lines_of_kinds_to_come_are_told_and_those_known_are_not(tmp_path: Path) -> None:
    log = Rollout().turn()
    for kind in ("world_state", "realtime_item", "inter_agent_communication_metadata", "security_risk_score"):
        log.line(kind, {"any": "thing", "x": "y" * 100})
    log.line("something_new", {"any": "thing", "x": "y" * 100}).event("new_event", x="y" * 100).item(
        "new_item", x="y" * 100
    )
    skipped = [values for name, values in facts(log.write(tmp_path)) if name == "skip"]
    assert skipped == [["unknown_line"]]


def test_bare_lines_of_the_first_versions_are_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "rollout-old.jsonl"
    path.write_text(
        '{"id":"x","timestamp":"2025-08-01T00:00:00.000Z","instructions":null,"git":{"branch":"main"}}\n'
        '{"record_type":"state"}\n'
        '{"type":"message","role":"user","content":[{"type":"input_text","text":"long enough to peek"}]}\n',
        encoding="utf-8",
    )
    assert facts(path) == []
