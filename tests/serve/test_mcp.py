"""The MCP server over stdio, as a client meets it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.mcp import Server
from tests.support.spending import Spent, home, thread_id

TOOLS = (
    "usage_summary", "usage_explain", "usage_recommendations", "usage_threads", "usage_calls", "diagnostics",
)  # fmt: skip
SUMS = ("usage_summary", "usage_threads", "usage_calls")
LONG = "Überlange Namen 🙂 " * 12


def environment(folder: Path) -> dict[str, str]:
    """What Codex hands to a server, and where everything is."""
    return {
        "CODEX_HOME": str(folder / "home"),
        "CLAUDE_CONFIG_DIR": str(folder / "none"),
        "CODEX_USAGE_HOME": str(folder / "data"),
        "TZ": "UTC",
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with 130 threads, long names and 520 calls in November."""
    folder = tmp_path_factory.mktemp("mcp")
    calls = [
        Spent(
            at=f"2026-11-{1 + n % 20:02d}T{n % 24:02d}:{n % 60:02d}Z",
            thread=n % 130,
            model=f"gpt-5.5-{LONG[: n % 40]}".strip(),
            folder=f"{n % 13}-{LONG[:60]}",
            effort="high" if n % 3 else None,
            input=1000 + n,
            cached=n,
            output=n,
        )
        for n in range(520)
    ]
    home(folder, calls)
    names = [{"id": thread_id(n), "thread_name": f"{LONG} {n}"} for n in range(0, 130, 2)]
    text = "".join(json.dumps(name, ensure_ascii=False) + "\n" for name in names)
    (folder / "home" / "session_index.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """One server for the questions that change nothing."""
    with Server(environment(folder)) as server:
        yield server


# -- what a client sees first -----------------------------------------------------------------------------------


def test_it_names_itself_and_its_use_in_250_characters(server: Server) -> None:
    assert server.hello["serverInfo"]["name"] == "codex-usage"
    assert 0 < len(server.hello["instructions"]) <= 250
    assert "tools" in server.hello["capabilities"]


def test_every_tool_but_the_page_is_read_only_and_its_schema_is_one(server: Server) -> None:
    """What is neither destructive nor open runs unprompted, so the page does too."""
    tools = server.request("tools/list")["tools"]
    assert tuple(tool["name"] for tool in tools) == (*TOOLS, "usage_call_context", "usage_dashboard")
    for tool in tools:
        reads = tool["name"] != "usage_dashboard"
        assert tool["annotations"] == {"readOnlyHint": reads, "destructiveHint": False, "openWorldHint": False}
        assert "outputSchema" not in tool
        jsonschema.Draft202012Validator.check_schema(tool["inputSchema"])
        jsonschema.validate({}, tool["inputSchema"])


@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_answers_without_arguments_in_one_block_of_minified_json(server: Server, tool: str) -> None:
    text = server.text(tool)
    told = json.loads(text)
    assert text == json.dumps(told, separators=(",", ":"), ensure_ascii=False)
    own = {"usage_explain": {"headline", "drivers", "data_quality"}, "usage_recommendations": {"headline", "quality"},
           "diagnostics": {"section", "status", "tables"}}  # fmt: skip
    assert {"period"} | own.get(tool, {"total", "quality"}) <= told.keys()
    assert len(told.get("rows", [])) <= 8


@pytest.mark.parametrize(
    "allowed", [None, "0", "CODEX_USAGE_ALLOW_RAW_CONTEXT", "CODEX_USAGE_TRACKER_ALLOW_RAW_CONTEXT"]
)
def test_log_lines_reach_a_model_only_where_the_user_allowed_it(folder: Path, allowed: str | None) -> None:
    """One clear sentence otherwise, in which the variable is named."""
    env = environment(folder)
    if allowed is not None:
        env |= {"CODEX_USAGE_ALLOW_RAW_CONTEXT": "0"} if allowed == "0" else {allowed: "1"}
    with Server(env) as server:
        rows = json.loads(server.text("usage_calls", {"period": "all", "limit": 1}))
        call = rows["rows"][0][rows["columns"].index("call")]
        asked = server.request("tools/call", {"name": "usage_call_context", "arguments": {"call": call}})
    text = asked["content"][0]["text"]
    if allowed in (None, "0"):
        assert asked["isError"]
        assert text == "Log lines are shown only where the user set CODEX_USAGE_ALLOW_RAW_CONTEXT=1 for this server."
    else:
        told = json.loads(text)
        assert told["call"].startswith(call)
        assert told["columns"] == ["line", "kind", "label", "tokens", "since_turn_s", "text"]
        assert "token_usage_record" in {row[1] for row in told["rows"]}


def test_the_page_is_written_and_its_place_is_told(folder: Path, server: Server) -> None:
    told = json.loads(server.text("usage_dashboard"))
    page = folder / "data" / "dashboard.html"
    assert (told["path"], told["url"], told["calls"]) == (str(page), page.as_uri(), 520)
    assert page.read_bytes().startswith(b"<!doctype html>")
    assert page.stat().st_size == told["bytes"]


def test_a_private_page_does_not_tell_its_place_but_how_to_open_it(folder: Path) -> None:
    with Server(environment(folder) | {"CODEX_USAGE_PRIVACY_MODE": "redacted"}) as server:
        text = server.text("usage_dashboard")
    assert str(folder) not in text
    assert json.loads(text)["next"] == "codex-usage open-dashboard opens it"


# -- questions --------------------------------------------------------------------------------------------------


def test_a_summary_tells_total_rows_and_rest_that_add_up(server: Server) -> None:
    told = server.told("usage_summary", {"period": "all", "by": "project", "limit": 5})
    at = told["columns"].index("calls")
    assert told["columns"][0] == "project"
    assert sum(row[at] for row in told["rows"]) + told["rest"]["calls"] == told["total"]["calls"] == 520
    assert told["rest"]["groups"] == 8


def test_two_words_filters_and_days_work_together(server: Server) -> None:
    asked = {"period": "2026-11-01..2026-11-10", "by": "effort,day", "effort": "HIGH", "limit": 100}
    told = server.told("usage_summary", asked)
    assert len(told["rows"]) == 10
    assert all(row[0].startswith("high / 2026-11-") for row in told["rows"])


def test_the_calling_thread_is_current(server: Server) -> None:
    for tool in SUMS:
        told = server.told(tool, {"thread": "current"}, thread=thread_id(3))
        assert told["total"]["calls"] == 4
        assert told["total"]["threads"] == 1
    assert server.told("usage_threads", {"thread": "current"}, thread=thread_id(3))["thread"] == thread_id(3)
    assert "does not tell which thread" in server.refused("usage_threads", {"thread": "current"})
    assert "No thread" in server.refused("usage_threads", {"thread": "current"}, thread="019f-unknown")


@pytest.mark.parametrize("tool", ["usage_threads", "usage_calls"])
@pytest.mark.parametrize("detail", ["concise", "full"])
def test_the_cursor_leads_to_every_row_once(server: Server, tool: str, detail: str) -> None:
    rows: list[Any] = []
    asked: dict[str, Any] = {"period": "all", "limit": 100, "detail": detail, "order": "recent"}
    for _ in range(60):
        text = server.text(tool, asked)
        assert len(text.encode()) <= 16_384
        told = json.loads(text)
        rows += told["rows"]
        if "cursor" not in told:
            break
        asked["cursor"] = told["cursor"]
    firsts = [row[0] for row in rows]
    assert len(firsts) == len(set(firsts)) == told["total"]["threads" if tool == "usage_threads" else "calls"]


@pytest.mark.parametrize("by", ["model", "project", "thread", "day"])
def test_full_detail_of_a_hundred_long_names_stays_within_16_kb_and_adds_up(server: Server, by: str) -> None:
    text = server.text("usage_summary", {"period": "all", "by": f"{by},project", "limit": 100, "detail": "full"})
    told = json.loads(text)
    assert len(text.encode()) <= 16_384
    at = told["columns"].index("calls")
    assert sum(row[at] for row in told["rows"]) + told.get("rest", {}).get("calls", 0) == 520


# -- mistakes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("usage_summary", {"group_by": "model"}, "no argument 'group_by'"),
        ("usage_summary", {"by": "colour"}, "use model"),
        ("usage_summary", {"period": "next week"}, "Unknown period"),
        ("usage_summary", {"period": 7}, "must be a text"),
        ("usage_summary", {"limit": "many"}, "whole number"),
        ("usage_summary", {"limit": -1}, "whole number"),
        ("usage_summary", {"limit": True}, "whole number"),
        ("usage_summary", {"limit": 2.5}, "whole number"),
        ("usage_summary", {"model": ["gpt"]}, "must be a text"),
        ("usage_summary", {"model": "gpt-9"}, "No model"),
        ("usage_summary", {"provider": "azure"}, "codex or claude"),
        ("usage_summary", {"detail": "all"}, "concise or full"),
        ("usage_threads", {"order": "alphabet"}, "use cost"),
        ("usage_threads", {"thread": "zzzzzzzz"}, "No thread"),
        ("usage_threads", {"thread": {"id": 1}}, "must be a text"),
        ("usage_threads", {"cursor": "abc"}, "whole number"),
        ("usage_calls", {"order": "calls"}, "use cost"),
        ("usage_calls", {"by": "model"}, "no argument 'by'"),
        ("usage_everything", {}, "the tools are usage_summary"),
    ],
)
def test_a_mistake_is_an_error_of_one_sentence_with_the_mend(
    server: Server, tool: str, arguments: dict[str, Any], words: str
) -> None:
    sentence = server.refused(tool, arguments)
    assert words in sentence
    assert "\n" not in sentence
    assert len(sentence) < 300


def test_numbers_as_text_and_empty_words_are_taken_as_meant(server: Server) -> None:
    told = server.told("usage_threads", {"period": "all", "limit": "2", "cursor": "1", "model": "", "thread": ""})
    assert len(told["rows"]) == 2
    assert len(server.told("usage_threads", {"period": "all", "limit": 1000})["rows"]) <= 100


def test_an_unknown_method_does_not_end_the_server(server: Server) -> None:
    assert "error" in server.answer(server.ask("no/such/method"))
    assert server.told("usage_summary")["period"]


# -- several at once, broken surroundings -----------------------------------------------------------------------


def test_ten_questions_at_once_on_a_new_index_are_all_answered(folder: Path, tmp_path: Path) -> None:
    with Server(environment(folder) | {"CODEX_USAGE_HOME": str(tmp_path)}) as server:
        asked = [server.ask("tools/call", {"name": SUMS[n % 3], "arguments": {"period": "all"}}) for n in range(10)]
        told = [json.loads(server.answer(number)["result"]["content"][0]["text"]) for number in asked]
    assert {one["total"]["calls"] for one in told} == {520}


def test_two_servers_share_a_new_index(folder: Path, tmp_path: Path) -> None:
    env = environment(folder) | {"CODEX_USAGE_HOME": str(tmp_path)}
    with Server(env) as one, Server(env) as other:
        asked = [
            each.ask("tools/call", {"name": "usage_summary", "arguments": {"period": "all"}}) for each in (one, other)
        ]
        told = [
            json.loads(each.answer(n)["result"]["content"][0]["text"])
            for each, n in zip((one, other), asked, strict=True)
        ]
    assert [each["total"]["calls"] for each in told] == [520, 520]


def test_a_deleted_index_is_made_again(folder: Path, tmp_path: Path) -> None:
    with Server(environment(folder) | {"CODEX_USAGE_HOME": str(tmp_path)}) as server:
        before = server.told("usage_summary", {"period": "all"})
        for file in tmp_path.iterdir():
            file.unlink()
        assert server.told("usage_summary", {"period": "all"})["total"] == before["total"]


def test_while_another_process_writes_the_answer_is_what_is_there_and_says_so(tmp_path: Path) -> None:
    home(tmp_path, [Spent(thread=1)])
    with Server(environment(tmp_path)) as server:
        assert "coverage" not in server.told("usage_summary", {"period": "all"})
        home(tmp_path, [Spent(thread=2)])
        (index,) = (tmp_path / "data").glob("index-*.sqlite")
        writer = sqlite3.connect(index, isolation_level=None)
        writer.execute("BEGIN IMMEDIATE")
        locked = server.told("usage_summary", {"period": "all"})
        writer.execute("ROLLBACK")
        writer.close()
        freed = server.told("usage_summary", {"period": "all"})
    assert locked["total"]["calls"] == 1
    assert "another process" in locked["coverage"]
    assert freed["total"]["calls"] == 2
    assert "coverage" not in freed


@pytest.mark.parametrize("content", [b"SQLite format 3\x00 but not really", b"", b"hello" * 1000])
def test_what_is_not_an_index_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    home(tmp_path, [Spent()])
    with Server(environment(tmp_path)) as server:
        server.text("usage_summary")
        (index,) = (tmp_path / "data").glob("index-*.sqlite")
        for file in (tmp_path / "data").iterdir():
            file.unlink()
        index.write_bytes(content)
        if content:
            assert "not a codex-usage index" in server.refused("usage_summary")
            assert index.read_bytes() == content
        else:
            assert server.told("usage_summary")["period"]


def test_a_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    home(tmp_path, [Spent()])
    with Server(environment(tmp_path)) as server:
        server.text("usage_summary")
        (index,) = (tmp_path / "data").glob("index-*.sqlite")
        for file in (tmp_path / "data").iterdir():
            file.unlink()
        with sqlite3.connect(index) as other:
            other.execute("CREATE TABLE mine (id)")
        other.close()
        assert "not a codex-usage index" in server.refused("usage_summary")
    with sqlite3.connect(index) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
    other.close()


def test_without_any_home_it_says_where_it_looked(tmp_path: Path) -> None:
    with Server(environment(tmp_path / "nowhere")) as server:
        assert "set CODEX_HOME" in server.refused("usage_summary")


def test_a_home_without_logs_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with Server(environment(tmp_path)) as server:
        assert server.told("usage_summary")["quality"] == "no logs found"
        for tool in SUMS:
            assert server.told(tool, {"period": "all"})["total"] == {"cost_usd": 0.0}
        assert server.told("usage_explain")["headline"].startswith("Nothing unusual in the last 30 days")


def test_a_folder_it_cannot_write_is_one_sentence(tmp_path: Path) -> None:
    home(tmp_path, [Spent()])
    with Server(environment(tmp_path) | {"CODEX_USAGE_HOME": "/proc/nowhere"}) as server:
        assert "set CODEX_USAGE_HOME to a folder you can write" in server.refused("usage_summary")


# -- its end ----------------------------------------------------------------------------------------------------


def test_it_ends_when_the_client_hangs_up(folder: Path) -> None:
    with Server(environment(folder)) as server:
        assert server.close() == 0
    assert server.errors == b""


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(folder: Path, sign: signal.Signals) -> None:
    with Server(environment(folder)) as server:
        server.text("usage_summary")
        os.kill(server.process.pid, sign)
        assert server.process.wait(10) in (0, -sign, 128 + sign)


def test_what_is_no_json_is_answered_or_passed_over(folder: Path) -> None:
    with Server(environment(folder)) as server:
        assert server.process.stdin
        server.process.stdin.write(b"hello\n{\n\n\xff\xfe\n")
        server.process.stdin.flush()
        assert server.told("usage_summary")["period"]
        server.strange.clear()  # a JSON-RPC error without an id is allowed
