"""Exports of telemetry as Codex sends them, and as nobody should: numbers, ids and safe words get through."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from codex_usage.logs.otlp import NUMBERS, WORDS, Event, read_export
from codex_usage.model import BadInput
from tests.support.rollouts import NOON
from tests.support.telemetry import THREAD, bare, broken, decision, event, export, request, response, start, tool, turn

CASES = Path(__file__).resolve().parents[1] / "cases" / "otlp"
SECRET = b"k" * 32
ALL = (start(NOON), request(NOON), response(NOON), broken(NOON), turn(NOON), decision(NOON), tool(NOON))
#: What may be in a column of words, by attribute; all else that an attribute says is content.
TOLD = {"event.name", "event.timestamp", "event.kind", "conversation.id", "model", "model_reasoning_effort"}
TOLD |= {"terminal.type", "decision", "source"}


def read(*events: dict[str, Any], protobuf: bool = False) -> list[Event]:
    """The events of an export."""
    return read_export(export(*events, protobuf=protobuf), protobuf, SECRET)


def told(found: Event) -> dict[str, Any]:
    """What is kept of an event, without what is unknown."""
    words = {name: word for name, word in zip(WORDS, found.words, strict=True) if word}
    return words | {name: n for name, n in zip(NUMBERS, found.numbers, strict=True) if n is not None}


def names(found: list[Event]) -> Counter[str]:
    """How many events of each name."""
    return Counter(one.words[0].removeprefix("codex.") for one in found)


@pytest.mark.parametrize("case", sorted(CASES.glob("*.json")), ids=lambda path: path.stem)
def test_a_recorded_export_is_read_to_its_last_response(case: Path) -> None:
    """Of the two copies of each completed response only the one with tokens counts."""
    found = names(read_export(case.read_bytes(), False, SECRET))
    text = case.read_text(encoding="utf-8")
    assert found["sse_event"] == text.count('"input_token_count"') > 5
    assert text.count('"response.completed"') == 2 * found["sse_event"]
    for name in ("conversation_starts", "api_request", "turn_ttft", "tool_decision", "tool_result"):
        assert found[name] == text.count(f'"codex.{name}"') > 0


def test_an_attempt_is_kept_with_its_status_and_number() -> None:
    (found,) = read(request(NOON + 7, status=500, attempt=1, took=31))
    assert found.time_ms == NOON + 7
    assert told(found) == {
        "event": "codex.api_request", "thread": THREAD, "model": "gpt-5.5", "terminal": "xterm-256color",
        "status": 500, "attempt": 1, "took_ms": 31, "success": 0,
    }  # fmt: skip


def test_a_response_is_kept_with_its_tokens_and_its_real_effort() -> None:
    (found,) = read(bare(NOON), response(NOON, 1100, 450, 51, 20, ttft=12, effort="xhigh"))
    assert told(found) == {
        "event": "codex.sse_event", "thread": THREAD, "model": "gpt-5.5", "terminal": "xterm-256color",
        "effort": "xhigh", "ttft_ms": 12, "input": 1100, "cached": 450, "output": 51, "reasoning": 20, "success": 1,
    }  # fmt: skip


def test_a_stream_that_broke_is_one_response_that_failed() -> None:
    failed = event("sse_event", NOON, event__kind="response.failed", error__message="{}")
    (found,) = read(failed, broken(NOON))
    assert told(found)["success"] == 0


def test_a_request_over_a_websocket_says_itself_whether_it_went_well() -> None:
    found = read(*(event("websocket_request", NOON, duration_ms="4", success=word) for word in ("true", "false")))
    assert [told(one)["success"] for one in found] == [1, 0]


@pytest.mark.parametrize("one", ALL, ids=lambda one: one["event.name"])
def test_protobuf_tells_the_same_as_json(one: dict[str, Any]) -> None:
    assert read(one) == read(one, protobuf=True) != []


def test_equal_events_at_one_time_differ_by_their_call() -> None:
    found = read(tool(NOON, call="call_1"), tool(NOON, call="call_2"), tool(NOON, call="call_1"))
    first, second, again = (one.identity for one in found)
    assert first == again != second


@pytest.mark.parametrize("protobuf", [False, True])
@pytest.mark.parametrize("one", ALL, ids=lambda one: one["event.name"])
def test_nothing_that_was_said_gets_through(one: dict[str, Any], protobuf: bool) -> None:
    """A canary in every attribute that is no label, in some that nobody knows, and in labels that are sentences."""
    said = {name: f"{of} kanarie" if name in TOLD - {"event.name", "event.timestamp", "event.kind"} else of
            for name, of in one.items()}  # fmt: skip
    said = {name: of if name in TOLD or isinstance(of, int) else "kanarie" for name, of in said.items()}
    said |= dict.fromkeys(("prompt", "arguments", "output", "error.message", "body", "kanarie"), "kanarie")
    said |= {"tool_name": "kanarie", "tool_namespace": "kanarie", "user.email": "kanarie@example.com"}
    said |= {"input_token_count": "1"} if one["event.name"] == "codex.sse_event" else {}
    found = read(said, protobuf=protobuf)
    assert len(found) == 1
    assert "kanarie" not in repr(found)


def test_a_user_is_a_hash_that_only_this_installation_can_make() -> None:
    mine = export(start(NOON, user__email="dev@example.com", user__account_id="acct-1"))
    users = {key: read_export(mine, False, key)[0].words for key in (SECRET, b"other" * 6)}
    told_users = [dict(zip(WORDS, words, strict=True))["user"] for words in users.values()]
    assert len(set(told_users)) == 2
    assert all(len(user) == 16 and "dev" not in user for user in told_users)
    (account,) = read(start(NOON, user__account_id="acct-1"))
    assert dict(zip(WORDS, account.words, strict=True))["user"] not in ("", *told_users)


@pytest.mark.parametrize(
    ("name", "namespace", "kept"),
    [
        ("exec_command", "functions", ("exec_command", "")),
        ("usage_summary", "mcp__codex_usage", ("usage_summary", "codex_usage")),
        ("look up Jane Doe", "mcp__crm", ("other", "crm")),
        ("find", "mcp__/home/jane", ("find", "other")),
        ("my_own_tool", "functions", ("other", "")),
        ("x" * 100_000, "mcp__y", ("other", "y")),
    ],
)
def test_a_tool_is_named_as_in_the_logs(name: str, namespace: str, kept: tuple[str, str]) -> None:
    (found,) = read(tool(NOON, tool_name=name, tool_namespace=namespace))
    words = dict(zip(WORDS, found.words, strict=True))
    assert (words["name"], words["server"]) == kept


@pytest.mark.parametrize(
    "number", ["-1", "1e3", "٣", "9" * 16, "9" * 5000, "NaN", "", " 1", -1, 10**15, True, 1.5, float("1e300")]
)
def test_a_number_out_of_bounds_is_unknown(number: Any) -> None:
    (found,) = read(request(NOON, duration_ms=number))
    assert told(found).get("took_ms") in (None, 1)


def test_an_event_without_a_time_has_its_records() -> None:
    one = json.loads(export(request(NOON, event__timestamp=None)))
    record = one["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert read_export(json.dumps(one).encode(), False, SECRET)[0].time_ms == 1_795_291_200_000
    record["timeUnixNano"] = 1_795_291_200_123_456_789
    assert read_export(json.dumps(one).encode(), False, SECRET)[0].time_ms == 1_795_291_200_123


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59Z", "1969-12-31T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_an_event_of_an_impossible_time_is_dropped(stamp: str) -> None:
    assert read(request(NOON, event__timestamp=stamp)) == []


def test_a_list_where_a_word_is_meant_is_no_word() -> None:
    """Whatever the attribute, the other events of the export are read."""
    found: Any = ExportLogsServiceRequest.FromString(export(*ALL, *ALL, protobuf=True))
    for number, one in enumerate(found.resource_logs[0].scope_logs[0].log_records[: len(ALL)]):
        one.attributes[number % 5].value.array_value.values.add(string_value="kanarie")
    kept = read_export(found.SerializeToString(), True, SECRET)
    assert len(ALL) <= len(kept) < 2 * len(ALL)
    assert "kanarie" not in repr(kept)


def test_what_others_export_is_dropped() -> None:
    assert read(event("user_prompt", NOON, prompt="hello"), {"event.name": "other.request"}, {}) == []


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{", b"null", b'{"resourceLogs": 1}', b'{"resourceLogs": [{"scopeLogs": [[]]}]}', b"[" * 100_000,
     b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [{"key": "\xff"}]}]}]}]}',
     b'{"resourceLogs": [' + b",".join([b"{}"] * 500_001) + b"]}",
     b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [' + b",".join([b"{}"] * 20_001) + b"]}]}]}"],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_what_is_no_export_is_refused(text: bytes) -> None:
    with pytest.raises(BadInput, match="no export"):
        read_export(text, False, SECRET)


def test_what_may_be_missing_may_be_null() -> None:
    empty: list[dict[str, Any]] = [{}, {"resourceLogs": None}, {"resourceLogs": [{"scopeLogs": None}]}]
    empty.append({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": None, "body": None}]}]}]})
    empty.append({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [{"key": "a", "value": None}]}]}]}]})
    assert [read_export(json.dumps(one).encode(), False, SECRET) for one in empty] == [[]] * 5


@given(st.binary(max_size=300), st.booleans())
def test_noise_is_an_export_or_is_refused(noise: bytes, protobuf: bool) -> None:
    with suppress(BadInput):
        assert read_export(noise, protobuf, SECRET) == []


@given(st.data(), st.booleans())
def test_an_export_with_broken_bytes_is_an_export_or_is_refused(data: st.DataObject, protobuf: bool) -> None:
    """Each event that is still read is of the right shape."""
    whole = bytearray(export(*ALL, protobuf=protobuf))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read_export(bytes(whole), protobuf, SECRET)
    except BadInput:
        return
    for one in found:
        assert 0 <= one.identity < 1 << 63
        assert all(word.isascii() and len(word) <= 64 for word in one.words)
        assert all(number is None or 0 <= number < 10**15 for number in one.numbers)
