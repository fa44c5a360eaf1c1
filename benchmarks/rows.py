"""The measurements themselves, one function per group of rows of the table.

In: a ``Subject`` and the number of rounds. Out: ``Row``s. Every comparison alternates the contenders in one
session; every figure is a median with its smallest and largest value.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .measure import Command, Failed, Run, Spread, alternate, family_peak
from .peers import Ccusage, ccusage_totals, line_count
from .stdio import Server
from .subject import SUMMARY, Subject, calls_in, python_beside


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``met`` None where there is nothing to meet."""

    what: str
    budget: str
    measured: str
    ratio: str = ""
    met: bool | None = None


def seconds(spread: Spread) -> str:
    """``0.412 s (0.405–0.430)``, or in milliseconds when short."""
    low, high = min(spread.values), max(spread.values)
    if spread.median < 0.2:
        return f"{spread.median * 1000:.1f} ms ({low * 1000:.1f}–{high * 1000:.1f})"
    return f"{spread.median:.2f} s ({low:.2f}–{high:.2f})"


def megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


def times(value: float) -> str:
    return f"{value:.2f} ×"


def label(facts: dict[str, Any]) -> str:
    """``0.99 GB, 53,739 calls, 518 files``."""
    return f"{facts['bytes'] / 1e9:.2g} GB, {facts['totals']['calls']:,} calls, {facts['files']:,} files"


def cold_index(it: Subject, peer: Ccusage, rounds: int) -> Iterator[Row]:
    """Cold index against ccusage and against reading; totals; memory; size of the index."""
    where, env = label(it.facts), it.env()
    runs = alternate(
        {
            "ours": it.cold_index,
            "ccusage": peer.command(env),
            "native": peer.command(env, native=True),
            "cat": line_count(it.home),
            "wc": line_count(it.home, pipe=False),
        },
        rounds,
    )
    ours = runs.wall("ours")
    for name, text in (("ccusage", "`ccusage codex daily`"), ("native", "ccusage without its Node launcher")):
        wall = runs.wall(name)
        ratio = ours.ratio(wall)
        yield Row(
            f"cold index, {where}; beside {text}",
            "≤ 1.0 ×",
            f"{seconds(ours)}; peer {seconds(wall)}",
            times(ratio),
            ratio <= 1.0,
        )
    for name, text in (("cat", "`cat … \\| wc -l`"), ("wc", "`wc -l …`, no pipe")):
        wall = runs.wall(name)
        ratio = ours.ratio(wall)
        yield Row(
            f"cold index, {where}; beside {text}",
            "≤ 5 ×",
            f"{seconds(ours)}; peer {seconds(wall)}",
            times(ratio),
            ratio <= 5.0,
        )
    wrong = it.verdict()
    yield Row("… totals by model equal the generated ledger", "exact", wrong or "exact", "", not wrong)
    _, answer = peer.command(env).output()
    yield Row("… the same for ccusage", "–", off_by(ccusage_totals(answer), it.facts["totals"]))
    peak, other = runs.peak("ours"), runs.peak("ccusage")
    yield Row(
        f"peak memory, cold index, {where} (largest process)",
        "≤ 150 MB at 5 GB",
        f"{megabytes(peak.median)}; ccusage {megabytes(other.median)}",
        times(peak.median / other.median),
        peak.median <= 150e6,
    )
    yield index_size(it)


def off_by(found: dict[str, int], wanted: dict[str, int]) -> str:
    """``exact``, or by how much each total is off."""
    parts = [
        f"{name} {100 * (count / wanted[name] - 1):+.4f} %" for name, count in found.items() if count != wanted[name]
    ]
    return ", ".join(parts) or "exact"


def index_size(it: Subject) -> Row:
    size, calls = it.index_bytes(), it.facts["totals"]["calls"]
    return Row(
        f"index size, {calls:,} calls",
        "≤ 400 bytes a call",
        f"{size / calls:.0f} bytes a call ({megabytes(size)})",
        "",
        size / calls <= 400,
    )


def nothing_new(it: Subject, peer: Ccusage, rounds: int) -> Iterator[Row]:
    """A question when no log changed: whole process, and inside a running MCP server."""
    ensure_index(it)
    with it.server() as server:
        summary = served(server, "usage_summary", {"period": "last_7_days"})
        runs = alternate(
            {"ours": lambda: it.command(*SUMMARY), "served": summary, "ccusage": peer.command(it.env())}, rounds
        )
    peers = runs.wall("ccusage")
    for name, text in (
        ("ours", "`codex-usage summary`, whole process"),
        ("served", "`usage_summary` in the MCP server"),
    ):
        spread = runs.wall(name)
        ratio = spread.ratio(peers)
        yield Row(
            f"question with nothing new, {text}, {label(it.facts)}",
            "≤ 0.15 × ccusage",
            f"{seconds(spread)}; ccusage {seconds(peers)}",
            times(ratio),
            ratio <= 0.15,
        )


def one_more_call(it: Subject, rounds: int) -> Iterator[Row]:
    """One call appended to the newest log, then refresh and answer; the answer must know the call."""
    ensure_index(it)
    with it.appending() as append:
        spread, missed = appending_rounds(append, lambda: summary_of(it), rounds)
        yield appended_row("`codex-usage summary`, whole process", spread, missed)
        with it.server() as server:
            spread, missed = appending_rounds(
                append, lambda: server.call("usage_summary", {"period": "last_7_days"}), rounds * 2
            )
            yield appended_row("`usage_summary` in the MCP server", spread, missed)


def summary_of(it: Subject) -> tuple[float, str]:
    run, answer = it.command.output(*SUMMARY)
    return run.wall, answer.decode("utf-8")


def appending_rounds(
    append: Callable[[], None], ask: Callable[[], tuple[float, str]], rounds: int
) -> tuple[Spread, int]:
    """Times of asking after each append, and how many answers did not count exactly one call more."""
    before = calls_in(ask()[1])
    took: list[float] = []
    missed = 0
    for _ in range(rounds):
        append()
        wall, answer = ask()
        now = calls_in(answer)
        missed += before is None or now != before + 1
        before = now
        took.append(wall)
    return Spread(tuple(took)), missed


def appended_row(text: str, spread: Spread, missed: int) -> Row:
    wrong = f"; **{missed} of {len(spread.values)} answers did not count the new call**" if missed else ""
    return Row(
        f"one appended call, refresh + answer, {text}",
        "≤ 100 ms",
        seconds(spread) + wrong,
        "",
        spread.median <= 0.1 and not missed,
    )


def many_calls(it: Subject, rounds: int) -> Iterator[Row]:
    """Answers over a long history, asked of a running MCP server."""
    calls = it.facts["totals"]["calls"]
    run = it.cold_index()
    yield Row(
        f"cold index, {label(it.facts)}",
        "–",
        f"{run.wall:.1f} s; {calls / run.wall:,.0f} calls a second, peak {megabytes(run.peak)}",
    )
    yield index_size(it)
    periods = ("last_7_days", "last_30_days", "this_month", "all")
    with it.server() as server:
        for tool in ("usage_summary", "usage_threads", "usage_calls", "usage_explain", "usage_recommendations"):
            if tool not in server.tools:
                continue
            wanted = [{"period": period} for period in periods]
            yield percentile(server, tool, wanted, max(4, rounds * 2), calls)
        if "usage_summary" in server.tools:
            _, answer = server.call("usage_summary", {"period": "all"})
            counted = calls_in(answer)
            yield Row(
                "… calls counted over all time", f"{calls:,}", f"{counted:,}" if counted else "?", "", counted == calls
            )


def percentile(server: Server, tool: str, wanted: list[dict[str, Any]], repeats: int, calls: int) -> Row:
    what = f"`{tool}` at {calls:,} calls, {len(wanted)} periods × {repeats}, p95"
    try:
        for arguments in wanted:
            server.call(tool, arguments)
        spread = Spread(tuple(server.call(tool, arguments)[0] for _ in range(repeats) for arguments in wanted))
    except Failed as error:
        return Row(what, "≤ 50 ms", f"failed: {error}", "", False)
    p95 = spread.quantile(0.95)
    return Row(what, "≤ 50 ms", f"{p95 * 1000:.1f} ms (median {spread.median * 1000:.1f})", "", p95 <= 0.05)


def server_start(it: Subject, rounds: int) -> Iterator[Row]:
    """From starting the MCP server to its tools listed, beside a server that does nothing."""
    ensure_index(it)
    with it.server() as server:
        tools = len(server.tools)
    bare = Command([python_beside(it.mcp_argv), str(Path(__file__).with_name("bare_server.py")), str(tools)], it.env())

    def start(command: Command) -> Run:
        with Server(command) as server:
            return Run(server.started)

    ours = Command(it.mcp_argv, it.env())
    runs = alternate({"ours": lambda: start(ours), "bare": lambda: start(bare)}, rounds + 2)
    mine, theirs = runs.wall("ours"), runs.wall("bare")
    ratio = mine.ratio(theirs)
    yield Row(
        f"MCP start to {tools} tools listed; beside a bare SDK server",
        "≤ 1.1 ×",
        f"{seconds(mine)}; bare {seconds(theirs)}",
        times(ratio),
        ratio <= 1.1,
    )
    yield Row(
        "… always within what Codex waits", "< 1 s", f"at most {max(mine.values):.2f} s", "", max(mine.values) < 1
    )


def long_history(it: Subject, rounds: int) -> Iterator[Row]:
    """The first question on a long history without an index; then everything; then with nothing new."""
    where = label(it.facts)
    today = dt.datetime.now(dt.UTC).date()
    days = {(today - dt.timedelta(days=ago)).isoformat() for ago in range(7)}
    wanted = sum(sums["calls"] for day, sums in it.facts["days"].items() if day in days)
    counted: list[int | None] = []

    def first_answer() -> Run:
        it.forget()
        run, answer = it.command.output(*SUMMARY)
        counted.append(calls_in(answer))
        return run

    runs = alternate({"first": first_answer, "full": it.cold_index}, max(2, rounds // 2), warm=1)
    first, full = runs.wall("first"), runs.wall("full")
    right = all(count == wanted for count in counted)
    yield Row(
        f"last 7 days answered on a fresh index, {where}; beside the whole index",
        "first, and exact",
        f"{seconds(first)}; all {seconds(full)}; "
        + (f"{wanted:,} calls, exact" if right else f"expected {wanted:,} calls, found {counted[-1]}"),
        times(first.ratio(full)),
        right and first.median < full.median / 2,
    )
    scale = 50e9 / it.facts["bytes"]
    yield Row(
        f"… extrapolated to 50 GB (every part × {scale:.1f}: an upper bound, a 50 GB history is not generated)",
        "–",
        f"{first.median * scale:.1f} s; all {full.median * scale:.0f} s",
    )
    peak = runs.peak("full")
    yield Row(
        f"peak memory, cold index, {where} (largest process)",
        "≤ 150 MB",
        megabytes(peak.median),
        "",
        peak.median <= 150e6,
    )
    it.forget()
    family = family_peak(it.command, "refresh")
    if family:
        yield Row("… all its processes together (PSS, sampled)", "–", megabytes(family))
    spread = Spread(tuple(it.command(*SUMMARY).wall for _ in range(rounds)))
    yield Row(f"question with nothing new, whole process, {where}", "no growth", seconds(spread))


def ensure_index(it: Subject) -> None:
    if not it.data.exists():
        it.cold_index()
    it.command("refresh")


def served(server: Server, tool: str, arguments: dict[str, Any]) -> Callable[[], Run]:
    """A contender for ``alternate``: one call of a tool."""

    def ask() -> Run:
        began = time.perf_counter()
        server.call(tool, arguments)
        return Run(time.perf_counter() - began)

    return ask
