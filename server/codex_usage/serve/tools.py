"""The MCP tools as data: names, schemas that a model reads, and what runs for each. No SDK in here.

Schemas are written by hand: a model pays for every word, and Codex drops titles, defaults and bounds, so these
stand in the descriptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAME = "codex-usage"
INSTRUCTIONS = "Exact usage and cost of Codex and Claude Code on this machine, and why."

_PERIOD = {
    "type": "string",
    "description": "today, yesterday, last_7_days (default), last_30_days, this_week, this_month, all, 2026-11-14 or "
    "2026-11-01..2026-11-14 (inclusive)",
}
_THREAD = {"type": "string", "description": "id, name or current"}
_TEXT = {"type": "string"}
_DETAIL = {"type": "string", "enum": ["concise", "full"]}
_FILTERS = {"model": _TEXT, "project": _TEXT, "provider": _TEXT}
_GROUPS = "model, project, day, week, month, effort, tier, origin, provider, role or thread"


@dataclass(frozen=True)
class Tool:
    """One tool: its name, the question that it asks, what it is for, and the properties of its arguments."""

    name: str
    question: str
    description: str
    properties: Mapping[str, Any]
    writes: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its arguments."""
        return {"type": "object", "properties": dict(self.properties)}


TOOLS: tuple[Tool, ...] = (
    Tool(
        "usage_summary",
        "summary",
        "What was spent in a period, on what, and the change against the one before.",
        {
            "period": _PERIOD,
            "by": {"type": "string", "description": f"{_GROUPS}; default model; two with a comma"},
            "thread": _THREAD,
            **_FILTERS,
            "effort": _TEXT,
            "limit": {"type": "integer", "description": "rows, default 8, at most 100"},
            "detail": _DETAIL,
        },
    ),
    Tool(
        "usage_explain",
        "explain",
        "Why usage changed: causes that add up to the change, with the threads and calls behind each. Without period "
        "it finds the largest unusual rise of the last 30 days.",
        {
            "period": {"type": "string", "description": "as in usage_summary; default: the spike"},
            "baseline": {"type": "string", "description": "period to compare with, default the one before"},
            "metric": {"type": "string", "description": "cost_usd, credits, total_tokens"},
            "thread": _TEXT,
            **_FILTERS,
            "detail": _DETAIL,
        },
    ),
    Tool(
        "usage_recommendations",
        "recommendations",
        "What to change to spend less: savings worked out call by call, with their grounds.",
        {
            "period": {"type": "string", "description": "as in usage_summary, default last_30_days"},
            "thread": _TEXT,
            "model": _TEXT,
            "project": _TEXT,
            "limit": {"type": "integer", "description": "default 3"},
            "detail": _DETAIL,
        },
    ),
    Tool(
        "usage_threads",
        "threads",
        "The costliest (or latest) threads of a period; with thread, all about that one and its subagents.",
        {
            "period": _TEXT,
            "thread": _TEXT,
            "order": {"type": "string", "description": "cost, tokens, calls, recent, output"},
            **_FILTERS,
            "limit": {"type": "integer"},
            "cursor": _TEXT,
            "detail": _DETAIL,
        },
    ),
    Tool(
        "usage_calls",
        "calls",
        "Single model calls, costliest first, of a period or thread.",
        {
            "period": _TEXT,
            "thread": _TEXT,
            "order": {"type": "string", "description": "cost, tokens, uncached, output, recent, duration"},
            **_FILTERS,
            "limit": {"type": "integer"},
            "cursor": _TEXT,
            "detail": _DETAIL,
        },
    ),
    Tool(
        "diagnostics",
        "diagnostics",
        "What tools did: outputs, commands, files, git, MCP; names and counts only.",
        {
            "section": {
                "type": "string",
                "description": "overview, tools, mcp, tool-output, commands, git-interactions, file-reads, "
                "file-modifications, read-productivity, concentration, telemetry",
            },
            "period": _TEXT,
            "thread": _TEXT,
            "project": _TEXT,
            "limit": {"type": "integer"},
        },
    ),
    Tool(
        "usage_call_context",
        "context",
        "Redacted log lines of one call; refused unless the user allows it.",
        {"call": _TEXT, "mode": _TEXT, "tool_output": {"type": "boolean"}},
    ),
    Tool("usage_dashboard", "dashboard", "Writes the HTML dashboard and gives its path.", {}, writes=True),
)
