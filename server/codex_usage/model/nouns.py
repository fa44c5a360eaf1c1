"""Frozen records that flow from the logs to the index. Times are Unix milliseconds UTC, tokens are counts."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Tokens(NamedTuple):
    """Token classes of one billed response. `cached` and `cache_write` are parts of `input`,
    `reasoning` is a part of `output` (checked against provider ledgers in docs/explanation/counting.md)."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @staticmethod
    def of(values: tuple[int, int, int, int, int]) -> Tokens:
        """The same as Tokens(*values), at a third of the time: a million calls pass here."""
        return tuple.__new__(Tokens, values)

    def plus(self, other: Tokens) -> Tokens:
        """Sum per class."""
        a, b = self, other
        return Tokens.of((a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4]))

    def minus(self, other: Tokens) -> Tokens:
        """Difference per class; may be negative."""
        a, b = self, other
        return Tokens.of((a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3], a[4] - b[4]))

    @property
    def is_zero(self) -> bool:
        """True when no class counts anything."""
        return self == _NOTHING


_NOTHING = Tokens()


class Origin(NamedTuple):
    """Who caused a model call: `who` is user, codex or unknown; `sure` is logged or inferred."""

    who: str
    reason: str
    sure: str


#: Stored by position: append only.
ORIGINS: tuple[Origin, ...] = (
    Origin("unknown", "not_logged", "inferred"),
    Origin("user", "turn_trigger", "logged"),
    Origin("user", "user_message", "inferred"),
    Origin("user", "steer", "inferred"),
    Origin("codex", "tool_result", "inferred"),
    Origin("codex", "compaction", "inferred"),
    Origin("codex", "subagent", "logged"),
    Origin("codex", "guardian", "logged"),
    Origin("codex", "review", "logged"),
    Origin("codex", "turn_trigger", "logged"),
    Origin("codex", "follow_up", "inferred"),
)


#: What may show a thread, the best first: a log of its producer, then what we keep of the other sources.
VIAS = ("log", "app-server", "terminal")


def kind_of(name: str) -> str | None:
    """The kind of a file of our own records, by its name: app-server, terminal or bundle. None for a log.

    Such names begin with "~", so that a log always sorts before them."""
    return next((kind for kind in (*VIAS[1:], "bundle") if name.startswith(f"~{kind}-")), None)


class Call(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One billed model response as a log shows it.

    `uid` is stable over re-reads and machines (63-bit hash of the response id, or of thread, time and totals).
    `position` is the byte offset of the usage line in the (uncompressed) log.
    `recovered` calls stand in a copy only: their own thread's log is gone.
    `duration_ms` and `gap_ms` are derived from neighbouring lines and may be None.
    """

    uid: int
    position: int
    time_ms: int
    thread_id: str
    turn_key: str | None
    turn_first: bool
    model: str | None
    effort: str | None
    service_tier: str | None
    cwd: str | None
    origin: int
    tokens: Tokens
    cache_write_1h: int = 0
    context_window: int | None = None
    duration_ms: int | None = None
    gap_ms: int | None = None
    compaction: bool = False
    recovered: bool = False


class Turn(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A user's request until Codex stops. `key` is the log's turn id, or `u<n>` in logs without ids."""

    key: str
    thread_id: str
    started_ms: int | None = None
    ended_ms: int | None = None
    duration_ms: int | None = None
    first_token_ms: int | None = None
    outcome: str | None = None
    trigger: str | None = None
    parent_key: str | None = None
    root_key: str | None = None


class RateWindow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One allowance window in a rate-limit snapshot, keyed by its limit id and length, never by its slot."""

    position: int
    time_ms: int
    limit_id: str | None
    window_minutes: int | None
    used_percent: float
    resets_at: int | None
    plan_type: str | None = None
    credits_balance: str | None = None


class Thread(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a log's header says of its thread. `role` is user, subagent, guardian or review."""

    id: str
    provider: str
    created_ms: int | None = None
    role: str = "user"
    source: str | None = None
    originator: str | None = None
    version: str | None = None
    cwd: str | None = None
    branch: str | None = None
    remote: str | None = None
    parent_id: str | None = None
    forked_from: str | None = None
    agent: str | None = None


class LogFile(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One logical log on disk: `name` is the same for its plain, archived and compressed forms."""

    name: str
    path: str
    provider: str
    home: str
    size: int
    mtime_ns: int
    inode: int
    thread_id: str | None
    archived: bool = False

    @property
    def compressed(self) -> bool:
        """True for a zstd file, which is always read from its start."""
        return self.path.endswith(".zst")


#: How a project was decided: a call's folder, its thread's folder and hashed remote; the project's key and label.
Folder = tuple[str | None, str | None, str | None, str, str]


class Counted(msgspec.Struct):
    """What one reading of a log added: rows, the cursor after it and what was skipped.

    Our own records also name their source, and a bundle its many threads and where their projects were decided."""

    offset: int
    state: bytes
    thread: Thread | None = None
    calls: list[Call] = msgspec.field(default_factory=list)
    turns: list[Turn] = msgspec.field(default_factory=list)
    windows: list[RateWindow] = msgspec.field(default_factory=list)
    reviews: list[tuple[int, int | None]] = msgspec.field(default_factory=list)
    depends_on: set[str] = msgspec.field(default_factory=set)
    skipped: dict[str, int] = msgspec.field(default_factory=dict)
    source: str | None = None
    threads: list[Thread] = msgspec.field(default_factory=list)
    folders: list[Folder] = msgspec.field(default_factory=list)

    def skip(self, kind: str) -> None:
        """Count what could not, or must not, be taken in; told as data quality."""
        self.skipped[kind] = self.skipped.get(kind, 0) + 1
