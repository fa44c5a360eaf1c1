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


SpanOf = Callable[[], Span]


class RolloutSink(Protocol):
    """Receives a rollout's facts in file order. Times are milliseconds, positions byte offsets.

    `count` gets its span as a function: asking for it says that the line ends a response of its own.
    A sink that sets `wants_repeats` also gets re-emissions of the numbers before them."""

    wants_repeats: bool

    def meta(self, time_ms: int, meta: shapes.SessionMeta) -> None: ...
    def context(self, context: shapes.TurnContext) -> None: ...
    def settings(self, settings: shapes.SettingsApplied) -> None: ...
    def turn_started(self, time_ms: int, event: shapes.TurnEvent) -> None: ...
    def turn_ended(self, time_ms: int, event: shapes.TurnEvent, outcome: str) -> None: ...
    def user_message(self, time_ms: int) -> None: ...
    def review(self, time_ms: int, entered: bool) -> None: ...
    def record(self, position: int, span: Span, record: shapes.UsageRecord) -> None: ...
    def count(
        self, position: int, span: SpanOf, total: Tokens, last: Tokens, window: int | None, single: bool
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

BAD = (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError, ValueError)


def tokens(usage: shapes.Usage | None) -> Tokens:
    """A usage object as token classes; absent numbers are zero."""
    if usage is None:
        return Tokens()
    return Tokens.of(
        (
            usage.input_tokens or 0,
            usage.cached_input_tokens or 0,
            usage.cache_write_input_tokens or 0,
            usage.output_tokens or 0,
            usage.reasoning_output_tokens or 0,
        )
    )


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
    open_line: bool = False


#: Events that count, and what takes them in (by name: bound methods would tie each decoder to itself).
_EVENTS = {
    b"token_count": "_token_count",
    b"task_started": "_turn_started",
    b"turn_started": "_turn_started",
    b"task_complete": "_turn_completed",
    b"turn_complete": "_turn_completed",
    b"turn_aborted": "_turn_aborted",
    b"thread_settings_applied": "_settings",
    b"user_message": "_user_message",
    b"entered_review_mode": "_review_entered",
    b"exited_review_mode": "_review_exited",
}
_LINES = {
    "turn_context": "_context",
    "token_usage_record": "_record",
    "session_meta": "_meta",
    "compacted": "_compacted",
}


class RolloutDecoder:
    """Reads one rollout from a cursor on and tells a sink what stands there."""

    def __init__(self, sink: RolloutSink, state: DecoderState | None = None) -> None:
        self.sink = sink
        self.state = state or DecoderState()
        self._info = self._turn_context = b""
        # positions of lines in the current block whose time nobody has asked for yet
        self._input_at = self._start_at = self._own_at = -1
        self._buffer = bytearray()
        self._base = 0

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
        except BAD:
            return False
        self._block(Block(piece.data + b"\n", len(piece.data) + 1, piece.position))
        return True

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
                    self._event(at, stop, kind + 30)
                    own_open = self.state.own_open
            elif letter == 119 and starts(b'"type":"world_state"', kind - 8):
                pass
            else:
                self._flush(own_at, input_at, letter_in)
                self._other(at, stop, kind)
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

    def _event(self, at: int, stop: int, kind: int) -> None:
        buffer = self._buffer
        handler: Callable[[int, int], None]
        if buffer.startswith(b'token_count"', kind):
            if self._repeats(at, stop, kind + 13):
                return
            handler = self._token_count
        else:
            name = _EVENTS.get(bytes(buffer[kind : buffer.find(b'"', kind, kind + 48)]))
            if name is None:
                return
            handler = getattr(self, name)
        self._guard(handler, at, stop)

    def _guard(self, handler: Callable[[int, int], None], at: int, stop: int) -> None:
        try:
            handler(at, stop)
        except msgspec.ValidationError:
            self.sink.skip("impossible_value")
        except BAD:
            self.sink.skip("bad_json")

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
        if limits.endswith(b"}}}") and limits[:-2] != self.state.limits:
            self._limits(limits[:-2], self._time(at, stop), self._base + at)
        return True

    def _count_span(self) -> Span:
        return self._span(self._time(*self._here), record=False)

    def _token_count(self, at: int, stop: int) -> None:
        self._here = at, stop
        payload: shapes.TokenCount = _TOKEN_COUNT.decode(memoryview(self._buffer)[at:stop]).payload
        limits = bytes(payload.rate_limits)
        info = payload.info
        if info is None or info.total_token_usage is None:
            self._info = b""
            self.sink.no_count()
        else:
            self.sink.count(
                self._base + at,
                self._count_span,
                tokens(info.total_token_usage),
                tokens(info.last_token_usage),
                info.model_context_window,
                # only versions before nested limits (0.42) never repeat a count; `null` is a later one
                not limits or limits.startswith(b'{"primary_used_percent"'),
            )
        if limits not in (b"", b"null", self.state.limits):
            self._limits(limits, self._time(at, stop), self._base + at)

    def _limits(self, raw: bytes, time_ms: int, position: int) -> None:
        self.state.limits = raw
        try:
            windows = rate_windows(_LIMITS.decode(raw), position, time_ms)
        except BAD:
            return self.sink.skip("bad_rate_limits")
        return self.sink.windows(windows) if windows else None

    def _turn_started(self, at: int, stop: int) -> None:
        line = _TURN.decode(memoryview(self._buffer)[at:stop])
        self.sink.turn_started(self._time(at, stop), line.payload)

    def _turn_completed(self, at: int, stop: int) -> None:
        self._turn_ended(at, stop, "completed")

    def _turn_aborted(self, at: int, stop: int) -> None:
        self._turn_ended(at, stop, "aborted")

    def _turn_ended(self, at: int, stop: int, outcome: str) -> None:
        event: shapes.TurnEvent = _TURN.decode(memoryview(self._buffer)[at:stop]).payload
        if event.error is not None:
            outcome = "failed"
            event.error = None
        self.sink.turn_ended(self._time(at, stop), event, outcome)

    def _user_message(self, at: int, stop: int) -> None:
        self.sink.user_message(self._time(at, stop))

    def _review_entered(self, at: int, stop: int) -> None:
        self.sink.review(self._time(at, stop), True)

    def _review_exited(self, at: int, stop: int) -> None:
        self.sink.review(self._time(at, stop), False)

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
        text = bytes(self._buffer[at + 40 : stop])
        if text == self._turn_context:  # written once per response before 0.110, always the same
            return
        self._turn_context = text
        self.sink.context(_CONTEXT.decode(memoryview(self._buffer)[at:stop]).payload)

    def _record(self, at: int, stop: int) -> None:
        record = _RECORD.decode(memoryview(self._buffer)[at:stop]).payload
        self.sink.record(self._base + at, self._span(self._time(at, stop), record=True), record)

    def _meta(self, at: int, stop: int) -> None:
        meta: shapes.SessionMeta = _META.decode(memoryview(self._buffer)[at:stop]).payload
        self.state.layout = layout_of(meta.cli_version)
        self.sink.meta(self._time(at, stop), meta)

    def _compacted(self, at: int, stop: int) -> None:
        """Never decoded: compacted lines are a quarter of all bytes and hold whole conversations."""
        key = b'"compaction_response_id":'
        found = self._buffer.rfind(key, max(at, stop - (16 << 10)), stop)
        response = None
        if found >= 0:
            value = bytes(self._buffer[found + len(key) : stop]).lstrip()
            if value.startswith(b'"'):
                response = value[1 : value.find(b'"', 1)].decode("utf-8", "replace")
        self.sink.compacted(response)

    def _odd(self, at: int, stop: int) -> None:
        """A line whose kind is not where it should be: parse it whole and handle it all the same."""
        if self._buffer.startswith(b"\xef\xbb\xbf", at):
            at += 3
        text = self._buffer[at:stop].strip()
        if not text:
            return None
        try:
            line = _ANY.decode(text)
        except msgspec.ValidationError:
            return self.sink.skip("unknown_line")
        except BAD:
            return self.sink.skip("bad_json")
        if line.type is None or not line.payload:
            if line.record_type is None and line.type not in _BARE and b'"instructions"' not in text[:400]:
                self.sink.skip("unknown_line")
            return None
        try:
            name = _KIND.decode(line.payload).type if line.type in ("event_msg", "response_item") else None
        except BAD:
            return self.sink.skip("impossible_value")
        if line.type == "response_item":
            return self._odd_item(line, name)
        handler = _EVENTS.get((name or "").encode()) if line.type == "event_msg" else _LINES.get(line.type)
        if handler is not None:
            self._guard(getattr(self, handler), at, stop)
        elif line.type != "event_msg" and line.type not in _QUIET:
            self.sink.skip("unknown_line")
        return None

    def _odd_item(self, line: shapes.Line, name: str | None) -> None:
        """A response item in an unusual layout: only its direction and time matter."""
        self._settle()
        state = self.state
        name = name or "m"
        if name == "message":
            own = b'"assistant"' in bytes(line.payload)[:400]
        else:  # as in _item
            own = name[0] in "rlw" or (name[0] in "fc" and not name.endswith("_output"))
        if own:
            if not state.own_open:
                self._open()
            state.own_ms = iso_ms(line.timestamp)
            state.own_last = True
        else:
            state.input_ms, state.input_kind = iso_ms(line.timestamp), name[0]
            state.own_last = False
        state.items = True

    def _long(self, line: LongLine) -> None:
        """A line beyond the longest we hold: bodies are stepped over as always, a usage line is told as lost."""
        head = bytes(line.head[:300])
        if b'"type":"compacted"' in head:
            piece = line.head[:100] + line.tail + b"\n"
            self._buffer, self._base = bytearray(piece), line.position
            self._compacted(0, len(piece) - 1)
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
