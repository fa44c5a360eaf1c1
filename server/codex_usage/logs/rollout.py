"""Decodes Codex rollouts of every version from 0.34: blocks of lines in, calls of a `RolloutSink` out.

Speed rests on one measured fact: Codex writes `{"timestamp":"<24 bytes>",` and then either `"type":"` or
`"ordinal":<n>,"type":"`, so a line's kind stands at a known place (it held on 8,705 lines of 36 versions).
A line where the peek fails is parsed whole, so an unknown layout costs time, never a call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import msgspec

from codex_usage.logs import shapes
from codex_usage.logs.reader import Block, Cursor, LastLine, LongLine, read_blocks
from codex_usage.logs.times import iso_ms, stamp_ms
from codex_usage.model import RateWindow, Tokens

#: Line kinds that are known and hold nothing to count.
_QUIET = frozenset(
    {
        "world_state",
        "inter_agent_communication",
        "inter_agent_communication_metadata",
        "dynamic_tools_updated",
        "security_risk_score",
        "realtime_item",
        "ghost_snapshot",
        "session_state",
    }
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


class RolloutSink(Protocol):
    """Receives a rollout's facts in file order. Times are milliseconds, positions byte offsets."""

    def meta(self, time_ms: int, meta: shapes.SessionMeta) -> None: ...
    def context(self, context: shapes.TurnContext) -> None: ...
    def settings(self, settings: shapes.SettingsApplied) -> None: ...
    def turn_started(self, time_ms: int, event: shapes.TurnEvent) -> None: ...
    def turn_ended(self, time_ms: int, event: shapes.TurnEvent, outcome: str) -> None: ...
    def user_message(self, time_ms: int) -> None: ...
    def review(self, time_ms: int, entered: bool) -> None: ...
    def record(self, position: int, span: Span, record: shapes.UsageRecord) -> None: ...
    def count(
        self, position: int, span: Span, total: Tokens, last: Tokens, window: int | None, single: bool
    ) -> None: ...
    def no_count(self) -> None: ...
    def windows(self, windows: list[RateWindow]) -> None: ...
    def compacted(self, response_id: str | None) -> None: ...
    def skip(self, kind: str) -> None: ...


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

_BAD = (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError, ValueError)


def tokens(usage: shapes.Usage | None) -> Tokens:
    """A usage object as token classes; absent numbers are zero."""
    if usage is None:
        return Tokens()
    return Tokens(
        usage.input_tokens or 0,
        usage.cached_input_tokens or 0,
        usage.cache_write_input_tokens or 0,
        usage.output_tokens or 0,
        usage.reasoning_output_tokens or 0,
    )


class DecoderState(msgspec.Struct, array_like=True):
    """What must survive between two readings of a growing file."""

    input_ms: int | None = None
    input_kind: str = ""
    own_open: bool = False
    own_last: bool = True
    items: int = 0
    start_ms: int | None = None
    start_kind: str = ""
    own_ms: int | None = None
    layout: str = "after"
    limits: bytes = b""
    total: Tokens | None = None
    open_line: bool = False


class RolloutDecoder:
    """Reads one rollout from a cursor on and tells a sink what stands there."""

    def __init__(self, sink: RolloutSink, state: DecoderState | None = None) -> None:
        self.sink = sink
        self.state = state or DecoderState()
        # positions of lines in the current block whose time nobody has asked for yet
        self._input_at = self._start_at = self._own_at = -1
        self._buffer = bytearray()
        self._base = 0
        self._events: dict[str, Callable[[int, int], None]] = {
            "token_count": self._token_count,
            "task_started": self._turn_started,
            "turn_started": self._turn_started,
            "task_complete": lambda a, b: self._turn_ended(a, b, "completed"),
            "turn_complete": lambda a, b: self._turn_ended(a, b, "completed"),
            "turn_aborted": lambda a, b: self._turn_ended(a, b, "aborted"),
            "thread_settings_applied": self._settings,
            "user_message": lambda a, b: self.sink.user_message(self._time(a, b)),
            "entered_review_mode": lambda a, b: self.sink.review(self._time(a, b), True),
            "exited_review_mode": lambda a, b: self.sink.review(self._time(a, b), False),
        }

    def read(self, path: str, offset: int) -> Cursor:
        """Take in every whole line from `offset` on. Raises OSError and BrokenLog; what came before counts."""
        end = offset
        self.cursor = Cursor(end, self.state.open_line)
        for piece in read_blocks(path, offset):
            if isinstance(piece, Block):
                self._block(piece)
                end = piece.base + piece.end
                self.state.open_line = False
            elif isinstance(piece, LongLine):
                self._long(piece)
                end = piece.end
                self.state.open_line = False
            elif self._complete(piece):
                end = piece.position + len(piece.data)
                self.state.open_line = True
            self.cursor = Cursor(end, self.state.open_line)
        return self.cursor

    def _complete(self, piece: LastLine) -> bool:
        """Take in a last line without newline when it is a whole JSON object that counting needs."""
        line = piece.data.rstrip(b" \r\t")
        if not line.endswith(b"}") or len(line) > 1 << 20:
            return False
        try:
            if _ANY.decode(line).type in (None, "response_item"):
                return False
        except _BAD:
            return False
        self._block(Block(piece.data + b"\n", len(piece.data) + 1, piece.position))
        return True

    # -- the loop over lines; the only code that runs for every line ------------------------------------

    def _block(self, block: Block) -> None:
        buffer, end, _ = block
        self._buffer, self._base = buffer, block.base
        find, starts = buffer.find, buffer.startswith
        at = 0
        while at < end:
            stop = find(10, at, end)
            if stop - at < 96:
                if stop - at > 1:
                    self._odd(at, stop)
                at = stop + 1
                continue
            kind = at + 48
            if buffer[kind] == 34:  # `"ordinal":` stands before `"type":`
                kind = find(b'"type":"', at + 50, at + 76) + 8
            letter = buffer[kind]
            if letter == 114 and starts(b'"type":"response_item","payload":{"type":"', kind - 8):
                self._item(at, kind + 34)
            elif letter == 101 and starts(b'"type":"event_msg","payload":{"type":"', kind - 8):
                letter = buffer[kind + 30]
                # t: token_count, task_, turn_, thread_; u: user_message; e: entered_, exited_review_mode
                if letter == 116 or letter == 117 or letter == 101:
                    self._event(at, stop, kind + 30)
            elif letter == 119 and starts(b'"type":"world_state"', kind - 8):
                pass
            else:
                self._other(at, stop, kind)
            at = stop + 1
        self._settle()

    def _item(self, at: int, kind: int) -> None:
        """A response item: does it come from the model (own) or go to it (input)?"""
        buffer = self._buffer
        letter = buffer[kind]
        if letter == 102:  # function_call, function_call_output
            own = buffer[kind + 13] != 95
        elif letter == 109:  # message
            role = buffer.find(b'"role":"', kind, kind + 240)
            own = buffer[role + 8] == 97
        elif letter == 99:  # custom_tool_call, custom_tool_call_output, compaction
            own = buffer[kind + 16] != 95
        else:
            own = letter in (114, 108, 119)  # reasoning, local_shell_call, web_search_call
        if own:
            if not self.state.own_open:
                self.state.own_open = True
                self._start_at = self._input_at
                self.state.start_ms = self.state.input_ms
                self.state.start_kind = self.state.input_kind
            self._own_at = at
        else:
            self._input_at = at
            self.state.input_kind = chr(letter)
        self.state.own_last = own
        self.state.items += 1

    def _settle(self) -> None:
        """Turn the positions kept for later into times, before the buffer is reused."""
        state = self.state
        if self._input_at >= 0:
            state.input_ms = self._stamp(self._input_at)
        if self._start_at >= 0:
            state.start_ms = self._stamp(self._start_at)
        if self._own_at >= 0:
            state.own_ms = self._stamp(self._own_at)
        self._input_at = self._start_at = self._own_at = -1

    def _stamp(self, at: int) -> int | None:
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
        self._settle()
        state = self.state
        own = state.own_open
        ended = time_ms
        started, kind = state.input_ms, state.input_kind
        if own and (record or state.layout != "before"):
            started, kind = state.start_ms, state.start_kind
            if state.layout == "late" and not record and state.own_ms is not None:
                ended = state.own_ms
        maybe_summary = state.layout != "late" or record or state.own_last
        state.own_open, state.start_ms, state.items = False, None, 0
        return Span(started, ended, maybe_summary, kind)

    # -- lines that count -------------------------------------------------------------------------------

    def _event(self, at: int, stop: int, kind: int) -> None:
        buffer = self._buffer
        name = bytes(buffer[kind : buffer.find(b'"', kind, kind + 48)])
        handler = self._events.get(name.decode("ascii", "replace"))
        if handler is None:
            return
        self._guard(handler, at, stop)

    def _guard(self, handler: Callable[[int, int], None], at: int, stop: int) -> None:
        try:
            handler(at, stop)
        except msgspec.ValidationError:
            self.sink.skip("impossible_value")
        except _BAD:
            self.sink.skip("bad_json")

    def _token_count(self, at: int, stop: int) -> None:
        payload: shapes.TokenCount = _TOKEN_COUNT.decode(memoryview(self._buffer)[at:stop]).payload
        limits = bytes(payload.rate_limits)
        info = payload.info
        if info is None or info.total_token_usage is None:
            self.state.total = None
            self.sink.no_count()
        else:
            time_ms = self._time(at, stop)
            total, last = tokens(info.total_token_usage), tokens(info.last_token_usage)
            # only the versions before rate-limit snapshots (0.42) never repeat a count; `null` is a later one
            single = not limits or limits.startswith(b'{"primary_used_percent"')
            if total == self.state.total or last.is_zero:  # no response of its own: leave the span open
                span = Span(None, time_ms, False, "")
            else:
                span = self._span(time_ms, record=False)
            self.state.total = total
            self.sink.count(self._base + at, span, total, last, info.model_context_window, single)
        if limits not in (b"", b"null", self.state.limits):
            self._limits(limits, self._time(at, stop), self._base + at)

    def _limits(self, raw: bytes, time_ms: int, position: int) -> None:
        self.state.limits = raw
        try:
            windows = rate_windows(_LIMITS.decode(raw), position, time_ms)
        except _BAD:
            return self.sink.skip("bad_rate_limits")
        return self.sink.windows(windows) if windows else None

    def _turn_started(self, at: int, stop: int) -> None:
        line = _TURN.decode(memoryview(self._buffer)[at:stop])
        self.sink.turn_started(self._time(at, stop), line.payload)

    def _turn_ended(self, at: int, stop: int, outcome: str) -> None:
        event: shapes.TurnEvent = _TURN.decode(memoryview(self._buffer)[at:stop]).payload
        if event.error is not None:
            outcome = "failed"
            event.error = None
        self.sink.turn_ended(self._time(at, stop), event, outcome)

    def _settings(self, at: int, stop: int) -> None:
        self.sink.settings(_SETTINGS.decode(memoryview(self._buffer)[at:stop]).payload)

    def _other(self, at: int, stop: int, kind: int) -> None:
        starts = self._buffer.startswith
        if starts(b'"type":"turn_context"', kind - 8):
            self._guard(self._context, at, stop)
        elif starts(b'"type":"token_usage_record"', kind - 8):
            self._guard(self._record, at, stop)
        elif starts(b'"type":"compacted"', kind - 8):
            self._compacted(at, stop)
        elif starts(b'"type":"session_meta"', kind - 8):
            self._guard(self._meta, at, stop)
        elif not starts(b'"type":"inter_agent_communication', kind - 8):
            self._odd(at, stop)

    def _context(self, at: int, stop: int) -> None:
        self.sink.context(_CONTEXT.decode(memoryview(self._buffer)[at:stop]).payload)

    def _record(self, at: int, stop: int) -> None:
        record = _RECORD.decode(memoryview(self._buffer)[at:stop]).payload
        self.sink.record(self._base + at, self._span(self._time(at, stop), record=True), record)

    def _meta(self, at: int, stop: int) -> None:
        meta: shapes.SessionMeta = _META.decode(memoryview(self._buffer)[at:stop]).payload
        self.state.layout = _layout(meta.cli_version)
        self.sink.meta(self._time(at, stop), meta)

    def _compacted(self, at: int, stop: int) -> None:
        """Never decoded: compacted lines are a quarter of all bytes and hold whole conversations."""
        key = b'"compaction_response_id":"'
        found = self._buffer.rfind(key, max(at, stop - (16 << 10)), stop)
        response = None
        if found >= 0:
            begin = found + len(key)
            response = bytes(self._buffer[begin : self._buffer.find(b'"', begin, stop)]).decode("utf-8", "replace")
        self.sink.compacted(response)

    def _odd(self, at: int, stop: int) -> None:
        """A line whose kind is not where it should be: parse it whole and handle it all the same."""
        if self._buffer.startswith(b"\xef\xbb\xbf", at):
            at += 3
        text = self._buffer[at:stop].strip()
        if not text:
            return
        try:
            line = _ANY.decode(text)
        except msgspec.ValidationError:
            return self.sink.skip("unknown_line")
        except _BAD:
            return self.sink.skip("bad_json")
        if line.type is None or not line.payload:
            if line.record_type is None and line.type not in _BARE and b'"instructions"' not in text[:400]:
                self.sink.skip("unknown_line")
            return None
        try:
            name = _KIND.decode(line.payload).type if line.type in ("event_msg", "response_item") else None
        except _BAD:
            return self.sink.skip("impossible_value")
        handlers: dict[str, Callable[[int, int], None]] = {
            "turn_context": self._context,
            "token_usage_record": self._record,
            "session_meta": self._meta,
            "compacted": self._compacted,
        }
        if line.type == "event_msg":
            handler = self._events.get(name or "")
        elif line.type == "response_item":
            return self._odd_item(line, name)
        else:
            handler = handlers.get(line.type)
            if handler is None and line.type not in _QUIET:
                self.sink.skip("unknown_line")
        if handler is not None:
            self._guard(handler, at, stop)
        return None

    def _odd_item(self, line: shapes.Line, name: str | None) -> None:
        """A response item in an unusual layout: only its direction and time matter."""
        self._settle()
        state = self.state
        assistant = name == "message" and b'"assistant"' in bytes(line.payload)[:400].replace(b" ", b"")
        if assistant or name in ("reasoning", "function_call", "custom_tool_call", "local_shell_call"):
            if not state.own_open:
                state.own_open, state.start_ms, state.start_kind = True, state.input_ms, state.input_kind
            state.own_ms = iso_ms(line.timestamp)
        else:
            state.input_ms, state.input_kind = iso_ms(line.timestamp), (name or "m")[0]
        state.own_last = assistant or name in ("reasoning", "function_call", "custom_tool_call", "local_shell_call")
        state.items += 1

    def _long(self, line: LongLine) -> None:
        """A line beyond the longest we hold: bodies are stepped over as always, a usage line is told as lost."""
        head = bytes(line.head[:300])
        if b'"type":"compacted"' in head:
            piece = line.head[:100] + line.tail + b"\n"
            self._buffer, self._base = bytearray(piece), line.position
            self._compacted(0, len(piece) - 1)
        elif b'"type":"response_item"' not in head and b'"item_completed"' not in head:
            self.sink.skip("long_line")


def _layout(version: str | None) -> str:
    """Where a version writes a response's token_count: before its items, after them, or late (after outputs)."""
    try:
        major, minor = (int(part) for part in (version or "").split(".")[:2])
    except ValueError:
        return "late"
    if (major, minor) >= (0, 137):
        return "late"
    return "after" if (major, minor) >= (0, 70) else "before"


def rate_windows(limits: shapes.RateLimits, position: int, time_ms: int) -> list[RateWindow]:
    """A snapshot's windows, whatever the shape of its version: flat, relative or absolute reset times."""
    balance = limits.credits.balance if limits.credits else None
    rows = [limits.primary, limits.secondary]
    if limits.primary_used_percent is not None:
        rows[0] = shapes.Window(limits.primary_used_percent, limits.primary_window_minutes)
    if limits.secondary_used_percent is not None:
        rows[1] = shapes.Window(limits.secondary_used_percent, limits.secondary_window_minutes)
    windows = []
    for row in rows:
        if row is None or row.used_percent is None:
            continue
        resets = row.resets_at
        if resets is None and row.resets_in_seconds is not None:
            resets = time_ms // 1000 + row.resets_in_seconds
        windows.append(
            RateWindow(
                position,
                time_ms,
                limits.limit_id,
                row.window_minutes,
                row.used_percent,
                resets,
                limits.plan_type,
                None if balance is None else str(balance),
            )
        )
    return windows


class _Sequence:
    """A sink that keeps only the (time, total, last) of every token_count."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, Tokens, Tokens]] = []

    def count(
        self, position: int, span: Span, total: Tokens, last: Tokens, window: int | None, single: bool
    ) -> None:
        self.rows.append((span.ended_ms, total, last))

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def usage_sequence(path: str) -> list[tuple[int, Tokens, Tokens]]:
    """Every token_count with numbers of one rollout in file order, re-emissions included: what a fork of it
    copied (versions without turn ids are told apart by this)."""
    sink = _Sequence()
    RolloutDecoder(sink).read(path, 0)
    return sink.rows
