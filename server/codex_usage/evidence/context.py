"""What one call was about: its id in, the redacted lines between its bounds out. Of its log only the call's part is
decoded; what stands before is stepped over, to tell the numbers of lines."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from contextlib import suppress

from codex_usage.answers.call import find_call
from codex_usage.answers.calls import call_id as shown_id
from codex_usage.answers.context import iso
from codex_usage.evidence.redaction import redact
from codex_usage.evidence.results import Entry, Evidence
from codex_usage.evidence.tokens import counter
from codex_usage.homes import Places
from codex_usage.index import CallRow, Index
from codex_usage.index.sources import Source, source_of
from codex_usage.logs import BrokenLog
from codex_usage.logs.entries import LONGEST_TEXT, Count, LogEntry, entries, skim
from codex_usage.logs.rollout import layout_of
from codex_usage.model import BadInput

MOST_ENTRIES = 200
_HEADS = ("turn_context", "thread_settings_applied")
_STARTS = ("turn_context", "task_started", "user_message")


def call_context(
    index: Index, places: Places, call_id: str, *, mode: str = "quick", tool_output: bool = False,
    compaction_history: bool = False, most_entries: int = 60, most_chars: int = 12_000,
) -> Evidence:  # fmt: skip
    """The evidence of one call, by its id or the beginning of it: the last `most_entries` (up to 200) lines of it, with
    at most `most_chars` characters in all. Raises BadInput, also for a log that is gone, damaged or was rewritten."""
    if mode not in ("quick", "full"):
        raise BadInput(f"Unknown mode {mode!r}; use quick or full.")
    call = find_call(index, call_id)
    source = source_of(index, call.uid)
    method, count = counter(mode)
    try:
        lines = _read(path := source.path, source, call, count)
    except (OSError, BrokenLog) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"Cannot read {path} ({why}); restore it, run codex-usage refresh and try again.") from error
    wanted = {word for word, on in (("tool_output", tool_output), ("compaction_history", compaction_history)) if on}
    turn_ms = source.turn_ms or min((line.time_ms for line in lines if line.time_ms is not None), default=None)
    groups = sum((Counter(dict(line.tokens)) for line in lines), Counter[str]())
    most = max(0, min(most_entries, MOST_ENTRIES)), max(0, most_chars)
    told, omitted, redactions = _entries(lines, turn_ms, wanted, most)
    return Evidence(
        call_id=shown_id(call.uid), thread_id=call.thread, turn_id=call.turn, model=call.model, log=path, mode=mode,
        format=f"{call.provider}.jsonl{'.zst' * path.endswith('.zst')}", token_method=method, turn_started=iso(turn_ms),
        call_ended=iso(call.time_ms), duration_s=_since(0, call.duration_ms), entries=told, omitted=omitted,
        redactions=redactions, groups=groups, warnings=_warnings(places),
    )  # fmt: skip


def _read(path: str, source: Source, call: CallRow, count: Count) -> list[LogEntry]:
    """The settings of the call's turn, and the lines between its bounds. Where usage stands among a response's lines
    differs by version: before all of them (with Claude in the first), right after them, or late, behind the outputs of
    its tools, which are the next call's input."""
    at, turn = source.position, call.turn or ""
    layout = "before" if call.provider == "claude" else layout_of(source.version)
    named = not re.fullmatch(r"(u\d+)?", turn)
    head = skim(path, source.low, source.first, f'"{turn}"'.encode() if named else b"")[1]
    opens = source.first == at or not source.before
    after = max([head - 1 if opens else -1, *source.before[:1]])
    low = head if opens else max([head, *source.before[layout == "late" :][:1]])
    number = skim(path, 0, head)[0] + 1
    lines = [one for one in entries(path, head, min(low, source.first), number, count) if one.kind in _HEADS]
    high = at + 1 if layout != "before" else source.after or 1 << 62
    for line in entries(path, low, high, number + skim(path, head, low)[0], count):
        if layout == "before" and line.position > at and line.kind in _STARTS:
            break
        lines.append(line)
        if len(lines) > 4 * MOST_ENTRIES:  # only the last are shown
            lines[-4 * MOST_ENTRIES] = lines[-4 * MOST_ENTRIES]._replace(text="", held="")
    usage = next((line for line in lines if line.position == at and line.usage), None)
    if usage is None:
        raise BrokenLog("it has changed since it was indexed")
    own = [line.position for line in lines if line.own]
    prompt = max((line.position for line in lines if line.kind == "user_message"), default=0)
    until = at
    if layout == "late" and usage.kind == "token_count":
        until = max((place for place in own if after < place < at), default=at)
        after = max((place for place in own if place <= after), default=after)
    elif opens and not named:  # a fork without turn ids: what it copied ends before its first prompt
        after = max([after, *(line.position for line in lines if line.usage and line.position < prompt)])
    belongs = [line for line in lines if after < line.position <= until]
    if layout == "before":
        belongs = [line for line in lines if line.position > after and line.own == (line.position > at)]
    heads = [line for line in lines if line.kind in _HEADS and (line.position > after or not opens)]
    return sorted({*heads, *belongs, usage})


def _entries(
    lines: list[LogEntry], turn_ms: int | None, wanted: set[str], most: tuple[int, int]
) -> tuple[list[Entry], Counter[str], Counter[str]]:
    """The last lines that say something new, what is left out by reason, and what was redacted. Every text is redacted
    whole, then cut; short ones stay whole, as far as all together keep to the limit."""
    left, redactions = Counter(line.why for line in lines if line.why not in {"", *wanted}), Counter[str]()
    lines = [line for line in lines if line.why != "repeats"]
    cut = max(0, len(lines) - most[0])
    texts = []
    for line in lines[cut:]:
        text, found = redact("\n".join(filter(None, (line.text, line.held if line.why in wanted else ""))))
        redactions.update(found)
        texts.append(text)
    room, lengths = most[1], sorted(map(len, texts))
    while lengths and lengths[0] * len(lengths) <= room:
        room -= lengths.pop(0)
    cap = room // len(lengths) if lengths else LONGEST_TEXT
    told, before = [], None
    for line, text in zip(lines[cut:], texts, strict=True):
        entry = Entry(
            line=line.line, time=iso(line.time_ms), kind=redact(line.kind)[0], text=text[:cap] or None,
            label=redact(line.label or "")[0] or None, truncated=len(text) > cap, chars=len(text),
            tokens=sum(dict(line.tokens).values()), since_turn_s=_since(turn_ms, line.time_ms),
            since_previous_s=_since(before, line.time_ms), reported_s=_since(0, line.duration_ms),
        )  # fmt: skip
        told.append(entry)
        before = line.time_ms or before
    return told, left + Counter(entry_cap=cut, character_cap=sum(one.truncated for one in told)), redactions


def _since(start: int | None, end: int | None) -> float | None:
    return None if start is None or end is None else (end - start) / 1000


def _warnings(places: Places) -> list[str]:
    """Codex exports what tools give out, and so this evidence, when its telemetry is on."""
    for home in places.codex:
        with suppress(OSError, ValueError, RecursionError, KeyError, AttributeError):
            otel = tomllib.loads((home / "config.toml").read_text(encoding="utf-8-sig"))["otel"]
            if any(otel.get(key, "none") != "none" for key in ("exporter", "trace_exporter")):
                return ["Codex exports telemetry ([otel] in config.toml), and with it what tools give out: also this."]
    return []
