"""A synthetic Codex home, to see everything without logs: a folder and a moment in, rollouts out.

The lines have the shape of Codex 0.169 (docs/explanation/counting.md); what they say is invented.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from codex_usage.model import BadInput, Tokens

_WINDOW = 258_400  # 95 % of the nominal 272,000 tokens, as Codex 0.169 logs it
_HEADER = {"originator": "codex-tui", "cli_version": "0.169.0", "model_provider": "openai"}
#: What a thread of each kind is called, and what starts its turns.
_TRIGGERS = {"user": ("user",) * 2, "subagent": ("subagent", "exec"), "guardian": ("guardian_review",) * 2}
_PROJECTS = (
    # folder, remote, models in use (the first most often)
    ("storefront", "https://github.com/example/storefront.git", ("gpt-6-sol", "gpt-5.6-luna")),
    ("ledger-api", "git@github.com:example/ledger-api.git", ("gpt-6-sol", "gpt-5.5")),
    ("field-notes", "https://github.com/example/field-notes.git", ("gpt-5.6-luna", "gpt-6-sol")),
    ("infra", "https://gitlab.example.org/platform/infra.git", ("gpt-6-luna", "gpt-6-sol")),
)
#: Credits for a million tokens: input, cached input, output.
_CREDITS = {"gpt-5.5": (125, 12.5, 750), "gpt-6-sol": (50, 5, 250), "gpt-5.6-luna": (5, 0.5, 30),
            "gpt-6-luna": (2.5, 0.25, 12.5)}  # fmt: skip
_ASKS = ("Split it.", "Add a test.", "Why does it fail?", "Is it slow?", "Mend the order.", "Rename it everywhere.")
_COMMANDS = ("rg -n total src", "pytest -q", "git diff --stat", "sed -n 1,120p app.py", "ls -la", "npm test")


def write_demo_home(folder: Path, *, now: datetime, seed: int = 7) -> None:
    """Write some 60 threads of the 45 days before `now` (aware) as a Codex home: the same bytes for the same seed
    and moment. Two days before `now` stands a cost spike: one thread with a huge context on the dearest model, whose
    cache always missed. Raises BadInput when `folder` is there and not empty, and OSError.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is not empty; name a folder for the demo that does not exist yet.")
    folder.mkdir(parents=True, exist_ok=True)
    rng, used = Random(seed), dict[tuple[int, datetime], float]()
    for number, thread in enumerate(sorted(_plan(rng, now), key=lambda thread: thread.start)):
        thread.write(folder, now, rng, used)
        if thread.miss == 1:
            name = {"thread_name": "Move the ledger to the new schema", "updated_at": _iso(thread.clock)}
            (folder / "session_index.jsonl").write_bytes(msgspec.json.encode({"id": thread.id, **name}) + b"\n")
        for child in _children(rng, thread, number):
            child.write(folder, now, rng, used)


def _plan(rng: Random, now: datetime) -> Iterator[_Thread]:
    """A user's threads: one on every day, a second on some, and the spike."""
    for day in range(45):
        for _ in range(2 if rng.random() < 0.15 else 1):
            nine = (now - timedelta(days=day)).replace(hour=9, minute=0, second=0, microsecond=0)
            start = nine + timedelta(seconds=rng.randrange(8 * 3600))
            if start > now - timedelta(hours=2):  # today's thread has ended by now
                start = now - timedelta(seconds=rng.randrange(5000, 7000))
            project = rng.choice(_PROJECTS)
            model = project[2][rng.random() < 0.3]
            tier = "priority" if rng.random() < 0.12 else None
            yield _Thread(start, project, model, rng.randint(2, 5), rng.randint(5, 11), tier=tier)
    spike = (now - timedelta(days=2)).replace(hour=10, minute=5, second=0, microsecond=0)
    yield _Thread(spike, _PROJECTS[1], "gpt-5.5", 4, 11, context=140_000, miss=1)


def _children(rng: Random, parent: _Thread, number: int) -> Iterator[_Thread]:
    """Two subagents of every twelfth thread, and one guardian's review."""
    start = parent.start + timedelta(seconds=90)
    for nth in range(2 if number % 12 == 4 else 0):
        at, calls = start + timedelta(seconds=nth), rng.randint(4, 8)
        yield _Thread(at, parent.project, "gpt-6-luna", 1, calls, "subagent", 9_000, parent=parent)
    if number == 30:
        yield _Thread(start, parent.project, parent.model, 1, 1, "guardian", 6_000, parent=parent)


@dataclass
class _Thread:
    """A rollout to be written, with its clock and its running sums. `kind` is user, subagent or guardian; `miss` is the
    chance of a cache miss; `used` is what is used of an account's allowances (1,500 credits in five hours, 1,900 in a
    week) by their lengths and begins."""

    start: datetime
    project: tuple[str, str, tuple[str, ...]]
    model: str
    turns: int
    calls: int
    kind: str = "user"
    context: int = 14_000
    miss: float = 0.05
    tier: str | None = None
    parent: _Thread | None = None
    cached: int = 0
    first_turn: str = ""

    def write(self, folder: Path, now: datetime, rng: Random, used: dict[tuple[int, datetime], float]) -> None:
        self.rng, self.used, self.clock, self.id = rng, used, self.start, _uuid7(rng, self.start)
        self.lines: list[bytes] = []
        self.cwd = f"/home/ada/src/{self.project[0]}"
        self.total, source, parents = Tokens(), {}, {}
        if self.parent:
            parents = {"parent_thread_id": self.parent.id}
            spawned = {"thread_spawn": {**parents, "depth": 1, "agent_path": "/root/look", "agent_role": "explorer"}}
            source = {"subagent": {"other": "guardian"} if self.kind == "guardian" else spawned}
        ids = {"session_id": self.parent.id if self.parent else self.id, "id": self.id, **parents}
        git = {"commit_hash": f"{self.rng.getrandbits(160):040x}", "branch": "main", "repository_url": self.project[1]}
        payload = {**ids, "timestamp": _iso(self.clock), "cwd": self.cwd, **_HEADER, "source": source or "cli"}
        self.put("session_meta", {**payload, "thread_source": _TRIGGERS[self.kind][0], "git": git})
        for nth in range(self.turns):
            if self.clock <= now - timedelta(minutes=30):
                self._turn(nth)
        path = folder / f"{self.start:sessions/%Y/%m/%d/rollout-%Y-%m-%dT%H-%M-%S}-{self.id}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(self.lines))
        os.utime(path, (self.clock.timestamp(), self.clock.timestamp()))

    def put(self, kind: str, payload: dict[str, Any], seconds: float = 0.0) -> None:
        """One line, `seconds` after the last; `kind` may be of a line and its payload."""
        self.clock += timedelta(seconds=seconds)
        kind, _, inner = kind.partition(".")
        payload = {"type": inner, **payload} if inner else payload
        if kind == "response_item":
            payload["internal_chat_message_metadata_passthrough"] = {"turn_id": self.turn}
        at = {"timestamp": _iso(self.clock), "ordinal": len(self.lines)}
        self.lines.append(msgspec.json.encode({**at, "type": kind, "payload": payload}) + b"\n")

    def say(self, role: str, kind: str, text: str, seconds: float) -> None:
        said = {"id": f"msg_{len(self.lines)}", "role": role, "content": [{"type": kind, "text": text}]}
        self.put("response_item.message", said, seconds)

    def _turn(self, nth: int) -> None:
        rng, began = self.rng, self.clock
        self.turn, self.in_turn = _uuid7(rng, began), Tokens()
        self.first_turn = self.first_turn or self.turn
        caller = self.parent.first_turn if self.parent else None
        ids = self.ids = {"turn_id": self.turn, "root_turn_id": caller or self.turn}
        about = {**ids, "turn_trigger": _TRIGGERS[self.kind][1], "parent_turn_id": caller}
        self.put("event_msg.task_started", {"turn_attribution": about, **ids, "model_context_window": _WINDOW})
        effort = "low" if self.kind == "guardian" else rng.choice(("medium", "medium", "high"))
        context = {"cwd": self.cwd, "model": self.model}
        self.put("turn_context", {**ids, **context, "effort": effort, "summary": "none"})
        tier = {"service_tier": self.tier} if self.tier else {}
        settings = {**context, "model_provider_id": "openai", "reasoning_effort": effort, **tier}
        self.put("event_msg.thread_settings_applied", {"thread_id": self.id, "thread_settings": settings})
        if nth and self.context > 110_000 and self.miss < 1:
            self.say("assistant", "output_text", "Summary of the work so far (left out of the demo).", 8.0)
            response = self._record(0.0)
            self._token_count()
            self.put("compacted", {"message": "(left out of the demo)", "compaction_response_id": response})
            self.context, self.cached = 16_000, 0
        self.say("user", "input_text", rng.choice(_ASKS), 0.2)
        for call in range(self.calls):
            self._call(last=call == self.calls - 1, miss=self.miss if call else max(self.miss, 0.25))
        took = {"duration_ms": (self.clock - began) // timedelta(milliseconds=1)}
        self.put("event_msg.task_complete", {**ids, **took, "time_to_first_token_ms": rng.randrange(700, 4000)})
        self.clock += timedelta(seconds=rng.randrange(40, 1200))

    def _call(self, *, last: bool, miss: float) -> None:
        """One response: its item, its usage record, the tool's answer, and the repeated token count."""
        rng, seconds = self.rng, self.rng.uniform(2, 14)
        if last:
            self.say("assistant", "output_text", "Done; the details are in the diff.", seconds)
            self._record(miss)
            self._token_count()
            return
        command, name = rng.choice(_COMMANDS), f"call_{len(self.lines)}"
        asked = {"name": "exec_command", "arguments": f'{{"cmd": "{command}"}}', "call_id": name}
        self.put("response_item.function_call", asked, seconds)
        self._record(miss)
        grown = rng.randrange(300, 5200)
        seconds, code = round(rng.uniform(0.02, 5), 3), int(rng.random() < 0.1)
        done = {"type": "CommandExecution", "id": name, "exit_code": code,
                "duration": {"secs": int(seconds), "nanos": int(seconds % 1 * 10**9)},
                "command": ["/bin/bash", "-lc", command], "cwd": f"file://{self.cwd}",
                "status": "failed" if code else "completed"}  # fmt: skip
        self.put("event_msg.item_completed", {"thread_id": self.id, "turn_id": self.turn, "item": done}, seconds)
        said = f"Wall time: {seconds} seconds\nProcess exited with code {code}\nOriginal token count: {grown}\n"
        output = {"call_id": name, "output": f"{said}Output:\n(left out of the demo)"}
        self.put("response_item.function_call_output", output)
        self.context = min(self.context + grown, _WINDOW - 9_000)
        self._token_count()

    def _record(self, miss: float) -> str:
        rng = self.rng
        cached = 0 if rng.random() < miss else self.cached // 128 * 128
        written = self.context - cached if self.model.startswith("gpt-6") else 0
        output = rng.randrange(60, 1600)
        self.last = Tokens(self.context, cached, written, output, int(output * rng.uniform(0.1, 0.7)))
        self.total, self.in_turn = self.total.plus(self.last), self.in_turn.plus(self.last)
        self.cached, self.context = self.context, self.context + output
        response = f"resp_{rng.getrandbits(128):032x}"
        sums = {"usage": self.last, "turn_token_usage": self.in_turn, "thread_token_usage": self.total}
        usage = {name: _usage(tokens) for name, tokens in sums.items()}
        self.put("token_usage_record", {"thread_id": self.id, **self.ids, "response_id": response, **usage})
        return response

    def _token_count(self) -> None:
        at, tokens, rates = self.clock, self.last, _CREDITS[self.model]
        spent = ((tokens.input - tokens.cached) * rates[0] + tokens.cached * rates[1] + tokens.output * rates[2]) / 1e6
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        five, week = midnight + timedelta(hours=at.hour // 5 * 5), midnight - timedelta(days=at.weekday())
        limits: dict[str, Any] = {"limit_id": "codex"}
        for name, minutes, begin, percent in (("primary", 300, five, 15), ("secondary", 10_080, week, 19)):
            used = self.used[minutes, begin] = self.used.get((minutes, begin), 0.0) + spent
            resets = int((begin + timedelta(minutes=minutes)).timestamp())
            told = {"used_percent": round(min(used / percent, 100), 1), "window_minutes": minutes}
            limits[name] = {**told, "resets_at": resets}
        sums = {"total_token_usage": _usage(self.total), "last_token_usage": _usage(tokens)}
        seen = {"info": {**sums, "model_context_window": _WINDOW}, "rate_limits": {**limits, "plan_type": "pro"}}
        self.put("event_msg.token_count", seen, 0.01)


def _usage(tokens: Tokens) -> dict[str, int]:
    kinds = ("input", "cached_input", "cache_write_input", "output", "reasoning_output", "total")
    counts = zip(kinds, (*tokens, tokens.input + tokens.output), strict=True)
    return {f"{kind}_tokens": count for kind, count in counts}


def _uuid7(rng: Random, moment: datetime) -> str:
    """A version 7 UUID: 48 bits of milliseconds, then chance. Codex' ids tell when a thread began."""
    middle = f"7{rng.getrandbits(12):03x}{rng.choice('89ab')}"
    return str(UUID(f"{int(moment.timestamp() * 1000):012x}{middle}{rng.getrandbits(60):015x}"))


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
