"""Evidence from logs that something happened to: a clear sentence or an entry without words, never a wait or a leak."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_usage.answers.calls import call_id
from codex_usage.evidence.context import call_context
from codex_usage.evidence.results import Evidence
from codex_usage.index import open_index
from codex_usage.model import BadInput
from tests.support.index import places_of, refreshed
from tests.support.rollouts import Rollout

ROOT = Path(__file__).resolve().parents[2]
WORD = "kanarie"


def told(home: Path, place: int = -1) -> Evidence:
    """The evidence of one of a home's calls, by its place in time, from the index as it is."""
    places = places_of(home)
    with open_index(places.index) as index:
        uids = [row[0] for row in index.sql.execute("SELECT uid FROM calls ORDER BY time_ms")]
        return call_context(index, places, call_id(uids[place]), mode="full", tool_output=True, compaction_history=True)


def talk() -> Rollout:
    """A call whose log says the word."""
    content = [{"type": "input_text", "text": f"{WORD} says"}]
    return Rollout().turn().item("message", role="user", content=content).call(input=100, output=7)


def _loop(path: Path) -> None:
    path.with_name("back").symlink_to(path)
    path.symlink_to(path.with_name("back"))


REPLACED: dict[str, Callable[[Path], object]] = {
    "a pipe": lambda path: os.mkfifo(path),
    "a folder": lambda path: path.mkdir(),
    "a link to itself": _loop,
    "a device without end": lambda path: path.symlink_to("/dev/zero"),
    "nothing": lambda path: None,
    "another file": lambda path: path.write_bytes(b'{"type":"response_item"}\n' * 99),
    "an empty file": lambda path: path.touch(),
}


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are those of POSIX")
@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", REPLACED)
def test_what_stands_in_the_place_of_a_log_is_told_in_one_sentence(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = talk().write(home)
    refreshed(places_of(home))
    assert WORD in told(home).model_dump_json()
    path.unlink()
    REPLACED[name](path)
    with pytest.raises(BadInput, match=r"^Cannot read .*; restore it, run codex-usage refresh and try again\.$"):
        told(home)
    refreshed(places_of(home))  # and reading the logs goes on without it


def test_a_compressed_log_that_was_cut_anywhere_shows_all_of_a_call_or_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = talk().turn().call(input=300, output=9).write(home, zst=True)
    refreshed(places_of(home))
    whole, data = told(home, 0), path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at])
        with pytest.raises(BadInput, match="Cannot read"):
            told(home, 0)
    path.write_bytes(data)
    assert told(home, 0) == whole
    assert WORD in whole.model_dump_json()


PROBE = """
import resource, sys
from pathlib import Path
from tests.hostile.test_context import told
shown = told(Path(sys.argv[1]))
assert len(shown.model_dump_json()) < 20_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, *(entry.kind for entry in shown.entries))
"""


def probed(home: Path) -> tuple[int, list[str]]:
    """The most memory that the evidence took in a process of its own, in kilobytes, and the kinds of its entries."""
    command, path = [sys.executable, "-c", PROBE, str(home)], os.pathsep.join(sys.path)
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, timeout=100, check=True
    )
    memory, *kinds = done.stdout.decode().split()
    return int(memory), kinds


def test_a_line_of_half_a_gigabyte_between_the_bounds_costs_its_entry_and_no_memory(tmp_path: Path) -> None:
    small, large = tmp_path / "small" / "home", tmp_path / "large" / "home"
    log = talk()
    path, end = log.write(large), len(log.bytes)
    log.call(input=200, output=9).write(small)
    with path.open("r+b") as file:
        file.seek(end)
        file.write(f'{{"type":"response_item","payload":{{"type":"message","role":"user","content":"{WORD}'.encode())
        file.seek(500 << 20, os.SEEK_CUR)  # a hole: the line is long without being written
        file.write(b'"}}\n' + log.bytes[end:])
    for home in (small, large):
        refreshed(places_of(home))
    usual, much = probed(small), probed(large)
    assert sorted(much[1]) == sorted([*usual[1], "unreadable"])
    assert much[0] < usual[0] + 60_000
    shown = told(large)
    assert shown.groups["other"] > 500 << 20
    assert WORD not in shown.model_dump_json()
