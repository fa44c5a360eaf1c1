"""Make a recorded home small and free of the machine it was recorded on.

In: the CODEX_HOME of a lab and the lab's root folder. Out: a copy with the rollouts, session_index.jsonl and
the state database only; the root reads /home/dev everywhere, long texts are cut, lines stay as Codex lays
them out (order of lines and keys, compact JSON). Byte offsets that point into other rollouts are moved along.
"""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from pathlib import Path
from typing import Any

HOME = "/home/dev"
LONGEST = 400
KEPT_TABLES = ("threads", "thread_spawn_edges")
USAGE_LINES = ("token_count", "token_usage_record")


def copy_home(home: Path, root: Path, target: Path) -> None:
    """Copy what tests read of `home` into `target`, neutral. ValueError when the machine is still named."""
    shutil.rmtree(target, ignore_errors=True)
    moved: dict[tuple[str, int], int] = {}
    for path in sorted(home.rglob("rollout-*.jsonl"), key=lambda path: path.name):
        write(target / path.relative_to(home), rollout(path, str(root), moved))
    index = home / "session_index.jsonl"
    if index.exists():
        write(target / index.name, index.read_text(encoding="utf-8").replace(str(root), HOME))
    for path in home.glob("state_*.sqlite"):
        state(path, target / path.name, str(root))
    leaks = [path for path in target.rglob("*") if path.is_file() and leaky(path.read_bytes(), root)]
    if leaks:
        raise ValueError(f"names of this machine are left in {leaks}")


def rollout(path: Path, root: str, moved: dict[tuple[str, int], int]) -> str:
    """The neutral text of one rollout; `moved` collects (thread, old end offset) -> new end offset."""
    old = new = 0
    lines = []
    thread = ""
    for raw in path.read_text(encoding="utf-8").splitlines(keepends=True):
        line = json.loads(raw.replace(root, HOME))
        if compact(line) != raw.replace(root, HOME).rstrip("\n"):
            raise ValueError(f"{path.name}: the layout would change: {raw[:200]}")
        payload = line.get("payload") or {}
        if line.get("type") == "session_meta":
            thread = thread or payload["id"]
            rebase(payload.get("history_base"), moved)
        lines.append(compact(line if usage_line(line) else shorten(line)) + "\n")
        old, new = old + len(raw.encode()), new + len(lines[-1].encode())
        moved[thread, old] = new
    return "".join(lines)


def rebase(base: dict[str, Any] | None, moved: dict[tuple[str, int], int]) -> None:
    """Point a fork's `history_base` at the same line of the parent's shortened file."""
    if base and base.get("end_byte_offset") is not None:
        base["end_byte_offset"] = moved[base["thread_id"], base["end_byte_offset"]]


def usage_line(line: dict[str, Any]) -> bool:
    """Whether a rollout line carries usage and so must stay as it is."""
    return line.get("type") in USAGE_LINES or (line.get("payload") or {}).get("type") in USAGE_LINES


def shorten(value: Any) -> Any:
    """Cut every string longer than LONGEST characters, at any depth."""
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:80]} [cut: {len(value)} characters]"
    if isinstance(value, dict):
        return {key: shorten(part) for key, part in value.items()}
    return [shorten(part) for part in value] if isinstance(value, list) else value


def compact(value: Any) -> str:
    """JSON as Codex writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def state(source: Path, target: Path, root: str) -> None:
    """Copy the state database without its write-ahead log, keeping the tables about threads."""
    with sqlite3.connect(source) as database:
        database.execute("VACUUM INTO ?", (str(target),))
    database.close()
    database = sqlite3.connect(target, isolation_level=None)
    for kind in ("trigger", "table"):
        rows = database.execute("SELECT name FROM sqlite_master WHERE type = ?", (kind,)).fetchall()
        for (name,) in rows:
            if kind == "trigger" or not (name in KEPT_TABLES or name.startswith("sqlite_")):
                database.execute(f'DROP {kind} "{name}"')
    for table in KEPT_TABLES:
        for _, column, kind, *_ in database.execute(f"PRAGMA table_info({table})").fetchall():
            if kind == "TEXT":
                database.execute(f'UPDATE {table} SET "{column}" = replace("{column}", ?, ?)', (root, HOME))
    database.execute("PRAGMA page_size = 512")
    database.execute("VACUUM")
    database.close()


def leaky(raw: bytes, root: Path) -> bool:
    """Whether bytes name the lab's folder, this repository's folder, the user's home or this host."""
    repository, host = str(Path(__file__).resolve().parents[2]), socket.gethostname()
    home = "" if str(Path.home()) == "/root" else f"{Path.home()}/"  # "/root/..." is also how agents are named
    names = [name for name in (str(root), repository, home, host if len(host) > 3 else "") if name]
    return any(name.encode() in raw for name in names)


def write(path: Path, text: str) -> None:
    """Write text, making the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
