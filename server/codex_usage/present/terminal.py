"""Answers for people at a terminal: results in, tables out. Plain and uncoloured when piped.

A table keeps ids and numbers whole: on a narrow terminal names are cut short first, then columns of lesser
interest go. Amounts of one column have the same number of places, so that they can be compared by eye.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel
from rich import box
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from codex_usage.answers import (
    CallLine,
    Calls,
    Coverage,
    Explanation,
    Recommendations,
    Session,
    Status,
    Summary,
    Sums,
    ThreadLine,
    Threads,
)
from codex_usage.answers.diagnostics_results import Diagnostics
from codex_usage.answers.results import (
    Allowance,
    AllowanceWindow,
    BudgetState,
    Change,
    Part,
    PeriodInfo,
    PricingCoverage,
)
from codex_usage.evidence.results import Evidence
from codex_usage.index.zones import zone_of
from codex_usage.model.words import many

_PIPED_WIDTH = 10_000
_LEAST_NAME = 18


class _Column(NamedTuple):
    """`text` columns may be cut short; columns with a `rank` go on narrow terminals, the greatest first."""

    name: str
    text: bool = False
    rank: int = 0


_SUMS = (
    _Column("cost"), _Column("credits", rank=5), _Column("share", rank=2), _Column("calls"),
    _Column("threads", rank=3), _Column("input", rank=1), _Column("cached", rank=1), _Column("output", rank=4),
)  # fmt: skip
_THREADS = (
    _Column("thread"), _Column("name", text=True), _Column("project", text=True), _Column("models", text=True, rank=6),
    _Column("last call", rank=5), _Column("cost"), _Column("credits", rank=7), _Column("share", rank=2),
    _Column("calls"), _Column("turns", rank=3), _Column("input", rank=1), _Column("cached", rank=1),
    _Column("output", rank=4),
)  # fmt: skip
_CALLS = (
    _Column("call"), _Column("time", rank=1), _Column("thread", rank=4), _Column("model", text=True),
    _Column("note", text=True, rank=6), _Column("cost"), _Column("credits", rank=8), _Column("input"),
    _Column("cached", rank=2), _Column("output", rank=3), _Column("context", rank=5), _Column("seconds", rank=7),
)  # fmt: skip


def console() -> Console:
    """A console on standard output: as wide as its content when piped, colours off when piped or NO_COLOR."""
    if sys.stdout.isatty():
        return Console(highlight=False, markup=False, emoji=False)
    return Console(
        highlight=False, markup=False, emoji=False, color_system=None, force_terminal=False, width=_PIPED_WIDTH,
        legacy_windows=False,
    )  # fmt: skip


def show(answer: BaseModel) -> None:
    """Print any answer."""
    _SHOW[type(answer)](console(), answer)


def show_summary(out: Console, answer: Summary) -> None:
    """Headline, breakdown, what it rests on."""
    out.print(_headline(answer.period, answer.total, answer.previous))
    if answer.total.calls:
        out.print(_tokens_line(answer.total), style="dim")
        _table(
            out, [_Column(" / ".join(answer.by), text=True), *_SUMS], _summary_rows(answer), dim_last=bool(answer.rest)
        )
        renamed = [
            f"{note.model} as {note.priced_as}"
            for note in answer.prices
            if note.confidence == "exact" and note.priced_as != note.model
        ]
        if renamed:
            out.print(f"Priced by name: {_plain(', '.join(dict.fromkeys(renamed)))}.", style="dim")
        unknown = [note.model for note in answer.prices if note.confidence == "unpriced" and note.model]
        if unknown:
            names = _plain(", ".join(dict.fromkeys(unknown)))
            out.print(f"No price known for {names}: not in the cost. codex-usage init-pricing makes a file for it.")
    for budget in answer.budgets:
        out.print(_budget_line(budget), style="red" if budget.over else None)
    for window in answer.allowance:
        out.print(_allowance_line(window, answer.period.zone), style="dim")
    _footer(out, answer.total, answer.coverage, answer.data_quality)


def _summary_rows(answer: Summary) -> list[tuple[str, ...]]:
    sums = [row.sums for row in answer.rows] + ([answer.rest] if answer.rest else [])
    costs = _costs(sums)
    rows = [
        (" / ".join(row.labels), *_cells(row.sums, cost, row.share))
        for row, cost in zip(answer.rows, costs, strict=False)
    ]
    if answer.rest is not None:
        rows.append((f"({answer.rest_groups} more)", *_cells(answer.rest, costs[-1], None)))
    return rows if answer.by else []


def show_threads(out: Console, answer: Threads) -> None:
    """The top threads of a period."""
    out.print(_headline(answer.period, answer.total, None))
    costs = _costs([row.sums for row in answer.rows])
    rows = [_thread_row(row, cost, answer.period.zone) for row, cost in zip(answer.rows, costs, strict=True)]
    _table(out, _THREADS, rows)
    if answer.rest_threads:
        rest = "" if answer.rest_cost_usd is None else f", {money(answer.rest_cost_usd)}"
        out.print(f"{many(answer.rest_threads, 'more thread')}{rest}; --limit shows more.", style="dim")
    _footer(out, answer.total, answer.coverage, answer.data_quality)


def _thread_row(row: ThreadLine, cost: str, zone: str) -> tuple[str, ...]:
    cells = _cells(row.sums, cost, row.share)
    name = row.name or ("" if row.role == "user" else f"({row.role})")
    return (
        row.short_id, name, row.project or "", ", ".join(row.models), _clock(row.last_call, zone, 16), *cells[:4],
        f"{row.sums.turns:,}", *cells[5:],
    )  # fmt: skip


def show_calls(out: Console, answer: Calls) -> None:
    """Single calls."""
    out.print(_headline(answer.period, answer.total, None))
    _table(out, _CALLS, _call_rows(answer.rows, answer.period.zone))
    if answer.rest_calls:
        out.print(f"{many(answer.rest_calls, 'more call')}; --limit shows more, export writes them all.", style="dim")
    _footer(out, answer.total, answer.coverage, answer.data_quality)


def _call_rows(calls: Sequence[CallLine], zone: str) -> list[tuple[str, ...]]:
    places = _places(call.cost_usd for call in calls)
    rows: list[tuple[str, ...]] = []
    for call in calls:
        note = [call.role] if call.role != "user" else []
        note += [call.effort] if call.effort else []
        note += ["compaction"] if call.compaction else []
        rows.append((
            call.call_id, _clock(call.timestamp, zone, 19), call.thread_id[-8:], call.model or "(unknown)",
            " ".join(note), _about(call.cost_confidence) + money(call.cost_usd, places), _credits(call.credits),
            count(call.input_tokens), _percent(call.cache_ratio),
            count(call.output_tokens), _percent(call.context_use),
            "" if call.duration_ms is None else f"{call.duration_ms / 1000:.1f}",
        ))  # fmt: skip
    return rows


def show_session(out: Console, answer: Session) -> None:
    """One thread."""
    thread = answer.thread
    out.print(_plain(thread.name or f"Thread {thread.short_id}"), style="bold")
    out.print(f"{thread.thread_id}  {thread.role} in {_plain(thread.project or '(no project)')}", style="dim")
    children = ""
    if caused := sum(child.relation != "fork" for child in answer.children):
        children = f"; {money(answer.with_children_usd)} with {many(caused, 'thread')} that it caused"
    work = f"{many(thread.sums.calls, 'call')}, {many(thread.sums.turns, 'turn')}"
    out.print(f"{_least(thread.sums, 'at least ')}{money(thread.sums.cost_usd)} in {work}{children}")
    first, last = (_clock(time, answer.zone, 16) for time in (thread.first_call, thread.last_call))
    out.print(f"{first} to {last} ({answer.zone})")
    out.print(_tokens_line(thread.sums), style="dim")
    if answer.turn_ms_median is not None:
        outcomes = ", ".join(f"{n} {word}" for word, n in answer.turn_outcomes.items())
        p95 = answer.turn_ms_p95 or 0
        out.print(f"Turns: {outcomes}; median {answer.turn_ms_median / 1000:.1f} s, P95 {p95 / 1000:.1f} s")
    for signal in answer.story:
        out.print(_plain(f"{_clock(signal.at or '', answer.zone, 16)}  {signal.text}"))
    models = [(row.labels[0], "", f"{row.sums.calls:,}", row.sums.cost_usd) for row in answer.models]
    related = [(f"{c.thread_id[-8:]} {c.relation}", c.link, f"{c.calls:,}", c.cost_usd) for c in answer.children]
    for label, note, rows in (("model", "", models), ("related thread", "link", related)):
        places = _places(cost for *_, cost in rows)
        columns = [_Column(label, text=True), _Column(note), _Column("calls"), _Column("cost")]
        _table(out, columns, [(*cells, money(cost, places)) for *cells, cost in rows])
    places = _places(turn.with_delegated_usd for turn in answer.turns)
    turns = [
        (
            turn.turn_id[-8:], _clock(turn.started or "", answer.zone, 16), turn.outcome, f"{turn.calls:,}",
            money(turn.cost_usd, places), money(turn.with_delegated_usd, places),
        )
        for turn in answer.turns
    ]  # fmt: skip
    names = ("costliest turn", "started", "outcome", "calls", "cost", "with what it caused")
    _table(out, [_Column(name) for name in names], turns)
    columns = [column._replace(name="costliest call") if column.name == "call" else column for column in _CALLS]
    _table(out, columns, _call_rows(answer.costly_calls, answer.zone))
    _footer(out, thread.sums, answer.coverage, answer.data_quality)


def show_explanation(out: Console, answer: Explanation) -> None:
    """Why something changed: the sentence, then each cause with what it added."""
    out.print(_plain(answer.headline), style="bold")
    span, base, change = answer.period, answer.baseline, answer.change
    note = ", scaled to the same length" if answer.per_day else ""
    out.print(f"{span.start} to {span.end} against {base.start} to {base.end} ({span.zone}){note}", style="dim")
    if not change.delta:
        return
    shown = [one for one in answer.drivers if abs(one.share) >= 0.0005]
    columns = [_Column("cause"), _Column("change"), _Column("share"), _Column("because", text=True)]
    rows = [
        (one.driver.replace("_", " "), _signed(one.delta, answer.metric), f"{one.share:.1%}", one.because)
        for one in shown
    ]
    rows.append(("all together", _signed(change.delta, answer.metric), "100.0%", ""))
    _table(out, columns, rows, dim_last=True)
    for kind, parts in answer.contributors.items():
        named = [f"{_part_name(part)} {_signed(part.delta or 0, answer.metric)}" for part in parts[:3]]
        if named:
            out.print(_plain(f"{kind}s: {', '.join(named)}"))
    out.print(_plain(f"{answer.data_quality.line}."), style="dim")


def _part_name(part: Part) -> str:
    short = part.id[-8:] if part.kind == "thread" else part.id
    return short if part.label in (part.id, short) else f"{short} “{part.label}”"


def _signed(value: float, metric: str) -> str:
    if metric == "cost_usd":
        return f"{'-' if value < 0 else '+'}{money(abs(value), 2 if abs(value) >= 0.005 or value == 0 else None)}"
    return f"{value:+,.1f}" if metric == "credits" else f"{value:+,.0f}"


def show_advice(out: Console, answer: Recommendations) -> None:
    """What would have saved most, each with why and what to do."""
    out.print(_plain(answer.headline), style="bold")
    for number, row in enumerate(answer.rows, 1):
        about = row.scope.id[-8:] if row.scope.kind == "thread" else row.scope.id
        name = f" “{row.scope.label}”" if row.scope.label not in (row.scope.id, about) else ""
        saving = f"{money(row.saving.cost_usd, 2)}, {row.saving.share:.1%} of the period"
        rule = row.rule.replace("_", " ")
        of = (
            f"habit, {many(row.evidence.threads, 'thread')}"
            if row.scope.kind == "habit"
            else f"{row.scope.kind} {about}"
        )
        out.print(_plain(f"{number}. {rule} ({of}{name}): {saving}, {row.confidence:.0%} sure"))
        out.print(_plain(f"   {row.counterfactual}"))
        out.print(_plain(f"   → {row.action}"))
        if row.counter_evidence:
            out.print(_plain(f"   But: {row.counter_evidence}"), style="dim")
    if answer.rest_rows:
        out.print(f"{many(answer.rest_rows, 'more recommendation')}; --limit shows more.", style="dim")
    for problem in answer.problems:
        out.print(_plain(problem), style="red")
    looked = f"{many(answer.examined_calls, 'call')} of {many(answer.examined_threads, 'thread')}"
    share = f", {answer.examined_share:.0%} of the cost" if answer.examined_share is not None else ""
    lasts = f"cache taken to last {answer.cache_minutes:g} minutes ({answer.cache_minutes_source})"
    out.print(_plain(f"Looked at {looked}{share}; {lasts}. {answer.data_quality}."), style="dim")


def show_diagnostics(out: Console, answer: Diagnostics) -> None:
    """The tables of a section."""
    out.print(_plain(f"{answer.section}, {answer.period.label.replace('_', ' ')}: {answer.status}"), style="bold")
    for table in answer.tables:
        out.print(table.title)
        columns = [_Column(name.replace("_", " "), text=at == 0, rank=at) for at, name in enumerate(table.columns)]
        rows = [
            ["" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row]
            for row in table.rows
        ]
        _table(out, columns, rows)
        if table.rest:
            out.print(f"{many(table.rest, 'more row')}; --limit shows more.", style="dim")
    for note in answer.notes:
        out.print(_plain(note), style="dim")


def status_line(answer: Status) -> str:
    """One line for a prompt or status bar."""
    parts = [
        f"{word} {_least(sums, '≥ ')}{money(sums.cost_usd)}"
        for word, sums in (("today", answer.today), ("week", answer.week), ("month", answer.month))
    ]
    for window in answer.allowance:
        used = "reset" if window.reset_passed else f"{window.used_percent:.0f}% used"
        found = window.outlook
        if found is not None and found.likely and found.chance >= 0.5:
            used += f", runs out ~{_weekday_clock(found.likely, answer.zone)}"
        parts.append(f"{_limit_name(window)} {used}")
    parts += [
        f"{_budget_name(budget)} {budget.percent:.0f}%{' OVER' if budget.over else ''}" for budget in answer.budgets
    ]
    if not answer.coverage.complete:
        parts.append("index incomplete")
    return _plain(" · ".join(parts))


def show_allowance(out: Console, answer: Allowance) -> None:
    """The windows, what some usage took of them, and the last weeks."""
    if not answer.windows:
        out.print(
            "No allowance seen: Codex logs it for ChatGPT accounts only. Tell it: codex-usage parse-allowance"
            ' "5h 79% Weekly 33%" --save'
        )
    for window in answer.windows:
        out.print(_allowance_line(window, answer.zone))
        if (one := window.one_percent) is not None:
            worth = [] if one.usd is None else [f"{money(one.usd)} ({money(one.usd_low)} to {money(one.usd_high)})"]
            worth += [] if one.credits is None else [f"{one.credits:,.1f} credits"]
            out.print(f"  1% was worth about {', '.join(worth)}, seen over {one.points:g} points", style="dim")
    if answer.credits_balance is not None:
        out.print(f"Credits left: {_plain(answer.credits_balance)}")
    if answer.total.calls and answer.impact:
        took = ", ".join(
            f"{one.percent:g}% of a {one.window} window ({one.low:g} to {one.high:g}%)" for one in answer.impact
        )
        out.print(f"{_plain(answer.about)}: {money(answer.total.cost_usd)}, about {took}")
    columns = [
        _Column("week until"),
        _Column("cost"),
        _Column("credits"),
        _Column("calls"),
        _Column("tokens"),
        _Column("used"),
    ]
    costs = _costs([week.total for week in answer.weeks])
    rows = [
        (
            _clock(week.until, answer.zone, 16), cost, _credits(week.total.credits), f"{week.total.calls:,}",
            count(week.total.total_tokens), "" if week.used_percent is None else f"{week.used_percent:.0f}%",
        )
        for week, cost in zip(answer.weeks, costs, strict=True)
    ]  # fmt: skip
    _table(out, columns, rows)
    _footer(out, answer.total, answer.coverage, answer.data_quality)


def _allowance_line(window: AllowanceWindow, zone: str) -> str:
    """What is left of a window, until when, and whether it will last."""
    name = _limit_name(window)
    resets = _weekday_clock(window.resets_at, zone)
    if window.reset_passed:
        return _plain(f"{name}: reset {resets} (before: {window.used_percent:.0f}% used)")
    text = f"{name}: {window.used_percent:.0f}% used, {window.remaining_percent:.0f}% left"
    text += f", resets {resets}" if resets else ""
    found = window.outlook
    if found is not None and found.chance >= 0.05:
        first, last = _weekday_clock(found.earliest, zone), _weekday_clock(found.latest, zone)
        text += f"; {found.chance:.0%} chance to run out before"
        text += f", between {first} and {last}" if last else ""
    elif found is not None and found.percent_at_reset:
        text += f"; about {found.percent_at_reset[1]:.0f}% by then"
    return _plain(text)


def _limit_name(window: AllowanceWindow) -> str:
    return window.window if window.limit_id == "codex" else f"{window.limit_id} {window.window}"


def _budget_name(budget: BudgetState) -> str:
    return f"{budget.project + ' ' if budget.project else ''}{budget.per} budget"


def _budget_line(budget: BudgetState) -> str:
    amount, spent = (
        (money(budget.amount), money(budget.spent))
        if budget.unit == "usd"
        else (f"{budget.amount:,.0f} credits", f"{budget.spent:,.0f}")
    )
    least = "at least " if budget.at_least else ""
    return _plain(
        f"{_budget_name(budget)}: {least}{spent} of {amount} ({budget.percent:.0f}%){', OVER' if budget.over else ''}"
    )


def show_pricing(out: Console, answer: PricingCoverage) -> None:
    """Which prices the calls rest on."""
    out.print(_headline(answer.period, answer.total, None))
    out.print(f"Prices from {answer.source}; USD for a million tokens.", style="dim")
    columns = [
        _Column("model", text=True), _Column("tier"), _Column("price"), _Column("priced as", text=True, rank=3),
        _Column("since", rank=4), _Column("input", rank=2), _Column("cached", rank=2), _Column("output", rank=2),
        _Column("credits", rank=1), _Column("calls"), _Column("cost"),
    ]  # fmt: skip
    places = _places(row.cost_usd for row in answer.rows)
    rows = [
        (
            row.model or "(unknown)", row.service_tier or "standard", row.confidence,
            "" if row.priced_as == row.model else row.priced_as or "", row.since or "",
            *((f"{row.usd.input:g}", f"{row.usd.cached_input:g}", f"{row.usd.output:g}") if row.usd else ("", "", "")),
            row.credit_confidence or "", f"{row.calls:,}", money(row.cost_usd, places),
        )
        for row in answer.rows
    ]  # fmt: skip
    _table(out, columns, rows)
    reasons = [f"{row.model or '(unknown)'}: {row.reason}" for row in answer.rows if row.reason]
    reasons += [f"{row.model or '(unknown)'} credits: {row.credit_reason}" for row in answer.rows if row.credit_reason]
    for text in dict.fromkeys(reasons):
        out.print(f"  {_plain(text)}", style="dim")
    for problem in answer.problems:
        out.print(_plain(problem), style="red")
    _footer(out, answer.total, answer.coverage, answer.data_quality)


# -- parts -------------------------------------------------------------------------------------------------


def _headline(period: PeriodInfo, total: Sums, previous: Change | None) -> Text:
    span = period.label.replace("_", " ") if period.label != "all" else "all time"
    if period.first and period.last:
        days = period.first if period.first == period.last else f"{period.first} to {period.last}"
        span = days if span == period.first or ".." in span else f"{span}, {days}"
    text = Text(f"{span} ({period.zone}): ")
    text.append(_least(total, "at least ") + money(total.cost_usd), style="bold")
    text.append(f" in {many(total.calls, 'call')}, {many(total.threads, 'thread')}")
    if previous is not None and previous.cost_percent is not None:
        style = "red" if previous.cost_percent > 0 else "green"
        change = f"{previous.cost_percent:+,.0f}% against"
        if previous.cost_percent >= 1000:  # a percentage of that size says little
            change = f"{1 + previous.cost_percent / 100:,.0f} times"
        text.append(f"  {change} the period before", style=style)
    return text


def _tokens_line(total: Sums) -> str:
    cached = "" if total.cache_ratio is None else f" ({total.cache_ratio:.0%} cached)"
    reasoning = f" ({count(total.reasoning_output_tokens)} reasoning)" if total.reasoning_output_tokens else ""
    return f"{count(total.input_tokens)} tokens in{cached}, {count(total.output_tokens)} out{reasoning}"


def _cells(sums: Sums, cost: str, share: float | None) -> tuple[str, ...]:
    return (
        cost, _credits(sums.credits), _percent(share), f"{sums.calls:,}", f"{sums.threads:,}", count(sums.input_tokens),
        _percent(sums.cache_ratio), count(sums.output_tokens),
    )  # fmt: skip


def _table(out: Console, columns: Sequence[_Column], rows: Sequence[Sequence[str]], dim_last: bool = False) -> None:
    """A table of what fits: columns without any content are left out, as are those there is no room for."""
    cells = [[_plain(cell) for cell in row] for row in rows]
    whole = [max(map(cell_len, (column.name, *(row[at] for row in cells)))) for at, column in enumerate(columns)]
    kept = [at for at in range(len(columns)) if any(row[at] for row in cells)]
    least = [min(width, _LEAST_NAME) if column.text else width for width, column in zip(whole, columns, strict=True)]
    while kept and sum(least[at] + 2 for at in kept) - 2 > out.width:
        lesser = max(kept, key=lambda at: columns[at].rank)
        if not columns[lesser].rank:
            break
        kept.remove(lesser)
    while sum(whole[at] + 2 for at in kept) - 2 > out.width:  # cut the longest names
        longest = max((at for at in kept if whole[at] > least[at]), key=lambda at: whole[at], default=None)
        if longest is None:
            break
        whole[longest] -= 1
    table = Table(
        box=box.SIMPLE_HEAD if out.is_terminal else None, padding=(0, 1, 0, 0) if out.is_terminal else (0, 1),
        pad_edge=False, show_edge=False, header_style="bold",
    )  # fmt: skip
    for at in kept:
        justify: JustifyMethod = "left" if at == 0 or columns[at].text else "right"
        table.add_column(columns[at].name, justify=justify, no_wrap=True, overflow="ellipsis", width=whole[at])
    for number, row in enumerate(cells, 1):
        table.add_row(*(row[at] for at in kept), style="dim" if dim_last and number == len(cells) else None)
    if kept:
        out.print(table)


def _plain(text: str) -> str:
    """Text from a log without line ends and terminal commands."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _footer(out: Console, total: Sums, coverage: Coverage, quality: str) -> None:
    if coverage.busy:
        out.print("Another process is reading new logs: the newest calls may be missing.")
    elif not coverage.complete:
        out.print(
            f"Not yet complete: {many(coverage.pending_files, 'older log')} ({coverage.pending_bytes / 1e6:.0f} MB)"
            f" still to be read; every call after {(coverage.since or '')[:16].replace('T', ' ')} UTC is counted."
        )
    if total.calls:
        out.print(f"API-equivalent cost. {quality}.", style="dim")
    elif quality == "no logs found":
        out.print("No logs found. Run Codex once, name its folder with --codex-home, or try: codex-usage demo")
    else:
        elsewhere = "" if "no usage recorded" in quality else " Try --period all."
        out.print(f"No such calls in this period ({quality}).{elsewhere}")


def _least(sums: Sums, words: str) -> str:
    return words if sums.at_least else ""


def _costs(sums: Sequence[Sums]) -> list[str]:
    places = _places(row.cost_usd for row in sums)
    return [(_least(row, "≥ ") or _about(row.cost_confidence)) + money(row.cost_usd, places) for row in sums]


def _about(confidence: str) -> str:
    return "~" if confidence == "estimated" else ""


def _credits(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}" if value >= 1 or value == 0 else f"{value:.3f}"


def _places(values: Iterable[float | None]) -> int:
    """The decimal places of a column of amounts: cents where the greatest is a dollar or more."""
    return 2 if max((value for value in values if value is not None), default=0) >= 1 else 4


def money(value: float | None, places: int | None = None) -> str:
    """Dollars to the cent, or with four places below one dollar; a dash where no price is known."""
    if value is None:
        return "—"
    places = places or (2 if value >= 1 or value == 0 else 4)
    least = 10**-places
    return f"<${least:.{places}f}" if 0 < value < least / 2 else f"${value:,.{places}f}"


def count(value: int) -> str:
    """A number with a unit: 12.3M."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if value >= size:
            return f"{value / (1000 if unit == 'k' else size):.1f}{unit}"
    return f"{value:,}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _weekday_clock(time: str | None, zone: str) -> str:
    """A time within days of now: weekday, date and minute."""
    return datetime.fromisoformat(time).astimezone(zone_of(zone)[1]).strftime("%a %d %b %H:%M") if time else ""


def _clock(time: str, zone: str, length: int) -> str:
    """An ISO time of the data as a person's clock shows it."""
    return datetime.fromisoformat(time).astimezone(zone_of(zone)[1]).isoformat(" ")[:length] if time else ""


def show_evidence(out: Console, answer: Evidence) -> None:
    """The lines of a log that a call was about."""
    took = "" if answer.duration_s is None else f", {answer.duration_s:.1f} s"
    out.print(_plain(f"Call {answer.call_id} of {answer.model or '(unknown)'}{took}"), style="bold")
    out.print(_plain(f"{answer.log} ({answer.format}); tokens by {answer.token_method}"), style="dim")
    for entry in answer.entries:
        since = "" if entry.since_turn_s is None else f"+{entry.since_turn_s:.1f} s  "
        took = "" if entry.reported_s is None else f", took {entry.reported_s:.1f} s"
        what = f"{since}{entry.kind} {entry.label or ''}".rstrip()
        out.print(_plain(f"{entry.line:>6}  {what} ({many(entry.tokens, 'token')}{took})"), style="cyan")
        if entry.text:
            out.print("\n".join(f"        {_plain(line)}" for line in entry.text.splitlines()) + " …" * entry.truncated)
    for word, counts in (("Tokens", answer.groups), ("Left out", answer.omitted), ("Redacted", answer.redactions)):
        if counts:
            told = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items())
            out.print(f"{word}: {told}", style="dim")
    for warning in answer.warnings:
        out.print(_plain(warning), style="red")


_SHOW: dict[type[BaseModel], Callable[[Console, Any], None]] = {
    Summary: show_summary,
    Threads: show_threads,
    Calls: show_calls,
    Session: show_session,
    Explanation: show_explanation,
    Recommendations: show_advice,
    Diagnostics: show_diagnostics,
    Allowance: show_allowance,
    PricingCoverage: show_pricing,
    Evidence: show_evidence,
}
