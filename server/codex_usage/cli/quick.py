"""The status line again, when nothing has changed since it was made: for prompts, which ask all the time.

Importing what answers a question takes longer than answering it. So the line is kept with what it rests on (the
newest logs, the folders that would show a new one, the user's files, the environment, and how long it may hold),
and given again while all of that is the same. It imports next to nothing. A change in a log that has been quiet
for long is seen when the line's ten minutes are over.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from codex_usage import __version__

_VARIABLES = ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "CODEX_USAGE_HOME", "CODEX_USAGE_TZ", "TZ", "CODEX_USAGE_PRICING",
              "CODEX_USAGE_WEEKLY_RESET", "CODEX_USAGE_WEEK_START", "CODEX_USAGE_PRIVACY_MODE", "HOME",
              "USERPROFILE")  # fmt: skip
_SECONDS = 600


def line_again() -> tuple[str, int] | None:
    """The kept line and its exit code, or None when something may have changed."""
    try:
        with open(_path(), encoding="utf-8") as file:
            kept = json.load(file)
        if kept["who"] != _who() or not 0 <= kept["until"] - time.time() <= _SECONDS:
            return None
        if any(_state(path) != state for path, state in kept["files"].items()):
            return None
        return str(kept["line"]), int(kept["code"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def keep(line: str, code: int, until: float, logs: dict[str, list[int]], others: list[str]) -> None:
    """Keep a line until a time (Unix seconds) at most, as long as these logs are as they were read, and other files
    stay as they are."""
    folders = {folder for log in logs for folder in _above(log, others)}
    files: dict[str, list[int] | None] = {path: _state(path) for path in (*sorted(folders), *others)}
    files.update(logs)
    kept: dict[str, Any] = {"who": _who(), "until": min(until, time.time() + _SECONDS), "files": files}
    text = json.dumps({**kept, "line": line, "code": code})
    draft = f"{_path()}.{os.getpid()}"
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(draft, _path())
    except OSError:
        return  # it is only for speed


def _path() -> str:
    return os.path.join(os.path.expanduser(os.environ.get("CODEX_USAGE_HOME") or "~/.codex-usage"), "status.json")


def _who() -> list[str | None]:
    return [__version__, *(os.environ.get(name) for name in _VARIABLES)]


def _state(path: str) -> list[int] | None:
    """What changes with a file or folder; None for one that isn't there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def _above(log: str, roots: list[str]) -> list[str]:
    """The folders that a log lies in, up to a root: a new one beside it changes one of them."""
    found: list[str] = []
    while log not in roots and len(found) < 6:
        log = os.path.dirname(log)
        found.append(log)
    return found
