"""Reads what Codex exports over OpenTelemetry, OTLP logs as protobuf or JSON: numbers, ids and words of safe shapes.

Prompts, arguments, outputs, messages of errors and e-mail addresses end here, and so does any attribute that is not in
the tables below. The names of events and attributes are those of Codex 0.169.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, NamedTuple

import msgspec

from codex_usage.logs.times import iso_ms
from codex_usage.logs.tools import _tool
from codex_usage.model import BadInput

#: Events that are kept. A response is told of in several sse_events: one, when it is whole, has its tokens; or, when
#: its stream broke, one has an error.
REQUESTS, RESPONSE = ("codex.api_request", "codex.websocket_request"), "codex.sse_event"
START, TURN, DECISION, TOOL = "codex.conversation_starts", "codex.turn_ttft", "codex.tool_decision", "codex.tool_result"
_EVENTS = frozenset((*REQUESTS, RESPONSE, START, TURN, DECISION, TOOL))
#: What is kept of one: column -> attribute. `name` and `server` are those of a tool, `user` is a keyed hash.
WORDS = {
    "event": "event.name", "thread": "conversation.id", "model": "model", "effort": "model_reasoning_effort",
    "terminal": "terminal.type", "decision": "decision", "source": "source", "name": "tool_name",
    "server": "tool_namespace", "user": "user.email",
}  # fmt: skip
NUMBERS = {
    "status": "http.response.status_code", "attempt": "attempt", "took_ms": "duration_ms", "ttft_ms": "ttft_ms",
    "input": "input_token_count", "cached": "cached_token_count", "output": "output_token_count",
    "reasoning": "reasoning_token_count", "success": "success",
}  # fmt: skip
#: These only tell one event from another, or what is in the columns above.
_OTHERS = "event.timestamp event.kind error.message user.account_id call_id tool_result_seq"
_WANTED = frozenset([*WORDS.values(), *NUMBERS.values(), *_OTHERS.split()])
_WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
#: A time in the year 2100; more than an exporter sends at once, each of which takes time and memory.
_LATEST_MS, _MOST_OBJECTS, _MOST_RECORDS = 4_102_444_800_000, 500_000, 20_000


class Event(NamedTuple):
    """An event. `identity` (63 bits) is the same whenever it is received again; the rest as WORDS and NUMBERS list."""

    time_ms: int
    identity: int
    words: tuple[str, ...]
    numbers: tuple[int | None, ...]


def _shape(**fields: Any) -> Any:
    """A shape of fields that may be missing; a list is one of what is in it."""
    kinds = [(name, list.__class_getitem__(of[0]) if isinstance(of, list) else of) for name, of in fields.items()]
    return msgspec.defstruct("_Shape", [(name, of | None, None) for name, of in kinds], rename="camel", gc=False)


#: What JSON tells; the fields of protobuf have these names in snake case.
_Value = _shape(string_value=str, int_value=int | str, bool_value=bool, double_value=float | str)
_Pair, _NANOS = _shape(key=str, value=_Value), int | str
_Record = _shape(time_unix_nano=_NANOS, observed_time_unix_nano=_NANOS, attributes=[_Pair])
_DECODER = msgspec.json.Decoder(_shape(resource_logs=[_shape(scope_logs=[_shape(log_records=[_Record])])]))


@cache
def binary() -> Any:
    """The class of a protobuf export; None without the extra `otlp`."""
    try:
        return import_module("opentelemetry.proto.collector.logs.v1.logs_service_pb2").ExportLogsServiceRequest
    except ImportError:
        return None


def read_export(data: bytes, protobuf: bool, secret: bytes) -> list[Event]:
    """The events of an export that are kept; `secret` is the key of what stands for a user. Raises BadInput for what is
    no export; protobuf needs `binary`."""
    try:
        if not protobuf and data.count(b"{") > _MOST_OBJECTS:
            raise ValueError("too many objects")
        export, plain = (binary().FromString(data), _of_protobuf) if protobuf else (_DECODER.decode(data), _of_json)
        return [event for record in _records(export) if (event := _event(record, plain, secret)) is not None]
    except Exception as error:  # protobuf has errors of its own; whatever it is, no sender gets a traceback
        raise BadInput("That is no export of OpenTelemetry logs.") from error


def _records(export: Any) -> Iterator[Any]:
    left, resources = _MOST_RECORDS, export.resource_logs or ()
    for scope in (scope for resource in resources[:left] for scope in resource.scope_logs or ()):
        left -= 1 + len(scope.log_records or ())
        if left < 0 or len(resources) > _MOST_RECORDS:
            raise ValueError("too many records")
        yield from scope.log_records or ()


def _of_json(value: Any) -> Any:
    if value.string_value is not None:
        return value.string_value
    whole = value.bool_value if value.int_value is None else value.int_value
    return value.double_value if whole is None else whole


def _of_protobuf(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind in ("string_value", "int_value", "bool_value", "double_value") else None


def _event(record: Any, plain: Callable[[Any], Any], secret: bytes) -> Event | None:
    pairs = [(one.key, one.value) for one in record.attributes or () if one.key in _WANTED]
    said = {key: plain(value) for key, value in pairs if value is not None}
    name, stamp = said.get("event.name"), said.get("event.timestamp")
    at = iso_ms(stamp) if isinstance(stamp, str) else None
    if at is None:
        at = (_number(record.time_unix_nano, 20) or _number(record.observed_time_unix_nano, 20) or 0) // 1_000_000
    if name not in _EVENTS or not 0 < at < _LATEST_MS:
        return None
    success = said.get("success")
    if name == RESPONSE:
        whole, success = said.get("input_token_count") is not None, "error.message" not in said
        if said.get("event.kind") != "response.completed" or (success and not whole):
            return None
    elif name in REQUESTS and success is None:
        success = 200 <= (_number(said.get("http.response.status_code")) or 0) < 300
    said["success"] = {"true": 1, "false": 0}.get(str(success).lower())
    said["user.email"] = _hashed(said.get("user.email") or said.get("user.account_id"), secret)
    if "tool_name" in said:
        tool, namespace = str(said["tool_name"]), str(said.get("tool_namespace") or "")
        said["tool_name"], said["tool_namespace"] = _named(tool[:256], namespace[:256])
    words = tuple([_word(said[of]) if of in said else "" for of in WORDS.values()])
    numbers = tuple([_number(said[of]) if of in said else None for of in NUMBERS.values()])
    own = f"{at} {words} {numbers} {said.get('call_id')} {said.get('tool_result_seq')}".encode("utf-8", "replace")
    return Event(at, int.from_bytes(hashlib.blake2b(own, digest_size=8).digest()) >> 1, words, numbers)


@lru_cache(1024)
def _named(tool: str, namespace: str) -> tuple[str, str]:
    """A tool and its MCP server as everywhere: Codex's own by name, identifiers of MCP, else "other"."""
    return _tool(tool, namespace)[1:]


def _word(value: Any) -> str:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def _number(value: Any, digits: int = 15) -> int | None:
    """A whole number from 0 on; JSON has those of 64 bits as texts."""
    if isinstance(value, str) and len(value) <= digits and value.isascii() and value.isdecimal():
        return int(value)
    return int(value) if isinstance(value, int | float) and 0 <= value < 10**digits else None


def _hashed(user: Any, secret: bytes) -> str:
    if not isinstance(user, str) or not user:
        return ""
    return hashlib.blake2b(user.encode("utf-8", "replace"), key=secret, digest_size=8).hexdigest()
