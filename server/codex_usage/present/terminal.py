"""Answers for people at a terminal: results in, tables out. Plain and uncoloured when piped."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from codex_usage.answers import Calls, Coverage, Session, Status, Summary, Sums, Threads
from codex_usage.answers.results import Change, PeriodInfo


def console() -> Console:
    """A console on standard output: as wide as its content when piped, colours off when piped or NO_COLOR."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, no_color=True, width=int(os.environ.get("COLUMNS", "160")), legacy_windows=False)


def show_summary(out: Console, answer: Summary) -> None:
    """Headline, breakdown, what it rests on."""
    out.print(_headline(answer.period, answer.total, answer.previous))
    if not answer.total.calls:
        out.print(_empty(answer.data_quality))
        return
    out.print(_tokens_line(answer.total), style="dim")
    table = _table(" / ".join(answer.by), left=1)
    for name in ("cost", "share", "calls", "threads", "input", "cached", "output"):
        table.add_column(name, justify="right")
    for row in answer.rows:
        table.add_row(" / ".join(row.labels), *_cells(row.sums, row.share))
    if answer.rest is not None:
        table.add_row(f"({answer.rest_groups} more)", *_cells(answer.rest, None), style="dim")
    out.print(table)
    if answer.price_matches:
        shown = [f"{m} as {p}" for m, p in answer.price_matches.items() if any(m in row.labels for row in answer.rows)]
        if shown:
            out.print(f"Priced by name: {', '.join(shown)}.", style="dim")
    if answer.unpriced_models:
        out.print(f"No price known for {', '.join(answer.unpriced_models)}: their calls are not in the cost.")
    _footer(out, answer.coverage, answer.data_quality)


def show_threads(out: Console, answer: Threads) -> None:
    """The top threads of a period."""
    out.print(_headline(answer.period, answer.total, None))
    if not answer.rows:
        out.print(_empty(answer.data_quality))
        return
    table = _table("thread", left=4, more=("name", "project", "models"))
    for name in ("last call", "cost", "share", "calls", "turns", "input", "cached", "output"):
        table.add_column(name, justify="right")
    for row in answer.rows:
        cells = _cells(row.sums, row.share)
        name = row.name or ("" if row.role == "user" else f"({row.role})")
        table.add_row(
            row.short_id, name, row.project or "", ", ".join(row.models), row.last_call[:16].replace("T", " "),
            *cells[:3], str(row.sums.turns), *cells[4:],
        )  # fmt: skip
    out.print(table)
    if answer.rest_threads:
        rest = "" if answer.rest_cost_usd is None else f", {money(answer.rest_cost_usd)}"
        out.print(f"{answer.rest_threads} more threads{rest}; --limit shows them.", style="dim")
    _footer(out, answer.coverage, answer.data_quality)


def show_calls(out: Console, answer: Calls) -> None:
    """Single calls."""
    out.print(_headline(answer.period, answer.total, None))
    if not answer.rows:
        out.print(_empty(answer.data_quality))
        return
    table = _table("call", left=5, more=("time (UTC)", "thread", "model", "note"))
    for name in ("cost", "input", "cached", "output", "context", "seconds"):
        table.add_column(name, justify="right")
    for row in answer.rows:
        note = [row.role] if row.role != "user" else []
        note += [row.effort] if row.effort else []
        note += ["compaction"] if row.compaction else []
        table.add_row(
            row.call_id, row.timestamp[:19].replace("T", " "), row.thread_id[-8:], row.model or "(unknown)",
            " ".join(note), money(row.cost_usd), count(row.input_tokens), _share(row.cached_input_tokens, row.input_tokens),
            count(row.output_tokens), "" if row.context_use is None else f"{row.context_use:.0%}",
            "" if row.duration_ms is None else f"{row.duration_ms / 1000:.1f}",
        )  # fmt: skip
    out.print(table)
    if answer.rest_calls:
        out.print(f"{answer.rest_calls} more calls; --limit shows them, export writes them all.", style="dim")
    _footer(out, answer.coverage, answer.data_quality)


def show_session(out: Console, answer: Session) -> None:
    """One thread."""
    thread = answer.thread
    title = Text(thread.name or f"Thread {thread.short_id}", style="bold")
    out.print(title)
    out.print(f"{thread.thread_id}  {thread.role} in {thread.project or '(no project)'}", style="dim")
    cost = money(thread.sums.cost_usd)
    children = f"; with its {len(answer.children)} children {money(answer.with_children_usd)}" if answer.children else ""
    out.print(f"{cost} in {thread.sums.calls} calls, {thread.sums.turns} turns{children}")
    out.print(f"{thread.first_call[:16]} to {thread.last_call[:16]} UTC")
    out.print(_tokens_line(thread.sums), style="dim")
    if answer.turn_ms_median is not None:
        outcomes = ", ".join(f"{n} {word}" for word, n in answer.turn_outcomes.items())
        p95 = answer.turn_ms_p95 or 0
        out.print(f"Turns: {outcomes}; median {answer.turn_ms_median / 1000:.1f} s, P95 {p95 / 1000:.1f} s")
    for label, rows in (("model", [(r.labels[0], r.sums.calls, r.sums.cost_usd) for r in answer.models]),
                        ("child", [(f"{c.thread_id[-8:]} {c.role}", c.calls, c.cost_usd) for c in answer.children])):
        if rows:
            table = _table(label, left=1)
            table.add_column("calls", justify="right")
            table.add_column("cost", justify="right")
            for name, calls, cost_usd in rows:
                table.add_row(name, str(calls), money(cost_usd))
            out.print(table)
    table = _table("costliest calls", left=1)
    for name in ("time (UTC)", "cost", "input", "cached", "output"):
        table.add_column(name, justify="right")
    for row in answer.costly_calls:
        table.add_row(
            row.call_id, row.timestamp[:19].replace("T", " "), money(row.cost_usd), count(row.input_tokens),
            _share(row.cached_input_tokens, row.input_tokens), count(row.output_tokens),
        )  # fmt: skip
    out.print(table)
    _footer(out, answer.coverage, answer.data_quality)


def status_line(answer: Status) -> str:
    """One line for a prompt or status bar."""
    parts = [f"today {money(answer.today.cost_usd)}", f"week {money(answer.week.cost_usd)}"]
    for window in answer.allowance:
        used = "reset" if window.reset_passed else f"{window.used_percent:.0f}% used"
        parts.append(f"{window.window} {used}")
    if not answer.coverage.complete:
        parts.append("index incomplete")
    return " · ".join(parts)


# -- parts -------------------------------------------------------------------------------------------------


def _headline(period: PeriodInfo, total: Sums, previous: Change | None) -> Text:
    span = period.label.replace("_", " ")
    if period.first and period.last:
        days = period.first if period.first == period.last else f"{period.first} to {period.last}"
        span = days if span == period.first or ".." in span else f"{span}, {days}"
    text = Text(f"{span} ({period.zone}): ")
    text.append(("at least " if total.at_least else "") + money(total.cost_usd), style="bold")
    text.append(f" in {total.calls:,} calls, {total.threads:,} threads")
    if previous is not None and previous.cost_percent is not None:
        style = "red" if previous.cost_percent > 0 else "green"
        text.append(f"  {previous.cost_percent:+.0f}% against the period before", style=style)
    return text


def _tokens_line(total: Sums) -> str:
    cached = "" if total.cache_ratio is None else f" ({total.cache_ratio:.0%} cached)"
    reasoning = f" ({count(total.reasoning_output_tokens)} reasoning)" if total.reasoning_output_tokens else ""
    return f"{count(total.input_tokens)} tokens in{cached}, {count(total.output_tokens)} out{reasoning}"


def _cells(sums: Sums, share: float | None) -> tuple[str, ...]:
    return (
        ("≥ " if sums.at_least else "") + money(sums.cost_usd),
        "" if share is None else f"{share:.0%}",
        f"{sums.calls:,}",
        f"{sums.threads:,}",
        count(sums.input_tokens),
        _share(sums.cached_input_tokens, sums.input_tokens),
        count(sums.output_tokens),
    )


def _table(first: str, left: int, more: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD if sys.stdout.isatty() else None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")
    for name in more:
        table.add_column(name, overflow="fold")
    return table


def _footer(out: Console, coverage: Coverage, quality: str) -> None:
    if not coverage.complete:
        out.print(
            f"Not yet complete: {coverage.pending_files} older logs ({coverage.pending_bytes / 1e6:.0f} MB) are still"
            f" being read; every call after {(coverage.since or '')[:16]} is counted."
        )
    out.print(f"API-equivalent cost. {quality}.", style="dim")


def _empty(quality: str) -> str:
    if quality == "no logs found":
        return "No logs found. Run Codex once, name its folder with --codex-home, or try: codex-usage demo"
    return f"No calls in this period ({quality}). Try --period all."


def money(value: float | None) -> str:
    """Dollars to the cent; small amounts to a hundredth of a cent; a dash where no price is known."""
    if value is None:
        return "—"
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${value:.4f}"


def count(value: int) -> str:
    """A number with a unit: 12.3M."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if value >= size:
            return f"{value / (1000 if unit == 'k' else size):.1f}{unit}"
    return f"{value:,}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else ""
