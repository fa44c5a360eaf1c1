"""The options that every command takes, before or after its name, and what they open."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codex_usage.homes import Places, find_places
from codex_usage.model import BadInput, IndexBusy, NoHome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codex_usage.answers import Context
    from codex_usage.index import Index, Progress, Refreshed


@dataclass
class Settings:
    """What the global options say."""

    codex_homes: tuple[str, ...] = ()
    claude_homes: tuple[str, ...] = ()
    db: str | None = None
    tz: str | None = None
    as_json: bool = False
    quiet: bool = False

    def places(self) -> Places:
        """The homes to read and the index to use."""
        for home in (*self.codex_homes, *self.claude_homes):
            if not Path(home).expanduser().is_dir():
                raise BadInput(f"{home} is not a folder; name a Codex home, such as ~/.codex.")
        return find_places(self.codex_homes, self.claude_homes, self.db)

    @contextmanager
    def open(self) -> Iterator[tuple[Places, Index]]:
        """The index of these homes. Raises NoHome when none of them exists."""
        from codex_usage.index import open_index

        places = self.places()
        if not places.found:
            looked = ", ".join(str(home) for home in places.homes)
            raise NoHome(
                f"no Codex or Claude Code logs here (looked in {looked}); name a folder with --codex-home,"
                " or see it with made-up data: codex-usage demo"
            )
        with open_index(places.index) as index:
            yield places, index

    @contextmanager
    def asking(
        self, period: str | None, since: str | None = None, until: str | None = None, whole: bool = False
    ) -> Iterator[Context]:
        """A context for a question about a period, after a bounded refresh; `whole` waits for everything."""
        from codex_usage.answers import make_context
        from codex_usage.index import patience

        with self.open() as (places, index):
            wanted = make_context(index, self.tz).period(period, since, until)
            refreshed = self.refresh(index, places, None if whole else patience(wanted.start_ms), wanted.start_ms)
            if refreshed.pending_files and not refreshed.busy:
                self.complete_in_background()
            yield make_context(index, self.tz, refreshed=refreshed)

    def refresh(self, index: Index, places: Places, seconds: float | None, since_ms: int | None) -> Refreshed:
        """Bring the index up to date, with a progress bar when it takes long and someone is looking."""
        from codex_usage.index import Refreshed, refresh

        bar = _Bar(not self.quiet and not self.as_json)
        try:
            return refresh(
                index, places, since_ms=since_ms, seconds=seconds, workers=2, progress=bar.show,
                wait=30.0 if seconds is None else 5.0,
            )  # fmt: skip
        except IndexBusy:
            if seconds is None:
                raise
            return Refreshed(busy=True)
        finally:
            bar.close()

    def complete_in_background(self) -> None:
        """Leave a process that reads the older logs while the user reads the answer."""
        import subprocess

        command = [sys.executable, "-m", "codex_usage.cli", "refresh", "--quiet", *self.as_arguments()]
        quiet = subprocess.DEVNULL
        subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)

    def as_arguments(self) -> list[str]:
        """These settings as command line arguments."""
        words = [word for home in self.codex_homes for word in ("--codex-home", home)]
        words += [word for home in self.claude_homes for word in ("--claude-home", home)]
        return words + (["--db", self.db] if self.db else [])


class _Bar:
    """A progress bar on the terminal, shown once a refresh has read for longer than a moment."""

    _SHOW_ABOVE = 200 << 20

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted and sys.stderr.isatty()
        self._bar: Any = None
        self._shown = 0

    def show(self, progress: Progress) -> None:
        if not self._wanted or progress.total_bytes < self._SHOW_ABOVE:
            return
        if self._bar is None:
            label = f"Reading {progress.total_files} logs"
            self._bar = click.progressbar(length=progress.total_bytes, label=label, file=sys.stderr)
            self._bar.render_progress()
        self._bar.update(progress.bytes - self._shown)
        self._shown = progress.bytes

    def close(self) -> None:
        if self._bar is not None:
            self._bar.render_finish()


def _merge(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        settings = context.ensure_object(Settings)
        if value not in (None, (), False):
            current = getattr(settings, name)
            setattr(settings, name, current + value if isinstance(current, tuple) else value)
        return value

    return callback


#: Names and attributes of options.
_Options = tuple[tuple[tuple[str, ...], dict[str, Any]], ...]
_GLOBAL: _Options = (
    (("--codex-home",), {"multiple": True, "metavar": "DIR", "callback": _merge("codex_homes"),
                         "help": "A Codex home (default $CODEX_HOME or ~/.codex); repeatable."}),
    (("--claude-home",), {"multiple": True, "metavar": "DIR", "callback": _merge("claude_homes"),
                          "help": "A Claude Code home; repeatable."}),
    (("--db",), {"metavar": "FILE", "callback": _merge("db"),
                 "help": "The index file (default below $CODEX_USAGE_HOME or ~/.codex-usage)."}),
    (("--tz",), {"metavar": "ZONE", "callback": _merge("tz"),
                 "help": "Time zone of days, such as Europe/Berlin (default: this machine's)."}),
    (("--json", "as_json"), {"is_flag": True, "callback": _merge("as_json"), "help": "Print JSON."}),
)  # fmt: skip
_PERIOD: _Options = (
    (("--period",), {"metavar": "PERIOD",
                     "help": "today, last_7_days (default), this_month, all, 2026-11-01..2026-11-14 …"}),
    (("--since",), {"metavar": "DATE", "help": "First day or ISO time."}),
    (("--until",), {"metavar": "DATE", "help": "Last day (inclusive) or ISO time."}),
)  # fmt: skip
_FILTERS: _Options = (
    (("--model",), {"metavar": "NAME", "help": "Only this model."}),
    (("--project",), {"metavar": "NAME", "help": "Only this project."}),
    (("--effort",), {"metavar": "NAME", "help": "Only this reasoning effort."}),
    (("--provider",), {"type": click.Choice(["codex", "claude"]), "help": "Only this producer's calls."}),
    (("--origin",), {"type": click.Choice(["user", "codex", "unknown"]), "help": "Only calls caused by …"}),
    (("--thread",), {"metavar": "ID", "help": "Only this thread (id, last 8 characters, or name)."}),
    (("--confidence",), {"type": click.Choice(["exact", "estimated", "unpriced"]), "help": "Only calls priced so."}),
)  # fmt: skip


def _with(command: Callable[..., Any], options: _Options, **more: Any) -> Callable[..., Any]:
    for names, attributes in reversed(options):
        command = click.option(*names, **attributes, **more)(command)
    return command


def global_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the global options; their values land in Settings."""
    return _with(command, _GLOBAL, expose_value=False)


def period_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--period, --since and --until."""
    return _with(command, _PERIOD)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--model, --project, --effort, --provider, --origin, --thread and --confidence."""
    return _with(command, _FILTERS)


def order_option(words: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--order, with the words it takes."""
    return click.option("--order", default="cost", show_default=True, metavar="WORD", help=words)


def limit_option(default: int, least: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--limit, the number of rows."""
    return click.option(
        "--limit", default=default, show_default=True, type=click.IntRange(least), metavar="N", help="Rows to show."
    )
