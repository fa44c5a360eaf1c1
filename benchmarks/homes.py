"""Deterministic, realistic Codex homes with exact ledgers.

In: a size (or a number of calls), a seed, a last day. Out: a folder usable as CODEX_HOME plus ``ledger.json``
in it: the totals every right counter must find, by model and by day, the bytes by line kind, and where the
newest file stands so that a benchmark can append to it. Same arguments, same bytes.

    python -m benchmarks.homes --bytes 1GB --out /tmp/home
    python -m benchmarks.homes --calls 1000000 --out /tmp/million
    python -m benchmarks.homes --bytes 5GB --many-files 20000 --out /tmp/many
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import math
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from .appending import tail
from .bodies import Bodies
from .rollouts import STAMP, Identity, Rollout, stamp, uuid7
from .sessions import Ledger, Plan, Session, TurnEnd
from .shapes import Shape, shape_at

FORMAT = 1
"""Raise when the generator changes, so that cached homes are made anew."""
DAY = 86_400_000
COPIED_SHARE = 0.10
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_PROJECTS = ("atlas", "billing", "console", "docs-site", "engine", "frontend", "gateway", "infra")
_EFFORTS = (None, "low", "medium", "medium", "high", "xhigh")


def parse_size(text: str) -> int:
    """``"1.5GB"`` to bytes (powers of ten)."""
    upper = text.strip().upper()
    for unit in sorted(_UNITS, key=len, reverse=True):
        if upper.endswith(unit):
            return int(float(upper.removesuffix(unit)) * _UNITS[unit])
    return int(upper)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a home depends on. Exactly one of ``size`` (bytes) and ``calls`` is given."""

    size: int = 0
    calls: int = 0
    files: int = 0
    """Wanted number of files for ``size``; 0 lets the usual file sizes decide."""
    seed: int = 1
    until: str = "2026-11-20"
    days: int = 120
    max_file: int = 120_000_000

    @property
    def arguments(self) -> list[str]:
        """The recipe as arguments of this module."""
        what = ["--calls", self.calls] if self.calls else ["--bytes", self.size, "--many-files", self.files]
        rest = ["--seed", self.seed, "--until", self.until, "--days", self.days, "--max-file", self.max_file]
        return [str(word) for word in (*what, *rest)]

    @property
    def stem(self) -> str:
        """What kind of home this is."""
        files = f"-{self.files}files" if self.files else ""
        return f"{self.calls}calls" if self.calls else f"{self.size}bytes{files}"

    @property
    def key(self) -> str:
        """A folder name for the cache."""
        digest = hashlib.sha256(repr((FORMAT, asdict(self))).encode()).hexdigest()[:8]
        return f"{self.stem}_{self.until}_{digest}"


@dataclass(slots=True)
class _Written:
    """A finished rollout that later ones may fork from or belong to."""

    path: Path
    who: Identity
    ends: list[TurnEnd]


@dataclass(slots=True)
class _Home:
    """The home while it is being written."""

    recipe: Recipe
    out: Path
    rng: random.Random
    bodies: Bodies
    ledger: Ledger = field(default_factory=Ledger)
    kinds: Counter[str] = field(default_factory=Counter)
    files: int = 0
    newest: tuple[int, dict[str, Any]] = (0, {})
    parents: dict[str, list[_Written]] = field(default_factory=dict)
    UNLIMITED: ClassVar[int] = 10**12

    @property
    def end(self) -> int:
        """The first millisecond after the last day."""
        day = dt.datetime.fromisoformat(self.recipe.until).replace(tzinfo=dt.UTC)
        return int(day.timestamp() * 1000) + DAY

    def fill(self) -> None:
        for start, size, calls in self.planned():
            self.write_planned(start, size, calls)
        while (left := self.recipe.calls - self.ledger.totals.calls) > 0:
            self.write_planned(self.start(left), self.UNLIMITED, left)

    def write_planned(self, start: int, size: int, calls: int) -> None:
        fraction = 1 - (self.end - start) / (self.recipe.days * DAY)
        self.write_session(start, size, calls, shape_at(fraction))

    def planned(self) -> list[tuple[int, int, int]]:
        """(start, bytes, calls) of every session, oldest first. Nobody works much at weekends or at night."""
        plans: list[tuple[int, int, int]] = []
        if self.recipe.calls:
            left = self.recipe.calls
            while left > 0:
                calls = max(5, min(int(self.rng.lognormvariate(math.log(90), 1.1)), 3_000, left))
                left -= calls
                plans.append((self.start(calls), self.UNLIMITED, calls))
        else:
            plans = [(self.start(size // 20_000), size, self.UNLIMITED) for size in self.file_sizes()]
        return sorted(plans)

    def start(self, calls: int) -> int:
        """A moment at which a session of about that many calls may begin and still end in time."""
        length = calls * 18_000 + 600_000
        day = self.rng.randrange(self.recipe.days)
        if (self.end // DAY - self.recipe.days + day + 3) % 7 >= 5 and self.rng.random() < 0.7:
            day = self.rng.randrange(self.recipe.days)
        begin = self.end - self.recipe.days * DAY + day * DAY + int(self.rng.triangular(7, 23, 14) * 3_600_000)
        return min(begin, self.end - length)

    def file_sizes(self) -> list[int]:
        """Log-normal sizes, a few of tens of megabytes, one or two of about 100 MB per gigabyte."""
        total, sigma = self.recipe.size, 1.2
        sizes = [
            self.rng.randint(self.recipe.max_file * 5 // 6, self.recipe.max_file)
            for _ in range(round(total / 10**9))
            if total >= 3 * self.recipe.max_file
        ]
        left = total - sum(sizes)
        mean = left / self.recipe.files if self.recipe.files else 1_700_000
        while left > 0:
            size = int(mean * self.rng.lognormvariate(-sigma * sigma / 2, sigma))
            size = max(30_000, min(size, 40_000_000, max(total // 6, 60_000)))
            sizes.append(size)
            left -= size
        return sizes

    def write_session(self, start: int, size: int, calls: int, shape: Shape) -> None:
        chance = self.rng.random()
        parents = self.parents.setdefault(shape.version, [])
        if parents and shape.copies_on_fork and self.kinds["copied"] < COPIED_SHARE * 1.3 * self.kinds.total():
            parent, end = self.fork_point(parents, size)
            start, kind = end.ms + self.rng.randint(60_000, 3_600_000), "copied fork"
        elif parents and shape.ordinals and chance < 0.12:
            parent, end = self.fork_point(parents, size)
            start, kind = end.ms + self.rng.randint(60_000, 3_600_000), "fork"
        elif parents and shape.turn_ids and chance < 0.3:
            parent = self.rng.choice(parents[-40:])
            end = self.rng.choice(parent.ends)
            start, kind = end.ms + self.rng.randint(1_000, 20_000), "subagent"
            calls, size = min(calls, 150), min(size, 5_000_000)
        else:
            parent, end, kind = None, None, "thread"
        start = min(start, self.end - 600_000)
        thread = uuid7(self.rng, start)
        who = Identity(thread, thread, f"/home/dev/src/{self.rng.choice(_PROJECTS)}")
        if parent and end:
            who.cwd = parent.who.cwd
            if kind == "subagent":
                who.parent, who.session, who.root_turn = parent.who.thread, parent.who.session, end.turn
                if shape.ordinals and chance < 0.2:
                    who.forked_from = parent.who.thread
            else:
                who.forked_from = parent.who.thread
                if kind == "fork":
                    who.forked_ordinal, who.forked_offset = end.ordinal, end.offset
        plan = Plan(size, calls, self.end - 120_000)
        if self.recipe.calls:
            plan = replace(plan, compacted_bytes=(2_000, 4_000))
        self.write_file(start, plan, shape, who, parent, end)

    def fork_point(self, parents: list[_Written], size: int) -> tuple[_Written, TurnEnd]:
        """A turn's end of a recent thread with a prefix that suits a fork of ``size`` bytes."""
        wanted = min(0.65 * size, 8_000_000)
        pairs = [(parent, end) for parent in self.rng.sample(parents, min(12, len(parents))) for end in parent.ends]
        return min(pairs, key=lambda pair: abs(pair[1].offset - wanted))

    def write_file(
        self, start: int, plan: Plan, shape: Shape, who: Identity, parent: _Written | None, end: TurnEnd | None
    ) -> None:
        name = f"rollout-{stamp(start)[:19].replace(':', '-')}-{who.thread}.jsonl"
        archived = start < self.end - 14 * DAY and self.rng.random() < 0.12
        folder = self.out / ("archived_sessions" if archived else f"sessions/{stamp(start)[:10].replace('-', '/')}")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        with path.open("wb", buffering=1 << 20) as out:
            model, effort = self.rng.choice(shape.models), self.rng.choice(_EFFORTS)
            log = Rollout(shape, out, self.rng, self.bodies, who, start, model, effort)
            session = Session(log, plan, self.ledger, self.kinds)
            if end and who.forked_from:
                session.context = end.context
                if not who.parent:
                    log.total, log.last = end.total, end.last
                log.ordinal = who.forked_ordinal
            log.session_meta()
            if parent and end and who.forked_from and not who.forked_ordinal:
                out.flush()
                copy_prefix(log, parent.path, end, usage=not shape.ordinals)
            session.play()
        self.kinds.update(log.kinds)
        self.files += 1
        os.utime(path, (log.now / 1000, log.now / 1000))
        if not who.forked_from and not who.parent:
            self.parents[shape.version].append(_Written(path, who, session.ends))
        if log.now > self.newest[0] and shape.ordinals:
            self.newest = (log.now, tail(path.relative_to(self.out), log))


def copy_prefix(log: Rollout, parent: Path, end: TurnEnd, usage: bool) -> None:
    """Copy the parent's lines up to ``end`` as a fork does: stamped (and numbered) anew.

    ``usage`` false leaves out what newer versions do not copy: usage lines, items, settings.
    """
    with parent.open("rb") as lines:
        data = lines.read(end.offset)
    now = stamp(log.now).encode()
    skipped = (b'"token_usage_record"', b'"event_msg","payload":{"type":"token_count"', b'"type":"item_completed"')
    for line in data.splitlines(keepends=True):
        if usage:
            log.raw("copied", line[: STAMP.start] + now + line[STAMP.stop :])
            continue
        head = line[:200]
        if any(mark in head for mark in skipped) or b"thread_settings_applied" in head:
            continue
        rest = line[line.index(b',"type":', STAMP.stop) :]
        log.raw("copied", b'{"timestamp":"' + now + b'","ordinal":%d' % log.ordinal + rest)
        log.ordinal += 1


def build(recipe: Recipe, out: Path) -> dict[str, Any]:
    """Write the home into the empty or missing folder ``out``; returns the content of its ``ledger.json``."""
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise SystemExit(f"{out} is not empty: choose another folder")
    began = time.perf_counter()
    rng = random.Random(recipe.seed)
    home = _Home(recipe, out, rng, Bodies(rng, 0.03 if recipe.calls else 1.0))
    home.fill()
    total = home.kinds.total()
    facts: dict[str, Any] = {
        "recipe": asdict(recipe),
        "bytes": total,
        "files": home.files,
        "shares": {kind: round(size / total, 4) for kind, size in home.kinds.most_common()},
        **home.ledger.as_json(),
        "newest": home.newest[1],
    }
    (out / "ledger.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    print(
        f"{out}: {total / 1e9:.2f} GB, {home.files} files, {home.ledger.totals.calls} calls "
        f"in {time.perf_counter() - began:.0f} s",
        file=sys.stderr,
    )
    return facts


def cache_folder() -> Path:
    """Where homes and peers are kept between runs: $CODEX_USAGE_BENCH_CACHE or ``benchmarks/.cache``."""
    chosen = os.environ.get("CODEX_USAGE_BENCH_CACHE")
    return Path(chosen) if chosen else Path(__file__).parent / ".cache"


def cached(recipe: Recipe) -> tuple[Path, dict[str, Any]]:
    """The home of this recipe, made if it is not in the cache yet, and its facts.

    Homes of the same kind that end on another day are deleted: they would only fill the disk.
    """
    folder = cache_folder() / "homes"
    home = folder.resolve() / recipe.key
    if not (home / "ledger.json").is_file():
        for old in folder.glob(f"{recipe.stem}_*"):
            shutil.rmtree(old)
        # In a process of its own: what it allocates would count as the memory of every program started later.
        argv = [sys.executable, "-m", "benchmarks.homes", "--out", str(home), *recipe.arguments]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parent.parent)
    facts: dict[str, Any] = json.loads((home / "ledger.json").read_text(encoding="utf-8"))
    return home, facts


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.homes", description=__doc__.splitlines()[0])
    parser.add_argument("--bytes", type=parse_size, default=0, help="size of the logs, such as 1GB")
    parser.add_argument("--calls", type=int, default=0, help="instead of --bytes: this many calls with small bodies")
    parser.add_argument("--many-files", type=int, default=0, metavar="N", help="spread --bytes over about N files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--until", default="2026-11-20", help="last day of the history")
    parser.add_argument("--days", type=int, default=120)
    parser.add_argument("--max-file", type=parse_size, default=120_000_000)
    given = parser.parse_args()
    if bool(given.bytes) == bool(given.calls):
        parser.error("give one of --bytes and --calls")
    recipe = Recipe(given.bytes, given.calls, given.many_files, given.seed, given.until, given.days, given.max_file)
    facts = build(recipe, given.out)
    print(json.dumps({key: facts[key] for key in ("bytes", "files", "shares", "totals")}, indent=1))


if __name__ == "__main__":
    main()
