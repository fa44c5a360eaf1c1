"""A synthetic Codex home, to see everything without logs: a folder and a moment in, rollouts out.

The lines have the shape of Codex 0.169 (docs/explanation/counting.md); people, projects and bodies are
invented. The same seed and moment give the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from codex_usage.model import BadInput, Tokens

DAYS = 45
_WINDOW = 258_400  # 95 % of the nominal 272,000 tokens, as Codex 0.169 logs it
_FULLEST = _WINDOW - 9_000
_COMPACT_AT = 110_000
_DAY = timedelta(days=1)
_HEADER = {"originator": "codex-tui", "cli_version": "0.169.0", "model_provider": "openai"}
_NAME = "Move the ledger to the new schema"
_PROJECTS = (
    # folder, remote, models in use (the first most often)
    ("storefront", "https://github.com/example/storefront.git", ("gpt-6-sol", "gpt-5.6-luna")),
    ("ledger-api", "git@github.com:example/ledger-api.git", ("gpt-6-sol", "gpt-5.5")),
    ("field-notes", "https://github.com/example/field-notes.git", ("gpt-5.6-luna", "gpt-6-sol")),
    ("infra", "https://gitlab.example.org/platform/infra.git", ("gpt-6-luna", "gpt-6-sol")),
)
#: Credits for a million tokens: input, cached input, output.
_CREDITS = {
    "gpt-5.5": (125, 12.5, 750), "gpt-6-sol": (50, 5, 250),
    "gpt-5.6-luna": (5, 0.5, 30), "gpt-6-luna": (2.5, 0.25, 12.5),
}  # fmt: skip
_ASKS = (
    "Make the search results keep their order between pages.",
    "The nightly job fails about once a week, find out why.",
    "Split the settings screen into sections.",
    "Add a test for amounts that round half up.",
    "Why is the second page slower than the first?",
    "Rename the parameter everywhere and update the docs.",
)
_COMMANDS = ("rg -n total src", "pytest -q", "git diff --stat", "sed -n 1,120p app.py", "ls -la", "npm test")


class _Cast(NamedTuple):
    """One thread to write. `kind` is user, subagent or guardian; `miss` is the chance of a cache miss."""

    start: datetime
    project: tuple[str, str, tuple[str, ...]]
    model: str
    turns: int
    calls: int
    kind: str = "user"
    context: int = 14_000
    miss: float = 0.05
    tier: str | None = None


def write_demo_home(folder: Path, *, now: datetime, seed: int = 7) -> None:
    """Write some 60 threads of the 45 days before `now` (aware) as a Codex home.

    Two days before `now` stands a cost spike: one thread with a huge context on the dearest model, whose
    cache always missed. Raises BadInput when `folder` is there and not empty, and OSError.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is not empty; name a folder for the demo that does not exist yet.")
    folder.mkdir(parents=True, exist_ok=True)
    rng, account = Random(seed), _Account()
    for number, cast in enumerate(sorted(_plan(rng, now), key=lambda cast: cast.start)):
        thread = _Thread(rng, cast, None, account)
        thread.write(folder, now)
        if cast.miss == 1:
            named = {"id": thread.id, "thread_name": _NAME, "updated_at": _iso(thread.clock)}
            (folder / "session_index.jsonl").write_bytes(_json(named))
        for child in _children(rng, cast, number):
            _Thread(rng, child, thread, account).write(folder, now)


def _plan(rng: Random, now: datetime) -> Iterator[_Cast]:
    """A user's threads: one on every day, a second on some, and the spike."""
    for day in range(DAYS):
        for _ in range(2 if rng.random() < 0.15 else 1):
            nine = (now - timedelta(days=day)).replace(hour=9, minute=0, second=0, microsecond=0)
            start = nine + timedelta(seconds=rng.randrange(8 * 3600))
            if start > now - timedelta(hours=2):  # today's thread has ended by now
                start = now - timedelta(seconds=rng.randrange(5000, 7000))
            project = rng.choice(_PROJECTS)
            model = project[2][rng.random() < 0.3]
            tier = "priority" if rng.random() < 0.12 else None
            yield _Cast(start, project, model, rng.randint(2, 5), rng.randint(5, 11), tier=tier)
    spike = (now - timedelta(days=2)).replace(hour=10, minute=5, second=0, microsecond=0)
    yield _Cast(spike, _PROJECTS[1], "gpt-5.5", 4, 11, context=140_000, miss=1)


def _children(rng: Random, parent: _Cast, number: int) -> Iterator[_Cast]:
    """Two subagents of every twelfth thread, and one guardian's review."""
    start = parent.start + timedelta(seconds=90)
    if number % 12 == 4:
        for nth in range(2):
            began = start + timedelta(seconds=nth)
            yield _Cast(began, parent.project, "gpt-6-luna", 1, rng.randint(4, 8), "subagent", 9_000)
    if number == 30:
        yield _Cast(start, parent.project, parent.model, 1, 1, "guardian", 6_000)


class _Account:
    """An allowance of 1,500 credits in five hours and 1,900 in a week, and what is used of it."""

    def __init__(self) -> None:
        self._used: dict[tuple[int, datetime], float] = {}

    def spend(self, at: datetime, model: str, tokens: Tokens) -> dict[str, Any]:
        """The snapshot that comes with a response."""
        rates, uncached = _CREDITS[model], tokens.input - tokens.cached
        spent = (uncached * rates[0] + tokens.cached * rates[1] + tokens.output * rates[2]) / 1e6
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        five, week = (300, midnight + timedelta(hours=at.hour // 5 * 5)), (10_080, midnight - at.weekday() * _DAY)
        for window in (five, week):
            self._used[window] = self._used.get(window, 0.0) + spent
        primary = _limit(self._used[five] / 15, 300, five[1] + timedelta(hours=5))
        secondary = _limit(self._used[week] / 19, 10_080, week[1] + 7 * _DAY)
        return {"limit_id": "codex", "primary": primary, "secondary": secondary, "plan_type": "pro"}


class _Thread:
    """A rollout being written: the clock and the running sums of one thread."""

    def __init__(self, rng: Random, cast: _Cast, parent: _Thread | None, account: _Account) -> None:
        self.rng, self.cast, self.parent, self.account = rng, cast, parent, account
        self.clock = cast.start
        self.id = _uuid7(rng, cast.start)
        self.turn = self.root = self.first_turn = ""
        self.cwd = f"/home/ada/src/{cast.project[0]}"
        self.lines: list[bytes] = []
        self.context, self.cached = cast.context, 0
        self.total = self.in_turn = self.last = Tokens()

    def write(self, folder: Path, now: datetime) -> None:
        self._meta()
        for nth in range(self.cast.turns):
            if self.clock > now - timedelta(minutes=30):
                break
            self._turn(nth)
        here = self.cast.start
        path = folder / "sessions" / f"{here:%Y/%m/%d}" / f"rollout-{here:%Y-%m-%dT%H-%M-%S}-{self.id}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(self.lines))
        os.utime(path, (self.clock.timestamp(), self.clock.timestamp()))

    def line(self, kind: str, payload: dict[str, Any], seconds: float = 0.0) -> None:
        self.clock += timedelta(seconds=seconds)
        at = {"timestamp": _iso(self.clock), "ordinal": len(self.lines)}
        self.lines.append(_json({**at, "type": kind, "payload": payload}))

    def event(self, kind: str, payload: dict[str, Any], seconds: float = 0.0) -> None:
        self.line("event_msg", {"type": kind, **payload}, seconds)

    def item(self, kind: str, payload: dict[str, Any], seconds: float = 0.0) -> None:
        passed = {"internal_chat_message_metadata_passthrough": {"turn_id": self.turn}}
        self.line("response_item", {"type": kind, **payload, **passed}, seconds)

    def message(self, role: str, text: str, seconds: float = 0.0) -> None:
        part = {"type": "output_text" if role == "assistant" else "input_text", "text": text}
        self.item("message", {"id": f"msg_{len(self.lines)}", "role": role, "content": [part]}, seconds)

    def _meta(self) -> None:
        cast, parent = self.cast, self.parent
        ids = {"session_id": self.id, "id": self.id}
        source: dict[str, Any] = {}
        if parent:
            ids = {"session_id": parent.id, "id": self.id, "parent_thread_id": parent.id}
            spawn = {"parent_thread_id": parent.id, "depth": 1, "agent_path": "/root/look"}
            spawned = {"thread_spawn": {**spawn, "agent_role": "explorer"}}
            source = {"subagent": {"other": "guardian"} if cast.kind == "guardian" else spawned}
        kind = {"guardian": "guardian_review"}.get(cast.kind, cast.kind)
        git = {"commit_hash": _hex(self.rng, 40), "branch": "main", "repository_url": cast.project[1]}
        payload = {**ids, "timestamp": _iso(self.clock), "cwd": self.cwd, **_HEADER}
        self.line("session_meta", {**payload, "source": source or "cli", "thread_source": kind, "git": git})

    def _turn(self, nth: int) -> None:
        cast, rng = self.cast, self.rng
        self.turn, self.in_turn = _uuid7(rng, self.clock), Tokens()
        self.first_turn = self.first_turn or self.turn
        caller = self.parent.first_turn if self.parent else None
        self.root = caller or self.turn
        trigger = {"guardian": "guardian_review", "subagent": "exec"}.get(cast.kind, "user")
        ids = {"turn_id": self.turn, "root_turn_id": self.root}
        about = {**ids, "turn_trigger": trigger, "parent_turn_id": caller}
        began = self.clock
        self.event("task_started", {"turn_attribution": about, **ids, "model_context_window": _WINDOW})
        effort = "low" if cast.kind == "guardian" else rng.choice(("medium", "medium", "high"))
        context = {"cwd": self.cwd, "model": cast.model}
        self.line("turn_context", {**ids, **context, "effort": effort, "summary": "none"})
        settings = {**context, "model_provider_id": "openai", "reasoning_effort": effort}
        settings |= {"service_tier": cast.tier} if cast.tier else {}
        self.event("thread_settings_applied", {"thread_id": self.id, "thread_settings": settings})
        if nth and self.context > _COMPACT_AT and cast.miss < 1:
            self._compact()
        self.message("user", rng.choice(_ASKS), 0.2)
        for call in range(cast.calls):
            self._call(last=call == cast.calls - 1, miss=cast.miss if call else max(cast.miss, 0.25))
        spent = int((self.clock - began).total_seconds() * 1000)
        first = rng.randrange(700, 4000)
        self.event("task_complete", {**ids, "duration_ms": spent, "time_to_first_token_ms": first})
        self.clock += timedelta(seconds=rng.randrange(40, 1200))

    def _call(self, *, last: bool, miss: float) -> None:
        """One response: its item, its usage record, the tool's answer, and the repeated token count."""
        rng, seconds = self.rng, self.rng.uniform(2, 14)
        if last:
            self.message("assistant", "Done; the details are in the diff.", seconds)
            self._record(miss)
        else:
            command, name = rng.choice(_COMMANDS), f"call_{len(self.lines)}"
            call = {"name": "exec_command", "arguments": json.dumps({"cmd": command}), "call_id": name}
            self.item("function_call", call, seconds)
            self._record(miss)
            grown = rng.randrange(300, 5200)
            self._tool(name, command, grown)
            self.context = min(self.context + grown, _FULLEST)
        self._token_count()

    def _tool(self, name: str, command: str, tokens: int) -> None:
        seconds, code = round(self.rng.uniform(0.02, 5), 3), int(self.rng.random() < 0.1)
        took = {"secs": int(seconds), "nanos": int(seconds % 1 * 10**9)}
        done: dict[str, Any] = {"type": "CommandExecution", "id": name, "exit_code": code, "duration": took}
        done |= {"command": ["/bin/bash", "-lc", command], "cwd": f"file://{self.cwd}"}
        done["status"] = "failed" if code else "completed"
        self.event("item_completed", {"thread_id": self.id, "turn_id": self.turn, "item": done}, seconds)
        said = f"Wall time: {seconds} seconds\nProcess exited with code {code}\n"
        said += f"Original token count: {tokens}\nOutput:\n(left out of the demo)"
        self.item("function_call_output", {"call_id": name, "output": said})

    def _record(self, miss: float) -> str:
        rng = self.rng
        cached = 0 if rng.random() < miss else self.cached // 128 * 128
        written = self.context - cached if self.cast.model.startswith("gpt-6") else 0
        output = rng.randrange(60, 1600)
        self.last = Tokens(self.context, cached, written, output, int(output * rng.uniform(0.1, 0.7)))
        self.total, self.in_turn = self.total.plus(self.last), self.in_turn.plus(self.last)
        self.cached, self.context = self.context, self.context + output
        response = f"resp_{_hex(rng, 32)}"
        ids = {"thread_id": self.id, "turn_id": self.turn, "root_turn_id": self.root, "response_id": response}
        sums = {"turn_token_usage": _usage(self.in_turn), "thread_token_usage": _usage(self.total)}
        self.line("token_usage_record", {**ids, "usage": _usage(self.last), **sums})
        return response

    def _token_count(self) -> None:
        limits = self.account.spend(self.clock, self.cast.model, self.last)
        info = {"total_token_usage": _usage(self.total), "last_token_usage": _usage(self.last)}
        seen = {"info": {**info, "model_context_window": _WINDOW}, "rate_limits": limits}
        self.event("token_count", seen, 0.01)

    def _compact(self) -> None:
        self.message("assistant", "Summary of the work so far (left out of the demo).", 8.0)
        response = self._record(0.0)
        self._token_count()
        self.line("compacted", {"message": "(left out of the demo)", "compaction_response_id": response})
        self.context, self.cached = 16_000, 0


def _limit(percent: float, minutes: int, resets: datetime) -> dict[str, Any]:
    at = int(resets.timestamp())
    return {"used_percent": round(min(percent, 100), 1), "window_minutes": minutes, "resets_at": at}


def _usage(tokens: Tokens) -> dict[str, int]:
    names = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens")
    counts = dict(zip((*names, "reasoning_output_tokens"), tokens, strict=True))
    return {**counts, "total_tokens": tokens.input + tokens.output}


def _hex(rng: Random, digits: int) -> str:
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def _uuid7(rng: Random, moment: datetime) -> str:
    """A version 7 UUID: 48 bits of milliseconds, then chance. Codex' ids tell when a thread began."""
    text = f"{int(moment.timestamp() * 1000):012x}7{_hex(rng, 3)}{rng.choice('89ab')}{_hex(rng, 15)}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
