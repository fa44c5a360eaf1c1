"""Two weeks of made-up work with noise, in the second of which causes are planted, one or several at a time.

    plant(folder, context_size=2.0)    # every call of the second week carries twice the input

Strengths multiply what the cause is about (user turns, calls a turn, subagent calls, input tokens a call, the part
of input that misses the cache, output tokens a call); for the shares (model_mix, service_tier, long_context) they
are the part of the second week's threads or calls, and `price` multiplies the dear model's prices.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random

from codex_usage.homes import Places
from tests.support.index import places_of
from tests.support.rollouts import Rollout, uuid7

FIRST = datetime(2026, 11, 8, 9, tzinfo=UTC)  # two whole weeks, to Saturday 2026-11-21
BASELINE, PERIOD = "2026-11-08..2026-11-14", "2026-11-15..2026-11-21"
DEAR, CHEAP = "gpt-5.5", "gpt-6-sol"
THREADS = 4


@dataclass(frozen=True)
class Work:
    """What a week is like."""

    turns: float = 3.0
    calls_per_turn: float = 6.0
    delegation: float = 8.0  # calls of the day's one subagent
    context_size: float = 60_000.0
    cache_misses: float = 0.12
    output: float = 700.0
    model_mix: float = 0.25  # of threads on the dear model
    service_tier: float = 0.0  # of threads at priority
    long_context: float = 0.0  # of calls above the limit, the others so much smaller that the mean stays


def worked(usual: Work, causes: dict[str, float]) -> Work:
    """The second week's work."""
    shares = {name: causes[name] for name in ("model_mix", "service_tier", "long_context") if name in causes}
    others = {name: getattr(usual, name) * by for name, by in causes.items() if name not in shares and name != "price"}
    return Work(**{**usual.__dict__, **others, **shares})


def plant(folder: Path, *, seed: int = 1, noise: float = 0.08, usual: Work | None = None, **causes: float) -> Places:
    """Write the home, and a pricing.json into `folder`/own when a price is planted."""
    usual = usual or Work()
    rng = Random(seed)
    calls = count()
    for number in range(14):
        day = FIRST + timedelta(days=number)
        _day(folder / "home", day, worked(usual, causes) if number >= 7 else usual, rng, noise, calls)
    own = folder / "own"
    own.mkdir(parents=True, exist_ok=True)
    if "price" in causes:
        row = {"from": "2026-11-15", "input": 5, "cached_input": 0.5, "output": 30}
        dearer = {name: value * causes["price"] if name != "from" else value for name, value in row.items()}  # type: ignore[operator]
        (own / "pricing.json").write_text(json.dumps({"models": {DEAR: [dearer]}}), encoding="utf-8")
    return places_of(folder / "home", data=folder)


def _day(home: Path, day: datetime, work: Work, rng: Random, noise: float, every: Iterator[int]) -> None:
    """The day's threads; shares of threads go round evenly, so that they hold within a week."""
    for nth in range(THREADS):
        began = day + timedelta(hours=2 * nth)
        turn = day.toordinal() * THREADS + nth
        model = DEAR if _among(turn, work.model_mix) else CHEAP
        tier = "priority" if _among(turn // 2, work.service_tier) else None
        _thread(home, began, nth, model, tier, max(1, round(work.turns)), work.calls_per_turn, work, rng, noise, every)
    _thread(home, day + timedelta(hours=9), 9, CHEAP, None, 1, work.delegation, work, rng, noise, every)


def _among(number: int, share: float) -> bool:
    return int((number + 1) * share) > int(number * share)


def _thread(
    home: Path, began: datetime, nth: int, model: str, tier: str | None, turns: int, calls: float, work: Work,
    rng: Random, noise: float, every: Iterator[int],
) -> None:  # fmt: skip
    now = int(began.timestamp() * 1000)
    spawned = {"thread_spawn": {"parent_thread_id": uuid7(1, 1), "depth": 1}}
    fields = {"source": {"subagent": spawned}} if nth == 9 else {}
    name = uuid7(now, began.toordinal() * 10 + nth)
    log = Rollout(thread=name, now=now, model=model, cwd=f"/home/dev/p{nth % 2}", meta_fields=fields, limits={})
    if tier:
        log.event("thread_settings_applied", thread_id=name, thread_settings={"model": model, "service_tier": tier})
    for _ in range(turns):
        log.turn(model=model)
        for _ in range(max(1, round(calls))):
            size = work.context_size * (1 + rng.gauss(0, noise))
            if work.long_context:
                rest = (work.context_size - work.long_context * 285_000) / (1 - work.long_context)
                size = 285_000.0 if _among(next(every), work.long_context) else max(2000.0, rest)
            missed = min(1.0, max(0.0, work.cache_misses * (1 + rng.gauss(0, noise))))
            output = work.output * (1 + rng.gauss(0, noise))
            log.call(took=20_000, input=int(size), cached=int(size * (1 - missed)), output=max(1, int(output)))
        log.end()
    log.write(home)
