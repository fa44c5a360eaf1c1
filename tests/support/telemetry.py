"""Exports of telemetry as Codex sends them: the events of its version 0.169, as JSON or protobuf.

    export(request(at=NOON, status=500), request(at=NOON + 200, attempt=1), response(at=NOON + 300, sent=100))

Each event is a dict of attributes; `attributes` adds or replaces some, None leaves one out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Attributes = dict[str, Any]
THREAD = "01a20229-569f-7ff3-93b1-93f7baa6ce57"


def event(name: str, at: int, thread: str = THREAD, **attributes: Any) -> Attributes:
    """An event at a time in milliseconds with what all have; underscores are dots where the name has one below."""
    stamp = datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"
    told = {
        "event.name": f"codex.{name}",
        "event.timestamp": stamp,
        "conversation.id": thread,
        "app.version": "0.169.0",
        "originator": "codex_exec",
        "terminal.type": "xterm-256color",
        "model": "gpt-5.5",
        "slug": "gpt-5.5",
    }
    named = {word.replace("__", "."): value for word, value in attributes.items()}
    return {word: value for word, value in {**told, **named}.items() if value is not None}


def start(at: int, **more: Any) -> Attributes:
    """A conversation begins, or goes on in another process."""
    return event("conversation_starts", at, **{"approval_policy": "never", "mcp_servers": "tiny", **more})


def request(at: int, status: int | None = 200, attempt: int = 0, took: int = 20, **more: Any) -> Attributes:
    """An attempt whose answer began at a time; `status` None: nobody answered."""
    wrong = None if status == 200 else f"http {status}"
    said = {"duration_ms": str(took), "http__response__status_code": status, "error__message": wrong}
    return event("api_request", at, **{**said, "attempt": attempt, "endpoint": "/responses", **more})


def response(
    at: int, sent: int = 1100, cached: int = 450, received: int = 51, reasoning: int = 20, ttft: int | None = 0,
    effort: str = "medium", **more: Any,
) -> Attributes:  # fmt: skip
    """The copy of response.completed that has the tokens."""
    tokens = {"input_token_count": str(sent), "output_token_count": str(received), "cached_token_count": cached}
    tokens |= {
        "cache_write_token_count": 0,
        "reasoning_token_count": reasoning,
        "tool_token_count": str(sent + received),
    }
    kind = {"event__kind": "response.completed", "ttft_ms": ttft, "model_reasoning_effort": effort}
    return event("sse_event", at, **{**kind, **tokens, **more})


def bare(at: int, **more: Any) -> Attributes:
    """The other copy, with a duration instead."""
    return event("sse_event", at, **{"event__kind": "response.completed", "duration_ms": "0", **more})


def broken(at: int, **more: Any) -> Attributes:
    """What is told of a stream that ended before its response did."""
    return event("sse_event", at, **{"event__kind": "response.completed", "error__message": "stream closed", **more})


def decision(
    at: int, decision: str = "approved", source: str = "User", call: str = "call_1", **more: Any
) -> Attributes:
    """Somebody, or a rule, let a tool run or not."""
    said = {"tool_name": "exec_command", "tool_namespace": "functions", "call_id": call}
    return event("tool_decision", at, **{**said, "decision": decision, "source": source, **more})


def tool(at: int, success: bool = True, took: int = 60, call: str = "call_1", **more: Any) -> Attributes:
    """A tool has ended, with what it was given and what it put out."""
    said = {"tool_name": "exec_command", "tool_namespace": "functions", "call_id": call, "tool_result_seq": 1}
    said |= {"duration_ms": str(took), "success": str(success).lower(), "output_truncated": False}
    content = {"arguments": '{"cmd": "ls"}', "output": "a.py\n", "mcp_server": "", "mcp_server_origin": ""}
    return event("tool_result", at, **{**said, **content, **more})


def turn(at: int, took: int = 450, **more: Any) -> Attributes:
    """The first token of a turn has come."""
    return event("turn_ttft", at, **{"duration_ms": str(took), **more})


def value(of: Any) -> dict[str, Any]:
    """A value as JSON has it: whole numbers as texts."""
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return {kinds[type(of)]: str(of) if type(of) is int else of}


def records(*events: Mapping[str, Any]) -> dict[str, Any]:
    """An export as an object."""
    logs = [
        {"timeUnixNano": "0", "observedTimeUnixNano": "1795291200000000000", "body": None,
         "attributes": [{"key": key, "value": value(of)} for key, of in event.items()]} for event in events
    ]  # fmt: skip
    return {"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": [{"scope": {}, "logRecords": logs}]}]}


def export(*events: Mapping[str, Any], protobuf: bool = False) -> bytes:
    """An export as bytes."""
    if not protobuf:
        return json.dumps(records(*events)).encode()
    from google.protobuf import json_format
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    found: bytes = json_format.ParseDict(records(*events), ExportLogsServiceRequest()).SerializeToString()
    return found
