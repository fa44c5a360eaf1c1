"""What every question needs beside its own words, and the few conversions that all answers share."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from codex_usage.answers.periods import Period, parse_period
from codex_usage.answers.results import Coverage, PeriodInfo, Sums
from codex_usage.homes.config import config_mark
from codex_usage.homes.project_config import load_projects
from codex_usage.index import Filters, GroupRow, Index, Refreshed, Scope, coverage, queries
from codex_usage.index.zones import zone_of
from codex_usage.model import BadInput
from codex_usage.model.words import many
from codex_usage.money.config import CONFIG_FILES, load_budgets, load_pricing, load_rate_card
from codex_usage.money.reading import load_allowance

PROVIDERS = ("codex", "claude")
CONFIDENCES = ("exact", "estimated", "unpriced")
_WEEK_STARTS = {"monday": 0, "sunday": 6}


@dataclass(frozen=True)
class Context:
    """An opened index, the clock and the zone of days; `refreshed` is what the last refresh told;
    weeks begin on the weekday `week_start` (0 is Monday)."""

    index: Index
    now: datetime
    zone_name: str
    zone: tzinfo
    refreshed: Refreshed = field(default_factory=Refreshed)
    week_start: int = 0

    def period(self, text: str | None, since: str | None = None, until: str | None = None) -> Period:
        """The period that was asked for."""
        return parse_period(text, self.now, self.zone, since, until, self.week_start)

    def scope(self, period: Period) -> Scope:
        """The period as the index takes it."""
        return queries.midnight_scope(self.index, period.start_ms, period.end_ms)

    def info(self, period: Period) -> PeriodInfo:
        """The period as it is told."""
        return PeriodInfo(
            label=period.label, first=str(period.first) if period.first else iso(period.start_ms),
            last=str(period.last) if period.last else iso(period.end_ms), zone=self.zone_name,
        )  # fmt: skip

    def covers(self, period: Period) -> bool:
        """Are all calls of the period counted, as far as the logs show them?"""
        reached = coverage(self.index).covered_since_ms
        return reached is None or (period.start_ms is not None and period.start_ms > reached)

    def coverage(self) -> Coverage:
        """How far the index reaches."""
        done = coverage(self.index)
        return Coverage(
            complete=done.pending_files == 0 and not self.refreshed.busy, busy=self.refreshed.busy,
            since=iso(done.covered_since_ms), pending_files=done.pending_files, pending_bytes=done.pending_bytes,
            newest_call=iso(queries.newest_call(self.index)),
        )  # fmt: skip

    def quality(self, scope: Scope | None = None, filters: Filters | None = None, total: GroupRow | None = None) -> str:
        """One line on what was read and what could not be, and, with the calls of an answer, on what is estimated
        or unpriced of their money."""
        found = queries.quality(self.index)
        if not found.files and not found.problems:
            return "no logs read yet" if self.refreshed.busy or self.refreshed.files else "no logs found"
        lost = found.skipped.get("compaction_without_usage", 0)
        whole = sum(found.skipped.values()) - found.skipped.get("better_log", 0)
        missing = {"line": whole - lost, "compaction": lost, "file": len(found.problems)}
        parts = [f"{many(found.files, 'log')} read, {many(found.calls, 'call')} counted"]
        for noun, count in missing.items():
            what = "without usage in the log" if noun == "compaction" else "could not be read"
            parts += [f"{many(count, noun)} {what}"] if count else []
        if not found.calls:
            parts.append("no usage recorded (Codex logs token usage since 0.34)")
        if scope is not None and total is not None and (total.estimated or total.priced < total.calls):
            parts += _not_exact(self.index, scope, filters or Filters())
        return "; ".join(part.rstrip(".") for part in parts + money_problems())


def make_context(
    index: Index, zone: str | None = None, now: datetime | None = None, refreshed: Refreshed | None = None,
    week: str | None = None,
) -> Context:  # fmt: skip
    """A context for questions; `zone` is an IANA name, default the machine's (or CODEX_USAGE_TZ), `week` the day that
    weeks begin on: monday (or CODEX_USAGE_WEEK_START) or sunday. Raises BadInput."""
    name, value = zone_of(zone or os.environ.get("CODEX_USAGE_TZ"))
    start = week or os.environ.get("CODEX_USAGE_WEEK_START") or "monday"
    if start not in _WEEK_STARTS:
        raise BadInput(f"Weeks begin on {' or '.join(_WEEK_STARTS)} (CODEX_USAGE_WEEK_START), not {start!r}.")
    return Context(index, now or datetime.now(UTC), name, value, refreshed or Refreshed(), _WEEK_STARTS[start])


@contextmanager
def asking(
    context: Context, period: Period, filters: Filters | None
) -> Iterator[tuple[Scope, Filters, GroupRow, dict[str, Any]]]:
    """A still index for a question about a period's calls, with the scope, the filters checked, the sums over all calls
    that were asked for, and the fields of `About`. Raises BadInput."""
    filters = check_filters(context.index, filters or Filters())
    with context.index.snapshot():
        scope = context.scope(period)
        total = queries.totals(context.index, scope, filters)
        about = {"period": context.info(period), "total": sums(total), "coverage": context.coverage()}
        yield scope, filters, total, about | {"data_quality": context.quality(scope, filters, total)}


def iso(time_ms: int | None) -> str | None:
    """Milliseconds as ISO 8601 UTC."""
    if time_ms is None:
        return None
    return f"{datetime.fromtimestamp(time_ms // 1000, UTC).isoformat()[:19]}.{time_ms % 1000:03}Z"


def usd(nano: int | None) -> float | None:
    """Integer nano-dollars as dollars (or nano-credits as credits), to a ten-thousandth of a cent."""
    return None if nano is None else round(nano / 1e9, 6)


def rated_sums(index: Index, scope: Scope, filters: Filters) -> list[tuple[queries.StoredRate, GroupRow]]:
    """The rates that some calls rest on with the sums over those calls, the greatest cost first."""
    known = queries.rates(index)
    rows = queries.groups(index, ("rate",), scope, filters)
    rows.sort(key=lambda row: (-row.cost, -(row.input + row.output), row.key))
    return [(known[row.key[0]], row) for row in rows]


def _not_exact(index: Index, scope: Scope, filters: Filters) -> list[str]:
    """What is estimated, and what has no price, the dearest first."""
    rated = rated_sums(index, scope, filters)
    parts = []
    for word in ("estimated", "unpriced"):
        some = [(stored.rate, row) for stored, row in rated if stored.rate.confidence == word]
        if some:
            told = list(dict.fromkeys(_short(rate.reason or "") for rate, _ in some))
            more = f" and {len(told) - 2} more" if len(told) > 2 else ""
            worth = f", ${usd(sum(row.cost for _, row in some)):,.2f}" if word == "estimated" else ""
            count = many(sum(row.calls for _, row in some), "call")
            parts.append(f"{count} {word}{worth} ({'; '.join(told[:2])}{more})")
    return parts


def _short(text: str) -> str:
    """The fact of a reason, without its ground; the name in it is from a log and may be long."""
    text = text.rpartition(": ")[0] or text
    return text if len(text) <= 160 else f"{text[:120]}…{text[-39:]}"


def money_problems() -> list[str]:
    """What is wrong with the user's own files of prices, credits, budgets, allowance and projects, a sentence each."""
    return list(_money_problems(config_mark(CONFIG_FILES)))


@lru_cache(maxsize=1)
def _money_problems(_mark: str) -> tuple[str, ...]:
    """Read again only when a file has changed: every answer asks."""
    return (
        *load_pricing().problems, *load_rate_card().problems, *load_budgets()[1], *load_allowance()[2],
        *load_projects().problems,
    )  # fmt: skip


def sums(row: GroupRow) -> Sums:
    """A row of sums as it is told. The least sure part of a sum of credits decides how sure it is; it is None where
    credits don't apply at all."""
    unpriced = row.calls - row.priced
    exact = "inferred" if row.inferred else "override" if row.overridden else "exact"
    sure = exact if row.credited else "missing" if row.uncredited else None
    return Sums(
        calls=row.calls, turns=row.turns, threads=row.threads,
        input_tokens=row.input, cached_input_tokens=row.cached, uncached_input_tokens=max(0, row.input - row.cached),
        cache_write_input_tokens=row.cache_write, output_tokens=row.output, reasoning_output_tokens=row.reasoning,
        total_tokens=row.input + row.output, cache_ratio=round(row.cached / row.input, 4) if row.input else None,
        cost_usd=usd(row.cost) if row.priced or not row.calls else None,
        cost_confidence="estimated" if row.estimated else "exact" if row.priced or not row.calls else "unpriced",
        at_least=bool(row.priced and unpriced), estimated_calls=row.estimated,
        estimated_usd=usd(row.estimated_cost) or 0.0, unpriced_calls=unpriced,
        credits=usd(row.credits) if row.credited else None, credit_confidence=sure,
        credits_at_least=bool(row.credited and row.uncredited), compactions=row.compactions,
    )  # fmt: skip


def quantile(values: Sequence[int], part: float) -> int | None:
    """The value below which a part of the sorted values lies (nearest rank)."""
    return values[min(len(values) - 1, int(part * len(values)))] if values else None


def share(part: GroupRow, total: GroupRow) -> float | None:
    """A part of the total's cost, or of its tokens when nothing is priced."""
    if total.cost:
        return round(part.cost / total.cost, 4)
    tokens = total.input + total.output
    return round((part.input + part.output) / tokens, 4) if tokens else None


def check_filters(index: Index, filters: Filters) -> Filters:
    """Filters with the thread resolved to its full id. Raises BadInput for what the index does not have."""
    for word in ("model", "project", "effort", "source"):
        value, known = getattr(filters, word), queries.labels(index, word) if getattr(filters, word) else []
        if value is not None and value.lower() not in (label.lower() for label in known):
            near = get_close_matches(value, known, 3, 0.4) or known[:5]
            more = "" if len(near) == len(known) else " …"
            has = f"; it has {', '.join(near)}{more}" if known else ", which holds no calls yet"
            raise BadInput(f"No {word} {value!r} is in the index{has}.", *(near if word == "project" else ()))
    for word, words, between in (("confidence", CONFIDENCES, ", "), ("provider", PROVIDERS, " or ")):
        if (value := getattr(filters, word)) not in (None, *words):
            raise BadInput(f"Unknown {word} {value!r}; use {between.join(words)}.")
    return filters if filters.thread is None else replace(filters, thread=find_thread(index, filters.thread))


def find_thread(index: Index, text: str) -> str:
    """A thread's full id from an id, the start or end of one, or its name. Raises BadInput."""
    text = text.strip()
    found = queries.find_threads(index, text)
    if any(uuid == text for uuid, _ in found):
        return text
    if not found:
        raise BadInput(f"No thread {text!r} is in the index; list threads to see their ids.")
    if len(found) > 1:
        some = ", ".join(uuid for uuid, _ in found[:3]) + (" …" if len(found) > 3 else "")
        raise BadInput(f"{text!r} fits several threads ({some}); give more of the id.")
    return found[0][0]
