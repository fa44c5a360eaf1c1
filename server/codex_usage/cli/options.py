"""The options that every command takes, before or after its name, and what they open."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codex_usage.model import BadInput, IndexBusy, NoHome, UsageError
from codex_usage.model.questions import GROUP_WORDS, PERIOD_WORDS, QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from codex_usage.answers import Context
    from codex_usage.answers.questions import Asked
    from codex_usage.homes import Places
    from codex_usage.index import Index, Progress, Refreshed

#: Where the dashboard is served, and telemetry is received.
PORT = 8765
#: Logs of so many bytes take longer than a moment.
_SHOW_ABOVE = 200 << 20


@dataclass
class Settings:
    """What the global options say."""

    codex_homes: tuple[str, ...] = ()
    claude_homes: tuple[str, ...] = ()
    db: str | None = None
    tz: str | None = None
    as_json: bool = False
    privacy_mode: str | None = None
    lang: str | None = None
    week_start: str | None = None
    quiet: bool = False

    @property
    def mode(self) -> str:
        """How much is hidden: --privacy-mode, else CODEX_USAGE_PRIVACY_MODE, else nothing."""
        return self.mode_or("normal")

    def mode_or(self, usual: str) -> str:
        """The same, for a command that hides more unless it is told otherwise."""
        return self.privacy_mode or os.environ.get("CODEX_USAGE_PRIVACY_MODE") or usual

    def private(self, answer: Any) -> Any:
        """An answer as the privacy mode shows it."""
        if self.mode == "normal":
            return answer
        from codex_usage.present.privacy import shield

        return shield(self.mode, self.places().data)(answer)

    def tell(self, answer: object, *lines: str) -> None:
        """What a command did, as JSON or as lines for people."""
        if self.as_json:
            from codex_usage.homes.config import as_json

            lines = (as_json(answer).decode().rstrip(),)
        click.echo("\n".join(lines))

    def note(self, line: str) -> None:
        """A line for people, beside the answer."""
        if not self.as_json:
            click.echo(line)

    def say(self, sentence: UsageError | str) -> str:
        """A sentence as the privacy mode shows it."""
        from codex_usage.present.privacy import trouble

        return str(sentence) if self.mode == "normal" else trouble(sentence, self.private)

    def places(self) -> Places:
        """The homes to read and the index to use."""
        from codex_usage.homes import find_places
        from codex_usage.homes.places import labelled

        for home in (*self.codex_homes, *self.claude_homes):
            if not Path(labelled(home)[1]).expanduser().is_dir():
                raise BadInput(f"{home} is not a folder; name a Codex home, such as ~/.codex.")
        return find_places(self.codex_homes, self.claude_homes, self.db)

    @contextmanager
    def open(self) -> Iterator[tuple[Places, Index]]:
        """The index of these homes. Raises NoHome when none of them exists."""
        from codex_usage.index import open_index

        places = self.places()
        if not (places.found or places.imported.is_dir()):
            looked = ", ".join(str(home) for home in places.homes)
            raise NoHome(f"no Codex or Claude Code logs here (looked in {looked}); name a folder with --codex-home,"
                         " or see it with made-up data: codex-usage demo")  # fmt: skip
        with open_index(places.index) as index:
            yield places, index

    @contextmanager
    def asking(self, since: Callable[[Context], int | None] = lambda _: None, whole: bool = True) -> Iterator[Context]:
        """A context for a question about the time from `since` on, after a bounded refresh; `whole` waits for
        every log."""
        from codex_usage.answers import make_context
        from codex_usage.index import patience

        with self.open() as (places, index):
            start = since(make_context(index, self.tz, week=self.week_start))
            refreshed = self.refresh(index, places, None if whole else patience(start), start)
            if refreshed.pending_files and not refreshed.busy:
                self.complete_in_background()
            yield make_context(index, self.tz, refreshed=refreshed, week=self.week_start)

    @contextmanager
    def asked(self, name: str, values: dict[str, Any]) -> Iterator[tuple[Context, Asked]]:
        """What answers one of QUESTIONS."""
        from codex_usage.answers.questions import Asked, since

        asked = Asked(name, values, self.places())
        with self.asking(lambda context: since(context, asked), QUESTIONS[name].whole) as context:
            yield context, asked

    def ask(self, name: str, **values: Any) -> BaseModel:
        """The answer to one of QUESTIONS."""
        from codex_usage.answers.questions import ask

        with self.asked(name, values) as (context, asked):
            return ask(context, asked)

    def refresh(self, index: Index, places: Places, seconds: float | None, since_ms: int | None) -> Refreshed:
        """Bring the index up to date, with a progress bar when it takes long and someone is looking."""
        from codex_usage.index import Refreshed, refresh

        try:
            with _bar(not self.quiet and not self.as_json) as show:
                return refresh(index, places, since_ms=since_ms, seconds=seconds, workers=2, progress=show,
                               wait=30.0 if seconds is None else 5.0)  # fmt: skip
        except IndexBusy:
            if seconds is None:
                raise
            return Refreshed(busy=True)

    def complete_in_background(self) -> None:
        """Leave a process that reads the older logs while the user reads the answer."""
        import subprocess

        from codex_usage.homes.platform import detached

        command = [sys.executable, "-m", "codex_usage.cli", "refresh", "--quiet", *self.as_arguments()]
        quiet = subprocess.DEVNULL
        subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, **detached())

    def as_arguments(self) -> list[str]:
        """These settings as command line arguments."""
        words = [word for home in self.codex_homes for word in ("--codex-home", home)]
        words += [word for home in self.claude_homes for word in ("--claude-home", home)]
        return words + (["--db", self.db] if self.db else [])


@contextmanager
def _bar(wanted: bool) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on the terminal, shown once a refresh has read for longer than a moment."""
    bar: Any = None

    def show(progress: Progress) -> None:
        nonlocal bar
        if not wanted or not sys.stderr.isatty() or progress.total_bytes < _SHOW_ABOVE:
            return
        if bar is None:
            label = f"Reading {progress.total_files} logs"
            bar = click.progressbar(length=progress.total_bytes, label=label, file=sys.stderr)
            bar.render_progress()
        bar.update(progress.bytes - bar.pos)

    try:
        yield show
    finally:
        if bar is not None:
            bar.render_finish()


def _merge(context: click.Context, option: click.Parameter, value: Any) -> None:
    """Put the value of an option, before or after the command's name, into Settings."""
    settings, name = context.ensure_object(Settings), str(option.name)
    if value not in (None, (), False):
        current = getattr(settings, name)
        setattr(settings, name, current + value if isinstance(current, tuple) else value)


def _among(words: Sequence[str]) -> Callable[..., list[str]]:
    """Completes a word of some, or the last of several with commas."""

    def complete(_context: click.Context, _option: click.Parameter, typed: str) -> list[str]:
        before, comma, last = typed.rpartition(",")
        return [f"{before}{comma}{word}" for word in words if word.startswith(last)]

    return complete


def _known(context: click.Context, option: click.Parameter, typed: str) -> list[str]:
    """Completes a name of what the index holds, as it is; nothing when there is none or it can't be read."""
    from codex_usage.index import open_index, queries

    try:
        index = context.ensure_object(Settings).places().index
        if not index.exists():
            return []
        with open_index(index) as opened:
            if option.name == "thread":  # to sum up threads takes too long here; a log ends like its thread's id
                names = [Path(path).name.partition(".")[0][-8:] for path in queries.newest_logs(opened, 20)]
            else:
                names = queries.labels(opened, str(option.name))
        return [name for name in names if name.startswith(typed)]
    except UsageError:
        return []


#: Names and attributes of options.
_Options = dict[str, dict[str, Any]]
_GLOBAL: _Options = {
    "--codex-home codex_homes": {"multiple": True, "metavar": "DIR",
                                 "help": "A Codex home (default $CODEX_HOME or ~/.codex); repeatable."},
    "--claude-home claude_homes": {"multiple": True, "metavar": "DIR", "help": "A Claude Code home; repeatable."},
    "--db": {"metavar": "FILE", "help": "The index file (default below $CODEX_USAGE_HOME or ~/.codex-usage)."},
    "--tz": {"metavar": "ZONE", "help": "Time zone of days, such as Europe/Berlin (default: this machine's)."},
    "--week-start": {"type": click.Choice(["monday", "sunday"]), "help": "The day that weeks begin on."},
    "--privacy-mode": {"type": click.Choice(["normal", "redacted", "strict"]),
                       "help": "redacted hides paths and unnamed projects, strict also names and ids."},
    "--lang": {"metavar": "WORD", "help": "Language of the page, such as de."},
    "--json as_json": {"is_flag": True, "help": "Print JSON."},
}  # fmt: skip
#: The options of questions, by the name of the argument.
ARGUMENTS: _Options = {
    "period": {"metavar": "PERIOD", "shell_complete": _among(PERIOD_WORDS),
               "help": "today, last_7_days, this_month, all, 2026-11-01..2026-11-14 … (default: {period})"},
    "since": {"metavar": "DATE", "help": "First day or ISO time."},
    "until": {"metavar": "DATE", "help": "Last day (inclusive) or ISO time."},
    "by": {"default": "model", "show_default": True, "metavar": "WORDS", "shell_complete": _among(GROUP_WORDS),
           "help": f"Group by {', '.join(GROUP_WORDS)}; two with a comma."},
    "baseline": {"metavar": "PERIOD", "shell_complete": _among(PERIOD_WORDS),
                 "help": "What to compare with (default: the period before, as long)."},
    "metric": {"default": "cost_usd", "show_default": True, "metavar": "WORD",
               "help": "cost_usd, credits, total_tokens."},
    "order": {"metavar": "WORD", "help": "{order}."},
    "model": {"metavar": "NAME", "shell_complete": _known, "help": "Only this model."},
    "project": {"metavar": "NAME", "shell_complete": _known, "help": "Only this project."},
    "effort": {"metavar": "NAME", "shell_complete": _known, "help": "Only this reasoning effort."},
    "provider": {"type": click.Choice(["codex", "claude", "combined"]), "help": "Only this producer's calls."},
    "source": {"metavar": "NAME", "shell_complete": _known, "help": "Only what is from this home or machine."},
    "origin": {"type": click.Choice(["user", "codex", "unknown"]), "help": "Only calls caused by …"},
    "thread": {"metavar": "ID", "shell_complete": _known,
               "help": "Only this thread (id, last 8 characters, or name)."},
    "confidence": {"type": click.Choice(["exact", "estimated", "unpriced"]), "help": "Only calls priced so."},
    "limit": {"type": click.IntRange(0), "metavar": "N", "help": "Rows to show (default: {limit})."},
    "cursor": {"type": click.IntRange(0), "metavar": "N", "help": "Go on after as many rows."},
    "weeks": {"default": 4, "show_default": True, "type": click.IntRange(0, 60), "metavar": "N",
              "help": "Weeks to show."},
    "call": {"metavar": "ID", "help": "What this one call took."},
    "compare": {"flag_value": False, "is_flag": True, "default": True, "help": "Leave out the period before."},
    "ytd": {"is_flag": True, "help": "The year so far, too."},
    "scan": {"flag_value": False, "is_flag": True, "default": True,
             "help": "Answer from the last scan of the logs' tools."},
}  # fmt: skip
#: Names of options that differ from their argument's, or are more than one.
_FLAGS = {"compare": "--no-compare", "scan": "--no-scan", "period": "--period --last", "since": "--since --from",
          "until": "--until --to"}  # fmt: skip


#: What every command takes, made once for all; the values land in Settings.
GLOBALS = [click.Option(names.split(), **attributes, callback=_merge, expose_value=False)
           for names, attributes in _GLOBAL.items()]  # fmt: skip


def argument_options(*names: str, **usual: object) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options for the arguments of a question; `usual` says in the help what is taken without them."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            attributes = {**ARGUMENTS[name], "help": ARGUMENTS[name]["help"].format(**usual)}
            command = click.option(*_FLAGS.get(name, f"--{name}").split(), name, **attributes)(command)
        return command

    return decorate
