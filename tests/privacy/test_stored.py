"""What is stored: every column stands with its class in docs/explanation/privacy.md, and only the user may read it."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from codex_usage.homes.config import installation_secret
from codex_usage.index import facts, open_index, schema
from codex_usage.model import UsageError

ROOT = Path(__file__).resolve().parents[2]
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX rights")


def columns() -> list[tuple[str, str]]:
    """Every column of every table that any statement of ours makes."""
    with closing(sqlite3.connect(":memory:")) as sql:
        sql.executescript(schema.TABLES)
        sql.executescript(facts.TABLES)
        tables = [row[0] for row in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(table, row[1]) for table in tables for row in sql.execute(f"PRAGMA table_info({table})")]


def explained() -> list[tuple[tuple[str, str], str, str]]:
    """((table, column), class, why) of the page's table."""
    page = (ROOT / "docs/explanation/privacy.md").read_text(encoding="utf-8").split("## Every column")[1]
    rows = re.findall(r"^\| (\w+) \| (\w+) \| (`[^|]+`) \| ([^|]+) \|$", page, re.M)
    return [((table, name), kind, why) for table, kind, names, why in rows for name in re.findall(r"`(\w+)`", names)]


def test_every_column_of_every_table_has_its_class_and_a_reason() -> None:
    assert sorted(place for place, _, _ in explained()) == sorted(columns())
    assert {kind for _, kind, _ in explained()} == {"measure", "label", "identity", "path", "name"}


def test_the_reference_gives_each_column_the_same_class() -> None:
    page = (ROOT / "docs/reference/index-schema.md").read_text(encoding="utf-8")
    classes = {place: kind for place, kind, _ in explained()}
    sections = re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    told = {
        (table, name): kind
        for table, text in sections
        for name, kind in re.findall(r"^\| `(\w+)` \|.*\| (\w+) \|$", text, re.M)
    }
    assert told
    assert {place: kind for place, kind in told.items() if classes.get(place) != kind} == {}


def test_what_is_deleted_is_overwritten(tmp_path: Path) -> None:
    with open_index(tmp_path / "index.sqlite") as index:
        assert index.sql.execute("PRAGMA secure_delete").fetchone() == (1,)


@POSIX
def test_all_files_beside_an_index_are_for_the_user_only(tmp_path: Path) -> None:
    with open_index(tmp_path / "data" / "index.sqlite") as index, index.write():
        index.put("zone", "UTC")
        files = list((tmp_path / "data").iterdir())
        assert len(files) == 3
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@POSIX
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o720])
def test_a_folder_that_others_can_write_is_refused_with_its_mend(tmp_path: Path, mode: int) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(mode)
    with pytest.raises(UsageError, match=f"run `chmod 700 {tmp_path / 'data'}`"):
        open_index(tmp_path / "data" / "index.sqlite")
    assert list((tmp_path / "data").iterdir()) == []
    (tmp_path / "data").chmod(0o700)
    open_index(tmp_path / "data" / "index.sqlite").close()


@POSIX
@pytest.mark.parametrize("mode", [0o755, 0o750, 0o1777])
def test_a_folder_that_others_can_only_read_or_where_they_cannot_replace_a_file_is_taken(
    tmp_path: Path, mode: int
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(mode)
    open_index(tmp_path / "data" / "index.sqlite").close()


@POSIX
@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_belongs_to_someone_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    path = tmp_path / "index.sqlite"
    if what == "file":
        path.touch()
    real = Path.stat

    def owned(self: Path, **options: bool) -> os.stat_result:
        found = real(self, **options)
        other = [*found[:4], os.geteuid() + 1, *found[5:10]]
        return os.stat_result(other) if self == (path if what == "file" else tmp_path) else found

    monkeypatch.setattr(Path, "stat", owned)
    with pytest.raises(UsageError, match="Others own"):
        open_index(path)


def test_all_who_ask_for_the_secret_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: installation_secret(tmp_path / "data"), range(8)))
    assert len(found) == 1
    assert len(found.pop()) == 32
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret"]


@POSIX
def test_the_secret_is_for_the_user_only(tmp_path: Path) -> None:
    installation_secret(tmp_path / "data")
    assert stat.S_IMODE((tmp_path / "data" / "secret").stat().st_mode) == 0o600


def test_a_secret_that_was_emptied_is_made_anew_and_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    assert len(installation_secret(tmp_path)) == 32


def test_where_links_are_not_known_the_secret_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refused)
    assert installation_secret(tmp_path) == installation_secret(tmp_path)
    assert len(installation_secret(tmp_path)) == 32
