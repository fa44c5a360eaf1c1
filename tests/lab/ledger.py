"""The ledger's rows: what one model request asked for, and the tokens its response was billed at.

In: the path, headers and body Codex sent. Out: the facts tests and recorded cases ask about (model, effort,
thread, tools offered, text). Token figures are whole tokens; `input` includes cached and cache-written
tokens, `output` includes reasoning, as the provider counts.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.lab import calls
from tests.lab.calls import Json

# The last input of a compaction request: the local prompt, the remote marker, the prompt of 0.36.
COMPACTION_MARKS = ("CONTEXT CHECKPOINT COMPACTION", "compaction_trigger", "Start Summarization")


@dataclass(frozen=True, slots=True)
class Usage:
    """The token vector of one response."""

    input: int
    cached: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    def wire(self) -> Json:
        """The `usage` object as the Responses API spells it."""
        return {
            "input_tokens": self.input,
            "input_tokens_details": {"cached_tokens": self.cached, "cache_write_tokens": self.cache_write},
            "output_tokens": self.output,
            "output_tokens_details": {"reasoning_tokens": self.reasoning},
            "total_tokens": self.input + self.output,
        }


def distinct_usage(number: int) -> Usage:
    """A vector that belongs to request `number` alone: every component rises by its own stride."""
    return Usage(4000 + 1009 * number, 1500 + 331 * number, 7 * number, 100 + 17 * number, 30 + 5 * number)


@dataclass
class Request:
    """One model request and what became of it: `answer` is the scripted text, `outcome` how it ended."""

    number: int
    path: str
    headers: dict[str, str]
    body: Json
    outcome: str = "open"
    answer: str = ""
    billed: Usage | None = None
    response_id: str = field(default_factory=lambda: f"resp_{uuid.uuid4().hex}")

    @property
    def model(self) -> str:
        return str(self.body.get("model"))

    @property
    def effort(self) -> str | None:
        return (self.body.get("reasoning") or {}).get("effort")

    @cached_property
    def tools(self) -> list[str]:
        """Flat names of all tools offered, MCP ones as `mcp__server__tool`."""
        return calls.names(self.body)

    @cached_property
    def text(self) -> str:
        """Everything the model is given to read: instructions, then every string of the input."""
        return "\n".join([self.body.get("instructions") or "", *_strings(self.body.get("input"))])

    @cached_property
    def metadata(self) -> Json:
        """What Codex says about the turn (0.130 and later); empty for older versions."""
        return dict(json.loads(self.headers.get("x-codex-turn-metadata") or "{}"))

    @property
    def thread_id(self) -> str | None:
        """The thread the request belongs to, from whichever header this version sends."""
        said = (self.metadata.get("thread_id"), *map(self.headers.get, ("thread-id", "thread_id")))
        older = (*map(self.headers.get, ("conversation_id", "session_id")), self.body.get("prompt_cache_key"))
        return next((str(value) for value in (*said, *older) if value), None)

    @property
    def role(self) -> str:
        """`compaction`, `title`, the subagent's kind (`review`, `collab_spawn`, ...), or `turn`."""
        last = json.dumps((self.body.get("input") or [None])[-1])
        if self.path.endswith("/compact") or any(mark in last for mark in COMPACTION_MARKS):
            return "compaction"
        if self.metadata.get("thread_source") == "thread_title":
            return "title"
        return self.headers.get("x-openai-subagent") or "turn"


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for part in value or [] for text in _strings(part)] if isinstance(value, list) else []
