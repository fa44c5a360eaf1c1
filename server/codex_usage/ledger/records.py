"""The counting rule for our own records: a thread counts from the best that shows it, wherever that came from.

A log of Codex or Claude Code is better than what an app-server said, and that better than what a terminal showed. Of
two streams of one thread, each turn counts from the one that showed more of it, and a terminal's totals, which go on
from one to the next, from the one with the greatest (docs/explanation/counting.md).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import chain
from pathlib import Path

from msgspec.structs import astuple, replace

from codex_usage.homes.projects import hashed_remote
from codex_usage.ledger.parents import BUNDLES, Family
from codex_usage.ledger.rows import count_uid
from codex_usage.logs import uuid_ms
from codex_usage.logs.records import HEADER, NOUNS, RECORD, VERSION, Header, Record, Seen, lines, write_records
from codex_usage.logs.rollout import BAD
from codex_usage.model.nouns import VIAS, Call, Counted, Thread, Tokens, kind_of

#: What is read of a bundle at a time, so that one of any size costs little memory.
MOST_BYTES = 16 << 20
#: How a file's name begins that holds totals of a thread which the terminal did not name.
UNNAMED = "~terminal-unnamed-"
_NAME = re.compile(r"[\w-]{1,80}", re.ASCII)


def count_records(path: str, offset: int, family: Family) -> Counted:
    """Read our own records from `offset` on; of a long file only a part, up to `Counted.offset`. What a better source
    shows of the same thread is left out. Raises OSError."""
    out, kind = _read(path, offset), kind_of(Path(path).name)
    shown = family.vias(path) if kind == "bundle" else {one.id: VIAS.index(kind or "log") for one in out.threads}
    if worse := {thread for thread, via in shown.items() if family.best(thread) < via}:
        out.skip("better_log")
        out.calls = [call for call in out.calls if call.thread_id not in worse]
        out.turns = [turn for turn in out.turns if turn.thread_id not in worse]
        out.windows = out.windows if kind == "bundle" else []
    out.depends_on = {*shown, *([BUNDLES] if any(shown.values()) else [])}
    out.thread = next(iter(out.threads), None) if kind != "bundle" else None
    return out


def _read(path: str, offset: int) -> Counted:
    out = Counted(offset, b"")
    for end, line in lines(path, offset):
        try:
            if not out.offset:
                out.source = HEADER.decode(line).source
            else:
                record = RECORD.decode(line)
                out.skipped |= record.skipped or {}
                for name in NOUNS:
                    if (one := getattr(record, name)) is not None:
                        getattr(out, f"{name}s").append(one)
        except BAD:
            out.skip("bad_json")
        out.offset = end
        if end - offset > MOST_BYTES:
            break
    return out


def keep(folder: Path, kind: str, source: str, seen: Seen, at_ms: int) -> Path:
    """Write what a stream (`kind` of VIAS) showed of a thread, joined with what was kept of it before, as a file that
    the next refresh counts; the same again changes nothing. A call without a time gets that of its turn or thread, else
    `at_ms`. Raises BadInput."""
    seen = _identified(seen, at_ms)
    path = folder / f"~{kind}-{seen.thread.id}.jsonl"
    known = _read(str(path), 0) if path.is_file() else Counted(0, b"")
    before = [Seen(thread, known.calls, known.turns, known.windows, known.skipped) for thread in known.threads]
    after = _joined(before[0], seen, kind) if before else seen
    if [after] != before:
        first = Record(thread=after.thread, via=kind, skipped=after.skipped)  # type: ignore[arg-type]
        rows = (Record(**{name: one}) for name in NOUNS[2:] for one in getattr(after, f"{name}s"))
        header = Header(VERSION, kind, source, at_ms, len(after.calls))  # type: ignore[arg-type]
        write_records(path, header, chain([first], rows))
    return path


def _joined(known: Seen, new: Seen, kind: str) -> Seen:
    """Both streams of a thread as one; what was known first stays where the new one tells no more."""
    calls: dict[str | None, list[Call]] = {}
    for stream in (known, new):
        turns = defaultdict[str | None, list[Call]](list)
        for call in stream.calls:
            turns[call.turn_key if kind == "app-server" else None].append(call)
        calls |= {key: max(calls.get(key, []), some, key=_size) for key, some in turns.items()}
    told = {turn.key: turn for turn in sorted(new.turns + known.turns, key=lambda turn: turn.ended_ms is not None)}
    head = (a if b is None else b for a, b in zip(astuple(known.thread), astuple(new.thread), strict=True))
    windows = list(dict.fromkeys(known.windows + new.windows))
    return Seen(Thread(*head), list(chain(*calls.values())), [*told.values()], windows, known.skipped | new.skipped)


def _size(calls: list[Call]) -> tuple[int, int]:
    return sum(call.tokens.input + call.tokens.output for call in calls), len(calls)


def _identified(seen: Seen, at_ms: int) -> Seen:
    """With ids that are the same in a longer version of the stream: of a call by its thread, turn and place in that; of
    a thread that is not named, by its first numbers. A remote is kept as its hash."""
    name = seen.thread.id
    if not _NAME.fullmatch(name):
        numbers = seen.calls[0].tokens if seen.calls else Tokens()
        name = f"unnamed-{count_uid(name, '', numbers, numbers):016x}"
    places, calls = Counter[str | None](), []
    for call in seen.calls:
        key, place = call.turn_key, places[call.turn_key]
        uid = count_uid(name, f"{key}|{place}", Tokens(), Tokens())
        time_ms, first = call.time_ms or uuid_ms(key) or uuid_ms(name) or at_ms, place == 0 and key is not None
        calls.append(replace(call, uid=uid, thread_id=name, time_ms=time_ms, turn_first=first))
        places[key] += 1
    thread = replace(seen.thread, id=name, remote=hashed_remote(seen.thread.remote))
    return Seen(thread, calls, [replace(turn, thread_id=name) for turn in seen.turns], seen.windows, seen.skipped)
