"""Answers for people at a terminal: results in, tables out. Plain and uncoloured when piped.

A table keeps ids and numbers whole: on a narrow terminal names are cut short first, then columns of lesser
interest go. Amounts of one table have the same number of places, so that they can be compared by eye.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter, itemgetter
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from unicodedata import category, east_asian_width

from pydantic import BaseModel

from codex_usage.answers import results
from codex_usage.homes.platform import wake_colours
from codex_usage.model.questions import TIME_WORDS
from codex_usage.model.words import many
from codex_usage.present.compact import limit_name, local

if TYPE_CHECKING:
    from codex_usage.answers import Calls, Explanation, Session, Summary, Sums, Threads
    from codex_usage.answers.advice_results import Recommendations
    from codex_usage.answers.diagnostics_results import Diagnostics
    from codex_usage.evidence.results import Evidence

_PIPED_WIDTH = 10_000
_LEAST_NAME = 18
_BAR = 18
_STYLES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "cyan": 36}


class _Amount(NamedTuple):
    """Dollars in a cell, and what stands before them."""

    usd: float | None
    mark: str = ""


class _Column(NamedTuple):
    """`shape` makes of a row's `field` ("" is the row itself) a text, a number, an _Amount or None; `clock` letters of
    an ISO time are shown. `text` columns may be cut short; those with a `rank` go on narrow terminals, the greatest
    first."""

    name: str
    field: str
    shape: Callable[[Any], Any] = lambda value: value
    text: bool = False
    rank: int = 0
    clock: int = 0

    def of(self, row: Any) -> Any:
        return self.shape(attrgetter(self.field)(row) if self.field else row)


class Console:
    """Lines for a terminal, wrapped to its width; on any other file as long as they are. Colours are off then, and with
    NO_COLOR. Written here, as a library for it takes longer to load than most answers take."""

    def __init__(self, file: IO[str]) -> None:
        self.file, self.is_terminal = file, file.isatty()
        self.width = shutil.get_terminal_size().columns if self.is_terminal else _PIPED_WIDTH
        self.colours = self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        if self.colours:
            wake_colours()

    def styled(self, text: str, style: str | None) -> str:
        """Text in a style of _STYLES."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if style and self.colours else text

    def print(self, text: str, style: str | None = None) -> None:
        """Write lines; words that don't fit go on the next."""
        for line in text.split("\n"):
            parts = [line]
            if _width(line) > self.width:
                parts = []
                for word in line.split(" "):
                    if parts and _width(f"{parts[-1]} {word}") <= self.width:
                        parts[-1] += f" {word}"
                    else:
                        parts.append(word)
            self.file.writelines(f"{self.styled(part, style)}\n" for part in parts)


def _width(text: str) -> int:
    """The letters that a text takes on a terminal, where some count twice or not at all."""
    text = re.sub(r"\x1b\[\d+m", "", text)
    if text.isascii():
        return len(text)
    return sum(0 if category(one) in ("Mn", "Me", "Cf") else 1 + (east_asian_width(one) in "WF") for one in text)


def show(answer: BaseModel, file: IO[str] | None = None) -> None:
    """Print any answer, on standard output or into a file."""
    _SHOW[type(answer).__name__](Console(file or sys.stdout), answer)


def show_summary(out: Console, answer: Summary) -> None:
    """Headline, breakdown, what it rests on."""
    out.print(_headline(out, answer.period, answer.total, answer.previous))
    if answer.total.calls:
        out.print(_tokens_line(answer.total), style="dim")
        more = [f"({answer.rest_groups} more)"]
        rest = [results.SummaryRow(labels=more, sums=answer.rest, share=None)] if answer.rest else []
        rows = [*answer.rows, *rest] if answer.by else []
        _table(out, _summary_columns(answer, chart=out.is_terminal), rows, dim_last=bool(rest))
        by_name = [note for note in answer.prices if note.confidence == "exact" and note.priced_as != note.model]
        renamed = dict.fromkeys(f"{note.model} as {note.priced_as}" for note in by_name)
        if renamed:
            out.print(f"Priced by name: {_plain(', '.join(renamed))}.", style="dim")
        unknown = [note.model for note in answer.prices if note.confidence == "unpriced" and note.model]
        if unknown:
            names = _plain(", ".join(dict.fromkeys(unknown)))
            out.print(f"No price known for {names}: not in the cost. codex-usage init-pricing makes a file for it.")
    if (year := answer.ytd) is not None:
        highest = f", most on {year.highest_day}: {money(year.highest_usd)}" if year.highest_day else ""
        out.print(f"Year to date: {_least(year.total, 'at least ')}{money(year.total.cost_usd)} on"
                  f" {many(year.days, 'active day')} in {many(year.sessions, 'session')};"
                  f" {money(year.average_usd)} a day{highest}")  # fmt: skip
    for budget in answer.budgets:
        out.print(_budget_line(budget), style="red" if budget.over else None)
    for window in answer.allowance:
        out.print(_allowance_line(window, answer.period.zone), style="dim")
    _footer(out, answer.total, answer.coverage, answer.data_quality)


def _summary_columns(answer: Summary, chart: bool) -> list[_Column]:
    """The columns of a summary; `chart` adds bars where its rows are days, weeks or months."""
    columns = [_Column(" / ".join(answer.by), "labels", " / ".join, text=True), *_SUMS]
    most = max((row.sums.cost_usd or 0 for row in answer.rows), default=0)
    if chart and most and len(answer.by) == 1 and answer.by[0] in TIME_WORDS:
        columns.append(_Column("", "sums.cost_usd", lambda cost: _bar((cost or 0) / most), text=True, rank=1))
    return columns


def _bar(part: float) -> str:
    """A part of the longest bar, to an eighth of a letter; what is not zero is seen."""
    eighths = max(round(part * 8 * _BAR), part > 0)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def markdown(answer: Summary) -> str:
    """A summary as a Markdown table with a last row of all."""
    total = results.SummaryRow(labels=["all"], sums=answer.total, share=None)
    columns = _summary_columns(answer, chart=False)
    head = [column.name for column in columns]
    rows = [head, ["---", *["---:"] * (len(head) - 1)], *_cells(columns, [*answer.rows, total], "")]
    rows[2:] = [[re.sub(r"([\\|<>\[\]*_`])", r"\\\1", cell) for cell in row] for row in rows[2:]]
    return f"{_headline(None, answer.period, answer.total, None)}\n\n" + "".join(
        f"| {' | '.join(row)} |\n" for row in rows
    )


def show_threads(out: Console, answer: Threads) -> None:
    """The top threads of a period."""
    out.print(_headline(out, answer.period, answer.total, None))
    _table(out, _THREADS, answer.rows, answer.period.zone)
    rest = "" if answer.rest_cost_usd is None else f", {money(answer.rest_cost_usd)}"
    _more(out, answer.rest_threads, "thread", f"{rest}; --limit shows more.")
    _footer(out, answer.total, answer.coverage, answer.data_quality)


def show_calls(out: Console, answer: Calls) -> None:
    """Single calls."""
    out.print(_headline(out, answer.period, answer.total, None))
    _table(out, _CALLS, answer.rows, answer.period.zone)
    _more(out, answer.rest_calls, "call", "; --limit shows more, export writes them all.")
    _footer(out, answer.total, answer.coverage, answer.data_quality)


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
    if len(answer.context) > 1 and (most := max(answer.context)):
        line = "".join("▁▂▃▄▅▆▇█"[min(7, 8 * size // most)] for size in answer.context)
        out.print(f"Context of its calls, up to {count(most)} tokens:\n{line}")
    for signal in answer.story:
        out.print(_plain(f"{_clock(signal.at or '', answer.zone, 16)}  {signal.text}"))
    _table(out, _MODELS, answer.models)
    _table(out, _RELATED, answer.children)
    _table(out, _TURNS, answer.turns, answer.zone)
    _table(out, [_CALLS[0]._replace(name="costliest call"), *_CALLS[1:]], answer.costly_calls, answer.zone)
    _footer(out, thread.sums, answer.coverage, answer.data_quality)


def show_explanation(out: Console, answer: Explanation) -> None:
    """Why something changed: the sentence, then each cause with what it added."""
    out.print(_plain(answer.headline), style="bold")
    span, base, change = answer.period, answer.baseline, answer.change
    note = ", scaled to the same length" if answer.per_day else ""
    out.print(f"{span.start} to {span.end} against {base.start} to {base.end} ({span.zone}){note}", style="dim")
    if not change.delta:
        return
    rows = [(one.driver.replace("_", " "), _signed(one.delta, answer.metric), f"{one.share:.1%}", one.because)
            for one in answer.drivers if abs(one.share) >= 0.0005]  # fmt: skip
    rows.append(("all together", _signed(change.delta, answer.metric), "100.0%", ""))
    names = ("cause", "change", "share", "because")
    columns = [_Column(name, "", itemgetter(at), text=name == "because") for at, name in enumerate(names)]
    _table(out, columns, rows, dim_last=True)
    for kind, parts in answer.contributors.items():
        named = [f"{_part_name(part)} {_signed(part.delta or 0, answer.metric)}" for part in parts[:3]]
        if named:
            out.print(_plain(f"{kind}s: {', '.join(named)}"))
    out.print(_plain(f"{answer.data_quality.line}."), style="dim")


def _part_name(part: results.Part) -> str:
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
        habit = f"habit, {many(row.evidence.threads, 'thread')}"
        of = habit if row.scope.kind == "habit" else f"{row.scope.kind} {about}"
        out.print(_plain(f"{number}. {rule} ({of}{name}): {saving}, {row.confidence:.0%} sure"))
        out.print(_plain(f"   {row.counterfactual}"))
        out.print(_plain(f"   → {row.action}"))
        if row.counter_evidence:
            out.print(_plain(f"   But: {row.counter_evidence}"), style="dim")
    _more(out, answer.rest_rows, "recommendation")
    _lines(out, answer.problems, "red")
    looked = f"{many(answer.examined_calls, 'call')} of {many(answer.examined_threads, 'thread')}"
    share = f", {answer.examined_share:.0%} of the cost" if answer.examined_share is not None else ""
    lasts = f"cache taken to last {answer.cache_minutes:g} minutes ({answer.cache_minutes_source})"
    out.print(_plain(f"Looked at {looked}{share}; {lasts}. {answer.data_quality}."), style="dim")


def show_diagnostics(out: Console, answer: Diagnostics) -> None:
    """The tables of a section."""
    out.print(_plain(f"{answer.section}, {answer.period.label.replace('_', ' ')}: {answer.status}"), style="bold")
    for table in answer.tables:
        told = table.basis and ", ".join(f"{count:,} {name}" for name, count in table.basis.events.items())
        out.print(_plain(f"{table.title} (from {told})" if told else table.title))
        names = [name.replace("_", " ") for name in table.columns]
        columns = [_Column(name, "", itemgetter(at), text=at == 0, rank=at) for at, name in enumerate(names)]
        _table(out, columns, table.rows)
        _more(out, table.rest, "row")
    _lines(out, answer.notes, "dim")


def status_line(answer: results.Status) -> str:
    """One line for a prompt or status bar."""
    parts = [f"{word} {_least(sums, '≥ ')}{money(sums.cost_usd)}"
             for word, sums in (("today", answer.today), ("week", answer.week), ("month", answer.month))]  # fmt: skip
    for window in answer.allowance:
        used = "reset" if window.reset_passed else f"{window.used_percent:.0f}% used"
        found = window.outlook
        if found is not None and found.likely and found.chance >= 0.5:
            used += f", runs out ~{_weekday_clock(found.likely, answer.zone)}"
        parts.append(f"{limit_name(window)} {used}")
    parts += [f"{_budget_name(budget)} {budget.percent:.0f}%{' OVER' if budget.over else ''}"
              for budget in answer.budgets]  # fmt: skip
    if not answer.coverage.complete:
        parts.append("index incomplete")
    return _plain(" · ".join(parts))


def show_allowance(out: Console, answer: results.Allowance) -> None:
    """The windows, what some usage took of them, and the last weeks."""
    if not answer.windows:
        out.print("No allowance seen: Codex logs it for ChatGPT accounts only. Tell it: codex-usage parse-allowance"
                  ' "5h 79% Weekly 33%" --save')  # fmt: skip
    for window in answer.windows:
        out.print(_allowance_line(window, answer.zone))
        if (one := window.one_percent) is not None:
            worth = [] if one.usd is None else [f"{money(one.usd)} ({money(one.usd_low)} to {money(one.usd_high)})"]
            worth += [] if one.credits is None else [f"{one.credits:,.1f} credits"]
            out.print(f"  1% was worth about {', '.join(worth)}, seen over {one.points:g} points", style="dim")
    if answer.credits_balance is not None:
        out.print(f"Credits left: {_plain(answer.credits_balance)}")
    if answer.total.calls and answer.impact:
        took = [f"{one.percent:g}% of a {one.window} window ({one.low:g} to {one.high:g}%)" for one in answer.impact]
        out.print(f"{_plain(answer.about)}: {money(answer.total.cost_usd)}, about {', '.join(took)}")
    _table(out, _WEEKS, answer.weeks, answer.zone)
    _footer(out, answer.total, answer.coverage, answer.data_quality)


def _allowance_line(window: results.AllowanceWindow, zone: str) -> str:
    """What is left of a window, until when, and whether it will last."""
    name = limit_name(window)
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


def _budget_name(budget: results.BudgetState) -> str:
    return f"{budget.project + ' ' if budget.project else ''}{budget.per} budget"


def _budget_line(budget: results.BudgetState) -> str:
    amount, spent = f"{budget.amount:,.0f} credits", f"{budget.spent:,.0f}"
    if budget.unit == "usd":
        amount, spent = money(budget.amount), money(budget.spent)
    least, over = "at least " if budget.at_least else "", ", OVER" if budget.over else ""
    return _plain(f"{_budget_name(budget)}: {least}{spent} of {amount} ({budget.percent:.0f}%){over}")


def show_pricing(out: Console, answer: results.PricingCoverage) -> None:
    """Which prices the calls rest on."""
    out.print(_headline(out, answer.period, answer.total, None))
    out.print(f"Prices from {answer.source}; USD for a million tokens.", style="dim")
    _table(out, _PRICES, answer.rows)
    reasons = [(row.model, "", row.reason) for row in answer.rows]
    reasons += [(row.model, " credits", row.credit_reason) for row in answer.rows]
    told = [f"  {model or '(unknown)'}{what}: {reason}" for model, what, reason in reasons if reason]
    _lines(out, dict.fromkeys(told), "dim")
    _lines(out, answer.problems, "red")
    _footer(out, answer.total, answer.coverage, answer.data_quality)


# -- parts -------------------------------------------------------------------------------------------------


def _headline(out: Console | None, period: results.PeriodInfo, total: Sums, before: results.Change | None) -> str:
    span = period.label.replace("_", " ") if period.label != "all" else "all time"
    if period.first and period.last:
        days = period.first if period.first == period.last else f"{period.first} to {period.last}"
        span = days if span == period.first or ".." in span else f"{span}, {days}"
    styled: Callable[[str, str], str] = out.styled if out else lambda text, _: text
    cost = styled(_least(total, "at least ") + money(total.cost_usd), "bold")
    text = f"{span} ({period.zone}): {cost} in {many(total.calls, 'call')}, {many(total.threads, 'thread')}"
    if before is None or before.cost_percent is None:
        return text
    change = f"{before.cost_percent:+,.0f}% against"
    if before.cost_percent >= 1000:  # a percentage of that size says little
        change = f"{1 + before.cost_percent / 100:,.0f} times"
    return f"{text}  {styled(f'{change} the period before', 'red' if before.cost_percent > 0 else 'green')}"


def _tokens_line(total: Sums) -> str:
    cached = "" if total.cache_ratio is None else f" ({total.cache_ratio:.0%} cached)"
    reasoning = f" ({count(total.reasoning_output_tokens)} reasoning)" if total.reasoning_output_tokens else ""
    return f"{count(total.input_tokens)} tokens in{cached}, {count(total.output_tokens)} out{reasoning}"


def _table(
    out: Console, columns: Sequence[_Column], rows: Sequence[Any], zone: str = "", *, dim_last: bool = False
) -> None:
    """A table of what fits: columns without any content are left out, as are those there is no room for."""
    cells = _cells(columns, rows, zone)
    whole = [max(map(_width, (column.name, *(row[at] for row in cells)))) for at, column in enumerate(columns)]
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
    lines = [[columns[at].name for at in kept], *([row[at] for at in kept] for row in cells)]
    for number, line in enumerate(lines if kept else ()):
        shown = "  ".join(
            _fitted(cell, whole[at], not at or columns[at].text) for cell, at in zip(line, kept, strict=True)
        )
        last = dim_last and number == len(cells)
        out.file.write(f"{out.styled(shown.rstrip(), 'bold' if not number else 'dim' if last else None)}\n")
        if not number and out.is_terminal:
            out.file.write("─" * _width(shown) + "\n")


def _fitted(cell: str, width: int, left: bool) -> str:
    """A cell of exactly a width, cut where it is longer."""
    if _width(cell) > width:
        while _width(cell) >= width:
            cell = cell[:-1]
        cell += "…"
    space = " " * (width - _width(cell))
    return cell + space if left else space + cell


def _cells(columns: Sequence[_Column], rows: Sequence[Any], zone: str) -> list[list[str]]:
    found = [[column.of(row) for column in columns] for row in rows]
    places = _places(cell.usd for row in found for cell in row if isinstance(cell, _Amount))
    return [
        [_plain(_cell(cell, column, zone, places)) for cell, column in zip(row, columns, strict=True)] for row in found
    ]


def _cell(cell: Any, column: _Column, zone: str, places: int) -> str:
    if isinstance(cell, _Amount):
        return cell.mark + money(cell.usd, places)
    if isinstance(cell, int):
        return f"{cell:,}"
    return "" if cell is None else _clock(cell, zone, column.clock) if column.clock else str(cell)


def _plain(text: str) -> str:
    """Text from a log without line ends and terminal commands."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _lines(out: Console, texts: Iterable[str], style: str) -> None:
    for text in texts:
        out.print(_plain(text), style=style)


def _more(out: Console, number: int, noun: str, rest: str = "; --limit shows more.") -> None:
    """How many rows there are beside those of a table."""
    if number:
        out.print(f"{many(number, f'more {noun}')}{rest}", style="dim")


def _footer(out: Console, total: Sums, coverage: results.Coverage, quality: str) -> None:
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


def _cost(sums: Sums) -> _Amount:
    return _Amount(sums.cost_usd, _least(sums, "≥ ") or _about(sums.cost_confidence))


def _about(confidence: str) -> str:
    return "~" if confidence == "estimated" else ""


def _credits(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}" if value >= 1 or value == 0 else f"{value:.3f}"


def _places(values: Iterable[float | None]) -> int:
    """The decimal places of a table's amounts: cents where the greatest is a dollar or more."""
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


def _last(identity: str) -> str:
    return identity[-8:]


def _weekday_clock(time: str | None, zone: str) -> str:
    """A time within days of now: weekday, date and minute."""
    return f"{local(time, zone):%a %d %b %H:%M}" if time else ""


def _clock(time: str, zone: str, length: int) -> str:
    """An ISO time of the data as a person's clock shows it."""
    return local(time, zone).isoformat(" ")[:length] if time else ""


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
    _lines(out, answer.warnings, "red")


# -- tables ------------------------------------------------------------------------------------------------


def _role(thread: results.ThreadLine) -> str:
    return thread.name or ("" if thread.role == "user" else f"({thread.role})")


def _note(call: results.CallLine) -> str:
    words = (call.role if call.role != "user" else "", call.effort, "compaction" if call.compaction else "")
    return " ".join(filter(None, words))


def _model(name: str | None) -> str:
    return name or "(unknown)"


_SUMS = (_Column("cost", "sums", _cost), _Column("credits", "sums.credits", _credits, rank=7),
         _Column("share", "share", _percent, rank=2), _Column("calls", "sums.calls"),
         _Column("threads", "sums.threads", rank=3), _Column("input", "sums.input_tokens", count, rank=1),
         _Column("cached", "sums.cache_ratio", _percent, rank=1),
         _Column("output", "sums.output_tokens", count, rank=4))  # fmt: skip
_THREADS = (_Column("thread", "short_id"), _Column("name", "", _role, text=True),
            _Column("project", "project", text=True), _Column("models", "models", ", ".join, text=True, rank=6),
            _Column("last call", "last_call", rank=5, clock=16), *_SUMS[:4], _Column("turns", "sums.turns", rank=3),
            *_SUMS[5:])  # fmt: skip
_CALLS = (_Column("call", "call_id"), _Column("time", "timestamp", rank=1, clock=19),
          _Column("thread", "thread_id", _last, rank=4), _Column("model", "model", _model, text=True),
          _Column("note", "", _note, text=True, rank=6),
          _Column("cost", "", lambda call: _Amount(call.cost_usd, _about(call.cost_confidence))),
          _Column("credits", "credits", _credits, rank=8), _Column("input", "input_tokens", count),
          _Column("cached", "cache_ratio", _percent, rank=2), _Column("output", "output_tokens", count, rank=3),
          _Column("context", "context_use", _percent, rank=5),
          _Column("seconds", "duration_ms", lambda ms: None if ms is None else f"{ms / 1000:.1f}", rank=7))  # fmt: skip
_MODELS = (_Column("model", "labels", itemgetter(0), text=True), _Column("calls", "sums.calls"),
           _Column("cost", "sums.cost_usd", _Amount))  # fmt: skip
_RELATED = (_Column("related thread", "", lambda thread: f"{_last(thread.thread_id)} {thread.relation}", text=True),
            _Column("link", "link"), _Column("calls", "calls"), _Column("cost", "cost_usd", _Amount))  # fmt: skip
_TURNS = (_Column("costliest turn", "turn_id", _last), _Column("started", "started", rank=1, clock=16),
          _Column("outcome", "outcome", rank=3), _Column("calls", "calls", rank=2),
          _Column("cost", "cost_usd", _Amount),
          _Column("with what it caused", "with_delegated_usd", _Amount))  # fmt: skip
_WEEKS = (_Column("week until", "until", clock=16), _Column("cost", "total", _cost),
          _Column("credits", "total.credits", _credits), _Column("calls", "total.calls"),
          _Column("tokens", "total.total_tokens", count),
          _Column("used", "used_percent", lambda percent: None if percent is None else f"{percent:.0f}%"))  # fmt: skip
_PRICES = (
    _Column("model", "model", _model, text=True), _Column("tier", "service_tier", lambda tier: tier or "standard"),
    _Column("price", "confidence"),
    _Column("priced as", "", lambda row: None if row.priced_as == row.model else row.priced_as, text=True, rank=3),
    _Column("since", "since", rank=4), _Column("input", "usd", lambda usd: usd and f"{usd.input:g}", rank=2),
    _Column("cached", "usd", lambda usd: usd and f"{usd.cached_input:g}", rank=2),
    _Column("output", "usd", lambda usd: usd and f"{usd.output:g}", rank=2),
    _Column("credits", "credit_confidence", rank=1), _Column("calls", "calls"), _Column("cost", "cost_usd", _Amount),
)  # fmt: skip
#: By name, as not every answer's module is loaded.
_SHOW: dict[str, Callable[[Console, Any], None]] = {
    "Summary": show_summary, "Threads": show_threads, "Calls": show_calls, "Session": show_session,
    "Evidence": show_evidence, "Explanation": show_explanation, "Recommendations": show_advice,
    "Diagnostics": show_diagnostics, "Allowance": show_allowance, "PricingCoverage": show_pricing,
}  # fmt: skip
