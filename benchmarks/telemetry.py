"""The receiver of telemetry under more than it will ever get.

In: the command and seconds. Out: ``Row``s. Some exporters send batches of 512 events, all of them of kinds that are
kept, each batch of another conversation, as fast as they are taken; afterwards the events in the file are counted.
"""

from __future__ import annotations

import http.client
import os
import re
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from tests.support.telemetry import THREAD, decision, export, request, response, tool, turn

from .measure import Failed
from .rows import Row, megabytes

BATCH, EXPORTERS, LEAST = 512, 4, 10_000
NOON = 1_795_291_200_000


def received(argv: Sequence[str], seconds: int) -> Iterator[Row]:
    """Events a second that are stored when their exporter is answered, and the memory that this takes."""
    for protobuf in (True, False):
        with tempfile.TemporaryDirectory(prefix="codex-usage-bench-") as folder:
            rate, sent, stored, growth, size, cpu = _sent(argv, Path(folder), protobuf, seconds)
        name = "protobuf" if protobuf else "JSON"
        what = f"telemetry received for {seconds} s, {name}, batches of {BATCH}, {EXPORTERS} exporters"
        yield Row(what, f"≥ {LEAST:,} events a second", f"{rate:,.0f} events a second", "", rate >= LEAST)
        yield Row(f"… processor time of the receiver at {LEAST:,} a second", "–", f"{cpu / sent * LEAST:.0%} of a core")
        yield Row(
            "… events stored", f"{sent:,}", f"{stored:,}; {size / max(1, stored):.0f} bytes each", "", stored == sent
        )
        yield Row("… growth of memory, second half", "≤ 10 MB", megabytes(growth), "", growth <= 10_000_000)


def _sent(argv: Sequence[str], home: Path, protobuf: bool, seconds: int) -> tuple[float, int, int, int, int, float]:
    kinds = (request, response, turn, decision, tool)
    text = {tool: {"output": "a line of output\n" * 20}}
    events = [
        kind(NOON + at, model=f"gpt-5.{at % 3}", **text.get(kind, {}))
        for at in range(BATCH)
        for kind in [kinds[at % 5]]
    ]
    batch = export(*events, protobuf=protobuf)
    env = {**os.environ, "CODEX_USAGE_HOME": str(home), "CODEX_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    server = subprocess.Popen([*argv, "otlp", "--port", "0"], env=env, stdout=subprocess.PIPE, text=True)
    try:
        found = re.search(r":(\d+)/v1/logs", server.stdout.readline() if server.stdout else "")
        if not found:
            raise Failed("the receiver did not say where it listens")
        kind = "application/x-protobuf" if protobuf else "application/json"
        began, idle = time.perf_counter(), _cpu(server.pid)
        end = began + seconds
        with ThreadPoolExecutor(EXPORTERS) as exporters:
            counts = [exporters.submit(_exporter, int(found[1]), kind, batch, n, end) for n in range(EXPORTERS)]
            time.sleep(seconds / 2)
            half = _memory(server.pid)
            sent = sum(count.result() for count in counts)
        spent = time.perf_counter() - began
        growth, cpu = max(0, _memory(server.pid) - half), _cpu(server.pid) - idle
    finally:
        server.terminate()
        server.wait(20)
    with closing(sqlite3.connect(home / "telemetry.sqlite")) as sql:
        stored = sql.execute("SELECT count(*) FROM events").fetchone()[0]
    size = sum(file.stat().st_size for file in home.glob("telemetry.sqlite*"))
    return sent / spent, sent, stored, growth, size, cpu


def _exporter(port: int, kind: str, batch: bytes, number: int, end: float) -> int:
    """Send until a time, each batch when the one before is answered; how many events were."""
    line, sent = http.client.HTTPConnection("127.0.0.1", port, timeout=60), 0
    while time.perf_counter() < end:
        thread = f"{THREAD[:-12]}{number:04x}{sent:08x}".encode()
        line.request("POST", "/v1/logs", batch.replace(THREAD.encode(), thread), {"Content-Type": kind})
        answer = line.getresponse()
        answer.read()
        if answer.status != 200:
            raise Failed(f"the receiver answered {answer.status}")
        sent += BATCH
    line.close()
    return sent


def _cpu(pid: int) -> float:
    spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
