"""Decodes Codex rollouts of every version from 0.34: blocks of lines in, calls of a sink out.

Speed rests on one measured fact: Codex writes `{"timestamp":"<24 bytes>",` and then either `"type":"` or
`"ordinal":<n>,"type":"`, so a line's kind stands at a known place (it held on 8,705 lines of 36 versions).
A line where the peek fails is parsed whole, so an unknown layout costs time, never a call.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from codex_usage.logs import shapes
from codex_usage.logs.reader import Block, LineReader, LongLine
from codex_usage.logs.times import iso_ms, stamp_ms
from codex_usage.model import RateWindow, Tokens

#: Line kinds that are known and hold nothing to count.
_QUIET = frozenset(
    b"world_state inter_agent_communication inter_agent_communication_metadata dynamic_tools_updated"
    b" security_risk_score realtime_item ghost_snapshot session_state".split()
)
#: A bare line of 0.29 and older (no envelope): nothing to count in it, and not a fault.
_BARE = frozenset({"message", "reasoning", "function_call", "function_call_output", "local_shell_call"})


class Span(NamedTuple):
    """What the neighbouring lines say of a response: when its last input came, when its last item ended,
    whether its usage line can be the last word on a summary (see `compacted`), and the first letter of the
    last input's kind (m = message)."""

    started_ms: int | None
    ended_ms: int
    maybe_summary: bool
    input_kind: str


SpanOf = Callable[[], Span]


def _line(payload: type, name: str) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(msgspec.defstruct(name, [("payload", payload)]))


_TOKEN_COUNT = _line(shapes.TokenCount, "TokenCountLine")
_RECORD = _line(shapes.UsageRecord, "UsageRecordLine")
_CONTEXT = _line(shapes.TurnContext, "TurnContextLine")
_META = _line(shapes.SessionMeta, "SessionMetaLine")
_TURN = _line(shapes.TurnEvent, "TurnEventLine")
_SETTINGS = _line(shapes.SettingsApplied, "SettingsLine")
_ANY = msgspec.json.Decoder(shapes.Line)
_KIND = msgspec.json.Decoder(shapes.Kind)
_LIMITS = msgspec.json.Decoder(shapes.RateLimits)

BAD = (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError, ValueError)


def tokens(usage: Any) -> Tokens:
    """A usage object as token classes; absent numbers are zero."""
    if usage is None:
        return Tokens()
    u = usage
    return Tokens.of(
        (u.input_tokens or 0, u.cached_input_tokens or 0, u.cache_write_input_tokens or 0, u.output_tokens or 0,
         u.reasoning_output_tokens or 0)
    )  # fmt: skip


class DecoderState(msgspec.Struct, array_like=True):
    """What must survive between two readings of a growing file."""

    input_ms: int | None = None
    input_kind: str = ""
    own_open: bool = False
    own_last: bool = True
    items: bool = False
    start_ms: int | None = None
    start_kind: str = ""
    own_ms: int | None = None
    layout: str = "after"
    limits: bytes = b""


#: Events that count, and what takes them in (by name: bound methods would tie each decoder to itself).
_EVENTS = {
    b"token_count": "_token_count",
    b"task_started": "_turn_started",
    b"turn_started": "_turn_started",
    b"task_complete": "_turn_ended",
    b"turn_complete": "_turn_ended",
    b"turn_aborted": "_turn_ended",
    b"thread_settings_applied": "_settings",
    b"user_message": "_user_message",
    b"entered_review_mode": "_review",
    b"exited_review_mode": "_review",
}
_LINES = {
    b"turn_context": "_context",
    b"token_usage_record": "_record",
    b"session_meta": "_meta",
    b"compacted": "_compacted",
}


class RolloutDecoder(LineReader):
    """Reads one rollout from an offset on and tells a sink its facts in file order: meta, context, settings,
    turn_started, turn_ended, user_message, review, record, count, no_count, windows, compacted, skip. Times are
    milliseconds, positions byte offsets.

    `count` gets its span as a function: asking for it says that the line ends a response of its own.
    A sink that sets `wants_repeats` also gets re-emissions of the numbers before them."""

    def __init__(self, sink: Any, state: DecoderState | None = None) -> None:
        self.sink = sink
        self.state = state or DecoderState()
        self._info = self._turn_context = self._seen = b""
        # positions of lines in the current block whose time nobody has asked for yet
        self._input_at = self._start_at = self._own_at = -1
        self._buffer = bytearray()
        self._base = 0

    def _complete(self, line: bytearray) -> bool:
        try:
            return _ANY.decode(line).type not in (None, "response_item")
        except BAD:
            return False

    # -- the loop over lines; the only code that runs for every line ------------------------------------

    def _block(self, block: Block) -> None:  # noqa: C901 - flat, as a call per line would cost more
        """Step over the lines of a block; its locals spare attribute look-ups for every line."""
        buffer, end, _ = block
        self._buffer, self._base = buffer, block.base
        find, starts = buffer.find, buffer.startswith
        own_at = input_at = -1
        own_open, letter_in = self.state.own_open, 0
        at = 0
        while at < end:
            stop = find(10, at, end)
            if stop - at < 96:
                if stop - at > 1:
                    self._odd(at, stop)
                    own_open = self.state.own_open
                at = stop + 1
                continue
            kind = at + 48
            if buffer[kind] == 34:  # `"ordinal":` stands before `"type":`
                kind = find(b'"type":"', at + 50, at + 76) + 8
            letter = buffer[kind]
            if letter == 114 and starts(b'"type":"response_item","payload":{"type":"', kind - 8):
                # does the item come from the model (own), or go to it (input)?
                kind += 34
                letter = buffer[kind]
                if letter == 102:  # function_call, function_call_output
                    own = buffer[kind + 13] != 95
                elif letter == 109:  # message
                    own = buffer[find(b'"role":"', kind, kind + 240) + 8] == 97
                elif letter == 99:  # custom_tool_call, custom_tool_call_output, compaction
                    own = buffer[kind + 16] != 95
                else:
                    own = letter in (114, 108, 119)  # reasoning, local_shell_call, web_search_call
                if not own:
                    input_at, letter_in = at, letter
                else:
                    if not own_open:
                        own_open = True
                        self._flush(-1, input_at, letter_in)
                        self._open()
                    own_at = at
            elif letter == 101 and starts(b'"type":"event_msg","payload":{"type":"', kind - 8):
                letter = buffer[kind + 30]
                # t: token_count, task_, turn_, thread_; u: user_message; e: entered_, exited_review_mode
                if letter == 116 or letter == 117 or letter == 101:
                    if own_at > self._own_at or input_at > self._input_at:
                        self._flush(own_at, input_at, letter_in)
                    kind += 30
                    if not (starts(b'token_count"', kind) and self._repeats(at, stop, kind + 13)):
                        self._take(_EVENTS, bytes(buffer[kind : find(b'"', kind, kind + 48)]), at, stop)
                    own_open = self.state.own_open
            else:
                self._flush(own_at, input_at, letter_in)
                name = bytes(buffer[kind : find(b'"', kind, kind + 48)]) if starts(b'"type":"', kind - 8) else b""
                if not self._take(_LINES, name, at, stop):
                    self._odd(at, stop)
                own_open = self.state.own_open
            at = stop + 1
        self._flush(own_at, input_at, letter_in)
        self._settle()

    def _flush(self, own_at: int, input_at: int, letter: int) -> None:
        """Take over the positions of the last own and input items that the loop over lines has met."""
        state = self.state
        if input_at > self._input_at:
            self._input_at = input_at
            state.input_kind = chr(letter)
            state.items, state.own_last = True, False
        if own_at > self._own_at:
            self._own_at = own_at
            state.items, state.own_last = True, own_at > input_at

    def _open(self) -> None:
        """A response's first own item: its input is what came last."""
        state = self.state
        state.own_open = True
        self._start_at = self._input_at
        state.start_ms, state.start_kind = state.input_ms, state.input_kind

    def _settle(self) -> None:
        """Turn the positions kept for later into times, before the buffer is reused."""
        state = self.state
        state.input_ms = self._stamp(self._input_at, state.input_ms)
        state.start_ms = self._stamp(self._start_at, state.start_ms)
        state.own_ms = self._stamp(self._own_at, state.own_ms)
        self._input_at = self._start_at = self._own_at = -1

    def _stamp(self, at: int, known: int | None) -> int | None:
        """The time of the line at a position of this block; what is known from an earlier one without it."""
        if at < 0:
            return known
        try:
            return stamp_ms(self._buffer, at + 14)
        except ValueError:
            return None

    def _time(self, at: int, stop: int) -> int:
        try:
            return stamp_ms(self._buffer, at + 14)
        except ValueError:
            return iso_ms(_ANY.decode(self._buffer[at:stop]).timestamp) or 0

    def _span(self, time_ms: int, record: bool) -> Span:
        """The response that the usage line at hand belongs to; the next response starts afterwards.

        Where the usage line stands among its response's items differs by version (counting.md, "line order")."""
        state = self.state
        own = state.own_open
        ended = time_ms
        if own and (record or state.layout != "before"):
            started, kind = self._stamp(self._start_at, state.start_ms), state.start_kind
            if state.layout == "late" and not record:
                ended = self._stamp(self._own_at, state.own_ms) or ended
        else:
            started, kind = self._stamp(self._input_at, state.input_ms), state.input_kind
        maybe_summary = state.layout != "late" or record or state.own_last
        state.own_open, state.start_ms, state.items = False, None, False
        self._start_at = -1
        return Span(started, ended, maybe_summary, kind)

    # -- lines that count -------------------------------------------------------------------------------

    def _take(self, table: dict[bytes, str], name: bytes, at: int, stop: int) -> bool:
        """Hand a line to what takes in its kind. False for a kind that is not known."""
        handler = table.get(name)
        try:
            if handler is not None:
                getattr(self, handler)(at, stop, name)
        except msgspec.ValidationError:
            self.sink.skip("impossible_value")
        except BAD:
            self.sink.skip("bad_json")
        return handler is not None or name in _QUIET

    def _repeats(self, at: int, stop: int, info: int) -> bool:
        """Is this token_count a re-emission of the one before it (nearly half of all)? Told by its bytes, without
        decoding it. Versions whose every token_count is a response write no nested limits."""
        buffer = self._buffer
        split = buffer.find(b',"rate_limits":{"', info, stop)
        if split < 0 or self.sink.wants_repeats:
            return False
        text = bytes(buffer[info:split])
        if text != self._info or buffer.startswith(b"primary_used", split + 17):
            self._info = text
            return False
        limits = bytes(buffer[split + 15 : stop])
        if limits.endswith(b"}}}") and limits[:-2] != self._seen:
            self._limits(limits[:-2], self._time(at, stop), self._base + at)
        return True

    def _count_span(self) -> Span:
        return self._span(self._time(*self._here), record=False)

    def _token_count(self, at: int, stop: int, _name: bytes) -> None:
        self._here = at, stop
        payload = _TOKEN_COUNT.decode(memoryview(self._buffer)[at:stop]).payload
        limits = bytes(payload.rate_limits)
        info = payload.info
        if info is None or info.total_token_usage is None:
            self._info = b""
            self.sink.no_count()
        else:
            # only versions before nested limits (0.42) never repeat a count; `null` is a later one
            single = not limits or limits.startswith(b'{"primary_used_percent"')
            total, last = tokens(info.total_token_usage), tokens(info.last_token_usage)
            self.sink.count(self._base + at, self._count_span, total, last, info.model_context_window, single)
        if limits not in (b"", b"null", self._seen):
            self._limits(limits, self._time(at, stop), self._base + at)

    def _limits(self, raw: bytes, time_ms: int, position: int) -> None:
        self._seen, mark = raw, blake2b(raw, digest_size=8).digest()
        if mark == self.state.limits:
            return  # read on: the same as at the end of the last reading
        self.state.limits = mark  # not the words themselves: the state is stored
        try:
            windows = rate_windows(_LIMITS.decode(raw), position, time_ms)
        except BAD:
            self.sink.skip("bad_rate_limits")
        else:
            if windows:
                self.sink.windows(windows)

    def _turn_started(self, at: int, stop: int, _name: bytes) -> None:
        line = _TURN.decode(memoryview(self._buffer)[at:stop])
        self.sink.turn_started(self._time(at, stop), line.payload)

    def _turn_ended(self, at: int, stop: int, name: bytes) -> None:
        event = _TURN.decode(memoryview(self._buffer)[at:stop]).payload
        outcome = "failed" if event.error is not None else "aborted" if name == b"turn_aborted" else "completed"
        event.error = None
        self.sink.turn_ended(self._time(at, stop), event, outcome)

    def _user_message(self, at: int, stop: int, _name: bytes) -> None:
        self.sink.user_message(self._time(at, stop))

    def _review(self, at: int, stop: int, name: bytes) -> None:
        self.sink.review(self._time(at, stop), name == b"entered_review_mode")

    def _settings(self, at: int, stop: int, _name: bytes) -> None:
        self.sink.settings(_SETTINGS.decode(memoryview(self._buffer)[at:stop]).payload)

    def _context(self, at: int, stop: int, _name: bytes) -> None:
        text = bytes(self._buffer[at + 40 : stop])
        if text != self._turn_context:  # written once per response before 0.110, always the same
            self._turn_context = text
            self.sink.context(_CONTEXT.decode(memoryview(self._buffer)[at:stop]).payload)

    def _record(self, at: int, stop: int, _name: bytes) -> None:
        record = _RECORD.decode(memoryview(self._buffer)[at:stop]).payload
        self.sink.record(self._base + at, self._span(self._time(at, stop), record=True), record)

    def _meta(self, at: int, stop: int, _name: bytes) -> None:
        meta = _META.decode(memoryview(self._buffer)[at:stop]).payload
        self.state.layout = layout_of(meta.cli_version)
        self.sink.meta(self._time(at, stop), meta)

    def _compacted(self, at: int, stop: int, _name: bytes = b"") -> None:
        """Never decoded: compacted lines are a quarter of all bytes and hold whole conversations."""
        tail = bytes(self._buffer[max(at, stop - (16 << 10)) : stop])
        _, key, value = tail.rpartition(b'"compaction_response_id":')
        found = re.match(rb'\s*"([^"]*)"', value) if key else None
        self.sink.compacted(found[1].decode("utf-8", "replace") if found else None)

    def _odd(self, at: int, stop: int) -> None:
        """A line whose kind is not where it should be: parse it whole and handle it all the same."""
        if self._buffer.startswith(b"\xef\xbb\xbf", at):
            at += 3
        text = self._buffer[at:stop].strip()
        try:
            line = _ANY.decode(text or b'{"record_type":""}')
            nested = line.type in ("event_msg", "response_item") and line.payload
            name = (_KIND.decode(line.payload).type if nested else line.type) or ""
        except msgspec.ValidationError:
            self.sink.skip("unknown_line")
        except BAD:
            self.sink.skip("bad_json")
        else:
            if line.type is None or not line.payload:
                known = line.record_type is not None or name in _BARE or b'"instructions"' in text[:400]
            elif line.type == "response_item":
                known = self._odd_item(line, name or "m")
            else:
                event = line.type == "event_msg"
                known = self._take(_EVENTS if event else _LINES, name.encode(), at, stop) or event
            if not known:
                self.sink.skip("unknown_line")

    def _odd_item(self, line: Any, name: str) -> bool:
        """A response item in an unusual layout: only its direction and time matter."""
        self._settle()
        state = self.state
        if name == "message":
            own = b'"assistant"' in bytes(line.payload)[:400]
        else:  # as in _block
            own = name[0] in "rlw" or (name[0] in "fc" and not name.endswith("_output"))
        if own:
            if not state.own_open:
                self._open()
            state.own_ms = iso_ms(line.timestamp)
        else:
            state.input_ms, state.input_kind = iso_ms(line.timestamp), name[0]
        state.items, state.own_last = True, own
        return True

    def _long(self, line: LongLine) -> None:
        """A line beyond the longest we hold: bodies are stepped over as always, a usage line is told as lost."""
        head = bytes(line.head[:300])
        if b'"type":"compacted"' in head:
            self._buffer = line.head[:100] + line.tail
            self._compacted(0, len(self._buffer))
        elif b'"type":"response_item"' not in head and b'"item_completed"' not in head:
            self.sink.skip("long_line")


def layout_of(version: str | None) -> str:
    """Where a version writes a response's token_count: before its items, after them, or late (after outputs)."""
    try:
        major, minor = (int(part) for part in (version or "").split(".")[:2])
    except ValueError:
        return "late"
    if (major, minor) >= (0, 137):
        return "late"
    return "after" if (major, minor) >= (0, 70) else "before"


def rate_windows(limits: Any, position: int, time_ms: int) -> list[RateWindow]:
    """A snapshot's windows, whatever the shape of its version: flat, relative or absolute reset times."""
    balance = limits.credits.balance if limits.credits else None
    rows = [limits.primary, limits.secondary]
    if limits.primary_used_percent is not None:
        minutes = limits.primary_window_minutes
        rows[0] = shapes.Window(used_percent=limits.primary_used_percent, window_minutes=minutes)
    if limits.secondary_used_percent is not None:
        minutes = limits.secondary_window_minutes
        rows[1] = shapes.Window(used_percent=limits.secondary_used_percent, window_minutes=minutes)
    windows = []
    for row in rows:
        if row is not None and row.used_percent is not None:
            resets = row.resets_at
            if resets is None and row.resets_in_seconds is not None:
                resets = time_ms // 1000 + row.resets_in_seconds
            told = (limits.limit_id, row.window_minutes, row.used_percent, resets, limits.plan_type)
            windows.append(RateWindow(position, time_ms, *told, None if balance is None else str(balance)))
    return windows


class _Sequence:
    """A sink that keeps only the (time, total, last) of every token_count."""

    wants_repeats = True

    def __init__(self) -> None:
        self.rows: list[tuple[int, Tokens, Tokens]] = []

    def count(self, position: int, span: SpanOf, total: Tokens, last: Tokens, window: int | None, single: bool) -> None:
        self.rows.append((span().ended_ms, total, last))

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def usage_sequence(path: str) -> list[tuple[int, Tokens, Tokens]]:
    """Every token_count with numbers of one rollout in file order, re-emissions included: what a fork of it
    copied (versions without turn ids are told apart by this)."""
    sink = _Sequence()
    RolloutDecoder(sink).read(path, 0)
    return sink.rows
