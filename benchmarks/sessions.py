"""What happens in one generated session: turns, model calls, tools, compactions, and their exact usage.

In: a ``Rollout`` that is open and a plan (how many bytes or calls). Out: the finished file's facts and every
call entered in the ``Ledger``. The order of lines within a call follows the recorded logs of each version.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict, dataclass, field

from .rollouts import NOTHING, Rollout, Tokens, stamp, uuid7

COMPACTED_SHARE = 0.25


@dataclass(slots=True)
class Sums:
    """Exact totals of some calls; names as in the product's JSON."""

    calls: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0

    def add(self, tokens: Tokens) -> None:
        self.calls += 1
        self.input_tokens += tokens.input
        self.cached_input_tokens += tokens.cached
        self.cache_write_input_tokens += tokens.cache_write
        self.output_tokens += tokens.output
        self.reasoning_output_tokens += tokens.reasoning


@dataclass(slots=True)
class Ledger:
    """What a right counter must find in the home."""

    totals: Sums = field(default_factory=Sums)
    models: dict[str, Sums] = field(default_factory=dict)
    days: dict[str, Sums] = field(default_factory=dict)

    def add(self, model: str, ms: int, tokens: Tokens) -> None:
        self.totals.add(tokens)
        self.models.setdefault(model, Sums()).add(tokens)
        self.days.setdefault(stamp(ms)[:10], Sums()).add(tokens)

    def as_json(self) -> dict[str, object]:
        return {
            "totals": asdict(self.totals),
            "models": {name: asdict(sums) for name, sums in sorted(self.models.items())},
            "days": {name: asdict(sums) for name, sums in sorted(self.days.items())},
        }


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """A place where a fork may begin."""

    ms: int
    offset: int
    ordinal: int
    total: Tokens
    last: Tokens
    context: int
    turn: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a session goes on: until any of these is reached."""

    size: int
    calls: int
    deadline: int
    output_bytes: float = 4_900
    reasoning_bytes: float = 2_350
    compacted_bytes: tuple[int, int] = (60_000, 1_200_000)
    """The smallest and largest replaced history; between them the home's share of such bytes decides."""


@dataclass(slots=True)
class Session:
    """Plays one session into ``log``."""

    log: Rollout
    plan: Plan
    ledger: Ledger
    written: Counter[str]
    """Bytes by kind of the whole home so far: compactions are sized so that their share comes out right."""
    context: int = 0
    calls: int = 0
    ends: list[TurnEnd] = field(default_factory=list)
    turn_total: Tokens = NOTHING

    @property
    def rng(self) -> random.Random:
        return self.log.rng

    def play(self) -> None:
        """Turns until the plan is fulfilled."""
        self.context = self.context or self.rng.randint(9_000, 15_000)
        while not self.done():
            self.play_turn()

    def done(self) -> bool:
        return self.log.size >= self.plan.size or self.calls >= self.plan.calls or self.log.now >= self.plan.deadline

    def play_turn(self) -> None:
        log, first = self.log, not self.ends
        log.now += int(self.rng.expovariate(1 / 60_000)) + 500
        started = log.now
        self.turn_total = Tokens()
        if log.shape.ordinals and not first:
            log.settings_applied()
        log.task_started(uuid7(self.rng, log.now))
        if first and not log.who.forked_from:
            log.opening()
        if not log.shape.context_per_call:
            log.turn_context()
        log.user_message(log.bodies.text(log.bodies.around(900)))
        for _ in range(min(1 + int(self.rng.expovariate(1 / 9)), 80)):
            if self.context > 210_000:
                self.compaction()
            self.call(final=False)
            if self.done():
                break
        self.call(final=True)
        log.task_complete(started, "done")
        self.ends.append(TurnEnd(log.now, log.size, log.ordinal, log.total, log.last, self.context, log.turn))

    def bill(self, tokens: Tokens) -> None:
        """One response arrived: totals, ledger."""
        log = self.log
        log.last, log.total = tokens, log.total.plus(tokens)
        self.turn_total = self.turn_total.plus(tokens)
        self.ledger.add(log.model, log.now, tokens)
        self.calls += 1

    def next_tokens(self) -> Tokens:
        """A plausible call on the present context; most of it cached unless it is the thread's first."""
        share = self.rng.uniform(0.85, 0.97) if self.calls else self.rng.choice((0.0, 0.4))
        cached = int(self.context * share) // 128 * 128
        output = max(20, int(self.rng.lognormvariate(5.6, 1.0)))
        write = (self.context - cached) // 2 if self.log.model.startswith("gpt-6") else 0
        return Tokens(self.context, cached, write, output, int(output * self.rng.uniform(0.1, 0.7)))

    def call(self, final: bool) -> None:
        """One model call with its tools, or the turn's closing message."""
        log, shape = self.log, self.log.shape
        if shape.context_per_call:
            log.turn_context()
        log.now += int(self.rng.lognormvariate(8.6, 0.8))
        if shape.twice:
            log.token_count(bare=not log.total.input)
        tokens = self.next_tokens()
        response = f"resp_{self.rng.getrandbits(128):032x}"
        if shape.usage_first:
            self.bill(tokens)
            log.token_count()
        if final or self.rng.random() < 0.7:
            log.reasoning(log.bodies.around(self.plan.reasoning_bytes))
        if final or self.rng.random() < 0.2:
            log.agent_message(log.bodies.text(log.bodies.around(600 if not final else 1_800)))
        tools = [] if final else [f"call_{self.rng.getrandbits(96):024x}" for _ in range(self.tools())]
        for call_id in tools:
            log.tool_call(call_id)
        if shape.ordinals:
            self.bill(tokens)
            log.usage_record(response, self.turn_total)
        elif not shape.usage_last and not shape.usage_first:
            self.bill(tokens)
            log.token_count()
        grown = 0
        for call_id in tools:
            log.now += int(self.rng.lognormvariate(6.0, 1.2))
            body = log.bodies.text(min(log.bodies.around(self.output_size(), 1.3), 48_000))
            log.tool_output(call_id, body)
            grown += len(body) // 4
        if shape.usage_last:
            if not shape.ordinals:
                self.bill(tokens)
            log.token_count()
        self.context += tokens.output + grown + 40

    def tools(self) -> int:
        return 1 if self.rng.random() < 0.82 else self.rng.randint(2, 4)

    def output_size(self) -> float:
        """Newer versions store an output twice, so each is smaller."""
        return self.plan.output_bytes / (2.0 if self.log.shape.ordinals else 1.0)

    def compaction(self) -> None:
        """The history is summarised by one more call and replaced."""
        log, shape = self.log, self.log.shape
        log.now += int(self.rng.lognormvariate(9.8, 0.4))
        if shape.context_per_call:
            log.turn_context()
        log.token_count()
        tokens = self.next_tokens()
        self.bill(tokens)
        record = ""
        if shape.ordinals:
            log.message("assistant", "output_text", log.bodies.text(1_500), f"msg_{self.rng.getrandbits(96):024x}")
            record = log.usage_record(f"resp_{self.rng.getrandbits(128):032x}", self.turn_total)
        log.token_count()
        self.written.update(log.kinds)
        log.kinds.clear()
        deficit = COMPACTED_SHARE * self.written.total() - self.written["compacted"]
        least, most = self.plan.compacted_bytes
        log.compacted(min(max(deficit, least), most, log.size * 0.8), record)
        self.context = self.rng.randint(12_000, 40_000)
        if shape.ids:
            log.line("world_state", "world_state", '{"full":false,"state":{"multi_agent_mode":{}}}')
        if not shape.context_per_call:
            log.turn_context()
        if shape.ordinals:
            log.settings_applied()
        if not shape.usage_first:
            log.token_count(Tokens(), self.context)
        if shape.ordinals:
            log.completed("turn", f'"type":"ContextCompaction","id":"{uuid7(self.rng, log.now)}"')
        else:
            log.event("turn", '{"type":"context_compacted"}')
