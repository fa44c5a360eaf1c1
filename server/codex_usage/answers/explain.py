"""Why an amount changed: a period and a baseline in, a headline and drivers that add up to the change out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from codex_usage.answers import spikes
from codex_usage.answers.calls import call_id
from codex_usage.answers.context import Context, check_filters, iso
from codex_usage.answers.drivers import DRIVERS, Cell, Factors, Key, Prices, Side, factors_of, split_change, totals_of
from codex_usage.answers.periods import Period
from codex_usage.answers.results import Driver, Explanation, From, Part, Quality, Span
from codex_usage.index import Filters, queries
from codex_usage.index.queries import CellRow
from codex_usage.model import BadInput
from codex_usage.money import Rate

METRICS = ("cost_usd", "credits", "total_tokens")
_NANO = 1e9
_PICO = 1e12


_Rates = Mapping[int, queries.StoredRate]


@dataclass(frozen=True)
class _Row:
    """Some calls of one thread, project, model and rate in a window, in the metric's unit."""

    key: Key
    thread: int
    project: int
    model: int
    effort: int
    turns: float
    cell: Cell


class _Window(NamedTuple):
    """A window's calls: as rows, and summed to cells."""

    rows: list[_Row]
    side: Side


def explain(
    context: Context,
    period: Period | None = None,
    baseline: Period | None = None,
    *,
    metric: str = "cost_usd",
    filters: Filters | None = None,
) -> Explanation:
    """The change of a metric between a period and a baseline (default: the period before, as long), by cause.

    Without a period, or for all time, it looks for the largest unusual rise of the last 30 days, and when there is
    none it explains the last 7 days and says so. A baseline of another length counts per day. Raises BadInput.
    """
    if metric not in METRICS:
        raise BadInput(f"Cannot explain {metric!r}; use {', '.join(METRICS)}.")
    filters = check_filters(context.index, filters or Filters())
    if period is not None and (period.start_ms is None or period.end_ms is None):
        period = None  # nothing was before all time
    if baseline is not None and period is None:
        raise BadInput("Give a period with that baseline.")
    with context.index.snapshot():
        spike = spikes.find(context, metric, filters) if period is None else None
        asked = period is not None
        period = period or (spike.period if spike else _last_week(context))
        baseline = baseline or (spike.baseline if spike else period.before(context.zone))
        if baseline is None:
            raise BadInput("There is nothing before that period; give a later one.")
        scale = _length(period) / _length(baseline)
        rates = queries.rates(context.index)
        new = _window(context, period, filters, metric, rates, 1.0)
        old = _window(context, baseline, filters, metric, rates, scale)
        change = new.side.amount - old.side.amount
        parts = split_change(old.side, new.side)
        totals = totals_of(parts, change)
        names = _Names(context, new.rows + old.rows)
        drivers = [
            _driver(context, name, totals[name], change, parts, old, new, names, period, filters)
            for name in sorted(DRIVERS, key=lambda name: -abs(totals[name]))
        ]
        unusual = spike is not None or spikes.is_unusual(context, metric, filters, period, baseline, change)
        total = queries.totals(context.index, context.scope(period), filters)
        parts_by = {kind: _contributors(kind, old, new, names) for kind in ("thread", "project", "model")}
        return Explanation(
            headline=_headline(
                metric, period, old.side.amount, new.side.amount, drivers, parts_by["thread"], unusual, spike, asked
            ),
            unusual=unusual,
            metric=metric,
            period=_span(context, period, spike),
            baseline=_span(context, baseline, None),
            per_day=abs(scale - 1) > 1e-9,
            change=_change(old.side.amount, new.side.amount),
            drivers=drivers,
            contributors=parts_by,
            data_quality=Quality(
                line=context.quality(context.scope(period), filters, total),
                complete=context.covers(baseline) and context.covers(period),
                unpriced_calls=total.calls - total.priced, estimated_calls=total.estimated,
            ),
            next=_next(parts_by["thread"], period),
        )  # fmt: skip


def _last_week(context: Context) -> Period:
    """The last seven whole days: today is not over, and would look like less."""
    today = context.now.astimezone(context.zone).date()
    return context.period(f"{today - timedelta(days=7)}..{today - timedelta(days=1)}")


# -- windows -----------------------------------------------------------------------------------------------


def _length(period: Period) -> float:
    """Days of a span; whole days count as such, so that a clock change does not make a week longer."""
    if period.first is not None and period.last is not None:
        return float((period.last - period.first).days + 1)
    if period.start_ms is None or period.end_ms is None:
        raise BadInput("A baseline needs a beginning and an end; give one such as last_week or A..B.")
    return max(1, period.end_ms - period.start_ms) / 86_400_000


def _window(
    context: Context,
    period: Period,
    filters: Filters,
    metric: str,
    rates: Mapping[int, queries.StoredRate],
    scale: float,
) -> _Window:
    rows: list[_Row] = []
    cells: dict[Key, Cell] = {}
    turns = 0.0
    measures = {key: _measure(metric, stored.rate) for key, stored in rates.items()}
    for row in queries.cells(context.index, context.scope(period), filters):
        role = "direct" if row.role == "user" else "delegated"
        key = (role, rates[row.rate].model or "(unknown)")
        prices, amounts_of = measures[row.rate]
        cell = Cell()
        for sums in (cell, cells.setdefault(key, Cell())):
            sums.add((row.calls, row.input, row.cached, row.written, row.output), amounts_of(row), prices, scale)
        asked = row.turns * scale if role == "direct" else 0.0
        turns += asked
        rows.append(_Row(key, row.thread, row.project, row.model, row.effort, asked, cell))
    return _Window(rows, Side(turns, cells))


def _measure(metric: str, rate: Rate) -> tuple[Prices | None, Callable[[CellRow], tuple[float, float, float]]]:
    """A rate's base prices in a metric's unit, and how a row's (amount, added by long context, by tier) is told."""
    if metric == "total_tokens":
        return Prices(1.0, 1.0, 1.0, 1.0), lambda row: (row.input + row.output, 0.0, 0.0)
    if metric == "credits":
        plain = rate.plain_credits or rate.credits
        if plain is None:
            return None, lambda row: (0.0, 0.0, 0.0)
        a, b, c = plain.input, plain.cached, plain.output

        def credited(row: CellRow) -> tuple[float, float, float]:
            standard = ((row.input - row.cached) * a + row.cached * b + row.output * c) / _PICO
            return row.credits / _NANO, 0.0, row.credits / _NANO - standard

        return Prices(a / _PICO, b / _PICO, a / _PICO, c / _PICO), credited
    bands = rate.standard or rate.bands
    if not bands or not rate.bands:
        return None, lambda row: (0.0, 0.0, 0.0)
    band = bands[0]
    prices = Prices(*(price / _PICO for price in (band.input, band.cached, band.cache_write, band.output)))
    return prices, lambda row: (row.cost / _NANO, row.long_cost / _NANO, row.tier_cost / _NANO)


# -- drivers -----------------------------------------------------------------------------------------------


def _driver(
    context: Context, name: str, delta: float, change: float, parts: Mapping[Key, Mapping[str, float]], old: _Window,
    new: _Window, names: _Names, period: Period, filters: Filters,
) -> Driver:  # fmt: skip
    by_cell = {key: part.get(name, 0.0) for key, part in parts.items()}
    excess = _Excess(old, new)
    weights = {row: weight for key in sorted(by_cell) for row, weight in excess.of(name, key, by_cell[key]) if weight}
    return Driver(
        driver=name,
        delta=_round(delta),
        share=_round(delta / change) if change else 0.0,
        because=_because(name, by_cell, old, new, names),
        top=_top(context, name, weights, excess, names, period, filters),
    )


class _Excess:
    """How much of a driver's part in a cell each row has: by how far its calls lie off the baseline's mean."""

    def __init__(self, old: _Window, new: _Window) -> None:
        self.old, self.new = old, new
        self.scale = new.side.turns / old.side.turns if old.side.turns else 1.0
        self.ratio: dict[tuple[str, Key], float] = {}

    def of(self, name: str, key: Key, delta: float) -> Iterable[tuple[int, float]]:
        """(row id, part of the delta); rows of both windows, by their place in new + old."""
        if not delta:
            return []
        rows = [(at, row, 1.0) for at, row in enumerate(self.new.rows) if row.key == key]
        if name in ("turns", "calls_per_turn", "delegation", "model_mix"):
            begin = len(self.new.rows)
            rows += [(at, row, -1.0) for at, row in enumerate(self.old.rows, begin) if row.key == key]
        before = factors_of(self.old.side, self.new.side, key)
        measure = self._measure(name, key, before)
        found = [(at, sign * measure(row, sign)) for at, row, sign in rows]
        whole = math.fsum(value for _, value in found)
        most = max((abs(value) for _, value in found), default=0.0)
        if not most or abs(whole) < 1e-9 * most:
            return []
        self.ratio[name, key] = delta / whole
        return [(at, value * delta / whole) for at, value in found]

    def of_call(self, name: str, key: Key, tokens: Sequence[float]) -> float | None:
        """A call's part, as (1, input, cached, written, output); None for drivers that tokens alone don't tell."""
        if name not in ("context_size", "cache_misses", "output") or (name, key) not in self.ratio:
            return None
        cell = Cell()
        cell.add(tokens, (0.0, 0.0, 0.0), None, 1.0)
        before = factors_of(self.old.side, self.new.side, key)
        row = _Row(key, 0, 0, 0, 0, 0.0, cell)
        return _round(self._measure(name, key, before)(row, 1.0) * self.ratio[name, key])

    def _measure(self, name: str, key: Key, before: Factors) -> Callable[[_Row, float], float]:
        after = factors_of(self.new.side, self.old.side, key)
        cached, written = before.cache
        prices, was = after.prices, before.prices
        should = (1 - cached - written) * prices.plain + cached * prices.cached + written * prices.written

        def at(cell: Cell, price: Prices) -> float:
            plain = cell.input - cell.cached - cell.written
            return plain * price.plain + cell.cached * price.cached + cell.written * price.written

        def scaled(row: _Row, sign: float) -> float:
            return row.cell.calls * (self.scale if sign < 0 else 1.0)

        return {
            "turns": lambda row, sign: row.turns or row.cell.calls * 1e-6,
            "calls_per_turn": scaled,
            "delegation": scaled,
            "model_mix": scaled,
            "context_size": lambda row, sign: row.cell.input - row.cell.calls * before.context,
            "cache_misses": lambda row, sign: at(row.cell, prices) - row.cell.input * should,
            "output": lambda row, sign: row.cell.output - row.cell.calls * before.output,
            "price": lambda row, sign: (
                at(row.cell, prices) - at(row.cell, was) + row.cell.output * (prices.output - was.output)
            ),
            "long_context": lambda row, sign: row.cell.long - row.cell.base * (before.long - 1),
            "service_tier": lambda row, sign: row.cell.tier - (row.cell.base + row.cell.long) * (before.tier - 1),
        }[name]


#: What of a call makes it stand out for a driver; the others are about numbers of calls.
_CALL_ORDERS = {
    "context_size": "input", "cache_misses": "uncached", "output": "output", "long_context": "input",
    "service_tier": "cost", "price": "cost",
}  # fmt: skip


def _top(
    context: Context, name: str, weights: Mapping[int, float], excess: _Excess, names: _Names, period: Period,
    filters: Filters,
) -> list[Part]:  # fmt: skip
    """The threads, the project, the model and the calls that contribute most to a driver."""
    sign = math.copysign(1.0, math.fsum(weights.values())) if weights else 1.0
    parts: list[Part] = []
    for kind, count in (("thread", 3), ("project", 2), ("model", 2)):
        sums: Counter[int] = Counter()
        for at, weight in weights.items():
            sums[getattr(names.rows[at], kind)] += weight  # type: ignore[assignment]
        best = sorted(sums.items(), key=lambda item: (-sign * item[1], item[0]))[:count]
        parts += [names.part(kind, key, value) for key, value in best if sign * value > 1e-6]
    first = next((part for part in parts if part.kind == "thread"), None)
    if first is not None and name in _CALL_ORDERS and sign > 0:
        model = next(part.id for part in parts if part.kind == "model")
        only = replace(filters, thread=first.id, model=model)
        order = _CALL_ORDERS[name]
        for call in queries.calls(context.index, context.scope(period), only, order=order, limit=2):
            role = "direct" if call.role == "user" else "delegated"
            tokens = (1, call.input, call.cached, call.cache_write, call.output)
            value = excess.of_call(name, (role, call.model or "(unknown)"), tokens)
            parts.append(Part(kind="call", id=call_id(call.uid), label=(iso(call.time_ms) or "")[:16], delta=value))
    return parts


class _Names:
    """The rows of both windows, and the ids and labels of what they are of."""

    def __init__(self, context: Context, rows: Sequence[_Row]) -> None:
        self.rows = rows
        self._context = context
        self._known: dict[tuple[str, int], tuple[str, str]] = {}

    def part(self, kind: str, key: int, delta: float) -> Part:
        """Something with its part of a change."""
        if (kind, key) not in self._known:
            found = queries.named(self._context.index, kind, [key])
            self._known[kind, key] = found.get(key, ("(unknown)", ""))
        identity, label = self._known[kind, key]
        return Part(kind=kind, id=identity, label=label or identity[-8:], delta=_round(delta))

    def efforts(self, rows: Iterable[_Row]) -> str | None:
        """The effort of most calls."""
        calls: Counter[int] = Counter()
        for row in rows:
            calls[row.effort] += row.cell.calls  # type: ignore[assignment]
        most = calls.most_common(1)
        found = queries.named(self._context.index, "model", [most[0][0]]) if most else {}
        return found[most[0][0]][1] if found else None


def _contributors(kind: str, old: _Window, new: _Window, names: _Names) -> list[Part]:
    """What changed most by itself, whatever the cause."""
    sums: Counter[int] = Counter()
    for window, sign in ((new, 1), (old, -1)):
        for row in window.rows:
            sums[getattr(row, kind)] += sign * row.cell.amount  # type: ignore[assignment]
    best = sorted(sums.items(), key=lambda item: (-abs(item[1]), item[0]))[:5]
    return [names.part(kind, key, value) for key, value in best if value]


# -- words -------------------------------------------------------------------------------------------------


def _because(name: str, by_cell: Mapping[Key, float], old: _Window, new: _Window, names: _Names) -> str:
    """One sentence with the two numbers that a driver compares: of the cell that speaks loudest."""
    a, b = old.side, new.side
    if name == "turns":
        return f"{_count(b.turns)} user turns instead of {_count(a.turns)}."
    if name in ("calls_per_turn", "delegation"):
        role = "direct" if name == "calls_per_turn" else "delegated"
        was, now = (side.calls(role) / side.turns if side.turns else 0.0 for side in (a, b))
        what = "calls a turn" if role == "direct" else "subagent and guardian calls a turn"
        return f"{now:.1f} {what} instead of {was:.1f}."
    key = max(sorted(by_cell), key=lambda each: abs(by_cell[each]), default=None)
    if key is None or abs(by_cell[key]) < 1e-9:
        return "No change."
    before, after = factors_of(a, b, key), factors_of(b, a, key)
    of = f"{key[1]} calls" + (" of subagents" if key[0] == "delegated" else "")
    if name == "model_mix":
        return f"{after.share:.0%} of {key[0]} calls were on {key[1]} instead of {before.share:.0%}."
    if name == "context_size":
        return f"{of} carried {_count(after.context)} input tokens instead of {_count(before.context)}."
    if name == "cache_misses":
        was, now = before.cache[0], after.cache[0]
        wrote = f", {after.cache[1]:.0%} was written to it instead of {before.cache[1]:.0%}" if after.cache[1] else ""
        return f"{of} read {now:.0%} of their input from the cache instead of {was:.0%}{wrote}."
    if name == "output":
        efforts = [names.efforts(row for row in window.rows if row.key == key) or "default" for window in (old, new)]
        effort = f"; effort went from {efforts[0]} to {efforts[1]}" if efforts[0] != efforts[1] else ""
        return f"{of} wrote {_count(after.output)} output tokens instead of {_count(before.output)}{effort}."
    if name == "long_context":
        return (
            f"Calls above the long-context limit added {after.long - 1:.0%} to {of} instead of {before.long - 1:.0%}."
        )
    if name == "service_tier":
        return f"Service tiers added {after.tier - 1:.0%} to {of} instead of {before.tier - 1:.0%}."
    was, now = (sum(at.prices) * 1e6 for at in (before, after))
    return f"{key[1]} cost {now:g} for a million tokens of each kind instead of {was:g}."


def _headline(
    metric: str, period: Period, was: float, now: float, drivers: Sequence[Driver],
    threads: Sequence[Part], unusual: bool, spike: spikes.Spike | None, asked: bool,
) -> str:  # fmt: skip
    change = now - was
    times = f" ({now / was:.1f} times)" if was > 0 and now / was >= 2 else ""
    direction = "more" if change > 0 else "less"
    compared = f"{_amount(metric, abs(change))} {direction} than {'usual' if spike else 'the baseline'}{times}"
    compared = compared if change else "as much as the baseline"
    if not unusual:
        where = f"in {period.text}" if asked else "in the last 30 days; the last seven"
        return f"Nothing unusual {where}: {_amount(metric, now)}, {compared}."
    first = drivers[0]
    thread = ""
    if threads and threads[0].delta is not None and threads[0].delta * change > 0:
        thread = f" Thread {threads[0].id[-8:]} makes {_amount(metric, abs(threads[0].delta))} of it."
    when = spike.when if spike else period.text
    share = f", {first.share:.0%} of it" if 0 < first.share < 0.995 else ""
    return (
        f"{when}: {_amount(metric, now)}, {compared}. First cause: {first.driver.replace('_', ' ')}"
        f" ({_amount(metric, abs(first.delta))}{share}). {first.because}{thread}"
    )


def _next(threads: Sequence[Part], period: Period) -> list[str]:
    if not threads:
        return [f"usage_threads with period={period.text}"]
    short = threads[0].id[-8:]
    return [f"usage_calls with thread={short} order=cost", f"usage_threads with thread={short}"]


def _span(context: Context, period: Period, spike: spikes.Spike | None) -> Span:
    start = spike.start_ms if spike else period.start_ms
    end = spike.end_ms if spike else period.end_ms
    info = context.info(period)
    moments = {"first": iso(start), "last": iso(end)}
    return Span.model_validate({"from": info.first or "", "to": info.last or "", "zone": context.zone_name, **moments})


def _change(was: float, now: float) -> From:
    percent = round(100 * (now - was) / was, 1) if was else None
    return From.model_validate({"from": _round(was), "to": _round(now), "delta": _round(now - was), "percent": percent})


def _amount(metric: str, value: float) -> str:
    if metric == "cost_usd":
        return f"${value:,.2f}"
    return f"{value:,.0f} credits" if metric == "credits" else f"{_count(value)} tokens"


def _count(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1000 if unit == 'k' else size):.1f}{unit}"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}"


def _round(value: float) -> float:
    return round(value, 6) + 0.0  # never a minus before a zero
