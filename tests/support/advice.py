"""Threads in which a waste is planted, so that a test's view holds the counterfactual.

gpt-5.5 costs 5, 0.5 and 30 dollars for a million input, cached and output tokens; above 272,000 of input twice that
(output 45). Its window is 258,400 tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codex_usage.homes import Places
from tests.support.index import places_of
from tests.support.rollouts import Rollout
from tests.support.spending import Spent, thread_id

BEGAN = Spent(at="2026-11-20T09:00Z").ms
MINUTE = 60_000


@dataclass(frozen=True)
class Step:
    """One call, `minutes` after the one before; `turn` begins a turn with it, `end` says how that ends;
    `tools` are commands with the tokens of their output."""

    input: int
    cached: int = 0
    output: int = 300
    reasoning: int = 0
    minutes: float = 0.5
    turn: bool = True
    end: str = "task_complete"
    model: str = "gpt-5.5"
    effort: str | None = None
    summary: bool = False
    tools: tuple[tuple[str, int], ...] = ()


def growing(count: int, begin: int = 20_000, step: int = 1_000, **more: Any) -> list[Step]:
    """Calls that each send what the call before sent, from the cache, and `step` tokens more."""
    sizes = [begin + n * step for n in range(count)]
    return [Step(size, cached, **more) for size, cached in zip(sizes, [0, *sizes], strict=False)]


def thread(
    steps: Iterable[Step], number: int = 1, *, folder: str = "demo", tier: str | None = None, **header: Any
) -> Rollout:
    """A thread's log; `header` has fields of its session_meta, or `source`."""
    source = header.pop("source", "exec")
    log = Rollout(
        thread=thread_id(number), now=BEGAN, cwd=f"/home/dev/{folder}", limits={}, source=source, meta_fields=header
    )
    for step in steps:
        log.wait(int(step.minutes * MINUTE))
        if step.turn:
            log.turn(model=step.model, effort=step.effort)
        if tier:
            log.event("thread_settings_applied", thread_id=log.thread, thread_settings={"service_tier": tier})
        numbers = {"input": step.input, "cached": step.cached, "output": step.output, "reasoning": step.reasoning}
        if step.summary:
            log.summary(**numbers)
        else:
            log.call(took=0, tool=not step.turn, **numbers)
        for at, (command, tokens) in enumerate(step.tools):
            name = f"call_{log.responses}_{at}"
            log.item("function_call", name="exec_command", arguments=f'{{"cmd": "{command}"}}', call_id=name)
            log.item("function_call_output", call_id=name, output="Output:\n" + "x" * (4 * tokens))
        if step.turn:
            log.end(step.end)
    return log


def written(folder: Path, logs: Sequence[Rollout]) -> Places:
    """A home with these logs."""
    for log in logs:
        log.write(folder / "home")
    return places_of(folder / "home", data=folder)
