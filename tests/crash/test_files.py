"""Whatever happens to the logs between two refreshes, the index ends as one built at once."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import zstandard
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.support.index import clean_build, places_of, refreshed, snapshot_of
from tests.support.rollouts import NOON, Rollout

VERSIONS = st.sampled_from(["0.36.0", "0.58.0", "0.98.0", "0.130.0", "0.147.0", "0.169.0"])


class Logs(RuleBasedStateMachine):
    """A home whose logs are written, cut, replaced, moved, compressed, deleted and restored."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="codex-usage-logs-"))
        self.home = self.folder / "home"
        self.home.mkdir()
        self.places = places_of(self.home)
        self.now = NOON
        self.logs: list[Rollout] = []
        self.saved: list[tuple[Path, bytes]] = []
        self.ticks = 0

    def teardown(self) -> None:
        try:
            self.look()
        finally:
            shutil.rmtree(self.folder)

    def changed(self, path: Path) -> None:
        """Give a file a time of its own: the clock of a file system may stand still for milliseconds."""
        self.ticks += 1
        os.utime(path, ns=(NOON * 1_000_000, NOON * 1_000_000 + self.ticks))

    def paths(self) -> list[Path]:
        return sorted(self.home.rglob("rollout-*"))

    def pick(self, data: st.DataObject, *, plain: bool = False) -> Path | None:
        """One of the logs on disk, or None."""
        paths = [path for path in self.paths() if not plain or path.suffix == ".jsonl"]
        return data.draw(st.sampled_from(paths)) if paths else None

    # -- what Codex does --------------------------------------------------------------------------------

    @rule(version=VERSIONS, calls=st.integers(0, 3))
    def begin(self, version: str, calls: int) -> None:
        self.now += 60_000
        log = Rollout(version, now=self.now).turn()
        for number in range(calls):
            log.call(input=100 + number, output=7)
        self.changed(log.write(self.home))
        self.logs.append(log)

    @precondition(lambda self: self.logs)
    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        log = data.draw(st.sampled_from(self.logs))
        log.now = self.now = self.now + 1000
        self.changed(log.turn().call(input=data.draw(st.integers(1, 3)) * 100, output=7).write(self.home))

    @precondition(lambda self: self.logs)
    @rule(data=st.data())
    def fork(self, data: st.DataObject) -> None:
        parent = data.draw(st.sampled_from(self.logs))
        self.now += 60_000
        child = parent.copy().wait(self.now - parent.now).fork().wait(1000).turn().call(input=300, output=11)
        self.changed(child.write(self.home))
        self.logs.append(child)

    @rule(data=st.data())
    def archive_or_bring_back(self, data: st.DataObject) -> None:
        if path := self.pick(data):
            day = self.home / "sessions" / "2026" / "11" / "21"
            folder = day if path.parent.name == "archived_sessions" else self.home / "archived_sessions"
            folder.mkdir(parents=True, exist_ok=True)
            path.replace(folder / path.name)

    @rule(data=st.data(), keep=st.booleans())
    def compress(self, data: st.DataObject, keep: bool) -> None:
        if path := self.pick(data, plain=True):
            packed = zstandard.ZstdCompressor().compress(path.read_bytes())
            other = path.with_name(path.name + ".zst")
            other.write_bytes(packed)
            self.changed(other)
            if not keep:
                path.unlink()

    # -- what else happens to files ---------------------------------------------------------------------

    @rule(data=st.data())
    def cut_off(self, data: st.DataObject) -> None:
        if path := self.pick(data, plain=True):
            os.truncate(path, data.draw(st.integers(0, path.stat().st_size)))
            self.changed(path)

    @rule(data=st.data())
    def half_write_a_line(self, data: st.DataObject) -> None:
        if (path := self.pick(data, plain=True)) and self.logs:
            line = data.draw(st.sampled_from(self.logs)).lines[-1]
            with path.open("ab") as file:
                file.write(line[: data.draw(st.integers(1, len(line)))])
            self.changed(path)

    @rule(data=st.data(), in_place=st.booleans())
    def replace_with_as_many_bytes(self, data: st.DataObject, in_place: bool) -> None:
        if path := self.pick(data, plain=True):
            content = path.read_bytes().replace(b'"input_tokens":1', b'"input_tokens":2')
            if in_place:
                path.write_bytes(content)
            else:
                other = path.with_name("new")
                other.write_bytes(content)
                other.replace(path)
            self.changed(path)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        if path := self.pick(data):
            self.saved.append((path, path.read_bytes()))
            path.unlink()

    @precondition(lambda self: self.saved)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        path, content = self.saved.pop(data.draw(st.integers(0, len(self.saved) - 1)))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.changed(path)

    # -- and what must hold -----------------------------------------------------------------------------

    @rule()
    def refresh(self) -> None:
        refreshed(self.places)

    @rule()
    def look(self) -> None:
        refreshed(self.places)
        ours, clean = snapshot_of(self.places), clean_build(self.places)
        assert ours == clean, differing(ours, clean)


def differing(ours: dict[str, list[Any]], clean: dict[str, list[Any]]) -> dict[str, Any]:
    """The rows in which two pictures differ."""
    return {
        table: (
            [row for row in ours[table] if row not in clean[table]],
            [row for row in clean[table] if row not in ours[table]],
        )
        for table in ours
        if ours[table] != clean[table]
    }


TestLogs = Logs.TestCase
TestLogs.settings = settings(
    max_examples=80, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
