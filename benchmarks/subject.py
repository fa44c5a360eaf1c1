"""The program under test: how it is called, on which home, with which index.

In: command lines and a generated home. Out: ``Subject``, whose every process sees only that home and an index
folder of its own, and helpers that read its answers.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .appending import appended
from .measure import Command, Failed, Run
from .stdio import Server

SUMMARY = ("summary", "--period", "last_7_days", "--json")


@dataclass(slots=True)
class Subject:
    """codex-usage (or a stand-in) on one home; its index lives in ``data``."""

    argv: list[str]
    mcp_argv: list[str]
    home: Path
    facts: dict[str, Any]
    data: Path

    def env(self) -> dict[str, str]:
        """The caller's environment without settings that could reach other logs."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CODEX_", "CLAUDE_"))}
        empty = self.data.parent / "nothing"
        empty.mkdir(exist_ok=True)
        return {
            **kept,
            "HOME": str(empty),
            "CLAUDE_CONFIG_DIR": str(empty / "claude"),
            "CODEX_HOME": str(self.home),
            "CODEX_USAGE_HOME": str(self.data),
            "TZ": "UTC",
            "NO_COLOR": "1",
        }

    @property
    def command(self) -> Command:
        return Command(self.argv, self.env())

    def server(self) -> Server:
        return Server(Command(self.mcp_argv, self.env()))

    def forget(self) -> None:
        """No index any more."""
        shutil.rmtree(self.data, ignore_errors=True)

    def cold_index(self) -> Run:
        """A first ``refresh``; removing the old index is not timed."""
        self.forget()
        return self.command("refresh")

    def index_bytes(self) -> int:
        """Size of the data folder after a checkpoint."""
        for path in self.data.rglob("*"):
            if path.is_file() and is_sqlite(path):
                with sqlite3.connect(path) as database:
                    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                database.close()
        return sum(path.stat().st_size for path in self.data.rglob("*") if path.is_file())

    def verdict(self) -> str:
        """ "" when every model's exported totals equal the ledger's, else the differences.

        Done in a process of its own: parsing the export would raise the memory floor of later measurements.
        """
        code = f"from benchmarks.subject import compare; compare({str(self.home)!r})"
        exported = subprocess.Popen([*self.argv, "export", "--format", "json"], env=self.env(), stdout=subprocess.PIPE)
        here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=exported.stdout, env=here, capture_output=True, text=True, check=False
        )
        exported.communicate()
        return (done.stdout + done.stderr[-300:]).strip()

    @contextmanager
    def appending(self) -> Iterator[Any]:
        """Gives a function that appends one call to the newest file; afterwards the file is as it was."""
        newest = json.loads(json.dumps(self.facts["newest"]))
        path = self.home / newest["path"]
        before = path.stat()

        def append() -> None:
            data, _ = appended(newest, int(time.time() * 1000))
            with path.open("ab") as log:
                log.write(data)

        try:
            yield append
        finally:
            os.truncate(path, before.st_size)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(15) == b"SQLite format 3"


@contextmanager
def subject(argv: list[str], mcp_argv: list[str], home: tuple[Path, dict[str, Any]]) -> Iterator[Subject]:
    """A subject with a temporary index folder."""
    with tempfile.TemporaryDirectory(prefix="codex-usage-bench-") as folder:
        yield Subject(argv, mcp_argv, *home, Path(folder) / "data")


def calls_in(answer: str | bytes) -> int | None:
    """The number of calls an answer speaks of: ``calls`` of its totals, wherever they stand."""
    try:
        value = json.loads(answer)
    except ValueError:
        return None
    queue: list[Any] = [value]
    while queue:
        item = queue.pop(0)
        if isinstance(item, dict):
            for name in ("totals", "total", "current"):
                if isinstance(item.get(name), dict) and isinstance(item[name].get("calls"), int):
                    return int(item[name]["calls"])
            if isinstance(item.get("calls"), int):
                return int(item["calls"])
            queue.extend(item.values())
    return None


def compare(home: str) -> None:
    """Read an export from stdin and print how its totals differ from the home's ledger."""
    facts = json.loads((Path(home) / "ledger.json").read_text(encoding="utf-8"))
    found: dict[str, dict[str, int]] = {}
    for call in json.load(sys.stdin):
        sums = found.setdefault(call["model"], {})
        sums["calls"] = sums.get("calls", 0) + 1
        for name in ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens"):
            sums[name] = sums.get(name, 0) + int(call[name])
    for model in sorted({*found, *facts["models"]}, key=str):
        wanted = facts["models"].get(model, {})
        got = found.get(model, {})
        wrong = {name: (wanted.get(name), count) for name, count in got.items() if wanted.get(name) != count}
        if wrong or not got:
            print(f"{model}: " + (f"(expected, found) {wrong}" if got else "missing"))


def python_beside(argv: list[str]) -> str:
    """The interpreter of the environment a console script belongs to; ours if there is none."""
    program = shutil.which(argv[0])
    if program:
        for name in ("python", "python3"):
            candidate = Path(program).parent / name
            if candidate.exists():
                return str(candidate)
    return sys.executable


def default_command(name: str) -> str:
    """The console script beside this interpreter."""
    path = Path(sys.executable).parent / name
    if not path.exists() and not shutil.which(name):
        raise Failed(f"{name} is not installed beside {sys.executable}: install the project or give the command")
    return str(path) if path.exists() else name
