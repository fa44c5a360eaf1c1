"""Measures codex-usage against its budgets and prints a Markdown table.

In: the installed commands (or others given), generated homes, ccusage from npm. Out: the table, and with
``--write`` a page of documentation.

    python -m benchmarks.run --quick
    python -m benchmarks.run --size 1GB --big --write docs/reference/performance.md
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from . import accuracy, page, rows, telemetry
from .homes import Recipe, cache_folder, cached, parse_size
from .measure import Failed
from .peers import CCUSAGE, ccusage
from .rows import Row
from .subject import default_command, python_beside, subject

GROUPS = ("index", "question", "append", "start", "million", "served", "page", "otlp", "history", "accuracy")


def collect(given: argparse.Namespace, argv: list[str], mcp_argv: list[str]) -> Iterator[Row]:
    """Every wanted row, measured as it is asked for; a failing group becomes one row that says so."""
    until = (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).date().isoformat()
    rounds, wanted = given.rounds, given.only
    peer = ccusage(cache_folder(), given.ccusage)

    def group(name: str, measure: Callable[[], Iterable[Row]]) -> Iterator[Row]:
        if name not in wanted:
            return
        print(f"… {name}", file=sys.stderr)
        try:
            yield from measure()
        except Failed as error:
            yield Row(name, "", f"failed: {error}", "", False)

    yield from group("accuracy", lambda: accuracy.counted(argv, peer, cache_folder()))
    if {"index", "question", "append", "start"} & wanted:
        with subject(argv, mcp_argv, cached(Recipe(size=given.size, until=until))) as it:
            yield from group("index", lambda: rows.cold_index(it, peer, rounds))
            yield from group("question", lambda: rows.nothing_new(it, peer, rounds))
            yield from group("append", lambda: rows.one_more_call(it, rounds))
            yield from group("start", lambda: rows.server_start(it, rounds))
    if "page" in wanted:
        with subject(argv, mcp_argv, cached(Recipe(calls=given.page, until=until))) as it:
            yield from group("page", lambda: page.drawn(it, rounds))
    if {"million", "served"} & wanted:
        with subject(argv, mcp_argv, cached(Recipe(calls=given.calls, until=until))) as it:
            yield from group("million", lambda: rows.many_calls(it, rounds))
            yield from group("served", lambda: page.served(it, rounds))
    yield from group("otlp", lambda: telemetry.received(argv, 5 if given.quick else 30))
    if "history" in wanted:
        recipe = Recipe(size=given.history, files=given.history // 250_000, until=until, days=720)
        with subject(argv, mcp_argv, cached(recipe)) as it:
            yield from group("history", lambda: rows.long_history(it, rounds))


def table(measured: Iterable[Row]) -> str:
    """The rows as Markdown."""
    met = {True: "yes", False: "**no**", None: ""}
    lines = ["| what | budget | measured: median (min–max) | ratio | met |", "|---|---|---|---|---|"]
    lines += [f"| {row.what} | {row.budget} | {row.measured} | {row.ratio} | {met[row.met]} |" for row in measured]
    return "\n".join(lines)


def machine(argv: list[str]) -> str:
    """What the figures depend on; no names."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    ask = "import platform; print(platform.python_implementation(), platform.python_version())"
    python = subprocess.run([python_beside(argv), "-c", ask], capture_output=True, text=True, check=False).stdout
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {os.cpu_count()} cores, {memory:.0f} GB of memory, {python.strip()}"


PAGE = """# Performance

Measured on {date} by `{command}` ({machine}); ccusage {ccusage}. Times are whole processes unless a row
says otherwise, page cache warm, contenders alternating, {rounds} rounds after a warm-up; the ratio is the
median of the ratios within a round. The logs are generated: `benchmarks/homes.py` writes homes shaped like
the recorded logs of Codex 0.58 to 0.169, together with a ledger of their exact totals.

{table}

To measure here:

<!-- not run: takes minutes -->
```sh
python -m benchmarks.run --quick        # two minutes
python -m benchmarks.run --size 1GB     # with a million calls
python -m benchmarks.run --size 1GB --big --write docs/reference/performance.md
```

Generated homes and ccusage (needs `npm`) are kept in `benchmarks/.cache`, or in `$CODEX_USAGE_BENCH_CACHE`.
"""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=parse_size, help="size of the usual home (default 1GB)")
    parser.add_argument("--calls", type=int, help="calls of the long history (default 1000000)")
    parser.add_argument("--page", type=int, help="calls in the dashboard's file (default 100000)")
    parser.add_argument("--history", type=parse_size, help="size of the many-file home (default 5GB)")
    parser.add_argument("--rounds", type=int, help="counted rounds of each comparison (default 5)")
    parser.add_argument("--quick", action="store_true", help="small homes, three rounds: to see that it runs")
    parser.add_argument("--big", action="store_true", help="also history (many files) and accuracy (recorded homes)")
    parser.add_argument("--only", help=f"comma-separated groups of {', '.join(GROUPS)}")
    parser.add_argument("--command", help="default: codex-usage beside this interpreter")
    parser.add_argument("--mcp-command", help="default: codex-usage-mcp beside this interpreter")
    parser.add_argument("--ccusage", type=Path, help="an installed node_modules/.bin/ccusage")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="also write the page of documentation")
    given = parser.parse_args()
    usual = {"size": 10**9, "calls": 10**6, "page": 100_000, "history": 5 * 10**9, "rounds": 5}
    quick = {"size": 10**8, "calls": 50_000, "page": 20_000, "history": 3 * 10**8, "rounds": 3}
    for name, value in (quick if given.quick else usual).items():
        if getattr(given, name) is None:
            setattr(given, name, value)
    names = given.only.split(",") if given.only else GROUPS if given.big else GROUPS[:-2]
    if unknown := set(names) - set(GROUPS):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    given.only = set(names)
    return given


def main() -> None:
    given = parse()
    try:
        argv = shlex.split(given.command or default_command("codex-usage"))
        mcp_argv = shlex.split(given.mcp_command or default_command("codex-usage-mcp"))
        measured: list[Row] = []
        for row in collect(given, argv, mcp_argv):
            print(f"  {row.what}: {row.measured} {row.ratio}", file=sys.stderr)
            measured.append(row)
    except Failed as error:
        raise SystemExit(str(error)) from None
    text = table(measured)
    print(text)
    if given.write:
        facts: dict[str, Any] = {
            "date": dt.datetime.now(dt.UTC).date().isoformat(),
            "command": "python -m benchmarks.run " + shlex.join(without_paths(sys.argv[1:])),
            "machine": machine(argv),
            "ccusage": CCUSAGE,
            "rounds": given.rounds,
            "table": text,
        }
        given.write.parent.mkdir(parents=True, exist_ok=True)
        given.write.write_text(PAGE.format(**facts) + said_below(given.write), encoding="utf-8")


def said_below(page: Path) -> str:
    """What people wrote below the table of the page as it is: kept when the table is written anew."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    start = text.find("\n## ")
    return text[start:] if start >= 0 else ""


def without_paths(arguments: list[str]) -> list[str]:
    """The arguments as a reader may repeat them: without paths of this machine."""
    kept: list[str] = []
    private = ("--command", "--mcp-command", "--ccusage", "--write")
    skip = False
    for argument in arguments:
        if skip or argument.startswith(tuple(f"{name}=" for name in private)):
            skip = False
        elif argument in private:
            skip = True
        else:
            kept.append(argument)
    return kept


if __name__ == "__main__":
    main()
