"""The counting rule for Codex rollouts: one billed response, one call.

Two sources of usage stand in a rollout. `token_usage_record` (0.153 and later) is one line per response.
`token_count` carries a running total and the last response, is repeated, restarted and copied, and is read as
differences of the totals. The rule and the hazards it answers (H1-H19) are in docs/explanation/counting.md.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import msgspec
from msgspec.structs import replace

from codex_usage.ledger.parents import Family, growth_of
from codex_usage.ledger.rows import Rows, count_uid, response_uid
from codex_usage.logs import RolloutDecoder, Span, iso_ms, uuid_ms
from codex_usage.logs.rollout import DecoderState, SpanOf, tokens
from codex_usage.model import Call, Counted, LogFile, RateWindow, Thread, Tokens, Turn

#: Copied lines are stamped in one burst when a fork is made (measured: the same or the next millisecond).
_COPY_GAP_MS = 25
#: Origins (by their place in ORIGINS) of threads that no user started.
_ROLES = {"subagent": 6, "guardian": 7, "review": 8}


class _State(msgspec.Struct, array_like=True):
    """Everything that must survive between two readings of one growing rollout."""

    decoder: DecoderState = msgspec.field(default_factory=DecoderState)
    own_id: str | None = None
    made_ms: int | None = None
    ancestors: list[str] = []
    copying: bool = False
    copy_ms: int | None = None
    copied: int = 0
    role: str = "user"
    total: Tokens | None = None
    pending: list[Tokens] = []
    model: str | None = None
    effort: str | None = None
    tier: str | None = None
    cwd: str | None = None
    window: int | None = None
    turn_id: str | None = None
    trigger: str | None = None
    parent_turn: str | None = None
    root_turn: str | None = None
    turn_ms: int | None = None
    prompts: int = 0
    turn: Turn | None = None
    last_call: Call | None = None
    maybe_summary: bool = False
    last_response: str | None = None


def count_rollout(file: LogFile, offset: int, state: bytes, family: Family) -> Counted:
    """Read `file` from `offset` (0 with empty state: from the start) and count what is new.

    The result holds only the new rows; a call or turn that an earlier reading gave and this one completes is
    given again under the same uid or key.
    """
    ledger = _Ledger(file, state, family)
    return ledger.read(RolloutDecoder(ledger, ledger.state.decoder), offset)


class _Ledger(Rows[_State]):
    """The sink of one rollout's facts. Method order follows the file: header, turns, usage, the rest."""

    def __init__(self, file: LogFile, state: bytes, family: Family) -> None:
        super().__init__(file, state, _State)
        self.family = family
        self.wants_repeats = self.state.copying

    # -- header -----------------------------------------------------------------------------------------

    def meta(self, time_ms: int, meta: Any) -> None:
        """The first header is the thread's own; later ones are copies of its ancestors' (never a new thread)."""
        state = self.state
        own_id = self._own_id(meta.id)
        first = state.made_ms is None
        if first:
            state.made_ms = state.copy_ms = time_ms
        if meta.id not in (None, own_id):
            self._copy_of(meta.id)
        elif first:
            state.cwd = meta.cwd
            self.out.thread = _thread(own_id, time_ms, meta)
            state.role = self.out.thread.role
            if meta.forked_from_id:
                self._copy_of(meta.forked_from_id)

    def _own_id(self, header: str | None = None) -> str:
        """The thread's id, from the log's name: its header may be unreadable, and the next one a copy."""
        if self.state.own_id is None:
            self.state.own_id = self.file.thread_id or header or self.file.name
        return self.state.own_id

    def _copy_of(self, ancestor: str) -> None:
        state = self.state
        state.copying = self.wants_repeats = True
        self.out.depends_on.add(ancestor)
        if ancestor not in state.ancestors:
            state.ancestors = [*state.ancestors, ancestor]

    def settings(self, settings: Any) -> None:
        """The only place where a service tier is logged (0.169)."""
        if settings.thread_id in (None, self._own_id()):
            self.state.tier = settings.thread_settings.service_tier if settings.thread_settings else None

    def context(self, context: Any) -> None:
        """Model and effort of the calls after this line; the pre-turn compaction of 0.169 stands before it."""
        state = self.state
        state.model = context.model or state.model
        state.effort = context.effort
        state.cwd = context.cwd or state.cwd
        if context.turn_id:
            self._enter(context.turn_id)

    # -- turns ------------------------------------------------------------------------------------------

    def _enter(self, turn_id: str) -> None:
        state = self.state
        state.maybe_summary = False
        if turn_id != state.turn_id:
            state.turn_id = turn_id
            state.trigger = state.parent_turn = state.root_turn = state.turn_ms = None

    def turn_started(self, time_ms: int, event: Any) -> None:
        """A turn begins. A parent's log also holds its reviewer's turns; those get no calls here and no row."""
        state = self.state
        if event.turn_id:
            self._enter(event.turn_id)
        state.turn_ms = time_ms
        state.window = event.model_context_window or state.window
        if event.turn_attribution:
            state.trigger = event.turn_attribution.turn_trigger
            state.parent_turn = event.turn_attribution.parent_turn_id
            state.root_turn = event.turn_attribution.root_turn_id

    def turn_ended(self, time_ms: int, event: Any, outcome: str) -> None:
        """A turn completed, failed or was aborted; copied turns belong to the thread they were copied from."""
        key = event.turn_id or self._turn_key()
        state = self.state
        state.maybe_summary = False
        if key is None or self._is_older(event.turn_id) or (state.copying and event.turn_id is None):
            return
        turn = state.turn if state.turn and state.turn.key == key else self._new_turn(key)
        took, first = event.duration_ms, event.time_to_first_token_ms
        turn = replace(turn, ended_ms=time_ms, duration_ms=took, first_token_ms=first, outcome=outcome)
        self._put_turn(turn)

    def user_message(self, time_ms: int) -> None:
        """Marks a new turn in logs without turn ids."""
        self.state.prompts += 1
        self.state.maybe_summary = False

    def review(self, time_ms: int, entered: bool) -> None:
        """When a review ran, so that its thread can be linked in versions that log no parent."""
        self.out.reviews.append((time_ms, None) if entered else (-1, time_ms))

    def _turn_key(self) -> str | None:
        state = self.state
        return state.turn_id or (f"u{state.prompts}" if state.prompts else None)

    def _is_older(self, turn_id: str | None) -> bool:
        """True for a turn that began before this thread existed: a copied one."""
        began, own = uuid_ms(turn_id), uuid_ms(self.state.own_id)
        return bool(self.state.ancestors) and began is not None and own is not None and began < own

    def _new_turn(self, key: str) -> Turn:
        state = self.state
        turn = Turn(key, self._own_id())
        if key != state.turn_id:
            return turn
        trigger, parent, root = state.trigger, state.parent_turn, state.root_turn
        return replace(turn, started_ms=state.turn_ms, trigger=trigger, parent_key=parent, root_key=root)

    def _put_turn(self, turn: Turn) -> None:
        self.state.turn = turn
        if self.out.turns and self.out.turns[-1].key == turn.key:
            self.out.turns[-1] = turn
        else:
            self.out.turns.append(turn)

    # -- usage ------------------------------------------------------------------------------------------

    def record(self, position: int, span: Span, record: Any) -> None:
        """token_usage_record: exactly what the provider billed for one response."""
        state = self.state
        numbers = tokens(record.usage)
        thread_id = record.thread_id or self._own_id()
        state.pending = [*state.pending, numbers]
        if thread_id != self._own_id():
            self.out.depends_on.add(thread_id)
            if not self.family.has(thread_id):  # its own log is gone: recover the call from this copy
                self._recover(position, span, thread_id, record.turn_id, numbers, record.response_id, "")
            return
        if record.turn_id:
            self._enter(record.turn_id)
        state.root_turn = record.root_turn_id or state.root_turn
        state.last_response = record.response_id
        mark = str(span.ended_ms)
        uid = response_uid(record.response_id) if record.response_id else count_uid(thread_id, mark, numbers, numbers)
        self._own(uid, position, span, numbers)

    def no_count(self) -> None:
        """A token_count without numbers: the process that writes it has counted nothing yet, so its total
        starts afresh and an equal total is another call (counting.md, H2)."""
        self.state.total = None

    def count(self, position: int, span: SpanOf, total: Tokens, last: Tokens, window: int | None, single: bool) -> None:
        """token_count with numbers: a running total and the last response. `single`: written by a version that
        never repeats one."""
        state = self.state
        state.window = window or state.window
        previous, state.total = state.total, total
        if state.copying:
            seen = span()
            if self._is_copy(seen.ended_ms, total, last):
                self._copied(position, seen, previous, total, last)
                return
            self.wants_repeats = state.copying
            span = lambda: seen  # noqa: E731
        numbers = _difference(previous, total, last, single)
        if numbers is None or numbers.is_zero:
            return
        pending, state.pending = state.pending, []
        if pending and (numbers == pending[-1] or numbers in pending or numbers == reduce(Tokens.plus, pending)):
            return  # the record of the same response was counted
        ended = span()
        uid = count_uid(self._own_id(), str(ended.ended_ms), total, last)
        state.last_response = None
        self._own(uid, position, ended, numbers)

    def _is_copy(self, time_ms: int, total: Tokens, last: Tokens) -> bool:
        """Was this token_count copied from an ancestor when the thread was forked?"""
        state = self.state
        if uuid_ms(state.turn_id) is not None and uuid_ms(state.own_id) is not None:
            return self._is_older(state.turn_id)
        ancestor = next(iter(state.ancestors), "")
        if self.family.sequence(ancestor) is None:
            copied = abs(time_ms - (state.copy_ms or 0)) <= _COPY_GAP_MS
            state.copy_ms = time_ms if copied else state.copy_ms
        else:  # the parent may have gone on after the fork; only what it had by then can be a copy
            shown = self._shown(ancestor, state.copied, total, last)
            copied = shown is not None and shown <= (state.made_ms or 0)
        state.copied += copied
        state.copying = copied
        return copied

    def _copied(self, position: int, span: Span, previous: Tokens | None, total: Tokens, last: Tokens) -> None:
        """A copied line is its origin's call; it counts here only when every log that could show it is gone."""
        state = self.state
        pending, state.pending = state.pending, []
        if total == previous or last.is_zero or last in pending:
            return
        origin = self._origin(total, last)
        if origin is not None:
            mark = state.turn_id or ""
            self._recover(position, span, origin, state.turn_id, last, None, f"{mark}|{total}")

    def _origin(self, total: Tokens, last: Tokens) -> str | None:
        """The thread whose call a copied line shows, or None when that thread's own log (or that of the
        descendant it was copied through) exists and is counted there."""
        state = self.state
        began = uuid_ms(state.turn_id)
        origin = None
        for ancestor in state.ancestors:
            self.out.depends_on.add(ancestor)
            if self.family.has(ancestor):
                if (
                    began is None
                    and origin is not None
                    and self._shown(ancestor, state.copied - 1, total, last) is None
                ):
                    break
                return None
            origin = ancestor
            made = uuid_ms(ancestor)
            if began is not None and made is not None and began >= made:
                break
        return origin

    def _shown(self, ancestor: str, place: int, total: Tokens, last: Tokens) -> int | None:
        """When an ancestor's token_count in a place was written, if it has these numbers; where it has none yet, this
        log is read anew when the ancestor's grows."""
        rows = self.family.sequence(ancestor) or []
        if place >= len(rows):
            self.out.depends_on.add(growth_of(ancestor))
            return None
        return rows[place][0] if rows[place][1:] == (total, last) else None

    def _recover(
        self, position: int, span: Span, origin: str, turn: str | None, numbers: Tokens, response: str | None, mark: str
    ) -> None:
        uid = response_uid(response) if response else count_uid(origin, mark, numbers, numbers)
        call = self._call(uid, position, span, numbers)
        self._put(replace(call, thread_id=origin, turn_key=turn, turn_first=False, recovered=True))

    def _own(self, uid: int, position: int, span: Span, numbers: Tokens) -> None:
        state = self.state
        call = self._call(uid, position, span, numbers)
        if call.turn_first and call.turn_key:
            self._put_turn(self._new_turn(call.turn_key))
        state.last_call, state.maybe_summary = call, span.maybe_summary
        self._put(call)

    def _call(self, uid: int, position: int, span: Span, numbers: Tokens) -> Call:
        state = self.state
        key = self._turn_key()
        before = state.last_call
        first = before is None or before.turn_key != key
        started = _begin(span, state.turn_ms)
        return Call(
            uid, position, span.ended_ms, self._own_id(), key, first and key is not None,
            state.model, state.effort, state.tier, state.cwd, self._origin_code(first, span.input_kind), numbers,
            context_window=state.window,
            duration_ms=None if started is None else span.ended_ms - started,
            gap_ms=None if started is None or before is None else max(0, started - before.time_ms),
        )  # fmt: skip

    def _origin_code(self, first: bool, input_kind: str) -> int:
        state = self.state
        if state.role in _ROLES:
            return _ROLES[state.role]
        if first and state.trigger is None:
            return 2 if input_kind in ("m", "") else 10
        if first:
            return 1 if state.trigger in ("exec", "user") else 9
        return {"": 0, "m": 3}.get(input_kind, 4)

    def _put(self, call: Call) -> None:
        known = self.calls.get(call.uid)
        if known is None or call.compaction or not known.compaction:
            self.calls[call.uid] = call

    # -- the rest ---------------------------------------------------------------------------------------

    def windows(self, windows: list[RateWindow]) -> None:
        """An allowance snapshot that differs from the one before; a copied one is its origin's."""
        if not (self.state.copying and self._is_older(self.state.turn_id)):
            self.out.windows.extend(windows)

    def compacted(self, response_id: str | None) -> None:
        """The call before this line wrote the summary, if the line names it or nothing stands between them."""
        state = self.state
        call = state.last_call
        if self.state.copying and self._is_older(state.turn_id):
            return
        if call is not None and not call.compaction and self._summarised(response_id):
            call = replace(call, compaction=True, origin=5)
            state.last_call = call
            self._put(call)
        else:
            self.skip("compaction_without_usage")

    def _summarised(self, response_id: str | None) -> bool:
        state = self.state
        if response_id is not None and state.last_response is not None:
            return response_id == state.last_response
        return state.maybe_summary and not state.decoder.items


def _begin(span: Span, turn_ms: int | None) -> int | None:
    """When a response began: with its last input, but not before its turn (a compaction that opens a turn has
    no input of its own)."""
    if span.started_ms is None or span.started_ms > span.ended_ms:
        return None
    if turn_ms is not None and span.started_ms < turn_ms <= span.ended_ms:
        return turn_ms
    return span.started_ms


def _difference(previous: Tokens | None, total: Tokens, last: Tokens, single: bool) -> Tokens | None:
    """What a token_count adds to the one before it; None for a repetition. `total` is compared by component:
    its sum is polluted when a context window was exceeded (H4)."""
    if previous is None:
        return total if last.is_zero else last
    if total == previous:
        return last if single and total == last else None
    if total == last or previous.plus(last) == total:
        return last
    rise = total.minus(previous)
    return rise if min(rise) >= 0 else last


def _thread(own_id: str, time_ms: int, meta: Any) -> Thread:
    role, source, parent, agent = _source(meta)
    return Thread(
        own_id, "codex", created_ms=iso_ms(meta.timestamp) or time_ms, role=role, source=source,
        originator=meta.originator, version=meta.cli_version, cwd=meta.cwd,
        branch=meta.git.branch if meta.git else None, remote=meta.git.repository_url if meta.git else None,
        parent_id=meta.parent_thread_id or parent, forked_from=meta.forked_from_id, agent=meta.agent_role or agent,
    )  # fmt: skip


def _source(meta: Any) -> tuple[str, str | None, str | None, str | None]:
    """(role, source, parent thread, agent role) from the header's `source`, a word or a nested object."""
    source = meta.source
    if isinstance(source, str):
        return "user", source[:40], None, None
    kind = source.get("subagent") if isinstance(source, dict) else None
    if kind is None and meta.thread_source != "subagent":
        return ("guardian" if meta.thread_source == "guardian_review" else "user"), None, None, None
    nested = kind if isinstance(kind, dict) else {}
    role = "review" if kind == "review" else "guardian" if nested.get("other") == "guardian" else "subagent"
    spawn = nested.get("thread_spawn")
    told = [spawn.get(name) if isinstance(spawn, dict) else None for name in ("parent_thread_id", "agent_role")]
    parent, agent = (word if isinstance(word, str) else None for word in told)
    return role, role, parent, agent
