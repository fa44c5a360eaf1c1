"""Rollouts written line by line as a version of Codex writes them, so that a test shows its data in view.

    Rollout("0.98.0").turn().call(input=100, output=7).call(input=200, output=9).write(home)

Layouts follow the recordings of each version (counting.md, "line order"); `line` and `raw` write the rest.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import zstandard

from codex_usage.model import LogFile

#: 2026-11-21T20:00:00.000Z
NOON = 1_795_291_200_000
NUMBERS = ("input", "cached", "cache_write", "output", "reasoning")


def uuid7(ms: int, number: int = 0) -> str:
    """A UUIDv7 made at a time; `number` tells two of one millisecond apart."""
    stamp = f"{ms:012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7{number & 0xFFF:03x}-8000-{number:012x}"


def stamp(ms: int) -> str:
    """A time as Codex writes it."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def compact(value: Any) -> bytes:
    """JSON as Codex writes it: no spaces, UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def usage(numbers: dict[str, int], *, writes: bool) -> dict[str, int]:
    """A usage object with the log's names."""
    row = {"input_tokens": numbers.get("input", 0), "cached_input_tokens": numbers.get("cached", 0)}
    if writes:
        row["cache_write_input_tokens"] = numbers.get("cache_write", 0)
    row["output_tokens"] = numbers.get("output", 0)
    row["reasoning_output_tokens"] = numbers.get("reasoning", 0)
    row["total_tokens"] = row["input_tokens"] + row["output_tokens"]
    return row


LIMITS: dict[str, Any] = {
    "primary": {"used_percent": 11.5, "window_minutes": 300, "resets_at": 1795298562},
    "secondary": {"used_percent": 40.5, "window_minutes": 10080, "resets_at": 1795381362},
}


@dataclass
class Rollout:
    """One rollout being written. The clock `now` moves only by `wait` and by the times given to `call`."""

    version: str = "0.169.0"
    thread: str = ""
    now: int = NOON
    model: str | None = "gpt-5.5"
    cwd: str = "/home/dev/demo"
    header: bool = True
    segment: str | None = None
    meta_fields: dict[str, Any] = field(default_factory=dict)
    source: Any = "exec"
    limits: Any = None

    def __post_init__(self) -> None:
        self.began = self.now
        self.thread = self.thread or uuid7(self.now)
        self.lines: list[bytes] = []
        self.total: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self.turn_id: str | None = None
        self.turns = self.responses = 0
        number = tuple(int(part) for part in self.version.split(".")[:2])
        self.ordinals, self.records = number >= (0, 148), number >= (0, 153)
        self.turn_ids, self.repeats = number >= (0, 106), (0, 42) <= number < (0, 137)
        self.writes, self.flat, self.contexts = number >= (0, 147), number == (0, 40), number >= (0, 36)
        self.layout = "late" if number >= (0, 137) else "after" if number >= (0, 70) else "before"
        if self.limits is None and number >= (0, 42):
            self.limits = LIMITS
        if self.header:
            self.meta()

    # -- lines ------------------------------------------------------------------------------------------

    def raw(self, line: bytes) -> Self:
        """Any bytes as a line."""
        self.lines.append(line)
        return self

    def line(self, kind: str, payload: Any) -> Self:
        """An enveloped line at the clock's time."""
        row: dict[str, Any] = {"timestamp": stamp(self.now)}
        if self.ordinals:
            row["ordinal"] = len(self.lines)
        return self.raw(compact({**row, "type": kind, "payload": payload}))

    def event(self, kind: str, **payload: Any) -> Self:
        """An event_msg line."""
        return self.line("event_msg", {"type": kind, **payload})

    def item(self, kind: str, **payload: Any) -> Self:
        """A response_item line."""
        return self.line("response_item", {"type": kind, **payload})

    def wait(self, ms: int) -> Self:
        """Let time pass."""
        self.now += ms
        return self

    # -- the header, turns ------------------------------------------------------------------------------

    def meta(self, thread: str | None = None, **fields: Any) -> Self:
        """A session_meta line: the own one, or with `thread` the copy of an ancestor's."""
        own = {"id": thread or self.thread, "timestamp": stamp(self.began), "cwd": self.cwd}
        own |= {"originator": "codex_exec", "cli_version": self.version, "source": self.source}
        return self.line("session_meta", own | self.meta_fields | fields)

    def context(self, model: str | None = None, effort: str | None = None, **fields: Any) -> Self:
        """A turn_context line."""
        self.model = model or self.model
        turn = {"turn_id": self.turn_id} if self.turn_id else {}
        return self.line("turn_context", {**turn, "cwd": self.cwd, "model": self.model, "effort": effort, **fields})

    def started(self, turn_id: str | None = None, **fields: Any) -> Self:
        """A task_started line (versions with turn ids)."""
        self.turns += 1
        self.turn_id = turn_id or uuid7(self.now, self.turns)
        return self.event("task_started", turn_id=self.turn_id, model_context_window=258400, **fields)

    def turn(self, *, model: str | None = None, effort: str | None = None, trigger: str | None = None) -> Self:
        """A user's request: the start of a turn as this version writes it."""
        if self.turn_ids:
            given = {} if trigger is None else {"turn_attribution": {"turn_trigger": trigger}}
            self.started(**given)
        self.user()
        return self.context(model, effort) if self.contexts else self

    def user(self) -> Self:
        """The user's words, as an item and as an event."""
        self.item("message", role="user", content=[{"type": "input_text", "text": "do it"}])
        return self if self.ordinals else self.event("user_message", message="do it", images=[])

    def end(self, kind: str = "task_complete", **fields: Any) -> Self:
        """The end of a turn."""
        turn = {"turn_id": self.turn_id} if self.turn_id else {}
        return self.event(kind, **turn, **fields)

    # -- usage ------------------------------------------------------------------------------------------

    def call(self, *, took: int = 1000, tool: bool = False, record: bool = True, **numbers: int) -> Self:
        """One billed response and its usage lines; with `tool` it asks for a tool, whose output follows."""
        self.responses += 1
        if self.repeats:  # the headers arrive: old numbers, new limits
            self.wait(took // 2).count()
            took -= took // 2
        self.wait(took)
        self.last = numbers
        self.total = {name: self.total.get(name, 0) + numbers.get(name, 0) for name in NUMBERS}
        if self.layout == "before":
            return self.count()._answer(tool)._output(tool)
        self._answer(tool)
        if self.layout == "after":
            return self.count()._output(tool)
        if self.records and record:
            self.record(**numbers)
        return self._output(tool).count()

    def summary(self, **numbers: int) -> Self:
        """The call that writes a local compaction's summary, and the compaction (recordings compact_auto)."""
        self.responses += 1
        if self.repeats:
            self.context().count()
        self.wait(1000)
        self.last = numbers
        self.total = {name: self.total.get(name, 0) + numbers.get(name, 0) for name in NUMBERS}
        if self.layout == "late":
            self._answer(tool=False)
        if self.records:
            self.record(**numbers)
        self.count()
        if self.layout != "late":
            self.count(last={})
        return self.compacted(f"resp_{self.thread}_{self.responses}" if self.records else None)

    def _answer(self, tool: bool) -> Self:
        if tool:
            return self.item("function_call", name="exec_command", arguments="{}", call_id=f"call_{self.responses}")
        return self.item("message", role="assistant", content=[{"type": "output_text", "text": "done"}])

    def _output(self, tool: bool) -> Self:
        if not tool:
            return self
        return self.wait(100).item("function_call_output", call_id=f"call_{self.responses}", output="ok")

    def count(self, total: dict[str, int] | None = None, last: dict[str, int] | None = None, **fields: Any) -> Self:
        """A token_count with the running numbers, or the given ones; without any yet, `info` is null."""
        self.total, self.last = total or self.total, self.last if last is None else last
        info = None
        if self.total:
            info = {"total_token_usage": usage(self.total, writes=self.writes)}
            info["last_token_usage"] = usage(self.last, writes=self.writes)
            info["model_context_window"] = 258400  # type: ignore[assignment]
        limits = {} if self.limits is None else {"rate_limits": self.limits}
        return self.event("token_count", info=info, **limits, **fields)

    def no_count(self) -> Self:
        """A token_count without numbers."""
        limits = {} if self.limits is None else {"rate_limits": self.limits}
        return self.event("token_count", info=None, **limits)

    def record(self, *, response: str | None = None, thread: str | None = None, **numbers: int) -> Self:
        """A token_usage_record."""
        own = {"thread_id": thread or self.thread, "turn_id": self.turn_id}
        own |= {"response_id": response or f"resp_{self.thread}_{self.responses}"}
        return self.line("token_usage_record", {**own, "usage": usage(numbers, writes=True)})

    def compacted(self, response: str | None = None) -> Self:
        """The line that replaces the history by a summary."""
        named = {} if response is None else {"compaction_response_id": response}
        return self.line("compacted", {"message": "what happened so far", **named})

    def resume(self, *, restart: bool = False) -> Self:
        """A new process goes on with the same file; old versions start their totals afresh."""
        if restart:
            self.total, self.last = {}, {}
        return self

    # -- copies and files -------------------------------------------------------------------------------

    def fork(self, **changes: Any) -> Rollout:
        """A fork as the versions before 0.148 write it: own header, then every line so far, stamped anew."""
        options = {"version": self.version, "now": self.now, "model": self.model, "cwd": self.cwd}
        options |= {"meta_fields": {"forked_from_id": self.thread}} | changes
        other = Rollout(**{"thread": uuid7(self.now, 77), **options})
        for line in self.lines:
            row = json.loads(line)
            other.raw(compact({**row, "timestamp": stamp(other.now)}))
        other.total, other.last, other.turn_id = dict(self.total), dict(self.last), self.turn_id
        return other

    def copy(self) -> Rollout:
        """The same rollout, to be gone on with apart."""
        return copy.deepcopy(self)

    @property
    def name(self) -> str:
        """The file's name."""
        when = datetime.fromtimestamp(self.began / 1000, UTC).strftime("%Y-%m-%dT%H-%M-%S")
        return f"rollout-{when}-{self.thread}{'_' + self.segment if self.segment else ''}.jsonl"

    @property
    def bytes(self) -> bytes:
        """The whole file."""
        return b"".join(line + b"\n" for line in self.lines)

    def path(self, home: Path, *, archived: bool = False) -> Path:
        """Where the file stands in a home."""
        when = datetime.fromtimestamp(self.began / 1000, UTC)
        folder = home / "archived_sessions" if archived else home / "sessions" / when.strftime("%Y/%m/%d")
        return folder / self.name

    def write(self, home: Path, *, archived: bool = False, zst: bool = False) -> Path:
        """Write the file as it stands now."""
        path = self.path(home, archived=archived)
        path.parent.mkdir(parents=True, exist_ok=True)
        if zst:
            path = path.with_name(path.name + ".zst")
            path.write_bytes(zstandard.ZstdCompressor().compress(self.bytes))
        else:
            path.write_bytes(self.bytes)
        return path


def log_file(path: Path, home: Path | None = None, provider: str = "codex") -> LogFile:
    """The listing's entry of one file, for tests that need no home."""
    from codex_usage.homes import list_logs

    home = home or next(parent.parent for parent in path.parents if parent.name in ("sessions", "projects"))
    homes = ((home,), ()) if provider == "codex" else ((), (home,))
    return list_logs(*homes).files[path.name.removesuffix(".zst")]
