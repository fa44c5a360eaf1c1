"""What a recorded home must add up to: every call the provider billed, and whether the home shows it.

In: ledger rows and a CODEX_HOME. Out: the content of a case's expected.json. A call is recoverable when the
home holds evidence of it: the token_usage_record with its response id, or a token_count line whose last
usage is its vector. One line is evidence of one call, so equal figures are told apart. This looks for known
calls in the log; it is no counting rule, and so can judge one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from tests.lab.ledger import Request

Vector = tuple[int, int, int, int]
PARTS = ("input", "cached", "output", "reasoning")
FIELDS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One usage figure in a log: `owner` is the thread of the file, `key` the response id or the place."""

    owner: str
    key: str
    vector: Vector
    cache_write: int | None
    file: str
    line: int
    source: str


def ledger_rows(requests: Sequence[Request]) -> list[dict[str, Any]]:
    """The billed calls of a mock's ledger, as expected.json has them but for what the logs say."""
    rows = []
    for request in requests:
        if used := request.billed:
            about = {"n": request.number, "model": request.model, "effort": request.effort, "route": request.role}
            about |= {"subagent": request.headers.get("x-openai-subagent"), "thread": request.thread_id}
            figures = {"input": used.input, "cached": used.cached, "cache_write": used.cache_write}
            figures |= {"output": used.output, "reasoning": used.reasoning}
            rows.append({**about, **figures, "response_id": request.response_id})
    return rows


def expected(case: str, about: str, rows: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """The content of expected.json for the case in `folder` whose home is `folder/codex_home`."""
    left = {found.key: found for path in rollouts(folder) for found in evidence(path, folder)}
    calls = []
    for row in rows:
        proof = match(row, list(left.values()))
        if proof:
            del left[proof.key]
        where = {"file": proof.file, "line": proof.line, "source": proof.source} if proof else {}
        logged = {"logged_cache_write": proof.cache_write} if proof else {}
        calls.append({**row, "recoverable": proof is not None, **logged, **where})
    shown = [call for call in calls if call["recoverable"]]
    totals = {"billed": total(calls), "recoverable": total(shown)}
    counts = {"billed_calls": len(calls), "recoverable_calls": len(shown)}
    return {"case": case, "about": about, **totals, **counts, "calls": calls}


def match(row: dict[str, Any], left: list[Evidence]) -> Evidence | None:
    """The evidence of one call: its response id, else its vector in its own thread's file, else in any."""
    figures = tuple(row[part] for part in PARTS)
    named = [found for found in left if found.key == row["response_id"]]
    alike = [found for found in left if found.source == "tc" and found.vector == figures]
    nearest = sorted(alike, key=lambda found: found.owner != row["thread"])
    return next(iter(named + nearest), None)


def rollouts(folder: Path) -> list[Path]:
    """The rollout files of a case, compressed ones included."""
    return sorted((folder / "codex_home").rglob("rollout-*.jsonl*"), key=lambda path: path.name)


def evidence(path: Path, folder: Path) -> Iterator[Evidence]:
    """The usage figures of one file, less the token counts that repeat the count or record before them."""
    owner, recorded, before = "", set[Vector](), None
    for number, line in enumerate(read(path).splitlines(), 1):
        entry = json.loads(line)
        payload = entry.get("payload") or {}
        place = (str(path.relative_to(folder)), number)
        if entry.get("type") == "session_meta":
            owner = owner or payload["id"]
        elif entry.get("type") == "token_usage_record":
            used, key = payload["usage"], payload["response_id"]
            recorded.add(vector(used))
            yield Evidence(owner, key, vector(used), used.get("cache_write_input_tokens"), *place, "rec")
        elif payload.get("type") == "token_count" and payload.get("info"):
            used, now = payload["info"]["last_token_usage"], vector(payload["info"]["total_token_usage"])
            if now != before and any(vector(used)) and vector(used) not in recorded:
                key = f"{path.name}:{number}"
                yield Evidence(owner, key, vector(used), used.get("cache_write_input_tokens"), *place, "tc")
            before = now
            recorded.clear()


def read(path: Path) -> str:
    """The text of a rollout, plain or compressed."""
    if path.suffix != ".zst":
        return path.read_text(encoding="utf-8")
    return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()).decode()


def vector(usage: dict[str, Any]) -> Vector:
    """The four figures all versions log."""
    first, second, third, fourth = (int(usage.get(name) or 0) for name in FIELDS)
    return first, second, third, fourth


def total(calls: list[dict[str, Any]]) -> dict[str, int]:
    """The sums of the four figures."""
    return {part: sum(call[part] for call in calls) for part in PARTS}
