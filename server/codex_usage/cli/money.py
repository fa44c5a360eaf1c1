"""The commands about the user's own files: prices, the rate card, budgets, allowance, thresholds, projects."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from codex_usage.cli.commands import command, flag
from codex_usage.cli.options import Settings
from codex_usage.model import BadInput
from codex_usage.model.words import many

_PATH = click.Path(path_type=Path)


def _install(settings: Settings, path: Path, data: bytes, said: str, **answer: object) -> None:
    """Write a file, keep another one that was there as .bak, and tell. Raises BadInput."""
    from codex_usage.homes import config as files

    old = files.read_file(path)
    backup = None
    if old is not None and old != data:
        backup = path.with_name(f"{path.name}.bak")
        files.write_bytes(backup, old)
    files.write_bytes(path, data)
    kept = [f"The file that was there is now {backup}."] if backup else []
    settings.tell({"path": path, **answer, "backup": backup}, f"{path} {said}", *kept)


#: Command -> where its template is, what is said of the new file, and what it is for.
_INITS = {
    "pricing": ("money.config", "is ready for your prices; its comment says how.",
                "for prices and model names of your own. It changes no price yet."),
    "projects": ("homes.project_config", "is ready for your projects; its comment says how.",
                 "for other names of projects, folders to ignore, and tags."),
    "thresholds": ("answers.thresholds", "holds the built-in numbers, to change.",
                   "with the numbers from which on recommendations call something high, low or large."),
    "allowance": ("money.reading", "is ready; its comment says how.", "for when no log tells what is left."),
}  # fmt: skip


def _init(name: str, module: str, said: str, what: str) -> None:
    """Add the command that writes a file to begin with."""

    def run(settings: Settings, force: bool) -> None:
        from codex_usage.homes.config import config_path

        path = config_path(f"{name}.json")
        if path.exists() and not force:
            told = f"{path} exists and is as it was. --force begins anew."
            settings.tell({"path": path, "written": False, "backup": None}, told)
        else:
            template = getattr(import_module(f"codex_usage.{module}"), f"template_{name}")
            _install(settings, path, template().encode(), said, written=True)

    a = "an" if name[0] in "aeiou" else "a"
    begin = f"Write {a} {name}.json to begin with"
    force = flag("--force", help=f"Begin anew; the old file is kept as {name}.json.bak.")
    command(f"{begin}.", "", force, name=f"init-{name}", help=f"{begin}, {what}")(run)


for _name, _words in _INITS.items():
    _init(_name, *_words)


@command(
    "Fetch newer public prices.", "update-pricing --source-file data.json",
    click.option("--source-file", type=_PATH, metavar="FILE", help="Read this file instead of the network."),
    click.option("--url", metavar="URL", help="Fetch from here instead of where genai-prices publishes."),
)  # fmt: skip
def update_pricing(settings: Settings, source_file: Path | None, url: str | None) -> None:
    """Fetch newer public prices. What is fetched is checked first; when it is no use the prices in force stay."""
    from codex_usage.money import catalog

    if source_file and url:
        raise BadInput("--source-file and --url exclude each other; give one of them.")
    report = catalog.update(source_file, url)
    changes = {"new": report.models_added, "changed": report.models_changed, "gone": report.models_removed}
    lines = [f"  {word}: {', '.join(names)}" for word, names in changes.items() if names]
    settings.tell(report, f"Prices are now {report.source}.", *(lines or ["  no model's price changed"]))


@command("Write the rate card of Codex credits.", "update-rate-card --source-file card.json",
         click.option("--source-file", type=_PATH, metavar="FILE", help="Install this rate card."))  # fmt: skip
def update_rate_card(settings: Settings, source_file: Path | None) -> None:
    """Write rate-card.json: the rate card of this version, to edit, or one of your own. Nothing is fetched."""
    from codex_usage.homes import config as files
    from codex_usage.money import config

    source = source_file or config.BUNDLED_CARD
    data = files.read_file(source)
    if data is None:
        raise BadInput(f"there is no file {source}; --source-file takes a rate card in JSON.")
    card = config.load_rate_card(path=source)
    if card.problems:
        raise BadInput(f"{card.problems[0]} The rate card in force stays.")
    own = sum(row.state == "override" for row in card.rows.values())
    said = f"has rates of {many(len(card.rows), 'model')}, {own} of them your own."
    _install(settings, files.config_path("rate-card.json"), data, said, models=len(card.rows), overrides=own)


@command(
    "List or set budgets.", "budget 50 --per week --project my-app", click.argument("amount", required=False),
    click.option("--per", type=click.Choice(["day", "week", "month"]), help="How often the amount is there to spend."),
    click.option("--unit", type=click.Choice(["usd", "credits"]), default="usd", show_default=True),
    click.option("--project", metavar="NAME", help="A budget of this project only."),
    flag("--remove", help="Remove the budget of this time, unit and project."),
)  # fmt: skip
def budget(
    settings: Settings, /, amount: str | None, per: str | None, unit: str, project: str | None, remove: bool
) -> None:
    """List the budgets, or set, replace or remove one. AMOUNT is in dollars or credits."""
    from codex_usage.homes import config as files
    from codex_usage.money import config

    budgets, problems = config.load_budgets()
    if amount or remove:
        if per is None or (amount and remove):
            raise BadInput("say which budget: an amount or --remove, and --per day, week or month.")
        if problems:
            raise BadInput(f"{problems[0]} Mend this first, so that nothing is lost.")
        kept = [each for each in budgets if each.key != (unit, per, project)]
        if remove and kept == budgets:
            raise BadInput("there is no such budget; codex-usage budget lists them.")
        budgets = kept + ([config.make_budget(amount, unit, per, project)] if amount else [])
        config.save_budgets(budgets)
    elif per or project:
        raise BadInput("an amount is missing, such as: codex-usage budget 50 --per week")
    shapes = {"usd": "${:,f}", "credits": "{:,f} credits"}
    lines = [f"{shapes[each.unit].format(each.amount)} per {each.per}{f' for {each.project}' if each.project else ''}"
             for each in budgets]  # fmt: skip
    answer = {"path": files.config_path("budgets.json"), "budgets": budgets, "problems": problems}
    settings.tell(answer, *(lines or ["No budget yet; set one with: codex-usage budget 50 --per week"]))
    if not settings.as_json:
        for problem in problems:
            click.echo(problem, err=True)


@command(
    "Keep the prices of now.", "pin-pricing --output prices-2026-11.json",
    click.option("--output", "-o", type=_PATH, metavar="FILE", help="Write here instead of pricing.json."),
)  # fmt: skip
def pin_pricing(settings: Settings, output: Path | None) -> None:
    """Write the prices that your calls rest on as a pricing.json, so that costs stay as they are when prices change.

    A pricing.json that is there is kept as .bak, and its aliases and other models stay in force. With --output,
    CODEX_USAGE_PRICING=FILE uses the pinned prices."""
    from codex_usage import answers
    from codex_usage.homes import config as files
    from codex_usage.money import config

    own = config.load_pricing()
    if own.problems:
        raise BadInput(f"{own.problems[0]} Mend this first, so that nothing is lost.")
    with settings.asking() as context:
        pinned = answers.pinned_prices(context)
    sources = sorted({row["source"] for rows in pinned.values() for row in rows})
    stamp = {"at": context.now, "source": "; ".join(sources)}
    data = files.as_json({"pinned": stamp, "aliases": own.aliases, "models": {**own.models, **pinned}})
    said = f"holds the prices of {many(len(pinned), 'model')}."
    _install(settings, output or own.path, data, said, models=len(pinned))


@command("Read what Codex shows of the allowance.", 'parse-allowance "5h 79% 6:50 PM Weekly 33% Jun 7" --save',
         click.argument("text"),
         flag("--save", help="Keep it in allowance.json; it counts until a log says something newer."))  # fmt: skip
def parse_allowance(settings: Settings, text: str, save: bool) -> None:
    """Read what Codex shows of the allowance: its usage menu or /status. TEXT is - for standard input."""
    import sys
    from datetime import UTC, datetime

    from codex_usage.index.zones import zone_of
    from codex_usage.money.reading import parse_allowance as readings_in
    from codex_usage.money.reading import save_allowance
    from codex_usage.money.windows import window_name

    now, (_, zone) = datetime.now(UTC), zone_of(settings.tz)
    readings = readings_in(sys.stdin.read(1 << 20) if text == "-" else text, now, zone)
    rows, lines = [], []
    for each in readings:
        resets = None if each.resets_ms is None else datetime.fromtimestamp(each.resets_ms / 1000, zone)
        name = window_name(each.minutes)
        rows.append({"limit": each.limit, "window": name, "window_minutes": each.minutes,
                     "remaining_percent": each.remaining, "resets_at": resets})  # fmt: skip
        until = f", resets {resets:%a %d %b %H:%M}" if resets else ""
        lines.append(f"{each.limit + ' ' if each.limit else ''}{name}: {each.remaining:g}% left{until}")
    saved = save_allowance(readings, now) if save else None
    settings.tell({"windows": rows, "saved": saved}, *lines, *([f"Kept in {saved}."] if saved else []))
