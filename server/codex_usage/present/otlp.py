"""Calls, turns and tool outcomes as OpenTelemetry says them (OTLP as JSON): rows in, requests for a collector out.

Attributes have the names of the GenAI semantic conventions where those have one, else they begin with `codex_usage.`.
Amounts are whole nano-dollars and nano-credits, so that sums stay exact. No folder, branch or name of a thread is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from codex_usage import __version__

#: Records in one request: about a megabyte.
BATCH = 1_000
_PROVIDERS = {"codex": "openai", "claude": "anthropic"}
#: Attribute -> field of a call. What is sent of a thread and project is what the privacy mode shows.
_CALL = {
    "codex_usage.call_id": "call_id", "gen_ai.request.model": "model", "gen_ai.conversation.id": "thread_id",
    "codex_usage.turn_id": "turn_id", "codex_usage.parent_thread_id": "parent_thread_id",
    "gen_ai.usage.input_tokens": "input_tokens", "gen_ai.usage.cache_read.input_tokens": "cached_input_tokens",
    "gen_ai.usage.cache_creation.input_tokens": "cache_write_input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens", "gen_ai.usage.reasoning.output_tokens": "reasoning_output_tokens",
    "codex_usage.project": "project", "codex_usage.role": "role", "codex_usage.effort": "effort",
    "codex_usage.service_tier": "service_tier", "codex_usage.origin": "origin", "codex_usage.compaction": "compaction",
    "codex_usage.duration_ms": "duration_ms", "codex_usage.cost_nano_usd": "cost_nano",
    "codex_usage.cost_confidence": "cost_confidence", "codex_usage.nano_credits": "credits_nano",
}  # fmt: skip
#: What is sent of which kind of text; everything else is numbers and words of fixed lists.
_HIDDEN = {"thread_id": "ids", "turn_id": "ids", "parent_thread_id": "ids", "project": "projects"}
Hide = Callable[[str, str], str]


def call_record(call: dict[str, Any], version: int, hide: Hide) -> dict[str, Any]:
    """A call, as `answers.pushed_calls` gives it. Of two records of one call the higher version holds."""
    told = {name: hide(_HIDDEN[of], call[of]) if of in _HIDDEN and call[of] else call[of] for name, of in _CALL.items()}
    told |= {"gen_ai.operation.name": "chat", "gen_ai.provider.name": _PROVIDERS.get(call["provider"])}
    time_ms = int(datetime.fromisoformat(call["timestamp"]).timestamp() * 1000 + 0.5)
    return _record("codex_usage.call", time_ms, version, told)


def turn_record(turn: dict[str, Any], version: int, hide: Hide) -> dict[str, Any]:
    """A turn, as `answers.pushed_turns` gives it."""
    thread, key = hide("ids", turn["thread_id"]), hide("ids", turn["turn_id"])
    told = {f"codex_usage.{name}": turn[name] for name in ("duration_ms", "first_token_ms", "outcome")}
    told |= {"gen_ai.conversation.id": thread, "codex_usage.turn_id": key}
    return _record("codex_usage.turn", turn["started_ms"], version, told)


def tool_record(tool: dict[str, Any], version: int, hide: Hide) -> dict[str, Any]:
    """What a tool did on a day, as `answers.pushed_tools` gives it. The name of an MCP tool is somebody's choice."""
    told = {f"codex_usage.{name}": value for name, value in tool.items() if name not in ("time_ms", "tool")}
    name = hide("names", tool["tool"]) if tool["kind"] == "mcp" else tool["tool"]
    return _record("codex_usage.tools", tool["time_ms"], version, told | {"gen_ai.tool.name": name})


#: By the kind of a part.
RECORDS = {"calls": call_record, "turns": turn_record, "tools": tool_record}


def _record(event: str, time_ms: int, version: int, told: dict[str, Any]) -> dict[str, Any]:
    told = {"event.name": event, "codex_usage.version": version, **told}
    return {
        "timeUnixNano": f"{time_ms * 1_000_000}", "observedTimeUnixNano": f"{version * 1_000_000}",
        "severityNumber": 9, "severityText": "INFO", "eventName": event, "body": {"stringValue": event},
        "attributes": _attributes(told),
    }  # fmt: skip


def log_requests(records: Iterable[dict[str, Any]], resource: dict[str, str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Records as ExportLogsServiceRequests, each with its number of records."""
    rest = iter(records)
    while some := list(islice(rest, BATCH)):
        scope = {"scope": _SCOPE, "logRecords": some}
        yield len(some), {"resourceLogs": [{"resource": _resource(resource), "scopeLogs": [scope]}]}


def metrics_request(rows: Iterable[Any], since_ms: int, now_ms: int, resource: dict[str, str]) -> dict[str, Any]:
    """What each model used since `since_ms`, as an ExportMetricsServiceRequest; `rows` are those of a summary by
    provider and model. Running totals, so one that is sent again changes nothing."""
    span = {"startTimeUnixNano": f"{since_ms * 1_000_000}", "timeUnixNano": f"{now_ms * 1_000_000}"}
    used, costs = [], []
    for row in rows:
        provider, model = row.labels
        about = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": _PROVIDERS.get(provider)}
        about |= {"gen_ai.request.model": model}
        sums = row.sums
        for kind, tokens in (("input", sums.input_tokens), ("output", sums.output_tokens)):
            told = {"attributes": _attributes(about | {"gen_ai.token.type": kind}), "explicitBounds": []}
            used.append({**span, **told, "count": f"{sums.calls}", "sum": tokens, "bucketCounts": [f"{sums.calls}"]})
        if sums.cost_usd is not None:
            costs.append({**span, "attributes": _attributes(about), "asDouble": sums.cost_usd})
    tokens = {"name": "gen_ai.client.token.usage", "unit": "{token}",
              "histogram": {"aggregationTemporality": 2, "dataPoints": used}}  # fmt: skip
    cost = {"name": "codex_usage.cost", "unit": "{USD}",
            "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": costs}}  # fmt: skip
    scope = {"scope": _SCOPE, "metrics": [tokens, *([cost] if costs else [])]}
    return {"resourceMetrics": [{"resource": _resource(resource), "scopeMetrics": [scope]}]}


_SCOPE = {"name": "codex_usage", "version": __version__}


def _resource(words: dict[str, str]) -> dict[str, Any]:
    return {"attributes": _attributes({"service.name": "codex-usage", "service.version": __version__, **words})}


def _attributes(told: dict[str, Any]) -> list[dict[str, Any]]:
    """What is known, in the protocol's typed form; whole numbers of 64 bits are texts in its JSON."""
    return [{"key": key, "value": _value(value)} for key, value in told.items() if value not in (None, "")]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": f"{value}"} if isinstance(value, int) else {"stringValue": str(value)}
