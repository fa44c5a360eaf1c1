"""Why an amount changed: a period and a baseline in, a headline and drivers that add up to the change out."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NamedTuple

from codex_usage.answers import spikes
from codex_usage.answers.calls import call_id
from codex_usage.answers.context import Context, check_filters, iso
from codex_usage.answers.drivers import DRIVERS, Cell, Factors, Key, Prices, Side, factors_of, split_change, totals_of
from codex_usage.answers.periods import Period
from codex_usage.answers.results import Driver, Explanation, From, Part, Quality, Span
from codex_usage.index import Filters, queries
from codex_usage.model import BadInput
from codex_usage.money import Rate

METRICS = ("cost_usd", "credits", "total_tokens")
_NANO, _PICO = 1e9, 1e12
_Rates = Mapping[int, queries.StoredRate]


@dataclass(frozen=True, eq=False)
class _Row:
    """Some calls of one thread, project, model and rate in a window, in the metric's unit."""

    key: Key
    of: queries.CellRow | None
    turns: float
    cell: Cell


class _Window(NamedTuple):
    """A window's calls: as rows, and summed to cells."""

    rows: list[_Row]
    side: Side


def explain(
    context: Context, period: Period | None = None, baseline: Period | None = None, *, metric: str = "cost_usd",
    filters: Filters | None = None,
) -> Explanation:  # fmt: skip
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
        compared = _Compared(context, period, filters, old, new)
        drivers = [
            compared.driver(name, totals[name], change, {key: part.get(name, 0.0) for key, part in parts.items()})
            for name in sorted(DRIVERS, key=lambda name: -abs(totals[name]))
        ]
        unusual = spike is not None or spikes.is_unusual(context, metric, filters, period, baseline, change)
        total = queries.totals(context.index, context.scope(period), filters)
        parts_by = {kind: compared.contributors(kind) for kind in ("thread", "project", "model")}
        threads = parts_by["thread"]
        short = f"thread={threads[0].id[-8:]}" if threads else None
        more = [f"usage_calls with {short} order=cost", f"usage_threads with {short}"]
        amounts = old.side.amount, new.side.amount
        return Explanation(
            headline=_headline(metric, period, *amounts, drivers, threads, unusual, spike, asked), unusual=unusual,
            metric=metric, period=_span(context, period, spike), baseline=_span(context, baseline, None),
            per_day=abs(scale - 1) > 1e-9, change=_change(*amounts), drivers=drivers, contributors=parts_by,
            data_quality=Quality(
                line=context.quality(context.scope(period), filters, total),
                complete=context.covers(baseline) and context.covers(period),
                unpriced_calls=total.calls - total.priced, estimated_calls=total.estimated,
            ),
            next=more if short else [f"usage_threads with period={period.text}"],
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


def _window(context: Context, period: Period, filters: Filters, metric: str, rates: _Rates, scale: float) -> _Window:
    rows: list[_Row] = []
    cells: dict[Key, Cell] = {}
    turns = 0.0
    measures = {key: _measure(metric, stored.rate) for key, stored in rates.items()}
    for row in queries.cells(context.index, context.scope(period), filters):
        key = _key(row.role, rates[row.rate].model)
        prices, amounts_of = measures[row.rate]
        cell = Cell()
        for sums in (cell, cells.setdefault(key, Cell())):
            sums.add((row.calls, row.input, row.cached, row.written, row.output), amounts_of(row), prices, scale)
        asked = row.turns * scale if key[0] == "direct" else 0.0
        turns += asked
        rows.append(_Row(key, row, asked, cell))
    return _Window(rows, Side(turns, cells))


def _key(role: str, model: str | None) -> Key:
    return ("direct" if role == "user" else "delegated", model or "(unknown)")


def _measure(metric: str, rate: Rate) -> tuple[Prices | None, Callable[[queries.CellRow], tuple[float, float, float]]]:
    """A rate's base prices in a metric's unit, and how a row's (amount, added by long context, by tier) is told."""
    if metric == "total_tokens":
        return Prices(1.0, 1.0, 1.0, 1.0), lambda row: (row.input + row.output, 0.0, 0.0)
    if metric == "credits" and (plain := rate.plain_credits or rate.credits):
        a, b, c = plain.input, plain.cached, plain.output

        def credited(row: queries.CellRow) -> tuple[float, float, float]:
            standard = ((row.input - row.cached) * a + row.cached * b + row.output * c) / _PICO
            return row.credits / _NANO, 0.0, row.credits / _NANO - standard

        return Prices(a / _PICO, b / _PICO, a / _PICO, c / _PICO), credited
    if metric == "cost_usd" and rate.bands:
        band = (rate.standard or rate.bands)[0]
        prices = Prices(*(price / _PICO for price in (band.input, band.cached, band.cache_write, band.output)))
        return prices, lambda row: (row.cost / _NANO, row.long_cost / _NANO, row.tier_cost / _NANO)
    return None, lambda row: (0.0, 0.0, 0.0)


# -- drivers -----------------------------------------------------------------------------------------------


#: What of a call makes it stand out for a driver; the others are about numbers of calls.
_CALL_ORDERS = {
    "context_size": "input", "cache_misses": "uncached", "output": "output", "long_context": "input",
    "service_tier": "cost", "price": "cost",
}  # fmt: skip
#: What a driver compares of the cell that speaks loudest, and how that is told.
_SENTENCES: dict[str, tuple[str, Callable[[Factors], str]]] = {
    "model_mix": ("{now} of {role} calls were on {model} instead of {was}.", lambda at: f"{at.share:.0%}"),
    "context_size": ("{of} carried {now} input tokens instead of {was}.", lambda at: _count(at.context)),
    "cache_misses": ("{of} read {now} of their input from the cache instead of {was}{more}.",
                     lambda at: f"{at.cache[0]:.0%}"),
    "output": ("{of} wrote {now} output tokens instead of {was}{more}.", lambda at: _count(at.output)),
    "long_context": ("Calls above the long-context limit added {now} to {of} instead of {was}.",
                     lambda at: f"{at.long - 1:.0%}"),
    "service_tier": ("Service tiers added {now} to {of} instead of {was}.", lambda at: f"{at.tier - 1:.0%}"),
    "price": ("{model} cost {now} for a million tokens of each kind instead of {was}.",
              lambda at: f"{sum(at.prices) * 1e6:g}"),
}  # fmt: skip


@dataclass(frozen=True)
class _Compared:
    """Two windows, and what can be told of a change between them."""

    context: Context
    period: Period
    filters: Filters
    old: _Window
    new: _Window
    _known: dict[tuple[str, int], tuple[str, str]] = field(default_factory=dict)
    _ratios: dict[tuple[str, Key], float] = field(default_factory=dict)

    def driver(self, name: str, delta: float, change: float, by_cell: Mapping[Key, float]) -> Driver:
        """A driver with its part of the change, in all and by cell."""
        found = [self._excess(name, key, by_cell[key]) for key in sorted(by_cell)]
        top = self._top(name, {row: weight for weights in found for row, weight in weights if weight})
        share = _round(delta / change) if change else 0.0
        return Driver(driver=name, delta=_round(delta), share=share, because=self._because(name, by_cell), top=top)

    def _excess(self, name: str, key: Key, delta: float) -> list[tuple[_Row, float]]:
        """How much of a driver's part in a cell each row has: by how far its calls lie off the baseline's mean."""
        if not delta:
            return []
        rows = [(row, 1.0) for row in self.new.rows if row.key == key]
        if name in ("turns", "calls_per_turn", "delegation", "model_mix"):
            rows += [(row, -1.0) for row in self.old.rows if row.key == key]
        measure = self._measure(name, key)
        found = [(row, sign * measure(row, sign)) for row, sign in rows]
        whole = math.fsum(value for _, value in found)
        most = max((abs(value) for _, value in found), default=0.0)
        if not most or abs(whole) < 1e-9 * most:
            return []
        self._ratios[name, key] = delta / whole
        return [(row, value * delta / whole) for row, value in found]

    def _of_call(self, name: str, call: queries.CallRow) -> float | None:
        """A call's part of a driver; None for drivers that tokens alone don't tell."""
        key = _key(call.role, call.model)
        if name not in ("context_size", "cache_misses", "output") or (name, key) not in self._ratios:
            return None
        cell = Cell()
        cell.add((1, call.input, call.cached, call.cache_write, call.output), (0.0, 0.0, 0.0), None, 1.0)
        row = _Row(key, None, 0.0, cell)
        return _round(self._measure(name, key)(row, 1.0) * self._ratios[name, key])

    def _measure(self, name: str, key: Key) -> Callable[[_Row, float], float]:
        """What of a row a driver is about; the sign is -1 for a row of the baseline."""
        before = factors_of(self.old.side, self.new.side, key)
        after = factors_of(self.new.side, self.old.side, key)
        scale = self.new.side.turns / self.old.side.turns if self.old.side.turns else 1.0
        cached, written = before.cache
        prices, was = after.prices, before.prices
        should = (1 - cached - written) * prices.plain + cached * prices.cached + written * prices.written

        def at(cell: Cell, price: Prices) -> float:
            plain = cell.input - cell.cached - cell.written
            return plain * price.plain + cell.cached * price.cached + cell.written * price.written

        def scaled(row: _Row, sign: float) -> float:
            return row.cell.calls * (scale if sign < 0 else 1.0)

        return {
            "turns": lambda row, sign: row.turns or row.cell.calls * 1e-6,
            **dict.fromkeys(("calls_per_turn", "delegation", "model_mix"), scaled),
            "context_size": lambda row, sign: row.cell.input - row.cell.calls * before.context,
            "cache_misses": lambda row, sign: at(row.cell, prices) - row.cell.input * should,
            "output": lambda row, sign: row.cell.output - row.cell.calls * before.output,
            "price": lambda row, sign: (
                at(row.cell, prices) - at(row.cell, was) + row.cell.output * (prices.output - was.output)),
            "long_context": lambda row, sign: row.cell.long - row.cell.base * (before.long - 1),
            "service_tier": lambda row, sign: row.cell.tier - (row.cell.base + row.cell.long) * (before.tier - 1),
        }[name]  # fmt: skip

    def _top(self, name: str, weights: Mapping[_Row, float]) -> list[Part]:
        """The threads, the project, the model and the calls that contribute most to a driver."""
        sign = math.copysign(1.0, math.fsum(weights.values())) if weights else 1.0
        parts: list[Part] = []
        for kind, count in (("thread", 3), ("project", 2), ("model", 2)):
            sums = _sums(kind, weights.items())
            best = sorted(sums.items(), key=lambda item: (-sign * item[1], item[0]))[:count]
            parts += [self._part(kind, key, value) for key, value in best if sign * value > 1e-6]
        first = next((part for part in parts if part.kind == "thread"), None)
        if first is not None and name in _CALL_ORDERS and sign > 0:
            model = next(part.id for part in parts if part.kind == "model")
            only, scope = replace(self.filters, thread=first.id, model=model), self.context.scope(self.period)
            for call in queries.calls(self.context.index, scope, only, order=_CALL_ORDERS[name], limit=2):
                label, value = (iso(call.time_ms) or "")[:16], self._of_call(name, call)
                parts.append(Part(kind="call", id=call_id(call.uid), label=label, delta=value))
        return parts

    def contributors(self, kind: str) -> list[Part]:
        """What changed most by itself, whatever the cause."""
        signed = [(row, row.cell.amount) for row in self.new.rows] + [(row, -row.cell.amount) for row in self.old.rows]
        best = sorted(_sums(kind, signed).items(), key=lambda item: (-abs(item[1]), item[0]))[:5]
        return [self._part(kind, key, value) for key, value in best if value]

    def _part(self, kind: str, key: int, delta: float) -> Part:
        if (kind, key) not in self._known:
            found = queries.named(self.context.index, kind, [key])
            self._known[kind, key] = found.get(key, ("(unknown)", ""))
        identity, label = self._known[kind, key]
        return Part(kind=kind, id=identity, label=label or identity[-8:], delta=_round(delta))

    def _effort(self, rows: Iterable[_Row]) -> str | None:
        """The effort of most calls."""
        calls = _sums("effort", ((row, row.cell.calls) for row in rows))
        most = max(calls, key=lambda key: calls[key], default=0)
        return queries.named(self.context.index, "model", [most]).get(most, ("", None))[1]

    def _because(self, name: str, by_cell: Mapping[Key, float]) -> str:
        """One sentence with the two numbers that a driver compares: of the cell that speaks loudest."""
        sides = self.new.side, self.old.side
        if name == "turns":
            return "{} user turns instead of {}.".format(*(_count(side.turns) for side in sides))
        if name in ("calls_per_turn", "delegation"):
            role, whose = ("direct", "") if name == "calls_per_turn" else ("delegated", "subagent and guardian ")
            now, was = (side.calls(role) / side.turns if side.turns else 0.0 for side in sides)
            return f"{now:.1f} {whose}calls a turn instead of {was:.1f}."
        key = max(sorted(by_cell), key=lambda each: abs(by_cell[each]), default=None)
        if key is None or abs(by_cell[key]) < 1e-9:
            return "No change."
        after, before = (factors_of(side, other, key) for side, other in (sides, sides[::-1]))
        more = ""
        if name == "cache_misses" and after.cache[1]:
            more = f", {after.cache[1]:.0%} was written to it instead of {before.cache[1]:.0%}"
        if name == "output":
            windows = ((row for row in window.rows if row.key == key) for window in (self.old, self.new))
            was_effort, effort = (self._effort(rows) or "default" for rows in windows)
            more = f"; effort went from {was_effort} to {effort}" if was_effort != effort else ""
        sentence, tell = _SENTENCES[name]
        of = f"{key[1]} calls" + (" of subagents" if key[0] == "delegated" else "")
        return sentence.format(of=of, role=key[0], model=key[1], now=tell(after), was=tell(before), more=more)


def _sums(kind: str, rows: Iterable[tuple[_Row, float]]) -> dict[int, float]:
    """Values of rows by what these are of."""
    sums = defaultdict[int, float](float)
    for row, value in rows:
        sums[getattr(row.of, kind)] += value
    return sums


# -- words -------------------------------------------------------------------------------------------------


def _headline(
    metric: str, period: Period, was: float, now: float, drivers: Sequence[Driver],
    threads: Sequence[Part], unusual: bool, spike: spikes.Spike | None, asked: bool,
) -> str:  # fmt: skip
    change = now - was
    times = f" ({now / was:.1f} times)" if was > 0 and now / was >= 2 else ""
    than = f"{'more' if change > 0 else 'less'} than {'usual' if spike else 'the baseline'}{times}"
    compared = f"{_amount(metric, abs(change))} {than}" if change else "as much as the baseline"
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


def _span(context: Context, period: Period, spike: spikes.Spike | None) -> Span:
    info, exact = context.info(period), spike or period
    moments = {"first": iso(exact.start_ms), "last": iso(exact.end_ms)}
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
