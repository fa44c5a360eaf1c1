"""The examples of the documentation, run by a shell as a reader would, on made-up data at a fixed moment.

In: a page with ```console blocks (`$ command`, and what it prints), ```sh blocks, and blocks such as ```json
pricing.json, which are written into our own folder. Out: what each command printed, how it ended, and whether that is
what the page shows, where `…` stands for anything, and a line `…` for any lines. A block that can't run here has
`<!-- not run: REASON -->` above it.

    python -m tests.docs.examples docs/how-to/spend-less.md    # writes into the page what its commands print now
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

from codex_usage.cli.demo import write_demo_home

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 21, 13, 30, tzinfo=UTC)
#: Why a block may be left out.
REASONS = {"needs the network", "needs another machine", "needs another program", "takes minutes", "is for your shell"}

_REASON = re.compile(r"<!-- not run: (.+) -->")
#: Sizes of files, and times that a machine takes.
_MOVES = re.compile(r"\d+\.\d+ (MB|s)\b")
#: `codex-usage` with a clock that stands still; a server is stopped, as by Ctrl-C, when it has answered once.
_COMMAND = """#!{python}
import contextlib, datetime, os, signal, sys, threading, time, urllib.error, urllib.request
import click
sys.path.insert(0, "{root}/server")
import codex_usage.money.reading  # msgspec wants the real type
real, now = datetime.datetime, datetime.datetime.fromisoformat("{now}")
class Kind(type):
    __instancecheck__ = lambda cls, other: isinstance(other, real)
class Clock(real, metaclass=Kind):
    now = classmethod(lambda cls, tz=None: now.astimezone(tz) if tz else now.replace(tzinfo=None))
datetime.datetime, time.time = Clock, now.timestamp
if {{"serve-dashboard", "web", "otlp"}} & set(sys.argv):
    say = click.echo
    def stop(address):
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(address, timeout=30).read()
        os.kill(os.getpid(), signal.SIGINT)
    def echo(text="", **how):
        say(text, **how)
        if "Ctrl-C" in str(text):
            address = next(word for word in text.split() if word.startswith("http:"))
            threading.Thread(target=stop, args=[address.partition("#")[0]], daemon=True).start()
    click.echo = echo
    sys.argv += [] if "--port" in sys.argv else ["--port", "0"]
from codex_usage.cli.__main__ import main
main()
"""


@dataclass(frozen=True)
class Example:
    """A command with the output that the page shows; `reason` says why it is not run."""

    command: str
    shown: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    printed: str
    code: int


def examples(text: str) -> Iterator[Example]:
    """Every command of a page, in its order. A sh block is one command, in a shell of its own."""
    tokens = MarkdownIt("commonmark").parse(text)
    for before, token in pairwise(tokens):
        kind, _, name = token.info.partition(" ")
        found = _REASON.match(before.content) if before.type == "html_block" else None
        reason = found[1] if found else ""
        if kind == "sh":
            yield Example(f"(\n{token.content})", reason=reason)
        elif kind == "json" and name:
            yield Example(f"cat >~/.codex-usage/{name} <<'END'\n{token.content}END", reason=reason)
        elif kind == "console":
            for command, shown in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", token.content, re.M):
                yield Example(command, shown, reason)


class Reader:
    """Somebody's account with the demo's logs as their own, in which commands are run one after the other."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "you"
        for place in (".codex-usage", "bin", ".claude", "work-codex", "logs/laptop"):
            (self.home / place).mkdir(parents=True, mode=0o700)
        write_demo_home(self.home / ".codex", now=NOW)
        # the same names and ids are hidden behind the same hashes
        (self.home / ".codex-usage" / "secret").write_bytes(bytes(range(32)))
        streams = ROOT / "tests/cases/streams/0.169.0"
        shutil.copy(streams / "exec.txt", self.home / "codex.log")
        shutil.copy(streams / "app-server.jsonl", self.home / "app-server.jsonl")
        model = {"id": "gpt-6-luna", "match": {"equals": "gpt-6-luna"}, "prices": {"input_mtok": 1, "output_mtok": 5}}
        prices = [{"id": "openai", "name": "OpenAI", "api_pattern": "x", "models": [model]}]
        (self.home / "prices.json").write_text(json.dumps(prices))
        script = self.home / "bin" / "codex-usage"
        script.write_text(_COMMAND.format(python=sys.executable, root=ROOT, now=NOW.isoformat()))
        script.chmod(0o755)
        (self.home / "bin" / "codex-usage-mcp").symlink_to(Path(sys.executable).with_name("codex-usage-mcp"))
        # no browser is opened
        self.env = {
            "HOME": str(self.home),
            "PATH": f"{self.home / 'bin'}:/usr/bin:/bin",
            "TZ": "UTC",
            "BROWSER": "true",
        }
        self.env["LC_ALL"] = "C.UTF-8"

    def run(self, commands: list[str]) -> list[Done]:
        """Run commands in one shell, so that what one exports the next one has."""
        script = "".join(f"{{\n{command}\n}} 2>&1\nprintf '\\x1f%s\\x1e' $?\n" for command in commands)
        done = subprocess.run(
            ["bash", "-c", script], env=self.env, cwd=self.home, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=580, check=False,
        )  # fmt: skip
        parts = [part.split("\x1f") for part in self.plain(done.stdout).split("\x1e")[:-1]]
        return [Done(printed, int(code)) for printed, code in parts]

    def plain(self, text: str) -> str:
        """Output as on somebody's own machine."""
        text = text.replace(str(self.home), "/home/you").replace(
            str(Path(sys.executable).parent), "/home/you/.local/bin"
        )
        return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8765", text)


def runnable(command: str) -> str:
    """A command up to the first program that is not installed; empty when that is the first one."""
    kept = []
    for part in command.split(" | "):
        program = next((word for word in part.split() if "=" not in word), "")
        if program in ("jq", "sqlite3") and not shutil.which(program):
            break
        kept.append(part)
    return " | ".join(kept)


def trimmed(text: str) -> str:
    """Lines without what no reader sees."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def agrees(shown: str, printed: str) -> bool:
    """Whether the shown output is that which was printed, but for `…`, sizes and times."""
    shown, printed = (_MOVES.sub(r"… \1", trimmed(text)) for text in (shown, printed))
    lines = [re.escape(line).replace("…", ".*?") for line in shown.splitlines()]
    return re.fullmatch("\n".join("(?s:.*?)" if line == ".*?" else line for line in lines), printed) is not None


def renewed(text: str, folder: Path) -> str:
    """The page with what its commands print now, where it shows any and nothing is left out."""
    wanted = [one for one in examples(text) if not one.reason]
    for one, done in zip(wanted, Reader(folder).run([one.command for one in wanted]), strict=True):
        if not done.code and one.shown.strip() and "…" not in one.shown and not agrees(one.shown, done.printed):
            text = text.replace(f"$ {one.command}\n{one.shown}", f"$ {one.command}\n{trimmed(done.printed)}\n")
    return text


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as place:
            page.write_text(renewed(page.read_text(encoding="utf-8"), Path(place)), encoding="utf-8")
            print(page, file=sys.stderr)
