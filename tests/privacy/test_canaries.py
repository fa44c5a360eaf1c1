"""A canary in everything that was said, in every line of every recorded home: it is counted the same, and nothing of
what was said gets into the index."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import zstandard

from codex_usage.answers.calls import call_id
from codex_usage.evidence.context import call_context
from codex_usage.homes import Places
from codex_usage.index import Index, open_index, refresh
from codex_usage.index.facts import refresh_facts
from tests.support.cases import case_folders
from tests.support.index import places_of, snapshot
from tests.support.transcripts import Transcript

CANARY = "kanarie"
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
#: The texts that are no content, by their keys; every other text gets a canary.
KEPT = frozenset(
    word
    for words in (
        # what a line is, and when; the producer's version decides how it is read
        "type record_type role timestamp created_at updated_at cli_version version history_mode",
        # which thread, turn, response or tool use it belongs to
        "id thread_id session_id turn_id call_id response_id compaction_response_id parent_thread_id forked_from_id"
        " root_turn_id parent_turn_id agent_thread_id sessionId requestSessionId promptId tool_use_id",
        # how it was billed
        "model effort reasoning_effort service_tier speed limit_id plan_type balance",
        # where and by whom it was begun: stored, and hidden by the privacy modes (test_modes.py)
        "cwd branch gitBranch repository_url git_origin_url originator source entrypoint thread_source turn_trigger",
        "agent_role agent_nickname agent_path subagent other thread_name",
        # which tool: of other tools than Codex's own, names of MCP servers and their tools are stored
        "name namespace server tool status",
    )
    for word in words.split()
)
#: Columns of Codex's databases without content.
KEPT_COLUMNS = KEPT | {"rollout_path", "child_thread_id", "thread_section_id", "project_id"}


def planted(value: Any, key: str = "", kept: frozenset[str] = KEPT) -> Any:
    """A JSON value with a canary in each text that may be content, in each key that is a path or a name with a dot,
    and in all of a JSON text in a text."""
    if isinstance(value, dict):
        return {
            f"{each}.{CANARY}" if {"/", "."} & set(each) else each: planted(value[each], each, kept) for each in value
        }
    if isinstance(value, list):
        return [planted(each, key, kept) for each in value]
    if not isinstance(value, str) or key in kept:
        return value
    with suppress(ValueError):
        if value[:1] in ("{", "["):
            return json.dumps(planted(json.loads(value), key, frozenset()))
    return f"{value} {CANARY}.{key} {TOKEN}"


def lines_of(data: bytes) -> bytes:
    """The lines of a log, planted, in the layout that they had."""
    rows = (planted(json.loads(line)) for line in data.splitlines())
    return b"".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for row in rows)


def plant(case: Path, home: Path, replaced: dict[bytes, bytes] | None = None) -> None:
    """A case's home with canaries: its logs, names, databases, and the files beside them that hold what was said."""
    home.mkdir(parents=True, exist_ok=True)
    for path in sorted(path for path in (case / "codex_home").rglob("*") if path.is_file()):
        target, data = home / path.relative_to(case / "codex_home"), path.read_bytes()
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".zst":
            data = zstandard.ZstdDecompressor().stream_reader(data).read()
        for old, new in (replaced or {}).items() if ".jsonl" in path.name else ():
            data = data.replace(old, new)
        data = lines_of(data) if ".jsonl" in path.name else data
        target.write_bytes(zstandard.ZstdCompressor().compress(data) if path.suffix == ".zst" else data)
        if path.suffix == ".sqlite":
            plant_database(target)
    said = f"{CANARY} {TOKEN}"
    (home / "history.jsonl").write_text(json.dumps({"session_id": "1", "ts": 1, "text": said}), encoding="utf-8")
    (home / "auth.json").write_text(json.dumps({"tokens": {"access_token": said}}), encoding="utf-8")
    (home / "config.toml").write_text(
        f'developer_instructions = "{said}"\n[mcp_servers.docs]\ncommand = "docs"\nenv = {{KEY = "{said}"}}\n'
        f'[otel.exporter.otlp-http]\nendpoint = "https://{CANARY}.test/{TOKEN}"\n',
        encoding="utf-8",
    )


def plant_database(path: Path) -> None:
    """Titles, previews and first messages of a database of Codex, and every other text but those of KEPT_COLUMNS."""
    with closing(sqlite3.connect(path)) as sql, sql:
        for (table,) in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, column, kind, *_ in sql.execute(f'PRAGMA table_info("{table}")').fetchall():
                if kind == "TEXT" and column not in KEPT_COLUMNS and not table.startswith(("_sqlx", "sqlite_")):
                    sql.execute(
                        f'UPDATE OR IGNORE "{table}" SET "{column}" = "{column}" || ?', (f" {CANARY}.{column}",)
                    )


def write_claude(home: Path) -> list[Path]:
    """A Claude Code home with rows of every recorded kind and a subagent; its logs."""
    log = Transcript().row("queue-operation", operation="enqueue", content="do it").prompt()
    log.row("last-prompt", lastPrompt="do it").row("summary", summary="words")
    log.row("attachment", attachment={"type": "environment", "text": "words", "gitStatus": "words", "tools": ["Bash"]})
    log.row("system", subtype="api_error", error={"message": "words"}, level="error")
    usage = {"input_tokens": 5, "output_tokens": 7, "service_tier": "standard"}
    for block in (
        {"type": "thinking", "thinking": "words", "signature": "c2ln"},
        {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls", "description": "words"}},
    ):
        body = {"id": "msg_9", "model": log.model, "role": "assistant", "content": [block], "usage": usage}
        log.row("assistant", message=body)
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "words"}]}
    log.row("user", message={"role": "user", "content": [result]}, toolUseResult={"stdout": "words", "stderr": ""})
    log.answer("msg_1", input=10, output=4, blocks=2)
    return [one.write(home) for one in (log, Transcript(agent="a1").prompt().answer("msg_2", input=20, output=5))]


def plant_claude(home: Path) -> None:
    """That home with canaries."""
    for path in write_claude(home):
        path.write_bytes(lines_of(path.read_bytes()))
    (home / "history.jsonl").write_text(json.dumps({"display": f"{CANARY} {TOKEN}"}), encoding="utf-8")


def leaked(files: Iterable[Path]) -> set[str]:
    """The files that hold a canary or the planted token."""
    marks = (CANARY.encode(), TOKEN.encode().lower())
    return {path.name for path in files if any(mark in path.read_bytes().lower() for mark in marks)}


def read(folder: Path, *codex: Path, claude: tuple[Path, ...] = ()) -> tuple[Places, Index]:
    """An index of homes after both passes."""
    folder.mkdir(exist_ok=True)
    places = places_of(*codex, claude=claude, data=folder)
    index = open_index(places.index)
    refresh(index, places)
    refresh_facts(index, places)
    return places, index


def figures(index: Index) -> dict[str, Any]:
    """All that is counted, without places in files, which the canaries move."""
    calls = (
        "SELECT time_ms, turn_key, origin, input, cached, output, reasoning, compaction, cost, duration_ms FROM calls"
    )
    windows = "SELECT minutes, time_ms, limit_id, used_percent, resets_at, plan_type, credits_balance FROM windows"
    uses = "SELECT time_ms, outcome, duration_ms FROM facts WHERE main"
    picture = snapshot(index)
    return {
        **{name: picture[name] for name in ("threads", "turns", "days")},
        **{sql: sorted(index.sql.execute(sql).fetchall(), key=repr) for sql in (calls, windows, uses)},
    }


def check(index: Index, plain: Index, folder: Path) -> None:
    """The figures of two indexes are the same, and the first one's files in a folder hold nothing that was said."""
    with index, plain:
        assert figures(index) == figures(plain)
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert len(files) >= 3, "database, WAL and shared memory"
        assert leaked(files) == set()


@pytest.mark.parametrize("case", case_folders(), ids=lambda case: case.name)
def test_what_was_said_changes_no_figure_and_leaves_no_byte_in_the_index(case: Path, tmp_path: Path) -> None:
    plant(case, tmp_path / "home")
    index, plain = read(tmp_path / "new", tmp_path / "home")[1], read(tmp_path / "plain", case / "codex_home")[1]
    check(index, plain, tmp_path / "new")


def test_the_same_holds_for_claude_code(tmp_path: Path) -> None:
    plant_claude(tmp_path / "home")
    write_claude(tmp_path / "same")
    homes = tmp_path / "home", tmp_path / "same"
    index, plain = (read(tmp_path / f"{home.name}-data", claude=(home,))[1] for home in homes)
    check(index, plain, tmp_path / "home-data")
    assert leaked(homes[0].rglob("*.jsonl")) > leaked(homes[1].rglob("*.jsonl"))


@pytest.mark.parametrize("version", ["0.36.0", "0.58.0", "0.98.0", "0.130.0", "0.147.0", "0.169.0"])
def test_only_the_evidence_of_a_call_shows_what_was_said_and_no_secret_in_it(version: str, tmp_path: Path) -> None:
    """As the proof that the canaries were where the product reads."""
    plant(next(case for case in case_folders() if case.name == f"{version}-tools"), tmp_path / "home")
    places, index = read(tmp_path / "data", tmp_path / "home")
    with index:
        shown = ""
        for (uid,) in index.sql.execute("SELECT uid FROM calls").fetchall():
            told = call_context(
                index, places, call_id(uid), mode="full", tool_output=True, compaction_history=True, most_chars=10**6
            )
            assert told.redactions
            shown += told.model_dump_json()
        assert TOKEN.lower() not in shown.lower()
        assert all(f"{CANARY}.{key}" in shown for key in ("text", "output"))
        assert f"{CANARY}.command" in shown or f"{CANARY}.cmd" in shown
        assert leaked(path for path in (tmp_path / "data").rglob("*") if path.is_file()) == set()
