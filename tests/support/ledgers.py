"""Counts builders' logs without an index."""

from __future__ import annotations

from pathlib import Path

from codex_usage.homes import list_logs
from codex_usage.ledger import Family, count_rollout, count_transcript
from codex_usage.model import Call, Counted, LogFile
from tests.support.rollouts import Rollout


def counted(home: Path, *rollouts: Rollout) -> dict[str, Counted]:
    """Write the rollouts (if any) and count every log of the home: thread id to what its log gave."""
    for rollout in rollouts:
        rollout.write(home)
    listing = list_logs((home,), ())
    family = Family(listing.thread_paths())
    found: dict[str, Counted] = {}
    for name in sorted(listing.files):
        file = listing.files[name]
        result = count_rollout(file, 0, b"", family)
        known = found.setdefault(file.thread_id or name, result)
        if known is not result:
            known.calls += result.calls
    return found


def calls_of(home: Path, *rollouts: Rollout) -> list[Call]:
    """Every call of a home by time."""
    found = [call for result in counted(home, *rollouts).values() for call in result.calls]
    return sorted(found, key=lambda call: (call.time_ms, call.position))


def numbers(calls: list[Call]) -> list[tuple[int, int]]:
    """(input, output) of calls."""
    return [(call.tokens.input, call.tokens.output) for call in calls]


def in_steps(file: LogFile, cuts: list[int], family: Family) -> tuple[list[Call], Counted]:
    """Count a log that is seen at each of these sizes in turn: the calls (the last word on each uid stands)
    and the last reading. `file` itself is cut, and whole again at the end."""
    path = Path(file.path)
    whole = path.read_bytes()
    offset, state = 0, b""
    calls: dict[int, Call] = {}
    turns = {}
    windows = []
    skipped: dict[str, int] = {}
    thread = None
    for size in [*sorted(cuts), len(whole)]:
        path.write_bytes(whole[:size])
        step = count_transcript(file, offset, state) if file.provider == "claude" else None
        step = step or count_rollout(file, offset, state, family)
        offset, state, thread = step.offset, step.state, step.thread or thread
        calls.update((call.uid, call) for call in step.calls)
        turns.update((turn.key, turn) for turn in step.turns)
        windows += step.windows
        for kind, count in step.skipped.items():
            skipped[kind] = skipped.get(kind, 0) + count
    last = Counted(offset, state, thread, list(calls.values()), list(turns.values()), windows, skipped=skipped)
    return last.calls, last
