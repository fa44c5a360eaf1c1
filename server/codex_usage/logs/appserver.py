"""Reads what Codex tells programs, a JSON object a line: both protocols of `codex app-server`, in both directions,
and the events of `codex exec --json`, old and new. Messages and tool bodies are never kept.

Counted as rollouts are (docs/explanation/counting.md): running totals are compared by component, an equal total is a
repetition, one that is lower is a fresh start. What only a stream has: a resumed or forked thread, and an agent that
inherits its context, first repeat the numbers of the past, and a stream may begin in the midst of a thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec
from msgspec.structs import replace

from codex_usage.logs import shapes
from codex_usage.logs.records import Seen
from codex_usage.logs.rollout import BAD, rate_windows, tokens
from codex_usage.logs.times import iso_ms, uuid_ms
from codex_usage.model import Call, RateWindow, Thread, Tokens, Turn

#: A longer line is stepped over, also when a reader hands it over in pieces of more than this.
LONGEST = 4 << 20
#: The end of the year 2099: a later time is none.
LATEST_MS = 4_102_444_800_000
_Id = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,80}\Z")] | None
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.]\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_OUTCOMES = {"completed": "completed", "failed": "failed", "interrupted": "aborted"}
_SETTINGS = ("model", "effort", "cwd", "service_tier")
#: What takes in each kind of line: methods, events, and `result`, the answers that start, resume or fork a thread.
_KINDS = {
    "thread/started": "_opened", "result": "_opened", "thread/settings/updated": "_set", "turn/start": "_set",
    "sendUserTurn": "_set", "session_configured": "_set", "task_started": "_set", "turn.started": "_set",
    "thread.started": "_set", "turn/started": "_turn", "turn/completed": "_turn", "item/started": "_item",
    "item/completed": "_item", "thread/tokenUsage/updated": "_usage", "account/rateLimits/updated": "_usage",
    "token_count": "_usage", "turn.completed": "_usage",
}  # fmt: skip
_WANTED = re.compile(b'"(?:codex/event/)?(?:%s)"' % "|".join(map(re.escape, _KINDS)).encode())
#: Names of one thing in several protocols, and objects whose parts are looked at as their owner's.
_NAMES = {
    "conversation_id": "thread_id", "window_duration_mins": "window_minutes", "reasoning_effort": "effort",
    "token_usage": "info", "total": "total_token_usage", "last": "last_token_usage", "origin_url": "repository_url",
}  # fmt: skip
_FLAT = {"params": "", "result": "", "msg": "", "thread_settings": "", "thread": "thread_", "turn": "turn_",
         "item": "item_"}  # fmt: skip
_Facts = shapes._shape(
    "Facts", "method type turn_id model effort cwd service_tier thread_cwd thread_cli_version thread_model"
    " thread_originator thread_forked_from_id thread_parent_thread_id thread_agent_role thread_effort turn_status"
    " turn_root_turn_id item_type item_model item_effort",
    "emitted_at_ms completed_at_ms started_at_ms thread_created_at turn_started_at turn_completed_at turn_duration_ms",
    thread_source=Any, thread_git_info=shapes.Git | None, info=shapes.Info | None, usage=shapes.Usage | None,
    rate_limits=shapes.RateLimits | None, thread_id=_Id, item_agent_thread_id=_Id, item_receiver_thread_ids=list[_Id],
)  # fmt: skip


class State:
    """What a stream has said of one thread so far. `used` is the model of the last call: the compaction before a
    turn runs on it, not on the turn's own."""

    def __init__(self, thread_id: str) -> None:
        self.seen = Seen(Thread(thread_id, "codex"))
        self.turns, self.settings = dict[str, Turn](), dict[str, str]()
        self.total: Tokens | None = None
        self.turn = self.called = self.used = ""
        self.prompts, self.compacting, self.restored = 0, False, False

    def skip(self, kind: str) -> None:
        """Count something that was left out."""
        self.seen.skipped[kind] = self.seen.skipped.get(kind, 0) + 1

    def tell(self, facts: Any, prefix: str = "") -> None:
        """Take over the settings that an object names."""
        self.settings |= {name: told for name in _SETTINGS if (told := getattr(facts, prefix + name, None))}


class Stream:
    """Takes in the lines of one stream and gives what they said of each thread. `at_ms` stands in for a time where
    the stream tells none; what belongs to no thread stands with an empty id."""

    def __init__(self, at_ms: int | None = None) -> None:
        self.rest = self.current = State("")
        self.at_ms, self.now, self.states = at_ms or 0, 0, dict[str, State]()
        self._windows, self._shown = dict[Any, RateWindow](), dict[tuple[Tokens, Tokens], str]()

    def thread(self, thread_id: str | None) -> State:
        """The thread of an id, from now on the current one; a new one without id for None."""
        self.current = self.states.setdefault(thread_id or f" {len(self.states)}", State(thread_id or ""))
        return self.current

    def seen(self) -> Iterator[Seen]:
        """Every thread of which something was said."""
        for state in (*self.states.values(), self.rest):
            state.seen.turns = list(state.turns.values())
            if state.seen != Seen(state.seen.thread):
                yield state.seen

    def take(self, line: bytes, position: int) -> None:
        """Take in one line, at a byte offset. A line that cannot be read is counted as skipped."""
        try:
            if _WANTED.search(line):
                self._take(line[line.find(b"{") :], _STAMP.findall(line[: line.find(b"{")].decode("latin-1")), position)
        except (*BAD, AttributeError, TypeError):  # not JSON, or not what a line of its kind holds
            self.rest.skip("unreadable_line")

    def _take(self, line: bytes, stamps: list[str], position: int) -> None:
        facts = msgspec.convert(_flat(msgspec.json.decode(line)), _Facts)
        told = facts.emitted_at_ms or facts.completed_at_ms or facts.started_at_ms or iso_ms("".join(stamps[:1]))
        told = told or _ms(facts.turn_completed_at or facts.turn_started_at) or 0
        self.now = told if 0 < told < LATEST_MS else self.now
        kind = (facts.method or facts.type or (facts.model and "result") or "").removeprefix("codex/event/")
        if facts.thread_id:
            self.thread(facts.thread_id)
        # an event of `exec --json` names no thread, the second protocol did not until 0.58
        if kind in _KINDS and (facts.thread_id or facts.rate_limits or (facts.type and not facts.method)):
            getattr(self, _KINDS[kind])(self.current, facts, position)

    def _opened(self, state: State, facts: Any, _position: int) -> None:
        before, source, git = state.seen.thread, facts.thread_source, facts.thread_git_info or shapes.Git()
        parent, kind = facts.thread_parent_thread_id or before.parent_id, type(source)
        state.seen.thread = Thread(
            before.id, "codex", _ms(facts.thread_created_at), "subagent" if parent or kind is dict else "user",
            source if kind is str else None, facts.thread_originator, facts.thread_cli_version, facts.thread_cwd,
            git.branch, git.repository_url, parent, facts.thread_forked_from_id, facts.thread_agent_role,
        )  # fmt: skip
        state.tell(facts, "thread_")
        # only an answer names the model; the numbers of the thread's past come next
        state.restored = state.restored or bool(facts.model)
        state.used = state.used or getattr(self.states.get(facts.thread_forked_from_id), "used", "")
        self._set(state, facts)

    def _set(self, state: State, facts: Any, _position: int = 0) -> None:
        state.tell(facts)
        if facts.type in ("task_started", "turn.started"):
            state.prompts, state.restored = state.prompts + 1, False

    def _turn(self, state: State, facts: Any, _position: int) -> None:
        key, times = facts.turn_id or "", (_ms(facts.turn_started_at), _ms(facts.turn_completed_at))
        told = facts.turn_duration_ms, None, _OUTCOMES.get(facts.turn_status or ""), None, None, facts.turn_root_turn_id
        state.turns[key] = Turn(key, state.seen.thread.id, times[0], times[1], *told)
        state.turn, state.restored, state.compacting = key, False, False

    def _item(self, state: State, facts: Any, _position: int) -> None:
        """Two kinds of item matter: a compaction, and an agent that is started."""
        if facts.item_type == "contextCompaction":
            state.compacting = facts.method == "item/started"
        children = [*(facts.item_receiver_thread_ids or ()), facts.item_agent_thread_id]
        for child in (self.thread(child_id) for child_id in children if child_id):
            if child is not state and child.seen.thread.parent_id is None:
                child.seen.thread = replace(child.seen.thread, role="subagent", parent_id=state.seen.thread.id)
                child.settings = state.settings | child.settings
                child.tell(facts, "item_")
        self.current = state

    def _usage(self, state: State, facts: Any, position: int) -> None:
        turn, told, thread = facts.turn_id or state.turn or f"u{state.prompts}", state.settings, state.seen.thread
        at_ms = max(self.now, min(uuid_ms(turn) or 0, LATEST_MS)) or self.at_ms
        for window in rate_windows(facts.rate_limits, position, at_ms) if facts.rate_limits else ():
            # both protocols may tell of one, the second in whole percents
            key = window.limit_id, window.window_minutes, int(window.used_percent + 0.5), window.resets_at
            state.seen.windows += [window] if self._windows.setdefault(key, window) is window else []
        if not (numbers := self._new(state, turn, facts)).is_zero:
            first, state.called = turn != state.called, turn
            state.turns.setdefault(turn, Turn(turn, thread.id))
            state.used = (state.compacting and state.used) or told.get("model", "")
            origin = 5 if state.compacting else 6 if thread.role == "subagent" else 2 if first else 4
            state.seen.calls.append(Call(
                0, position, at_ms, thread.id, turn, first, state.used or None, told.get("effort"),
                told.get("service_tier"), told.get("cwd"), origin, numbers,
                context_window=facts.info and facts.info.model_context_window, compaction=state.compacting,
            ))  # fmt: skip

    def _new(self, state: State, turn: str, facts: Any) -> Tokens:
        """What a running total adds to the one before it; `last` is the latest response, if it is told."""
        thread, previous, last = state.seen.thread, state.total, None
        if facts.usage:  # `exec --json` from 0.44 on: a turn ends with the thread's running total
            total = tokens(facts.usage)
        elif facts.info and facts.info.total_token_usage:
            total, last = tokens(facts.info.total_token_usage), tokens(facts.info.last_token_usage)
        else:  # without numbers: this process has counted nothing yet, an equal total is another call
            state.total = None if facts.type == "token_count" else previous
            return Tokens()
        copied, state.restored, state.total = state.restored and turn not in state.turns, False, total
        owner = self._shown.setdefault((total, last), thread.id) if last else thread.id
        if previous is None and owner != thread.id:  # inherited, unless it is a first call like that of another
            copied = copied or total != last or owner == thread.parent_id
        rise = total.minus(previous) if previous and total != last else last or total
        return Tokens() if copied or total == previous else rise if min(rise) >= 0 else last or total


def read_app_server(lines: Iterable[bytes], at_ms: int | None = None) -> Iterator[Seen]:
    """What the JSON lines of a Codex client, server or `exec --json` say of each thread, at their end. Call ids (uid)
    are left 0; `at_ms` (Unix milliseconds) is the time of lines that tell none."""
    return feed(lines, Stream(at_ms))


def feed(lines: Iterable[bytes], stream: Stream) -> Iterator[Seen]:
    """Let a stream take in all lines; one that is too long is counted as skipped, whole or in pieces."""
    position, inside = 0, False
    for line in lines:
        long = len(line) > LONGEST
        if not (long or inside):
            stream.take(line, position)
        elif not inside:
            stream.rest.skip("long_line")
        inside = (inside or long) and not line.endswith(b"\n")
        position += len(line)
    yield from stream.seen()


def _ms(seconds: int | None) -> int | None:
    return max(0, min(seconds * 1000, LATEST_MS)) if seconds else None


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    """An object under one spelling of its names, without long texts."""
    flat: dict[str, Any] = {}
    for key, part in value.items():
        name = _NAMES.get(name := re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), key), name)
        if isinstance(part, dict):
            own = _flat(part)
            flat |= {_FLAT[name] + inner: each for inner, each in own.items()} if name in _FLAT else {name: own}
        elif not isinstance(part, str) or len(part) <= 4096:
            flat[name] = part
    return flat
