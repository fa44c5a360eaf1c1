"""Runs refreshes in children of a process of its own: `python -m tests.support.many HOME kill|crowd COUNT`.

Forked here, where there are no threads, a child starts in a millisecond; the tests' own process could not
fork safely. Prints a line of JSON: how many children ended by themselves, were killed, and failed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from codex_usage.homes import Places
from codex_usage.index import open_index, refresh
from codex_usage.money import Prices
from tests.support.index import LIMITS, clean_build, places_of, snapshot_of


def main() -> None:
    """See the module's docstring."""
    home, what, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    places = places_of(home)
    Prices().rate("codex", "gpt-5.5", None, 0)  # the slow import, once for all children
    print(json.dumps(kill(places, count) if what == "kill" else crowd(places, count)))


def kill(places: Places, count: int) -> dict[str, int]:
    """Kill refreshes at random moments; whenever one comes through, its index is that of a clean build."""
    chance = random.Random(7)
    clean = clean_build(places)
    LIMITS.BATCH_BYTES = 48 << 10
    whole = min(timed(places) for _ in range(3))
    seen = {"ended": 0, "killed": 0, "wrong": 0}
    while seen["killed"] < count:
        if wait_for(child(lambda: once(places)), chance.uniform(0, whole)):
            seen["ended"] += 1
            seen["wrong"] += snapshot_of(places) != clean
            forget(places)
            LIMITS.BULK_BYTES = chance.choice((16 << 10, 48 << 20))
        else:
            seen["killed"] += 1
    once(places)
    seen["wrong"] += snapshot_of(places) != clean
    return seen


def crowd(places: Places, count: int) -> dict[str, int]:
    """Many refreshes of one new index at once."""
    LIMITS.BATCH_BYTES = 48 << 10
    children = [child(lambda: once(places)) for _ in range(count)]
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in children)
    return {"failed": failed, "wrong": int(snapshot_of(places) != clean_build(places))}


def timed(places: Places) -> float:
    """How long a first refresh takes."""
    forget(places)
    began = time.monotonic()
    wait_for(child(lambda: once(places)), None)
    return time.monotonic() - began


def forget(places: Places) -> None:
    """Remove the index."""
    for path in places.index.parent.glob("index.sqlite*"):
        path.unlink()


def once(places: Places) -> None:
    """One whole refresh."""
    with open_index(places.index) as index:
        refresh(index, places)


def child(work: Callable[[], None]) -> int:
    """Do something in a forked process; its id."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid


def wait_for(pid: int, seconds: float | None) -> bool:
    """Wait so long for a child (None: until it ends), then kill it; True when it had ended by itself."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    if seconds is not None:
        signal.sigtimedwait({signal.SIGCHLD}, seconds)
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    while signal.sigtimedwait({signal.SIGCHLD}, 0) is not None:
        pass
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("a refresh failed")
    return os.WIFEXITED(status)


if __name__ == "__main__":
    main()
