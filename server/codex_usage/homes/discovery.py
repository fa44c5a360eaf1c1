"""Lists the logs of homes: folders in, one `LogFile` per logical log out, newest first."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from codex_usage.model.nouns import LogFile, kind_of

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass
class Listing:
    """What was found. `read` are the homes that could be listed: only their missing logs are really gone."""

    files: dict[str, LogFile] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def newest_first(self) -> list[LogFile]:
        """The logs by last write, newest first."""
        return sorted(self.files.values(), key=lambda file: (-file.mtime_ns, file.name))

    def thread_paths(self) -> dict[str, str]:
        """Thread id to the path of its first log."""
        paths: dict[str, str] = {}
        for name in sorted(self.files, reverse=True):
            file = self.files[name]
            if file.thread_id:
                paths[file.thread_id] = file.path
        return paths


def list_logs(codex: tuple[Path, ...], claude: tuple[Path, ...], imported: Path | None = None) -> Listing:
    """Every rollout and transcript under the homes, each logical log once, and our own records of other sources.

    The same log may stand twice for a moment (archived while listed, compressed, synchronised into a second
    home): the plain form wins over the compressed one, then the longer, then the one that is not archived.
    """
    listing = Listing()
    for entry, provider, home, archived in _logs(codex, claude, imported, listing):
        _add(listing, entry, provider, home, archived)
    return listing


def unchanged(
    codex: tuple[Path, ...], claude: tuple[Path, ...], imported: Path, marks: dict[str, tuple[int, int, int]]
) -> bool:
    """True when the logs on disk are those of `marks` (path to size, time and inode), each once and as they were.

    The usual answer of a question with nothing new: it builds nothing and stops at the first difference."""
    left = len(marks)
    stack = [str(home / folder) for home in codex for folder in ("sessions", "archived_sessions")]
    stack += [*(str(home / "projects") for home in claude), str(imported)]
    while stack:
        try:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    if entry.name.endswith((".jsonl", ".jsonl.zst")):
                        stat = entry.stat()
                        if marks.get(entry.path) != (stat.st_size, stat.st_mtime_ns, stat.st_ino):
                            return False
                        left -= 1
                    elif entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return left == 0


def _logs(
    codex: tuple[Path, ...], claude: tuple[Path, ...], imported: Path | None, listing: Listing
) -> Iterator[tuple[os.DirEntry[str], str, str, bool]]:
    """(entry, provider, home, archived) of everything named like a log; homes read and problems go to `listing`."""
    for home in codex:
        if home.is_dir():
            listing.read.add(str(home))
            for folder, archived in (("sessions", False), ("archived_sessions", True)):
                for entry in _walk(str(home / folder), str(home), listing):
                    if entry.name.startswith("rollout-") and entry.name.endswith((".jsonl", ".jsonl.zst")):
                        yield entry, "codex", str(home), archived
    for home in claude:
        if home.is_dir():
            listing.read.add(str(home))
            for entry in _walk(str(home / "projects"), str(home), listing):
                if entry.name.endswith(".jsonl"):
                    yield entry, "claude", str(home), False
    if imported:
        listing.read.add(str(imported))
        for entry in _walk(str(imported), str(imported), listing):
            if (kind := kind_of(entry.name)) and entry.name.endswith(".jsonl"):
                yield entry, kind, str(imported), False


def _walk(folder: str, home: str, listing: Listing) -> Iterator[os.DirEntry[str]]:
    """Files below a folder, links to files included. Links to folders are not followed: they may loop."""
    stack = [folder]
    while stack:
        here = stack.pop()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
                    elif _is_file(entry):
                        yield entry
        except FileNotFoundError:
            continue
        except OSError as error:
            listing.problems.append(f"cannot list {here}: {error.strerror}")
            listing.read.discard(home)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False  # a link that leads back to itself


def _add(listing: Listing, entry: os.DirEntry[str], provider: str, home: str, archived: bool) -> None:
    try:
        stat = entry.stat()
        entry.path.encode("utf-8")
    except UnicodeEncodeError:
        listing.problems.append(f"cannot name {entry.path!a}: it is not UTF-8")
        return
    except OSError:
        return  # moved away between the listing and the look: the next refresh sees where it went
    name = entry.name.removesuffix(".zst")
    # a session, or what was shown of one; a bundle is like a thread of its own
    whole = name.removesuffix(".jsonl").removeprefix("" if provider == "bundle" else f"~{provider}-")
    thread_id = next(iter(_UUID.findall(name)), None) if provider == "codex" else whole
    file = LogFile(name, entry.path, provider, home, stat.st_size, stat.st_mtime_ns, stat.st_ino, thread_id, archived)
    other = listing.files.get(name)
    if other is None or _preference(file) > _preference(other):
        listing.files[name] = file


def _preference(file: LogFile) -> tuple[bool, int, bool, str]:
    return not file.compressed, file.size, not file.archived, file.path


class _Named(msgspec.Struct):
    id: str
    thread_name: str | None = None


def thread_names(home: Path) -> dict[str, str]:
    """Names that the user or Codex gave to threads of a Codex home: from session_index.jsonl (last line wins)
    and the state database's `name`. Never a title, preview or first message, which repeat a prompt."""
    names = _state_names(home)
    path = home / "session_index.jsonl"
    try:
        lines = path.read_bytes().splitlines() if path.is_file() else []
    except OSError:
        return names
    for line in lines:
        try:
            row = msgspec.json.decode(line, type=_Named)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            continue
        if row.thread_name:
            names[row.id] = row.thread_name
        else:
            names.pop(row.id, None)
    return names


def _state_names(home: Path) -> dict[str, str]:
    for path in sorted(home.glob("state_*.sqlite"), reverse=True):
        if not path.is_file():
            continue
        # immutable opens without touching the folder; a live WAL is only readable the ordinary way
        wal = path.with_name(path.name + "-wal")
        live = wal.exists() and wal.stat().st_size > 0
        for mode in ("mode=ro", "immutable=1") if live else ("immutable=1",):
            try:
                with closing(sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, timeout=1)) as database:
                    rows = database.execute("SELECT id, name FROM threads WHERE name IS NOT NULL AND name <> ''")
                    return {str(key): str(name) for key, name in rows}
            except (sqlite3.Error, OSError):
                continue
    return {}


def names_mark(homes: tuple[Path, ...]) -> str:
    """A mark that changes when any home's thread names may have changed."""
    parts = []
    for home in homes:
        for path in sorted([*home.glob("session_index.jsonl"), *home.glob("state_*")]):
            try:
                stat = path.stat()
            except OSError:
                continue
            parts.append(f"{path.name}:{stat.st_size}:{stat.st_mtime_ns}")
        parts.append("")
    return "|".join(parts)
