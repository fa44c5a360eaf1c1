"""Opens the index: checks that the file is ours and of this version, and makes or renews it otherwise."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from codex_usage.homes.platform import is_posix, owners_but_us
from codex_usage.index import schema
from codex_usage.model import BadInput, IndexBusy, IndexForeign, IndexTooNew, UsageError

BUSY_SECONDS = 30.0


class Index:
    """A connection to the index. Readers are never blocked; `write` is one transaction of one writer."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.sql = connection

    def close(self) -> None:
        """Close the connection."""
        self.sql.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def write(self, wait: float = BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
        """One write transaction, committed whole or not at all. Raises IndexBusy after `wait` seconds."""
        self.sql.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")
        try:
            self.sql.execute("BEGIN IMMEDIATE")
        except sqlite3.DatabaseError as error:
            raise explained(self.path, error) or error from error
        try:
            yield self.sql
        except BaseException:
            if self.sql.in_transaction:  # SQLite itself rolls back when the disk is full
                self.sql.execute("ROLLBACK")
            raise
        self.sql.execute("COMMIT")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see one state of the index, so that an answer's figures agree with each other; one inside
        another sees that one's."""
        if self.sql.in_transaction:
            yield
            return
        self.sql.execute("BEGIN")
        try:
            yield
        finally:
            self.sql.execute("COMMIT")

    def get(self, key: str) -> str | None:
        """A value of our own bookkeeping."""
        row = self.sql.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put(self, key: str, value: str | None) -> None:
        """Set a value of our own bookkeeping (inside `write`)."""
        self.sql.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def shrink(self) -> None:
        """Leave no byte of what was deleted, neither in the file nor in its log. Raises IndexBusy."""
        try:
            self.sql.execute("VACUUM")
            if self.sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise sqlite3.OperationalError("busy")  # someone still reads the old state
        except sqlite3.DatabaseError as error:
            raise explained(self.path, error) or error from error


def explained(path: Path, error: sqlite3.DatabaseError) -> UsageError | None:
    """What SQLite says of a file, as a sentence with its mend; None when the fault is ours."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return IndexBusy(f"The index {path} is in use by another process; try again when that has finished.")
    if "malformed" in text:
        return BadInput(f"The index {path} is damaged; run `codex-usage clear-db` and it is made anew.")
    if "not a database" in text:
        return _foreign(path)
    if any(word in text for word in ("full", "readonly", "disk I/O", "unable to open", "attempt to write")):
        return BadInput(
            f"The index {path} cannot be used ({text}); make room, or set CODEX_USAGE_HOME to a folder you can write."
        )
    return None


def _foreign(path: Path) -> IndexForeign:
    return IndexForeign(f"{path} is not a codex-usage index; name another file with --db, or move it away.")


def open_index(path: Path, of: Any = schema) -> Index:
    """Open or make the index at `path`, `of` a schema. Raises IndexForeign, IndexTooNew, IndexBusy or BadInput."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if is_posix():
            _check_owner(path)
        if not path.exists():
            path.touch(0o600)  # SQLite gives the same rights to the files beside it
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise BadInput(
            f"Cannot open the index {path} ({getattr(error, 'strerror', None) or error}); set CODEX_USAGE_HOME to a"
            " folder you can write."
        ) from error
    try:
        index = _checked(path, connection, of)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise explained(path, error) or error from error
    except BaseException:
        connection.close()
        raise
    return index


def _check_owner(path: Path) -> None:
    """Refuse an index that others can put theirs in place of; in a sticky folder such as /tmp they can't."""
    folder = path.parent
    if owners_but_us(folder, path) or folder.stat().st_mode & (stat.S_ISVTX | 0o022) in (0o020, 0o002, 0o022):
        raise BadInput(f"Others own or can write to {folder}; run `chmod 700 {folder}`, or name a folder of your own.")


def _checked(path: Path, sql: sqlite3.Connection, of: Any) -> Index:
    sql.execute("PRAGMA busy_timeout = 30000")
    sql.execute("PRAGMA secure_delete = ON")
    index = Index(path, sql)
    with index.snapshot():  # another process may be making it right now
        application = sql.execute("PRAGMA application_id").fetchone()[0]
        version = sql.execute("PRAGMA user_version").fetchone()[0]
        tables = sql.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != of.APPLICATION_ID:
        if tables:
            raise _foreign(path)
        version = 0
    if version > of.VERSION:
        raise IndexTooNew(
            f"{path} was written by a newer codex-usage; upgrade this one, or name another file with --db."
        )
    if application != of.APPLICATION_ID or version < of.VERSION:
        _make(index, of)
    sql.execute("PRAGMA synchronous = NORMAL")
    sql.execute("PRAGMA temp_store = MEMORY")
    sql.execute("PRAGMA cache_size = -16000")
    return index


def _make(index: Index, of: Any = schema) -> None:
    """Create the tables, or replace those of an older version; safe when several processes try at once."""
    sql = index.sql
    sql.execute("PRAGMA auto_vacuum = INCREMENTAL")
    sql.execute("PRAGMA journal_mode = WAL")
    with index.write():
        ours = sql.execute("PRAGMA application_id").fetchone()[0] == of.APPLICATION_ID
        if ours and sql.execute("PRAGMA user_version").fetchone()[0] >= of.VERSION:
            return  # another process was faster
        names = sql.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        horizon = index.get("horizon") if ("meta",) in names else None
        for (name,) in names:
            sql.execute(f'DROP TABLE "{name}"')
        for statement in of.TABLES.split(";\n"):
            if statement.strip():
                sql.execute(statement)
        index.put("horizon", horizon)  # what was forgotten stays so
        sql.execute(f"PRAGMA application_id = {of.APPLICATION_ID}")
        sql.execute(f"PRAGMA user_version = {of.VERSION}")


def empty(index: Index) -> None:
    """Forget everything and start anew; the next refresh reads every log again. Raises IndexBusy."""
    with index.write() as sql:
        sql.execute("PRAGMA user_version = 0")
    _make(index)
    index.shrink()


def remove(path: Path) -> list[Path]:
    """Delete the index file and its companions; returns what was there."""
    files = [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]
    gone = [file for file in files if file.exists()]
    for file in gone:
        file.unlink()
    return gone
