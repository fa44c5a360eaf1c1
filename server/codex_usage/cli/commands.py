"""The commands. Each reads its arguments, asks, and shows; imports stand where they are needed, as most
commands need few of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from codex_usage import __version__
from codex_usage.cli.options import ARGUMENTS, GLOBALS, PORT, Settings, argument_options
from codex_usage.model import BadInput, UsageError
from codex_usage.model.questions import QUESTIONS, TIME_WORDS
from codex_usage.model.words import many

if TYPE_CHECKING:
    from pydantic import BaseModel

    from codex_usage.answers import Status
    from codex_usage.cli.checks import Check
    from codex_usage.index import Refreshed

_ALIASES = {"query": "calls", "expensive": "calls", "web": "serve-dashboard"}


class _Commands(click.Group):
    """Commands in the order of a user's way: set up, ask, take away, look after the index."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except UsageError as error:
            raise type(error)(context.ensure_object(Settings).say(error)) from error

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        found = super().get_command(context, _ALIASES.get(name, name))
        if found is None:
            from difflib import get_close_matches

            near = get_close_matches(name, self.commands, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "; codex-usage --help lists them."
            context.fail(f"unknown command {name!r}{hint}")
        return found


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="codex-usage")
@click.pass_context
def cli(context: click.Context) -> None:
    """Exact usage and cost of Codex and Claude Code, from the logs on this machine."""
    context.ensure_object(Settings)
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


cli.params += GLOBALS
pass_settings = click.make_pass_decorator(Settings)


flag = partial(click.option, is_flag=True)
_OUTPUT = ("--output", "-o")
_OPEN = flag("--open", "opened", help="Open it in the browser.")
_Run = Callable[..., None]
_Decorator = Callable[[_Run], _Run]


def command(short: str | None, example: str = "", *options: _Decorator, **told: str) -> _Decorator:
    """Add a command with options of its own before the global ones, and an example at the end of its help; the function
    itself stays as it is. `told` may give its name and help, else they are the function's."""

    def add(run: _Run) -> _Run:
        asked = pass_settings(run)
        for option in reversed(options):
            asked = option(asked)
        # \b keeps the lines
        epilog = f"\b\nExample:\n  codex-usage {example}" if example else None
        cli.command(short_help=short, epilog=epilog, **told)(asked).params += GLOBALS
        return run

    return add


def _show(settings: Settings, answer: BaseModel) -> None:
    answer = settings.private(answer)
    if settings.as_json:
        click.echo(answer.model_dump_json(indent=2))
        return
    from codex_usage.present import terminal

    terminal.show(answer)


# -- set up ------------------------------------------------------------------------------------------------


@command("Install the skill and the MCP server into Codex.", "",
         flag("--service", "as_service", help="Also run the dashboard in the background, from login on."),
         flag("--telemetry", help="Also have Codex send its telemetry to the dashboard's server."),
         flag("--uninstall", help="Take out again all that setup put."))  # fmt: skip
def setup(settings: Settings, as_service: bool, telemetry: bool, uninstall: bool) -> None:
    """Install the skill and the MCP server into Codex, read the logs, and check that all works."""
    from codex_usage.cli import install, service

    places = settings.places()
    home, skills, server = places.codex[0], install.default_skills_home(), install.server_command()
    background = service.service(server, settings.as_arguments(), os.environ)
    if uninstall:
        steps = service.uninstall(background) + install.uninstall(home, skills_home=skills)
    else:
        steps = install.install(home, skills_home=skills, server_command=server, source=install.skill_source(),
                                env=os.environ, telemetry=telemetry)  # fmt: skip
        if as_service:
            steps += service.install(background, places.data)
    for step in steps:
        settings.note(("✓ " if step.changed else "· ") + settings.say(step.what))
    if uninstall:
        if settings.as_json:
            settings.tell([{"what": settings.say(step.what), "changed": step.changed} for step in steps])
        return
    if places.found:
        with settings.open() as (found, index):
            done = settings.refresh(index, found, None, None)
            settings.note(f"✓ Read {many(done.files, 'log')} in {done.seconds:.1f} s." if done.files else
                          "· No logs yet: run Codex once, or see made-up data with codex-usage demo.")  # fmt: skip
    checks = _examined(settings)
    wrong = [check for check in checks if check.ok is False]
    _tell(settings, checks if settings.as_json else wrong)
    settings.note(f"✓ {len(checks) - len(wrong)} of {len(checks)} checks are well; codex-usage doctor shows them.")
    settings.note("\nAsk Codex:  use $codex-usage to show what I spent this week\nOr here:    codex-usage summary")


@command("Check the installation.", "",
         flag("--suggest-repair", help="Print the commands that mend what was found, nothing else."))  # fmt: skip
def doctor(settings: Settings, suggest_repair: bool) -> None:
    """Check the installation; exits 1 when something needs mending."""
    found = _examined(settings)
    if suggest_repair and not settings.as_json:
        for line in dict.fromkeys(check.repair for check in found if check.repair):
            click.echo(line)
    else:
        _tell(settings, found)
    if any(check.ok is False for check in found):
        sys.exit(1)


def _examined(settings: Settings) -> list[Check]:
    from codex_usage.cli import checks, install

    places = settings.places()
    return checks.examine(places, places.codex[0], skills_home=install.default_skills_home(),
                          server_command=install.server_command(), version=__version__,
                          words=settings.as_arguments())  # fmt: skip


def _tell(settings: Settings, found: list[Check]) -> None:
    if settings.mode != "normal":
        found = [replace(one, detail=one.finding, remedy=one.remedy and settings.say(one.remedy)) for one in found]
    if settings.as_json:
        import json

        click.echo(json.dumps([check.__dict__ for check in found], indent=2, default=str))
        return
    for check in found:
        mark = {True: "✓", False: "✗", None: "·"}[check.ok]
        click.echo(f"{mark} {check.name}: {check.detail}")
        if check.ok is False and check.remedy:
            click.echo(f"  → {check.remedy}")


@command("A file to ask with.", "support-bundle -o codex-usage-support.json",
         click.option(*_OUTPUT, default="codex-usage-support.json", show_default=True, metavar="FILE"))  # fmt: skip
def support_bundle(settings: Settings, output: str) -> None:
    """Write versions, states and counters to send with a question: no calls, no logs, no names. Where things are is
    told with --privacy-mode normal only."""
    from codex_usage.cli.support import write_bundle

    mode = settings.privacy_mode or "strict"
    path = write_bundle(Path(output), settings.places(), _examined(settings), mode)
    told = f"written to {path} ({mode}); it is text: look at it before you send it"
    settings.tell({"path": path, "privacy_mode": mode}, told)


@command("See everything with made-up data.", "",
         flag("--own", help="Show your own logs when there are any, made-up ones otherwise."))  # fmt: skip
def demo(settings: Settings, own: bool) -> None:
    """See everything with a made-up home: 45 days, 60 threads, one spike."""
    import shutil

    from codex_usage.cli.demo import write_demo_home
    from codex_usage.homes import usage_home

    if own and settings.places().found and _overview(settings, "last_30_days"):
        return
    folder = usage_home() / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    usage_home().mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "claude").mkdir(mode=0o700, parents=True)
    write_demo_home(folder / "codex", now=datetime.now(UTC))
    made_up = Settings(codex_homes=(str(folder / "codex"),), claude_homes=(str(folder / "claude"),),
                       db=str(folder / "index.sqlite"), tz=settings.tz, as_json=settings.as_json)  # fmt: skip
    settings.note(f"Made-up data in {folder / 'codex'}. What did I spend, and on what?\n")
    _overview(made_up, "last_7_days")
    settings.note(f"\nGo on with: codex-usage --codex-home {folder / 'codex'} --db {folder / 'index.sqlite'} …")


def _overview(settings: Settings, period: str) -> bool:
    """What was spent, and on what; False (and nothing shown) when there are no calls at all."""
    from codex_usage import answers

    with settings.asking() as context:
        everything = answers.summary(context, context.period("all"), by=(), compare=False)
        if not everything.total.calls:
            return False
        span = context.period(period)
        _show(settings, answers.summary(context, span))
        if not settings.as_json:
            click.echo()
            _show(settings, answers.threads(context, span, limit=5))
    return True


# -- ask ---------------------------------------------------------------------------------------------------


_ORDERS = {"threads": "cost (default), tokens, calls, output or recent",
           "calls": "cost (default), tokens, input, uncached, output, duration, recent or oldest"}  # fmt: skip


def _question(name: str, help_text: str, short: str, example: str = "", *arguments: str) -> None:
    """Add the command that asks a question; `arguments` are those that stand without an option's name."""
    question = QUESTIONS[name]

    def run(settings: Settings, /, **values: Any) -> None:
        _show(settings, settings.ask(name, **values))

    options = [word for word in question.takes if word not in arguments]
    usual = {"period": "the spike" if name == "explain" else question.period, "limit": question.limit}
    usual["order"] = _ORDERS.get(name, "cost, or time of days, weeks and months, which is their default")
    own = [click.argument(word, required=word == "thread", default=None,
                          shell_complete=ARGUMENTS.get(word, {}).get("shell_complete"))
           for word in reversed(arguments)]  # fmt: skip
    command(short, example or name, *own, argument_options(*options, **usual), name=name, help=help_text)(run)


# fmt: off
_question("summary", "What was spent, and on what.", "What was spent, and on what.",
          "summary --period this_month --by project,model")
_question("explain", "Why usage changed, by causes that add up to the change. Without a period: the largest unusual"
          " rise of the last 30 days.", "Why it changed.", "explain --period this_week --baseline last_week")
_question("recommendations", "What would have saved most, worked out call by call.", "What would have saved most.",
          "recommendations --period this_month")
_question("diagnostics", "What tools did, and what that went with. SECTION is overview, tools, mcp, tool-output,"
          " commands, git-interactions, file-reads, file-modifications, read-productivity, concentration or telemetry."
          " Only names from fixed lists, numbers and keyed hashes of paths are kept of what a log says.",
          "What tools did.", "diagnostics commands --period this_week", "section")
_question("threads", "The costliest threads of a period.", "The costliest threads of a period.",
          "threads --period last_30_days --project my-app")
_question("session", "One thread as a whole: THREAD is an id, its last 8 characters, or a name.",
          "One thread as a whole.", "session 88672c34", "thread")
_question("calls", "Single model calls, costliest first (aliases: query, expensive).",
          "Single model calls, costliest first.", "calls --thread 88672c34 --order recent")
_question("allowance", "What is left of the account's allowance, when it runs out, what one percent was worth, and what"
          " a period, thread or call took of it.", "What is left, and how long it lasts.",
          "allowance --thread 88672c34")
_question("pricing-coverage", "Which prices the calls rest on, their sources, and what has none.",
          "Which prices the calls rest on.", "pricing-coverage --period this_month")
# fmt: on


@command("Days, weeks or months, by what you like.", "report --last 30d --by model --format csv -o november.csv",
         click.option("--today", "period", flag_value="today", help="The same as --period today."),
         click.option("--group", type=click.Choice(TIME_WORDS), help="By time (default without --by: day)."),
         click.option("--by", **{**ARGUMENTS["by"], "default": None, "show_default": False}),
         click.option("--format", "kind", type=click.Choice(["table", "json", "csv", "markdown"]), default="table",
                      show_default=True),
         click.option(*_OUTPUT, metavar="FILE", help="Write here instead of standard output."),
         argument_options(*(word for word in QUESTIONS["report"].takes if word != "by"), period="last_7_days",
                          order="time (default) or cost"))  # fmt: skip
def report(
    settings: Settings, /, group: str | None, by: str | None, kind: str, output: str | None, **values: Any
) -> None:
    """Every row of a summary: of each day, week or month, of what --by says, or of what was spent on what in each. As a
    table, JSON, CSV or Markdown."""
    words = ",".join(filter(None, (group, by))) or "day"
    answer = settings.private(settings.ask("report", by=words, **values))
    from codex_usage.present.export import write_summary

    with _written(output) as out:
        write_summary(answer, "json" if settings.as_json else kind, out)
    if output:
        rows = len(answer.rows)
        settings.tell({"path": output, "rows": rows}, f"{many(rows, 'row')} written to {output}")


@contextmanager
def _written(output: str | None, kind: str = "") -> Iterator[Any]:
    """A file to write into, else standard output; of bytes for parquet. Raises BadInput."""
    binary = kind == "parquet"
    if binary and find_spec("pyarrow") is None:
        raise BadInput("Parquet needs pyarrow; get it with: pip install codex-usage-mcp[parquet]")
    how: dict[str, Any] = {"mode": "wb"} if binary else {"mode": "w", "encoding": "utf-8", "newline": ""}
    standard = sys.stdout.buffer if binary else sys.stdout
    try:
        with Path(output).open(**how) if output else nullcontext(standard) as out:
            yield out
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise BadInput(f"Cannot write {output or 'the answer'}: {error.strerror}.") from error


@command("One line for a prompt; exits 3 over budget.")
def status(settings: Settings) -> None:
    """One line: today, this week, this month, the allowance and the budgets. Exits 3 when a budget is exceeded."""
    from codex_usage import answers
    from codex_usage.index import queries

    with settings.asking(lambda context: context.period("this_month").start_ms, whole=False) as context:
        answer, logs = settings.private(answers.status(context)), queries.newest_logs(context.index, 64)
    if settings.as_json:
        _show(settings, answer)
    else:
        from codex_usage.present.terminal import status_line

        line = status_line(answer)
        click.echo(line)
        if answer.coverage.complete and sys.argv[1:] == ["status"]:
            _keep(settings, line, answer, logs)
    if answer.over_budget:
        sys.exit(3)


def _keep(settings: Settings, line: str, answer: Status, logs: dict[str, list[int]]) -> None:
    """Keep the line for the next prompt, until something that it tells may change by itself."""
    from codex_usage.cli import quick
    from codex_usage.homes.config import config_path
    from codex_usage.money.config import CONFIG_FILES

    places = settings.places()
    ends = [window.resets_at for window in answer.allowance if window.resets_at and not window.reset_passed]
    ends.append(answer.day_ends_at)
    until = min(datetime.fromisoformat(end).timestamp() for end in ends)
    roots = [str(home / name) for home in places.codex for name in ("sessions", "archived_sessions")]
    roots += [*(str(home / "projects") for home in places.claude), str(places.imported)]
    own = [str(config_path(name)) for name in CONFIG_FILES]
    quick.keep(line, 3 if answer.over_budget else 0, until, logs, [*roots, *own])


@command("Complete words in your shell.", "completion fish > ~/.config/fish/completions/codex-usage.fish",
         click.argument("shell", type=click.Choice(["bash", "zsh", "fish"])))  # fmt: skip
def completion(settings: Settings, shell: str) -> None:
    """Print the script that completes commands, options and values.

    \b
    bash: put it in ~/.local/share/bash-completion/completions/codex-usage
    zsh:  put it in a folder of your fpath as _codex-usage
    fish: put it in ~/.config/fish/completions/codex-usage.fish
    """
    from click.shell_completion import get_completion_class

    maker = get_completion_class(shell)
    assert maker is not None  # noqa: S101 - click has these three
    script = maker(cli, {}, "codex-usage", "_CODEX_USAGE_COMPLETE").source()
    settings.tell({"shell": shell, "script": script}, script)


# -- take away ---------------------------------------------------------------------------------------------


@command("Every call as JSON, CSV or Parquet.", "export --format csv --since 2026-11-01 -o november.csv",
         click.option("--format", "kind", type=click.Choice(["json", "csv", "parquet"]), default="json",
                      show_default=True),
         click.option(*_OUTPUT, metavar="FILE", help="Write here instead of standard output."),
         click.option("--bundle", metavar="FILE", help="Write all for `import --bundle` on another machine instead."),
         click.option("--label", metavar="NAME", help="What this machine is called there (default: its name)."),
         argument_options(*QUESTIONS["export"].takes, period="all"))  # fmt: skip
def export(
    settings: Settings, /, kind: str, output: str | None, bundle: str | None, label: str | None, **values: Any
) -> None:
    """Every call as JSON, CSV or Parquet, oldest first."""
    if bundle:
        from codex_usage.cli.sources import export_bundle

        export_bundle(settings, bundle, label, values)
        return
    from codex_usage import answers
    from codex_usage.present.export import hidden, write_csv, write_json, write_parquet
    from codex_usage.present.privacy import shield

    with (
        settings.asked("export", values) as (context, asked),
        closing(answers.export_rows(context, asked.period(context), asked.filters())) as calls,
    ):
        private = shield(settings.mode, settings.places().data)
        rows = calls if settings.mode == "normal" else hidden(calls, private)
        writers: dict[str, Any] = {"json": write_json, "csv": partial(write_csv, columns=answers.EXPORT_COLUMNS)}
        with _written(output, kind) as out:
            count = writers.get(kind, write_parquet)(rows, out=out)
    if output:
        settings.tell({"path": output, "calls": count}, f"{many(count, 'call')} written to {output}")


@command("Write the page as one file.", "dashboard -o usage.html --privacy-mode strict",
         click.option(*_OUTPUT, metavar="FILE", help="Write here (default: dashboard.html in our own folder)."),
         click.option("--limit", default=20_000, show_default=True, type=click.IntRange(0), metavar="N",
                      help="List the newest N calls one by one; 0 lists all."), _OPEN)  # fmt: skip
def dashboard(settings: Settings, output: str | None, limit: int, opened: bool) -> None:
    """Write the dashboard as one file that needs no network and no server."""
    from codex_usage.present.page import language, write_page

    path = Path(output) if output else settings.places().data / "dashboard.html"
    with settings.asking() as context:
        done = write_page(context, path, private=settings.private, limit=limit, lang=language(settings.lang))
    if settings.as_json:
        click.echo(settings.private(done).model_dump_json(indent=2))
    else:
        some = "" if done.calls == done.total_calls else f" of {done.total_calls:,}; the older ones are in the sums"
        click.echo(f"{path}: {many(done.calls, 'call')}{some} ({done.bytes / 1e6:.1f} MB)\n{done.url}")
    if opened:
        from codex_usage.homes.platform import open_in_browser

        if not open_in_browser(done.url):
            click.echo("no browser could be opened; open the file yourself", err=True)


@command("Write the page and open it.")
def open_dashboard(settings: Settings) -> None:
    """Write the dashboard and open it in the browser."""
    dashboard(settings, None, 20_000, True)


@command(
    "The page with live data.", "serve-dashboard --open",
    click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."),
    _OPEN,
    click.option("--context-api", type=click.Choice(["explicit", "disabled"]), default="explicit", show_default=True,
                 help="Show redacted log lines of a call when asked for in the page, or never."),
    flag("--no-context-api", help="The same as --context-api disabled."),
    flag("--no-refresh", help="Answer from the index as it is."),
    flag("--address", "asked", help="Print the address of the one that runs already."),
)  # fmt: skip
def serve_dashboard(
    settings: Settings, port: int, opened: bool, context_api: str, no_context_api: bool, no_refresh: bool, asked: bool
) -> None:
    """Serve the dashboard with live data to this machine only, until Ctrl-C (alias: web)."""
    from codex_usage.cli import service
    from codex_usage.homes.platform import open_in_browser

    if asked:
        if not (url := service.address(settings.places().data)):
            raise BadInput("No dashboard is being served; codex-usage serve-dashboard starts one.")
        settings.tell({"url": url}, url)
        if opened:
            open_in_browser(url)
        return
    from codex_usage.present.page import language
    from codex_usage.serve.http import run

    with settings.open() as (places, _):
        pass
    with ExitStack() as while_it_runs:

        def say(url: str) -> None:
            while_it_runs.enter_context(service.told(places.data, url))
            settings.tell({"url": url}, f"The dashboard is at {url} until Ctrl-C.")

        run(port, places=places, zone=settings.tz, week=settings.week_start, privacy=settings.private,
            lang=language(settings.lang), context_api="disabled" if no_context_api else context_api,
            refresh=not no_refresh, open_browser=opened, say=say)  # fmt: skip


@command("What a call was about, redacted.", "context 6c1e05822564ef99 --mode full", click.argument("call"),
         click.option("--mode", type=click.Choice(["quick", "full"]), default="quick", show_default=True,
                      help="full counts tokens by group."),
         flag("--tool-output", help="Show what tools put out, too."),
         flag("--compaction-history", help="Show what a compaction kept, too."))  # fmt: skip
def context(settings: Settings, /, call: str, **wanted: Any) -> None:
    """The lines of the log between a call's bounds, read now, with secrets redacted. Nothing of it is kept."""
    from codex_usage.evidence.context import call_context

    with settings.asking() as asked:
        found = call_context(asked.index, settings.places(), call, **wanted)
    _show(settings, found)


# -- the index ---------------------------------------------------------------------------------------------


@command(None, "", flag("--quiet", help="Say nothing."))
def refresh(settings: Settings, quiet: bool) -> None:
    """Read what is new in the logs."""
    settings.quiet = quiet
    with settings.open() as (places, index):
        done = settings.refresh(index, places, None, None)
    if not quiet or settings.as_json:
        read = f"read {min(done.read_files, done.files):,} of {many(done.files, 'log')}"
        _tell_read(settings, done, read if done.read_files else "nothing new")


def _tell_read(settings: Settings, done: Refreshed, what: str) -> None:
    done.problems[:] = map(settings.say, done.problems)
    size = f" ({done.read_bytes / 1e6:,.1f} MB)" if done.read_files else ""
    settings.tell(done, f"{what}{size} in {done.seconds:.2f} s")
    for problem in () if settings.as_json else done.problems:
        click.echo(f"  {problem}", err=True)


@command(None)
def rebuild_index(settings: Settings) -> None:
    """Forget the index and read every log again."""
    from codex_usage.index import empty

    with settings.open() as (places, index):
        empty(index)
        done = settings.refresh(index, places, None, None)
    _tell_read(settings, done, f"read {many(done.files, 'log')}")


@command(None, "clear-db --older-than 90d",
         click.option("--older-than", metavar="TIME",
                      help="Forget only what is older: 90d, 12h or a date. It stays forgotten."),
         flag("--telemetry", help="Forget all telemetry that was received instead. No log has it."),
         flag("--imported", help="Also delete what was ingested and imported."),
         flag("--yes", help="Do not ask."))  # fmt: skip
def clear_db(settings: Settings, older_than: str | None, telemetry: bool, imported: bool, yes: bool) -> None:
    """Delete the index file. The logs stay; the next command reads them again. Telemetry and what was ingested or
    imported stay, too."""
    import shutil

    from codex_usage.index import open_index, remove
    from codex_usage.index.telemetry import forget_events, telemetry_path

    path = settings.places().index
    received = telemetry_path(path)
    if telemetry:
        if not yes:
            click.confirm(f"Forget all telemetry in {received}, for good?", abort=True)
        forget_events(received)
        settings.tell({"path": received, "forgotten": True}, f"forgot all telemetry in {received}")
        return
    taken = settings.places().imported
    if not path.exists() and not (imported and taken.exists()):
        settings.tell({"path": path, "deleted": False}, f"there is no index at {path}")
        return
    if older_than:
        from codex_usage.answers import make_context
        from codex_usage.index.retention import forget

        with open_index(path) as index:
            limit = make_context(index, settings.tz).period(older_than).start_ms
            if limit is None:
                raise BadInput("--older-than takes a time such as 90d, 12h or 2026-01-01.")
            when = f"{datetime.fromtimestamp(limit / 1000, UTC):%Y-%m-%d %H:%M} UTC"
            if not yes:
                click.confirm(f"Forget every call before {when}, for good?", abort=True)
            forget(index, limit)
        forget_events(received, limit)
        told = f"forgot every call before {when}; only clear-db would have them read again"
        settings.tell({"path": path, "deleted": False, "forgotten_before": when}, told)
        return
    open_index(path).close()  # refuses to delete what is not ours
    if not yes:
        click.confirm(f"Delete {path}?", abort=True)
    remove(path)
    (settings.places().data / "status.json").unlink(missing_ok=True)
    if imported:
        shutil.rmtree(taken, ignore_errors=True)
    kept = f"; {received} stays, as no log has it: clear-db --telemetry" if received.exists() else ""
    kept += f"; {taken} stays, as no log has it: clear-db --imported" if taken.exists() else ""
    settings.tell({"path": path, "deleted": True}, f"deleted {path}{kept}")


@command(None, "", click.argument("path", type=click.Path(path_type=Path)))
def inspect_log(settings: Settings, path: Path) -> None:
    """What one log file shows, counted by itself."""
    from codex_usage.answers.inspect import inspect_log as inspect

    report = settings.private(inspect(path))
    if settings.as_json:
        click.echo(report.model_dump_json(indent=2))
        return
    for name, value in report.model_dump().items():
        if value not in (None, {}, []):
            shown = ", ".join(f"{k}: {v}" for k, v in value.items()) if isinstance(value, dict) else value
            click.echo(f"{name.replace('_', ' '):24} {shown}")
    if not report.calls:
        click.echo("No usage recorded: Codex logs token usage since 0.34.")


from codex_usage.cli import money as _money  # noqa: E402, F401  (its commands join the others)
from codex_usage.cli import push as _push  # noqa: E402, F401
from codex_usage.cli import sources as _sources  # noqa: E402, F401
from codex_usage.cli import telemetry as _telemetry  # noqa: E402, F401
