"""Bundles: what this machine's own logs show, as a file of our own records that another machine's index counts.

A call keeps its id, so the same one from two machines counts once. What came from other machines is left out: their own
bundles tell it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from codex_usage.homes import Places
from codex_usage.homes.config import installation_secret, one_line, replacing
from codex_usage.index.database import Index
from codex_usage.logs.records import HEADER, NOUNS, RECORD, VERSION, Header, Record, lines, write_records
from codex_usage.logs.rollout import BAD
from codex_usage.model import ORIGINS, BadInput, Call, RateWindow, Thread, Tokens, Turn
from codex_usage.model.nouns import VIAS

#: Of a kind (paths, projects, names or ids) and a text, what a privacy mode shows.
Hide = Callable[[str, str], str]


def plain(_kind: str, text: str) -> str:
    """Hide nothing."""
    return text


_OWN = "file_id IN (SELECT id FROM files WHERE provider <> 'bundle')"
_THREADS = (
    "SELECT o.id IS NOT NULL, (SELECT min(CASE provider WHEN 'app-server' THEN 1 WHEN 'terminal' THEN 2 ELSE 0 END)"
    " FROM files WHERE thread = t.uuid AND provider <> 'bundle'), t.uuid, t.provider, created_ms, role, t.source,"
    " originator, version, cwd, branch, remote, parent, forked_from, agent FROM threads t"
    " LEFT JOIN files o ON o.name = t.file AND o.provider <> 'bundle' WHERE o.id IS NOT NULL OR t.id IN"
    f" (SELECT thread_id FROM calls WHERE {_OWN} UNION SELECT thread_id FROM turns WHERE {_OWN})"
)
_FOLDERS = (
    "SELECT DISTINCT w.text, t.cwd, t.remote, p.key, p.label FROM calls c JOIN threads t ON t.id = c.thread_id"
    f" JOIN projects p ON p.id = c.project_id LEFT JOIN names w ON w.id = c.cwd_id WHERE {_OWN}"
)
_TURNS = (
    "SELECT key, t.uuid, started_ms, ended_ms, duration_ms, first_token_ms, outcome, trigger, parent_key, root_key"
    f" FROM turns JOIN threads t ON t.id = thread_id WHERE {_OWN}"
)
#: Places in a bundle are those in its logs, told apart by log.
_WINDOWS = (
    "SELECT (file_id << 40) + position, time_ms, limit_id, nullif(minutes, 0), used_percent, resets_at, plan_type,"
    f" credits_balance FROM windows WHERE {_OWN}"
)
_CALLS = (
    "SELECT uid, (file_id << 40) + position, time_ms, t.uuid, turn_key, turn_first, m.text, e.text, s.text, w.text,"
    " c.origin, input, cached, cache_write, output, reasoning, cache_write_1h, context_window, duration_ms, gap_ms,"
    " compaction, recovered FROM calls c JOIN threads t ON t.id = c.thread_id LEFT JOIN names m ON m.id = model_id"
    " LEFT JOIN names e ON e.id = effort_id LEFT JOIN names s ON s.id = tier_id LEFT JOIN names w ON w.id = cwd_id"
    f" WHERE {_OWN}"
)
#: The kinds of the fields that may tell something; all others hold numbers and labels.
_KINDS = {"cwd": "paths", "branch": "names", "remote": "projects", "agent": "names"}
_IDS = ("id", "thread_id", "turn_key", "key", "parent_id", "forked_from", "parent_key", "root_key")
_KINDS |= dict.fromkeys(_IDS, "ids")
_FOLDER = ("paths", "paths", "projects", "paths", "projects")
_LONGEST = 64 << 10
_LATEST_MS = 253_402_300_800_000  # the year 10000
#: What numbers a field may hold; others what a column can.
_RANGES = {"uid": (0, 2**63 - 1), "position": (0, 2**62), "origin": (0, len(ORIGINS) - 1), "tokens": (0, 10**13)}
_RANGES |= dict.fromkeys(("time_ms", "created_ms", "started_ms", "ended_ms"), (0, _LATEST_MS))


def write_bundle(index: Index, places: Places, path: Path, label: str, hide: Hide = plain) -> Header:
    """Write all that the logs of these homes show, as `hide` shows it. Returns the first line. Raises BadInput."""
    homes = "\0".join(map(str, places.homes)).encode("utf-8", "surrogateescape")
    machine = hmac.digest(installation_secret(places.data), homes, hashlib.sha256).hex()[:16]
    with index.snapshot():
        calls = index.sql.execute(f"SELECT count(*) FROM calls WHERE {_OWN}").fetchone()[0]
        source, now = hide("names", one_line(label)[:60]), time.time_ns() // 1_000_000
        header = Header(VERSION, "bundle", source, now, calls, machine)
        write_records(path, header, _records(index, hide))
    return header


def _records(index: Index, hide: Hide) -> Iterator[Record]:
    def shown(one: Any) -> Any:
        if hide is plain:  # of a million calls nothing is hidden
            return one
        told = {name: getattr(one, name, None) for name in _KINDS}
        return replace(one, **{name: hide(_KINDS[name], text) for name, text in told.items() if text is not None})

    for headed, via, *head in index.sql.execute(_THREADS):
        thread = Thread(*head) if headed else Thread(*head[:2])
        yield Record(thread=shown(thread), via=VIAS[via or 0])  # type: ignore[arg-type]
    for row in index.sql.execute(_FOLDERS):
        told: Any = tuple(text and hide(kind, text) for kind, text in zip(_FOLDER, row, strict=True))
        yield Record(folder=told)
    for key, uuid, *rest in index.sql.execute(_TURNS):
        yield Record(turn=shown(Turn(_unique(key, uuid), uuid, *rest)))
    for row in index.sql.execute(_WINDOWS):
        yield Record(window=RateWindow(*row))
    for row in index.sql.execute(_CALLS):
        rest = (*row[6:11], Tokens(*row[11:16]), *row[16:20], bool(row[20]), bool(row[21]))
        key = row[4] and _unique(row[4], row[3])
        yield Record(call=shown(Call(*row[:4], key, bool(row[5]), *rest)))  # type: ignore[call-arg]


def _unique(key: str, thread: str) -> str:
    """A turn's key as one of many threads; a number was unique in its log only."""
    return key if len(key) >= 16 else f"{thread}:{key}"


def take_bundle(path: Path, folder: Path, label: str | None = None) -> tuple[Path, Header, bool]:
    """Check a bundle line by line, then put it into `folder` at once, under its own label or another, in the place of
    an older one from there. Returns the file, its first line, and whether it is new. Raises BadInput."""
    try:
        rest = lines(str(path))
        header = _header(path, next(rest, (0, b""))[1], label)
        target = folder / f"~bundle-{header.id}.jsonl"
        if target.is_file():
            known = _header(target, next(lines(str(target)), (0, b""))[1])
            if known == header or known.made_ms > header.made_ms:
                return target, known, False
        with replacing(target) as out:
            out.write(msgspec.json.encode(header) + b"\n")
            out.writelines(_checked(path, header, rest))
    except OSError as error:
        raise BadInput(f"Cannot read {path} ({error.strerror}).") from error
    return target, header, True


def _header(path: Path, line: bytes, label: str | None = None) -> Header:
    try:
        header = HEADER.decode(line)
    except BAD:
        header = Header(VERSION, "terminal", "", 0, 0)
    header.source = one_line(label or header.source)[:60]
    if header.codex_usage > VERSION:
        raise BadInput(f"{path.name} was written by a newer codex-usage; upgrade this one.")
    if header.kind != "bundle" or not re.fullmatch("[0-9a-f]{16}", header.id) or not 0 <= header.made_ms < _LATEST_MS:
        raise BadInput(f"{path.name} is no bundle; make one with codex-usage export --bundle.")
    return header


def _checked(path: Path, header: Header, rest: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
    """The lines after the first, if each is what a bundle may hold. Raises BadInput."""
    threads: set[str] = set()
    begun, calls = False, 0
    for number, (_, line) in enumerate(rest, 2):
        try:
            record = RECORD.decode(line if len(line) <= _LONGEST else b"")
        except BAD:
            record = Record()
        if not _is_sound(record, threads, begun):
            raise BadInput(f"{path.name} line {number} is none of a bundle; nothing was taken in. Make it anew.")
        begun, calls = begun or record.thread is None, calls + (record.call is not None)
        yield line.rstrip(b"\r\n") + b"\n"
    if calls != header.calls:
        raise BadInput(f"{path.name} holds {calls} of {header.calls} calls; nothing was taken in. Copy it again.")


def _is_sound(record: Record, threads: set[str], begun: bool) -> bool:
    """Does a line hold one noun, with values that the index can hold, of a thread that the bundle begins with?"""
    held = [one for name in NOUNS if (one := getattr(record, name)) is not None]
    if len(held) != 1 or record.skipped is not None:
        return False
    fields = {"folder": held[0]} if isinstance(held[0], tuple) else asdict(held[0])
    if thread := record.thread:
        threads.add(thread.id)
        if begun or thread.provider not in ("codex", "claude") or thread.id.startswith("~"):
            return False
    for name, value in fields.items():
        low, high = _RANGES.get(name, (-(10**18), 10**18))
        for each in value if isinstance(value, tuple) else (value,):
            is_text = isinstance(each, str)
            if each is not None and not (len(each) <= 4096 and "\0" not in each if is_text else low <= each <= high):
                return False
    return "thread_id" not in fields or fields["thread_id"] in threads


def counted(index: Index, files: Iterable[Path]) -> int:
    """How many calls count from some files of our own records, after a refresh."""
    query = "SELECT count(*) FROM calls c JOIN files f ON f.id = c.file_id WHERE f.name = ?"
    return sum(int(index.sql.execute(query, (file.name,)).fetchone()[0]) for file in files)
