"""Reads the lines of one log between two places, as evidence: what each is, when it was, and its words. They stand
under the same keys in every version; a kind that is not known shows up without any."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from codex_usage.logs.commands import table
from codex_usage.logs.reader import Block, LongLine, read_blocks
from codex_usage.logs.rollout import BAD
from codex_usage.logs.times import iso_ms

#: A longer text is not worth the time to redact it.
LONGEST_TEXT = 256 << 10
#: Kinds whose words are shown, those that only repeat another line, and those whose bytes are counted apart.
_KINDS = table("""
  visible: message agent_message reasoning function_call custom_tool_call local_shell_call web_search_call
  visible: tool_search_call function_call_output custom_tool_call_output tool_search_output exec_command_end
  visible: mcp_tool_call_end patch_apply_end CommandExecution FileChange McpToolCall CollabAgentToolCall
  visible: SubAgentActivity text thinking tool_use tool_result compacted
  repeats: event_msg.user_message event_msg.agent_message event_msg.agent_reasoning UserMessage AgentMessage Reasoning
  turn_context: turn_context world_state thread_settings_applied
  token_callbacks: token_count token_usage_record
""")
#: Keys of words, of a tool's output and of names; those whose bytes are counted apart.
_SAID = ("content", "summary", "arguments", "input", "action", "command", "invocation", "changes", "text", "thinking")
_HELD = ("output", "aggregated_output", "stdout", "stderr", "result", "tools", "message", "replacement_history")
_LABELS = ("name", "tool", "author", "role", "model", "reason", "status", "phase", "kind")
_APART = {"encrypted_content": "encrypted", "signature": "encrypted", "rate_limits": "rate_limits"}
_OWN = re.compile(r".*_call|.*[.]reasoning|AgentMessage|Reasoning|event_msg[.]agent_\w+|tool_use|thinking")
_IDENTIFIER = re.compile(r"[\w./:-]{1,64}", re.ASCII)
#: Colours of a terminal and control characters: taken out first, as they could hide a secret from the redaction.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_WALL = re.compile(r"(?:Wall time:? |duration_seconds: )(\d{1,9}(?:\.\d{1,9})?)")
_DECODE = msgspec.json.Decoder(dict[str, Any]).decode
Count = Callable[[bytes], int]


class LogEntry(NamedTuple):
    """One line. `own`: it comes from the model; `usage`: it tells a response's. `held` is shown on request; `why`:
    tool_output or compaction_history, or what costs the line its words. `tokens` are those of its parts by group."""

    line: int
    position: int
    kind: str = "unreadable"
    time_ms: int | None = None
    label: str | None = None
    own: bool = False
    usage: bool = False
    text: str = ""
    held: str = ""
    why: str = "unreadable"
    duration_ms: int | None = None
    tokens: tuple[tuple[str, int], ...] = ()


def skim(path: str, low: int, high: int, mark: bytes = b"") -> tuple[int, int]:
    """How many lines begin in a span of bytes, and where the first one with a mark does (else `low`)."""
    lines, found = 0, -1
    for data, at, end, _, base in _spans(path, low, high):
        lines += 1 if data is None else data.count(10, at, end)
        if mark and found < 0 and data is not None and (hit := data.find(mark, at, end)) >= 0:
            found = base + data.rfind(b"\n", 0, hit) + 1
    return lines, low if found < 0 else found


def entries(path: str, low: int, high: int, number: int, count: Count) -> Iterator[LogEntry]:
    """The lines that begin in a span of bytes, the first of them line `number`. Raises OSError and BrokenLog."""
    for data, at, end, stop, base in _spans(path, low, high):
        if data is None:
            yield LogEntry(number, base, tokens=(("other", stop),))
            number += 1
        while data is not None and at < end:
            line = bytes(data[at : (line_end := data.find(10, at, stop))])
            try:
                yield _entry(number, base + at, line, count)
            except (*BAD, TypeError):
                yield LogEntry(number, base + at, tokens=(("other", count(line)),))
            at, number = line_end + 1, number + 1


def _spans(path: str, low: int, high: int) -> Iterator[tuple[bytearray | None, int, int, int, int]]:
    """(lines, from, to, their whole end, file offset) of a span of bytes; None for a line too long to hold."""
    for piece in read_blocks(path, 0 if path.endswith(".zst") else low):
        data: bytearray | None
        if isinstance(piece, Block):
            data, stop, base = piece
        elif isinstance(piece, LongLine):
            data, stop, base = None, piece.end - piece.position, piece.position
        else:
            data, stop, base = piece.data + b"\n", len(piece.data) + 1, piece.position
        if base >= high:
            return
        if base + stop > low:
            yield data, max(0, low - base), min(stop, high - base), stop, base


def _entry(number: int, position: int, data: bytes, count: Count) -> LogEntry:
    line = _DECODE(data.strip(b" \t\r\xef\xbb\xbf"))
    outer, body = _name(line.get("type")), line.get("payload")
    if isinstance(message := line.get("message"), dict) and outer in ("user", "assistant"):
        body = _message(message)
    body = body if isinstance(body, dict) else {}
    body = body | item if isinstance(item := body.get("item"), dict) else body
    body = body | {"stdout": None, "stderr": None} if body.get("aggregated_output") else body
    kind = _name(body.get("type", outer))
    group = _KINDS.get(full := f"{outer}.{kind}") or _KINDS.get(kind, "other")
    said, held = (_words([body.get(key) for key in keys if group == "visible"]) for keys in (_SAID, _HELD))
    if kind in ("tool_result", "compacted"):
        said, held = "", f"{said}\n{held}".strip()
    wall = _WALL.search(held[:400] + held[-200:])
    took, spent = body.get("duration_ms"), body.get("duration")
    if isinstance(spent, dict) and isinstance(spent.get("secs"), int):
        took = spent["secs"] * 1000 + int(spent.get("nanos", 0) / 1e6)
    why = "repeats" if group == "repeats" else "compaction_history" if kind == "compacted" else "tool_output"
    if len(said) + len(held) > LONGEST_TEXT:
        said, held, why = "", "", "too_long"
    return LogEntry(
        number, position, kind, iso_ms(line["timestamp"]) if isinstance(line.get("timestamp"), str) else None,
        next((body[key] for key in _LABELS if key in body and _name(body[key]) == body[key]), None),
        "assistant" in (outer, body.get("role")) or bool(_OWN.fullmatch(full) or _OWN.fullmatch(kind)),
        "usage" in body or (kind == "token_count" and body.get("info") is not None),
        said, held, why if held or why in ("repeats", "too_long") else "",
        took if isinstance(took, int) and 0 <= took < 10**12 else int(float(wall[1]) * 1000) if wall else None,
        _tokens(data, body, "visible" if group == "repeats" else group, count),
    )  # fmt: skip


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """The message in a row of a Claude transcript, which mostly has one part, as a payload."""
    parts = message.get("content")
    parts = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else [{"text": parts}]
    held = any(part.get("type") == "tool_result" for part in parts)
    body = parts[0] if len(parts) == 1 else {"content": parts}
    kind = "tool_result" if held else body.get("type", "text")
    return {**{key: message[key] for key in ("role", "usage") if key in message}, **body, "type": kind}


def _tokens(data: bytes, body: dict[str, Any], group: str, count: Count) -> tuple[tuple[str, int], ...]:
    """The line's tokens by group: what stands under some keys is counted apart from the rest."""
    apart = []
    for key in body.keys() & _APART.keys():
        if (piece := msgspec.json.encode(body[key])) in data:
            data = data.replace(piece, b"", 1)
            apart.append((_APART[key], count(piece)))
    return (group, count(data)), *apart


def _words(value: Any) -> str:
    """The words of any JSON value, of a text that is JSON too; a line for each key."""
    if isinstance(value, str):
        with suppress(*BAD):
            if value[:1] in ("{", "[") and len(value) <= LONGEST_TEXT:
                return _words(msgspec.json.decode(value))
        return _CONTROL.sub("", value)
    if isinstance(value, list):
        return "\n".join(filter(None, map(_words, value)))
    if isinstance(value, dict):
        if isinstance(text := value.get("text"), str) and "type" in value:
            return _words(text)
        return "\n".join(f"{_words(key)}: {_words(item)}" for key, item in value.items() if key not in _APART)
    return "" if value is None else str(value)


def _name(value: Any) -> str:
    """A word of the log, if it is an identifier."""
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else "unknown"
