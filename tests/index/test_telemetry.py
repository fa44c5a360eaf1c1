"""The file of telemetry: what comes again changes nothing, what is forgotten leaves no byte, no rebuild drops it."""

from __future__ import annotations

import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_usage.answers.context import quantile
from codex_usage.index import Filters, Scope, empty, open_index
from codex_usage.index.telemetry import Heard, add_events, forget_events, heard, open_telemetry, telemetry_path
from codex_usage.logs.otlp import Event, read_export
from codex_usage.model import BadInput, IndexBusy, IndexTooNew
from tests.support.rollouts import NOON
from tests.support.telemetry import export, request, response, start, tool, turn

DAY = 86_400_000
EVENTS = [make(NOON + at, model=f"gpt-5.{at}") for at in range(3) for make in (start, request, response, tool)]


def events(*said: dict[str, Any]) -> list[Event]:
    """Events as they are decoded."""
    return read_export(export(*said), False, b"k" * 32)


def keep(index: Path, *said: dict[str, Any]) -> int:
    """Keep events beside an index; how many were new."""
    with open_telemetry(telemetry_path(index)) as found:
        return add_events(found, events(*said))


def stored(index: Path) -> list[tuple[Any, ...]]:
    """All that is stored of events."""
    with closing(sqlite3.connect(telemetry_path(index))) as sql:
        text = "SELECT * FROM events e JOIN labels l ON l.id = e.label_id ORDER BY time_ms, identity"
        return sql.execute(text).fetchall()


def told(index: Path, **filters: str) -> Heard | None:
    """What is told of all time."""
    return heard(telemetry_path(index), index, Scope(), Filters(**filters), str)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """An empty index."""
    path = tmp_path / "data" / "index.sqlite"
    open_index(path).close()
    return path


def test_what_is_received_twice_is_kept_once(index: Path) -> None:
    assert keep(index, *EVENTS) == len(EVENTS)
    before = stored(index)
    assert keep(index, *EVENTS, *EVENTS) == 0
    assert stored(index) == before


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(EVENTS), max_size=8), max_size=6))
def test_neither_order_nor_batches_matter(tmp_path_factory: pytest.TempPathFactory, batches: list[Any]) -> None:
    """Any batches, with copies and in any order, end in what one batch of the same events does."""
    folder = tmp_path_factory.mktemp("telemetry")
    for batch in batches:
        keep(folder / "many" / "index.sqlite", *batch)
    keep(folder / "many" / "index.sqlite")
    keep(folder / "one" / "index.sqlite", *[one for one in EVENTS if any(one in batch for batch in batches)])
    assert stored(folder / "many" / "index.sqlite") == stored(folder / "one" / "index.sqlite")


def test_only_its_owner_can_read_the_file(index: Path) -> None:
    keep(index, *EVENTS)
    with open_telemetry(telemetry_path(index)) as found:
        found.sql.execute("SELECT count(*) FROM events").fetchone()
        files = list(index.parent.glob("telemetry.sqlite*"))
        assert len(files) == 3
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_new_index_leaves_it_as_it_is(index: Path) -> None:
    keep(index, *EVENTS)
    with open_index(index) as found:
        empty(found)
    assert len(stored(index)) == len(EVENTS)


def test_a_file_of_a_newer_version_is_left_alone(index: Path) -> None:
    keep(index, *EVENTS)
    with closing(sqlite3.connect(telemetry_path(index))) as sql:
        sql.execute("PRAGMA user_version = 99")
    with pytest.raises(IndexTooNew, match="newer"):
        keep(index, *EVENTS)
    assert len(stored(index)) == len(EVENTS)


def test_an_index_is_not_taken_for_telemetry(index: Path) -> None:
    index.rename(telemetry_path(index))
    with pytest.raises(Exception, match="not a codex-usage index"):
        keep(index, *EVENTS)


def test_a_writer_that_waits_for_another_says_so(index: Path) -> None:
    path = telemetry_path(index)
    with open_telemetry(path) as one, open_telemetry(path) as other, one.write(), pytest.raises(IndexBusy):
        add_events(other, events(*EVENTS), wait=0.01)


def test_what_is_forgotten_stays_so_and_leaves_no_byte(index: Path) -> None:
    old, new = start(NOON, terminal__type="old-terminal"), start(NOON + DAY, terminal__type="new-terminal")
    keep(index, old, new)
    forget_events(telemetry_path(index), NOON + 1)
    assert keep(index, old, new) == 0
    bytes_left = b"".join(file.read_bytes() for file in index.parent.glob("telemetry.sqlite*"))
    assert b"old-terminal" not in bytes_left
    assert b"new-terminal" in bytes_left


def test_all_can_be_forgotten_while_a_receiver_goes_on(index: Path) -> None:
    with open_telemetry(telemetry_path(index)) as receiver:
        add_events(receiver, events(*EVENTS))
        forget_events(telemetry_path(index))
        assert told(index) is None
        assert add_events(receiver, events(*EVENTS)) == len(EVENTS)
    assert len(stored(index)) == len(EVENTS)


def test_where_nothing_was_received_nothing_is_made(index: Path) -> None:
    forget_events(telemetry_path(index))
    assert told(index) is None
    assert not telemetry_path(index).exists()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 10**6) | st.none(), min_size=1, max_size=60))
def test_percentiles_are_those_of_every_other_answer(
    tmp_path_factory: pytest.TempPathFactory, spent: list[int | None]
) -> None:
    """Nearest rank; a turn without a time takes part in the count only."""
    index = tmp_path_factory.mktemp("telemetry") / "index.sqlite"
    open_index(index).close()
    keep(index, *(turn(NOON + at, duration_ms=None if ms is None else str(ms)) for at, ms in enumerate(spent)))
    found = told(index)
    assert found
    (row,) = next(rows for title, _, rows, _ in found.tables if title == "first token of a turn")
    known = sorted(ms for ms in spent if ms is not None)
    assert row == ("gpt-5.5", len(spent), quantile(known, 0.5), quantile(known, 0.95))


def test_a_filter_that_telemetry_can_not_answer_is_refused(index: Path) -> None:
    keep(index, *EVENTS)
    with pytest.raises(BadInput, match="does not tell effort; filter it by model, thread, project"):
        told(index, effort="high")
    one = told(index, model="GPT-5.1")
    assert one
    assert sum(count for count, _ in one.events.values()) == 4


def test_every_column_has_its_class_on_the_page_of_privacy(index: Path) -> None:
    keep(index, *EVENTS)
    page = Path(__file__).resolve().parents[2] / "docs/explanation/privacy.md"
    part = page.read_text(encoding="utf-8").split("## What telemetry adds")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([\w, ]+) \| (measure|label|identity|name) \| (`.*) \|$", part, re.M)
    told = {(table, name) for tables, _, names in rows for table in tables.split(", ")
            for name in re.findall(r"`(\w+)`", names)}  # fmt: skip
    with closing(sqlite3.connect(telemetry_path(index))) as sql:
        tables = [row[0] for row in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {(table, row[1]) for table in tables for row in sql.execute(f"PRAGMA table_info({table})")}
    assert columns == told
