"""The page's data: everything by day and setting, and single calls as columns. The page filters and adds up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from codex_usage.answers.board_results import Board, CallColumns, Cube, ThreadColumns, TurnDays, Usage, Year
from codex_usage.answers.calls import call_id
from codex_usage.answers.context import Context, sums, usd
from codex_usage.index import Filters, board, queries
from codex_usage.index.zones import Days, day_date
from codex_usage.model import ORIGINS

_TURN_DAYS = 90
_PROVIDERS = ["codex", "claude"]
_WHO = ["unknown", "user", "codex"]
_CONFIDENCES = ["exact", "estimated", "unpriced"]
_CREDIT_CONFIDENCES = ["exact", "inferred", "override", "missing"]
_SETTINGS = ("model", "effort", "tier", "project", "cwd")

K = TypeVar("K")


class _Places(Generic[K]):
    """Texts by their place in a list; each stands once. None has no place (-1)."""

    def __init__(self) -> None:
        self.texts: list[Any] = []
        self._known: dict[K | None, int] = {None: -1}
        self._by_text: dict[Any, int] = {}

    def of(self, key: K | None, text: Any) -> int:
        """The place of a key's text."""
        place = self._known.get(key)
        if place is None:
            place = self._by_text.setdefault(text, len(self.texts)) if text is not None else -1
            if place == len(self.texts):
                self.texts.append(text)
            self._known[key] = place
        return place


def board_of(context: Context) -> Board:
    """Everything by day, turns of the last 90 days, and the year so far."""
    index = context.index
    with index.snapshot():
        columns = dict(zip(Cube.model_fields, zip(*board.cube(index), strict=True), strict=False))
        texts, projects = board.names(index), {key: label for key, (label, _) in board.projects(index).items()}
        places = {word: _Places[int]() for word in ("model", "effort", "tier", "project")}
        cube: dict[str, Any] = {name: list(columns.get(name, ())) for name in Cube.model_fields}
        for word, found in places.items():
            known = projects if word == "project" else texts
            cube[word] = [found.of(key, known.get(key)) for key in cube[word]]
        cube["provider"] = [_PROVIDERS.index(str(name)) for name in cube["provider"]]
        cube["origin"] = [_WHO.index(ORIGINS[code].who) for code in cube["origin"]]
        cube["confidence"] = [_CONFIDENCES.index(str(name)) for name in cube["confidence"]]
        threads = board.threads_by_day(index)
        return Board(
            zone=context.zone_name,
            models=places["model"].texts,
            efforts=places["effort"].texts,
            tiers=places["tier"].texts,
            projects=places["project"].texts,
            providers=_PROVIDERS,
            origins=_WHO,
            confidences=_CONFIDENCES,
            cube=Cube.model_construct(None, **cube),
            turns=_turns(context),
            threads_day=[day for day, _ in threads],
            threads=[count for _, count in threads],
            ytd=_year(context),
            coverage=context.coverage(),
            data_quality=context.quality(),
        )


def _turns(context: Context) -> TurnDays:
    start = int(context.now.timestamp() * 1000) - _TURN_DAYS * 86_400_000
    days = Days(context.zone)
    found: dict[int, list[tuple[str | None, int | None, int | None]]] = defaultdict(list)
    for started, outcome, duration, first in board.turns_since(context.index, start):
        found[days.of(started)].append((outcome, duration, first))
    rows = sorted(found.items())
    durations = [sorted(duration for _, duration, _ in turns if duration is not None) for _, turns in rows]
    firsts = [sorted(first for _, _, first in turns if first is not None) for _, turns in rows]
    return TurnDays(
        day=[day for day, _ in rows],
        turns=[len(turns) for _, turns in rows],
        completed=[sum(outcome == "completed" for outcome, _, _ in turns) for _, turns in rows],
        failed=[sum(outcome not in ("completed", None) for outcome, _, _ in turns) for _, turns in rows],
        median_ms=[at(values, 0.5) for values in durations],
        p95_ms=[at(values, 0.95) for values in durations],
        first_token_ms=[at(values, 0.5) for values in firsts],
    )


def at(values: Sequence[int], quantile: float) -> int | None:
    """The value below which a part of the sorted values lies (nearest rank)."""
    return values[min(len(values) - 1, int(quantile * len(values)))] if values else None


def _year(context: Context) -> Year:
    scope = context.scope(context.period("this_year"))
    days = queries.groups(context.index, ("day",), scope, Filters())
    highest = max(days, key=lambda row: row.cost, default=None)
    roles = queries.groups(context.index, ("role",), scope, Filters())
    return Year(
        total=sums(queries.totals(context.index, scope)),
        days=len(days),
        sessions=sum(row.threads for row in roles if row.labels[0] == "user"),
        highest_day=str(day_date(highest.key[0])) if highest and highest.cost else None,
        highest_usd=usd(highest.cost) if highest and highest.cost else None,
    )


def usage(context: Context, limit: int = 20_000, offset: int = 0) -> Usage:
    """A page of calls as columns, newest first, with the threads that they belong to."""
    index = context.index
    with index.snapshot():
        rows = board.call_columns(index, limit, offset)
        total = queries.totals(index, context.scope(context.period("all"))).calls
        raw = dict(zip(board.CALL_COLUMNS, zip(*rows, strict=True) if rows else [()] * 99, strict=False))
        texts, projects = board.names(index), board.projects(index)
        labels = {key: label for key, (label, _) in projects.items()}
        places = {word: _Places[Any]() for word in _SETTINGS}
        columns: dict[str, Sequence[Any]] = {name: raw.get(name, ()) for name in CallColumns.model_fields}
        for word, found in places.items():
            known = labels if word == "project" else texts
            columns[word] = [found.of(key, known.get(key)) for key in raw[word]]
        rates = {key: stored.rate for key, stored in queries.rates(index).items()}
        columns["id"] = [call_id(uid) for uid in raw["uid"]]
        columns["confidence"] = [_CONFIDENCES.index(rates[key].confidence) for key in raw["rate"]]
        sure = {key: rate.credit_confidence for key, rate in rates.items()}
        columns["credit_confidence"] = [_place(_CREDIT_CONFIDENCES, sure[key]) for key in raw["rate"]]
        threads, of_thread = _threads(index, raw["thread"], places["project"], labels, places["cwd"])
        columns["thread"] = [of_thread[key] for key in raw["thread"]]
        tags = dict(projects.values())
        return Usage(
            total=total,
            offset=offset,
            models=places["model"].texts,
            efforts=places["effort"].texts,
            tiers=places["tier"].texts,
            projects=places["project"].texts,
            tags=[[tag for tag in (tags.get(label) or "").split(",") if tag] for label in places["project"].texts],
            providers=_PROVIDERS,
            origins=[origin.who for origin in ORIGINS],
            origin_reasons=[origin.reason for origin in ORIGINS],
            cwds=places["cwd"].texts,
            confidences=_CONFIDENCES,
            credit_confidences=_CREDIT_CONFIDENCES,
            threads=threads,
            calls=CallColumns.model_construct(None, **{name: list(values) for name, values in columns.items()}),
        )


def _place(words: list[str], word: str | None) -> int:
    return -1 if word is None else words.index(word)


def _threads(
    index: Any, keys: Iterable[int], projects: _Places[Any], labels: dict[int, str], folders: _Places[Any]
) -> tuple[ThreadColumns, dict[int, int]]:
    """The threads of some calls and their parents, and the place of each by its key."""
    heads = board.thread_heads(index, list(dict.fromkeys(keys)))
    missing = [head[5] for head in heads.values() if head[5] is not None and head[5] not in heads]
    heads.update(board.thread_heads(index, missing))
    place = {key: number for number, key in enumerate(heads)}
    rows = list(heads.values())
    return ThreadColumns.model_construct(
        id=[row[0] for row in rows],
        name=[row[1] for row in rows],
        project=[projects.of(row[2], labels.get(row[2])) for row in rows],
        provider=[_PROVIDERS.index(row[3]) for row in rows],
        role=[row[4] for row in rows],
        parent=[place.get(row[5], -1) for row in rows],
        agent=[row[6] for row in rows],
        branch=[row[7] for row in rows],
        cwd=[folders.of(row[8], row[8]) for row in rows],
        source=[row[9] for row in rows],
        archived=[row[10] for row in rows],
    ), place
