"""Times whole processes: wall clock, processor time, peak memory; paired and alternating.

In: commands. Out: ``Run``s and their ``Spread``. Peak memory is the kernel's ``ru_maxrss`` of the child and
of the children it waited for (the largest of them). The kernel also counts the moment before ``exec``: this
process is the floor of every figure, so it must stay small.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO


class Failed(RuntimeError):  # noqa: N818 - it reads as a verdict
    """A measured command did not succeed; the message says which and its last words."""


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: seconds, and bytes of memory at its peak."""

    wall: float
    cpu: float = 0.0
    peak: int = 0


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def quantile(self, share: float) -> float:
        """The smallest value that at least ``share`` of all do not exceed."""
        ordered = sorted(self.values)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    def ratio(self, other: Spread) -> float:
        """Median of the ratios of pairs measured in the same round."""
        return statistics.median(a / b for a, b in zip(self.values, other.values, strict=True))


@dataclass(slots=True)
class Command:
    """A program with its environment."""

    argv: Sequence[str]
    env: Mapping[str, str]
    timeout: float = 1800.0

    def __call__(self, *more: str, stdout: IO[bytes] | None = None) -> Run:
        """Run to the end. Raises ``Failed`` if it exits with anything but 0."""
        with tempfile.TemporaryFile() as errors:
            began = time.perf_counter()
            child = subprocess.Popen(
                [*self.argv, *more],
                env=dict(self.env),
                stdin=subprocess.DEVNULL,
                stdout=stdout or subprocess.DEVNULL,
                stderr=errors,
            )
            alarm = threading.Timer(self.timeout, child.kill)
            alarm.start()
            try:
                _, status, usage = os.wait4(child.pid, 0)
            finally:
                alarm.cancel()
            wall = time.perf_counter() - began
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                errors.seek(0)
                words = errors.read().decode("utf-8", "replace").strip()[-400:]
                raise Failed(f"{' '.join([*self.argv, *more])} exited with {child.returncode}: {words}")
        return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)

    def output(self, *more: str) -> tuple[Run, bytes]:
        """Run to the end and keep what it printed."""
        with tempfile.TemporaryFile() as out:
            run = self(*more, stdout=out)
            out.seek(0)
            return run, out.read()


@dataclass(slots=True)
class Rounds:
    """All runs of several contenders."""

    runs: dict[str, list[Run]] = field(default_factory=dict)

    def wall(self, name: str) -> Spread:
        return Spread(tuple(run.wall for run in self.runs[name]))

    def peak(self, name: str) -> Spread:
        return Spread(tuple(run.peak for run in self.runs[name]))


def alternate(contenders: Mapping[str, Callable[[], Run]], rounds: int, warm: int = 1) -> Rounds:
    """Run every contender once per round, in turn (A B A B), after ``warm`` uncounted rounds."""
    result = Rounds({name: [] for name in contenders})
    for number in range(-warm, rounds):
        for name, contender in contenders.items():
            run = contender()
            if number >= 0:
                result.runs[name].append(run)
    return result


def family_peak(command: Command, *more: str, every: float = 0.02) -> int:
    """Peak memory (PSS) of the process and all its descendants together, sampled; 0 off Linux."""
    with tempfile.TemporaryFile() as scrap:
        child = subprocess.Popen([*command.argv, *more], env=dict(command.env), stdout=scrap, stderr=scrap)
        peak = 0
        while child.poll() is None:
            peak = max(peak, sum(_pss(pid) for pid in _family(child.pid)))
            time.sleep(every)
    return peak


def _family(root: int) -> list[int]:
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        try:
            text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        except OSError:
            continue
        queue.extend(int(word) for word in text.split())
    return found


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
