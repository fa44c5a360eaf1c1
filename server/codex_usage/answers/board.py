"""The page's data: everything by day and setting, and single calls as columns. The page filters and adds up."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from codex_usage.answers.board_results import Board, CallColumns, Cube, ThreadColumns, TurnDays, Usage
from codex_usage.answers.calls import call_id
from codex_usage.answers.context import CONFIDENCES, PROVIDERS, Context, quantile
from codex_usage.answers.summary import year
from codex_usage.index import Filters, Index, board, queries
from codex_usage.index.zones import Days
from codex_usage.model import ORIGINS
from codex_usage.money import Rate

_TURN_DAYS = 90
_WHO = ["unknown", "user", "codex"]
_CREDIT_CONFIDENCES = ["exact", "inferred", "override", "missing"]
_SETTINGS = ("model", "effort", "tier", "project")


class _Places:
    """Texts of ids by their place in a list; each stands once. None has no place (-1)."""

    def __init__(self, known: Mapping[Any, str]) -> None:
        self._known = known
        self._place: dict[str | None, int] = {None: -1}

    def of(self, text: str | None) -> int:
        """The place of a text."""
        return self._place.setdefault(text, len(self._place) - 1)

    def column(self, ids: Iterable[Any]) -> list[int]:
        """The places of the texts of ids."""
        ids = list(ids)
        found = {key: self.of(self._known.get(key)) for key in dict.fromkeys(ids)}
        return [found[key] for key in ids]

    @property
    def texts(self) -> list[Any]:
        """The texts in order."""
        return list(self._place)[1:]


def _places(index: Index) -> dict[str, _Places]:
    texts, projects = board.names(index), {key: label for key, (label, _) in board.projects(index).items()}
    return {word: _Places(projects if word == "project" else texts) for word in (*_SETTINGS, "cwd")}


def _texts(places: Mapping[str, _Places]) -> dict[str, Any]:
    texts = {f"{word}s": places[word].texts for word in _SETTINGS}
    return {**texts, "providers": list(PROVIDERS), "confidences": list(CONFIDENCES)}


def board_of(context: Context) -> Board:
    """Everything by day, turns of the last 90 days, and the year so far."""
    index = context.index
    with index.snapshot():
        columns = dict(zip(Cube.model_fields, zip(*board.cube(index), strict=True), strict=False))
        cube: dict[str, Any] = {name: list(columns.get(name, ())) for name in Cube.model_fields}
        places = _places(index)
        for word in _SETTINGS:
            cube[word] = places[word].column(cube[word])
        cube["provider"] = [PROVIDERS.index(name) for name in cube["provider"]]
        cube["origin"] = [_WHO.index(ORIGINS[code].who) for code in cube["origin"]]
        rates = {key: stored.rate for key, stored in queries.rates(index).items()}
        spared = {key: _spared(rate) for key, rate in rates.items()}
        read = zip(cube["confidence"], cube["cached"], cube["cache_write"], strict=True)
        cube["saved"] = [(cached * spared[key][0] - written * spared[key][1]) // 1000 for key, cached, written in read]
        cube["confidence"] = [CONFIDENCES.index(rates[key].confidence) for key in cube["confidence"]]
        threads = board.threads_by_day(index)
        return Board(
            **_texts(places), zone=context.zone_name, origins=_WHO, cube=Cube.model_construct(None, **cube),
            turns=_turns(context), threads_day=[day for day, _ in threads], threads=[count for _, count in threads],
            ytd=year(context, Filters()), coverage=context.coverage(), data_quality=context.quality(),
        )  # fmt: skip


def _spared(rate: Rate) -> tuple[int, int]:
    """Pico-dollars that a cached token costs less than another, and that one written to the cache costs more."""
    band = rate.bands[0] if rate.bands else None
    return (band.input - band.cached, max(0, band.cache_write - band.input)) if band else (0, 0)


def _turns(context: Context) -> TurnDays:
    start = int(context.now.timestamp() * 1000) - _TURN_DAYS * 86_400_000
    days = Days(context.zone)
    found: dict[int, list[Any]] = defaultdict(list)
    for first_ms, *row in board.turns_since(context.index, start):
        found[days.of(first_ms)].append(row)
    columns = [tuple(zip(*found[day], strict=True)) for day in sorted(found)]
    turns, completed, failed = ([sum(column[at]) for column in columns] for at in range(3))
    durations, firsts = ([_sorted(column[at]) for column in columns] for at in (3, 4))
    return TurnDays(
        day=sorted(found), turns=turns, completed=completed, failed=failed,
        median_ms=[quantile(values, 0.5) for values in durations],
        p95_ms=[quantile(values, 0.95) for values in durations],
        first_token_ms=[quantile(values, 0.5) for values in firsts],
    )  # fmt: skip


def _sorted(lists: Iterable[str | None]) -> list[int]:
    """The numbers of lists with commas."""
    return sorted(map(int, filter(None, ",".join(filter(None, lists)).split(","))))


def usage(context: Context, limit: int = 20_000, offset: int = 0) -> Usage:
    """A page of calls as columns, newest first, with the threads that they belong to."""
    index = context.index
    with index.snapshot():
        rows = board.call_columns(index, limit, offset)
        total = queries.call_count(index)
        raw = dict(zip(board.CALL_COLUMNS, zip(*rows, strict=True) if rows else [()] * 99, strict=False))
        places = _places(index)
        columns: dict[str, Any] = {name: list(raw.get(name, ())) for name in CallColumns.model_fields}
        for word, found in places.items():
            columns[word] = found.column(columns[word])
        columns["id"] = list(map(call_id, raw["uid"]))
        rates = {key: stored.rate for key, stored in queries.rates(index).items()}
        for word, words in (("confidence", CONFIDENCES), ("credit_confidence", _CREDIT_CONFIDENCES)):
            sure = {key: words.index(told) if (told := getattr(rate, word)) else -1 for key, rate in rates.items()}
            columns[word] = [sure[key] for key in raw["rate"]]
        priced = {key: place for place, key in enumerate(rates)}
        columns["rate"] = [priced[key] for key in raw["rate"]]
        turns = _Places({turn: turn for turn in columns["turn"]})
        columns["turn"] = turns.column(columns["turn"])
        threads, of_thread = _threads(index, raw["thread"], places)
        columns["thread"] = [of_thread[key] for key in raw["thread"]]
        tags, texts = dict(board.projects(index).values()), _texts(places)
        return Usage(
            **texts, total=total, offset=offset, cwds=places["cwd"].texts, turns=turns.texts,
            tags=[[tag for tag in (tags.get(label) or "").split(",") if tag] for label in texts["projects"]],
            origins=[origin.who for origin in ORIGINS], origin_reasons=[origin.reason for origin in ORIGINS],
            origin_confidences=[origin.sure for origin in ORIGINS],
            cost_reasons=[rate.reason for rate in rates.values()],
            credit_reasons=[rate.credit_reason for rate in rates.values()],
            credit_confidences=_CREDIT_CONFIDENCES, threads=threads, calls=CallColumns.model_construct(None, **columns),
        )  # fmt: skip


def _threads(index: Index, keys: Iterable[int], places: Mapping[str, _Places]) -> tuple[ThreadColumns, dict[int, int]]:
    """The threads of some calls and their parents, and the place of each by its key."""
    heads = board.thread_heads(index, list(dict.fromkeys(keys)))
    missing = [head[5] for head in heads.values() if head[5] is not None and head[5] not in heads]
    heads.update(board.thread_heads(index, missing))
    place = {key: number for number, key in enumerate(heads)}
    fields = enumerate(ThreadColumns.model_fields)
    columns: dict[str, Any] = {name: [row[at] for row in heads.values()] for at, name in fields}
    columns["project"] = places["project"].column(columns["project"])
    columns["provider"] = [PROVIDERS.index(name) for name in columns["provider"]]
    columns["parent"] = [place.get(key, -1) for key in columns["parent"]]
    columns["cwd"] = [places["cwd"].of(text) for text in columns["cwd"]]
    return ThreadColumns.model_construct(None, **columns), place
