"""The context of every call of every recorded case: what stands between its bounds, read plainly here again."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from codex_usage.answers.calls import call_id
from codex_usage.evidence.context import call_context
from codex_usage.evidence.results import Evidence
from codex_usage.index import open_index, refresh
from tests.support.cases import case_folders
from tests.support.index import places_of

Row = dict[str, Any]


@cache
def _contexts(case: Path) -> dict[str, list[tuple[int, Evidence]]]:
    """By log, (line of usage, evidence) of each of its calls in order."""
    found: dict[str, list[tuple[int, Evidence]]] = {}
    with TemporaryDirectory() as folder, open_index(Path(folder) / "index.sqlite") as index:
        places = places_of(case / "codex_home", data=Path(folder))
        refresh(index, places)
        rows = index.sql.execute(
            "SELECT c.uid, f.path, c.position FROM calls c JOIN files f ON f.id = c.file_id ORDER BY f.id, c.position"
        ).fetchall()
        for uid, path, position in rows:
            told = call_context(index, places, call_id(uid), most_entries=200, tool_output=True)
            usage = next(n for n, (start, _) in enumerate(_lines(path), 1) if start == position)
            found.setdefault(path, []).append((usage, told))
    return found


def _lines(path: str) -> list[tuple[int, Row]]:
    data = Path(path).read_bytes()
    if path.endswith(".zst"):
        import zstandard

        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    rows, start = [], 0
    for line in data.splitlines(keepends=True):
        rows.append((start, json.loads(line)))
        start += len(line)
    return rows


def _payload(row: Row) -> Row:
    return row.get("payload") or {}


def _from_model(row: Row) -> bool:
    body = _payload(row)
    kind = body.get("type", "")
    own = kind == "reasoning" or kind.endswith("_call") or (kind == "message" and body["role"] == "assistant")
    return row["type"] == "response_item" and own


@pytest.mark.parametrize("case", case_folders(), ids=lambda case: case.name)
def test_context_is_that_of_the_billed_call(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))["calls"]
    shown = {
        (Path(call["file"]).name.removesuffix(".zst"), call["line"], call["thread"])
        for call in expected
        if call["recoverable"]
    }
    usages = {
        (Path(path).name.removesuffix(".zst"), line) for path, told in _contexts(case).items() for line, _ in told
    }
    # of a call that a fork copied, the ledger may name the copy; its evidence is in its own thread's log
    assert {(name, line) for name, line, thread in shown if thread in name} <= usages
    assert len(usages) == len(shown)


@pytest.mark.parametrize("case", case_folders(), ids=lambda case: case.name)
def test_entries_lie_between_the_bounds_of_their_call(case: Path) -> None:
    for path, calls in _contexts(case).items():
        rows = [row for _, row in _lines(path)]
        owners: Counter[int] = Counter()
        asked: dict[str, int] = {}
        for place, (usage, told) in enumerate(calls):
            lines = [entry.line for entry in told.entries]
            assert usage in lines
            assert lines == sorted(set(lines))
            bounds = [line for line in lines if rows[line - 1]["type"] != "turn_context"]
            before = calls[place - 1][0] if place else 0
            late = rows[usage - 1]["type"] == "event_msg"  # tools may have given out before the usage line
            assert late or all(line > before for line in bounds if "settings" not in str(_payload(rows[line - 1])))
            for line in lines:
                body = _payload(rows[line - 1])
                owners[line] += _from_model(rows[line - 1])
                if _from_model(rows[line - 1]) and "call_id" in body:
                    asked[body["call_id"]] = place
                known = body.get("call_id") in asked and "shapes" not in case.name
                if known and body.get("type", "").endswith("_output"):
                    assert asked[body["call_id"]] == place - 1, "what a tool gives out goes to the next call"
                assert not re.search(r"^event_msg.(user|agent)_message", f"{rows[line - 1]['type']}.{body.get('type')}")
        assert max(owners.values(), default=0) <= 1, "what the model said belongs to one call"


@pytest.mark.parametrize("version", ["0.36.0", "0.58.0", "0.98.0", "0.130.0", "0.147.0", "0.169.0"])
def test_everything_that_was_said_is_in_the_context_of_some_call(version: str) -> None:
    case = next(case for case in case_folders() if case.name == f"{version}-tools")
    for path, calls in _contexts(case).items():
        told = {entry.line for _, one in calls for entry in one.entries}
        spoken = {n for n, (_, row) in enumerate(_lines(path), 1) if row["type"] == "response_item"}
        assert spoken <= told


@pytest.mark.parametrize("case", case_folders(), ids=lambda case: case.name)
def test_text_of_an_entry_is_that_of_its_line(case: Path) -> None:
    for path, calls in _contexts(case).items():
        rows = [row for _, row in _lines(path)]
        for _, told in calls:
            for entry in told.entries:
                body = _payload(rows[entry.line - 1])
                if body.get("type") == "message" and not entry.truncated and not told.redactions:
                    text = "\n".join(part["text"] for part in body["content"])
                    assert entry.text == text or '"' in text  # JSON is told key by key
