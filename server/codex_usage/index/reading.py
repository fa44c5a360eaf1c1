"""Reads the logs of a refresh, one by one or in several processes: jobs in, what each log gave out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codex_usage.homes.platform import read_ahead
from codex_usage.ledger import Family, count_records, count_rollout, count_transcript
from codex_usage.logs import head_hash, tail_hash
from codex_usage.model import Counted, LogFile
from codex_usage.money.catalog import catalog

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

#: Logs given to the workers at a time: enough to keep them busy, few enough that few answers wait in memory.
_AHEAD = 6


class Job(msgspec.Struct, array_like=True):
    """One log to read, from a cursor on."""

    file_id: int
    file: LogFile
    offset: int
    state: bytes


class Done(msgspec.Struct, array_like=True):
    """One log read: what it gave, or why it could not be read."""

    file: LogFile
    counted: Counted | None
    head: bytes = b""
    tail: bytes = b""
    problem: str | None = None


def read_logs(jobs: list[Job], family: Family, pool: ProcessPoolExecutor | None) -> Iterator[tuple[Job, Done]]:
    """Read logs here, in their order, or in a pool's processes (begun with `start_worker`), in any order."""
    if pool is None:
        for at, job in enumerate(jobs):
            for other in jobs[at + 23 : at + 24] if at else jobs[:24]:
                _announce(other)
            yield job, _count(job, family)
        return
    from concurrent.futures import FIRST_COMPLETED, wait

    # long logs first, so that no worker is left with one at the end
    left = iter(sorted(jobs, key=lambda job: job.offset - job.file.size))
    waiting: dict[Future[bytes], Job] = {}
    while True:
        for job in islice(left, _AHEAD - len(waiting)):
            waiting[pool.submit(_count_packed, msgspec.msgpack.encode(job))] = job
        if not waiting:
            return
        catalog()  # a slow import, while the workers read their first logs
        for answer in wait(waiting, return_when=FIRST_COMPLETED).done:
            yield waiting.pop(answer), msgspec.msgpack.decode(answer.result(), type=Done)


def _announce(job: Job) -> None:
    """Tell the system that a log will be read soon (0.71 -> 0.49 s a gigabyte with a cold cache)."""
    with suppress(OSError), open(job.file.path, "rb", buffering=0) as file:
        read_ahead(file.fileno(), job.offset)


def _count(job: Job, family: Family) -> Done:
    """Read one log; the size and time kept with its cursor are those from before the reading."""
    file = job.file
    try:
        stat = Path(file.path).stat()
        file = msgspec.structs.replace(file, size=stat.st_size, mtime_ns=stat.st_mtime_ns, inode=stat.st_ino)
        if file.provider == "codex":
            counted = count_rollout(file, job.offset, job.state, family)
        elif file.provider == "claude":
            counted = count_transcript(file, job.offset, job.state)
        else:
            counted = count_records(file.path, job.offset, family)
            file = msgspec.structs.replace(file, size=counted.offset)  # the next part is read like what was appended
        mark = 0 if file.compressed else counted.offset
        return Done(file, counted, head_hash(file.path, mark), tail_hash(file.path, mark))
    except FileNotFoundError:
        return Done(file, None)  # moved while we looked: the next refresh sees where it went
    except OSError as error:
        return Done(file, None, problem=f"cannot read {file.path}: {error.strerror}")


_FAMILY = Family({})


def start_worker(paths: dict[str, str]) -> None:
    """Tell a worker process which threads have logs."""
    global _FAMILY
    _FAMILY = Family(paths)


def _count_packed(packed: bytes) -> bytes:
    return msgspec.msgpack.encode(_count(msgspec.msgpack.decode(packed, type=Job), _FAMILY))
