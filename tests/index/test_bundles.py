"""Bundles of several machines: each call counts once, under the project that it had where it came from."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_usage.homes import Places
from codex_usage.index import Scope, open_index, queries, refresh
from codex_usage.index.bundles import take_bundle, write_bundle
from codex_usage.index.retention import forget
from codex_usage.index.sources import source_of
from codex_usage.ledger import records
from codex_usage.logs.records import Header
from codex_usage.model import BadInput
from tests.support.index import LIMITS, places_of, refreshed, snapshot_of
from tests.support.rollouts import NOON, Rollout
from tests.support.transcripts import Transcript

EVER = Scope()
HOUR = 3_600_000


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_USAGE_HOME", str(tmp_path / "own"))


def shown(_kind: str, text: str) -> str:
    """What the mode normal shows."""
    return text


def machine(folder: Path, *logs: Rollout) -> Places:
    """A machine with a home and an index of its own."""
    (folder / "home").mkdir(parents=True)
    for log in logs:
        log.write(folder / "home")
    places = places_of(folder / "home", data=folder)
    refreshed(places)
    return places


def bundle_of(places: Places, label: str = "laptop", hide: Callable[[str, str], str] = shown) -> Path:
    """What `export --bundle` writes on a machine."""
    path = places.data / "bundle.jsonl"
    with open_index(places.index) as index:
        refresh(index, places)
        write_bundle(index, places, path, label, hide)
    return path


def imported(places: Places, *bundles: Path) -> Places:
    """The same machine after these imports."""
    for bundle in bundles:
        take_bundle(bundle, places.imported)
        refreshed(places)
    return places


def calls(places: Places) -> dict[int, tuple[Any, ...]]:
    """Every call by its id, as an export would show it."""
    with open_index(places.index) as index:
        return {
            row.uid: tuple(row)[1:-3] + tuple(row)[-2:] for row in queries.each_call(index, EVER, queries.Filters())
        }


def by_time(places: Places) -> list[tuple[Any, ...]]:
    """The calls of turns, in their order."""
    return sorted(row for row in calls(places).values() if row[3])


def projects(places: Places) -> dict[str, int]:
    """Calls by project."""
    with open_index(places.index) as index:
        return {row.labels[0]: row.calls for row in queries.groups(index, ("project",), EVER)}


def sources(places: Places) -> dict[str, int]:
    """Calls by the source of their thread."""
    with open_index(places.index) as index:
        query = "SELECT s.label, count(*) FROM calls c JOIN sources s ON s.thread_id = c.thread_id GROUP BY 1"
        return dict(index.sql.execute(query).fetchall())


def work(number: int, version: str = "0.169.0", *, cwd: str = "/home/dev/demo", count: int = 2) -> Rollout:
    """A thread, told apart by its number."""
    log = Rollout(version, now=NOON + number * HOUR, cwd=cwd).turn()
    for call in range(count):
        log.call(input=100 * number + call + 1, cached=7, output=number + 1)
    return log.end()


def test_a_bundle_shows_on_another_machine_just_what_it_showed_at_home(tmp_path: Path) -> None:
    home = machine(tmp_path / "a", work(1), work(2, "0.58.0"), work(3, "0.98.0").fork().wait(9).turn().call(input=5))
    Transcript().prompt().answer("m1", input=3, output=4).write(tmp_path / "claude")
    home = Places(home.codex, (tmp_path / "claude",), home.data, home.index)
    here = imported(machine(tmp_path / "b"), bundle_of(home))
    assert {row[1] for row in calls(here).values()} == {"codex", "claude"}
    assert {uid: (*row[:3], *row[4:]) for uid, row in calls(here).items()} == {
        uid: (*row[:3], *row[4:]) for uid, row in calls(home).items()
    }
    assert [row[3].rpartition(":")[2] for row in by_time(here)] == [row[3] for row in by_time(home)]
    assert projects(here) == projects(home)
    windows = "SELECT minutes, time_ms, used_percent, resets_at FROM windows ORDER BY time_ms, minutes"
    turns = "SELECT started_ms, ended_ms, outcome FROM turns ORDER BY 1, 2, 3"
    for query in (windows, turns):
        with open_index(here.index) as there, open_index(home.index) as own:
            assert there.sql.execute(query).fetchall() == own.sql.execute(query).fetchall()
    assert snapshot_of(here) == clean_build(here)


def clean_build(places: Places) -> Any:
    """The picture of an index built at once from what is on disk now, also of what was imported."""
    clean = Places(places.codex, places.claude, places.data, places.data / "clean" / "index.sqlite")
    shutil.rmtree(clean.data / "clean", ignore_errors=True)
    if places.imported.is_dir():
        shutil.copytree(places.imported, clean.imported)
    refreshed(clean)
    here, there = str(places.imported), str(clean.imported)
    return {
        name: [tuple(one.replace(there, here) if isinstance(one, str) else one for one in row) for row in rows]
        for name, rows in snapshot_of(clean).items()
    }


homes = st.lists(st.dictionaries(st.integers(1, 5), st.integers(1, 4), max_size=4), min_size=1, max_size=3)


@settings(max_examples=12)
@given(machines=homes, order=st.permutations([0, 1, 2]))
def test_the_sum_over_machines_is_the_union_of_their_calls(machines: list[dict[int, int]], order: list[int]) -> None:
    """Machines share threads, of which one may have seen more; bundles arrive in any order, one of them twice."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEX_USAGE_HOME", f"{folder}/own")
        every = [
            machine(Path(folder, str(at)), *(work(number, count=count) for number, count in threads.items()))
            for at, threads in enumerate(machines)
        ]
        union = {uid: row[-12:-2] for one in every for uid, row in calls(one).items()}
        bundles = [bundle_of(one) for one in every]
        chosen = [bundles[at] for at in order if at < len(bundles)]
        here = imported(machine(Path(folder, "here")), *chosen, chosen[0])
        assert {uid: row[-12:-2] for uid, row in calls(here).items()} == union
        beside = imported(every[0], *bundles[1:])
        assert {uid: row[-12:-2] for uid, row in calls(beside).items()} == union
        assert snapshot_of(beside) == clean_build(beside)


def test_a_log_here_wins_over_a_bundle_and_comes_back_from_it_when_it_goes(tmp_path: Path) -> None:
    log = work(1)
    bundle = bundle_of(machine(tmp_path / "a", log, work(2)))
    here = imported(machine(tmp_path / "b", log), bundle)
    assert sources(here) == {"home": 2, "laptop": 2}
    shutil.rmtree(here.codex[0] / "sessions")
    refreshed(here)
    assert sources(here) == {"laptop": 4}
    log.write(here.codex[0])
    refreshed(here)
    assert sources(here) == {"home": 2, "laptop": 2}
    assert snapshot_of(here) == clean_build(here)


def test_a_newer_bundle_replaces_the_older_and_an_older_one_changes_nothing(tmp_path: Path) -> None:
    log = work(1)
    there = machine(tmp_path / "a", log)
    old = bundle_of(there).rename(tmp_path / "old.jsonl")
    log.turn().call(input=77, output=7).write(there.codex[0])
    new = bundle_of(there)
    here = imported(machine(tmp_path / "b"), old, new, old)
    assert len(calls(here)) == 3
    assert len(list(here.imported.iterdir())) == 1
    assert take_bundle(new, here.imported)[2] is False


def test_a_bundle_that_goes_is_forgotten(tmp_path: Path) -> None:
    here = imported(machine(tmp_path / "b", work(2)), bundle_of(machine(tmp_path / "a", work(1))))
    shutil.rmtree(here.imported)
    refreshed(here)
    assert sources(here) == {"home": 2}
    assert snapshot_of(here) == clean_build(here)
    with open_index(here.index) as index:
        assert index.sql.execute("SELECT count(*) FROM decided").fetchone() == (0,)


def test_nothing_new_beside_a_bundle_is_a_look_at_its_folder(tmp_path: Path) -> None:
    here = imported(machine(tmp_path / "b", work(2)), bundle_of(machine(tmp_path / "a", work(1))))
    before = here.index.read_bytes()
    done = refreshed(here)
    assert (done.read_files, done.files) == (0, 2)
    assert here.index.read_bytes() == before


def test_what_came_from_elsewhere_is_not_told_again(tmp_path: Path) -> None:
    here = imported(machine(tmp_path / "b", work(2, cwd="/there")), bundle_of(machine(tmp_path / "a", work(1))))
    told = bundle_of(here, "desk")
    assert json.loads(told.read_text().split("\n")[0])["calls"] == 2
    assert projects(imported(machine(tmp_path / "c"), told)) == {"there": 2}


def test_a_large_bundle_is_read_in_parts_and_growth_of_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = bundle_of(machine(tmp_path / "a", *(work(number) for number in range(1, 9))))
    monkeypatch.setattr(records, "MOST_BYTES", 300)
    here = imported(machine(tmp_path / "b"), bundle)
    assert len(calls(here)) == 16
    monkeypatch.setattr(LIMITS, "BATCH_BYTES", 1)
    assert snapshot_of(here) == clean_build(here)


def test_several_processes_count_a_bundle_as_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bundle_of(machine(tmp_path / "a", work(1), work(2)))
    monkeypatch.setattr(LIMITS, "PARALLEL_BYTES", 0)
    here = machine(tmp_path / "b", work(2))
    take_bundle(bundle, here.imported)
    with open_index(here.index) as index:
        refresh(index, here, workers=2)
    assert sources(here) == {"home": 2, "laptop": 2}
    assert snapshot_of(here) == clean_build(here)


# -- projects ----------------------------------------------------------------------------------------------


def test_projects_are_those_of_the_machine_that_the_work_was_done_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There /srv/shop is a clone of a repository with an alias; here it is another one, and neither is looked at."""
    own, shop = tmp_path / "own", tmp_path / "shop"
    (shop / ".git").mkdir(parents=True)
    (shop / ".git/config").write_text('[remote "origin"]\nurl = git@example.com:acme/old-name.git\n')
    own.mkdir()
    (own / "projects.json").write_text('{"aliases": {"old-name": "Store"}}')
    there = machine(tmp_path / "a", work(1, cwd=str(shop)), work(2, cwd="/home/dev/notes"))
    bundle = bundle_of(there)
    assert projects(there) == {"Store": 2, "notes": 2}
    (shop / ".git/config").write_text('[remote "origin"]\nurl = git@example.com:acme/new-name.git\n')
    (own / "projects.json").unlink()
    here = imported(machine(tmp_path / "b", work(3, cwd=str(shop))), bundle)
    assert projects(here) == {"Store": 2, "notes": 2, "new-name": 2}
    (own / "projects.json").write_text('{"aliases": {"Store": "Laden"}, "ignored_paths": ["/home/dev"]}')
    refreshed(here)
    assert projects(here) == {"Laden": 2, "(ignored)": 2, "new-name": 2}
    (own / "projects.json").write_text('{"aliases": {"git@example.com:acme/old-name.git": "Laden"}}')
    refreshed(here)
    assert projects(here)["notes"] == 2


def test_a_home_is_called_by_its_label_or_its_folder_and_a_new_label_reads_nothing(tmp_path: Path) -> None:
    places = machine(tmp_path / "a", work(1))
    assert sources(places) == {"home": 2}
    places = Places(places.codex, (), places.data, places.index, {places.codex[0]: "work"})
    assert refreshed(places).read_files == 0
    assert sources(places) == {"work": 2}


# -- what a bundle holds -----------------------------------------------------------------------------------


def test_a_hidden_bundle_tells_no_name_and_counts_the_same(tmp_path: Path) -> None:
    remote = {"git": {"branch": "fix-zebra", "repository_url": "git@example.com:zebra/zebra-shop.git"}}
    log = (
        Rollout(cwd="/home/zoe/zebra", meta_fields=remote).turn().call(input=1, output=1).context(cwd="/home/zoe/else")
    )
    there = machine(tmp_path / "a", log.call(input=2, output=1).end())
    bundle = bundle_of(there, hide=lambda kind, text: f"{kind}-{len(text)}")
    assert [word for word in ("zebra", "zoe", log.thread, "else", "laptop") if word in bundle.read_text()] == []
    here = imported(machine(tmp_path / "b"), bundle)
    assert calls(here).keys() == calls(there).keys()
    assert projects(here) == {"projects-10": 1, "projects-4": 1}


def test_the_evidence_of_an_imported_call_is_said_to_be_elsewhere(tmp_path: Path) -> None:
    here = imported(machine(tmp_path / "b"), bundle_of(machine(tmp_path / "a", work(1))))
    with open_index(here.index) as index, pytest.raises(BadInput, match="imported from another machine"):
        source_of(index, next(iter(calls(here))))


def test_forgetting_takes_the_old_calls_of_a_bundle_too(tmp_path: Path) -> None:
    here = imported(
        machine(tmp_path / "b"), bundle_of(machine(tmp_path / "a", work(1, cwd="/old"), work(30, cwd="/new")))
    )
    with open_index(here.index) as index:
        forget(index, NOON + 20 * HOUR)
        assert {row[0] for row in index.sql.execute("SELECT cwd FROM decided")} == {"/new"}
    refreshed(here)
    assert len(calls(here)) == 2


# -- hostile bundles ---------------------------------------------------------------------------------------


def variants(text: str) -> Iterator[tuple[str, str]]:
    """Bundles with one thing wrong."""
    head, *rest = text.splitlines()
    row = next(line for line in rest if '"call"' in line)
    thread = next(line for line in rest if '"thread"' in line)
    header = json.loads(head)

    def other(old: str, new: str) -> str:
        assert old in row, "there is something to change"
        return text.replace(row, row.replace(old, new))

    yield "nothing", ""
    yield "no JSON", "\x00\xff" * 40
    yield "another file", '{"timestamp": "2026"}\n'
    yield "cut off", "\n".join([head, *rest[:-1]])
    yield "cut off in a line", text[:-40]
    yield "a call too many", f"{text}{row}\n"
    yield "another kind", text.replace('"bundle"', '"terminal"', 1)
    yield "a path as its id", text.replace(header["id"], "../../../../etc/x")
    yield "a thread of nobody", "\n".join(line for line in text.splitlines() if '"thread"' not in line)
    yield "a thread later", f"{text}{thread}\n"
    yield "an unknown producer", text.replace(',"codex",', ',"nobody",')
    yield "an unknown noun", f'{text}{{"prompt":"do it"}}\n'
    yield "an empty line", f"{text}{{}}\n"
    yield "two nouns", text.replace(row, f"{row[:-1]},{thread[1:]}")
    yield "a skip", f'{text}{{"skipped":{{"bad_json":1}}}}\n'
    yield "negative tokens", other("[101,7", "[-101,7")
    yield "huge tokens", other("[101,7", f"[{10**15},7")
    yield "a number beyond all columns", other("[101,7", f"[{10**30},7")
    yield "a time beyond all time", other(str(NOON + HOUR + 1000), str(10**17))
    yield "an unknown origin", other(",2,[101", ",99,[101")
    yield "a text without end", other("gpt-5.5", "x" * 5000)
    yield "a NUL", other("gpt-5.5", "x\\u0000")
    yield "a line without end", other("gpt-5.5", "x" * 70_000)
    yield "deep nesting", f"{text}{'[' * 3000}\n"


WRONG = [name for name, _ in variants('{"id":"x","calls":1}\n{"thread":["t","codex"]}\n{"call":["gpt-5.5",'
                                      f'{NOON + HOUR + 1000},2,[101,7]]}}\n')]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_a_bundle_with_one_thing_wrong_is_refused_whole_and_changes_nothing(tmp_path: Path, wrong: str) -> None:
    there = machine(tmp_path / "a", work(1))
    good = bundle_of(there)
    here = imported(machine(tmp_path / "b"), good)
    before = {path: path.read_bytes() for path in here.imported.iterdir()}
    text = dict(variants(good.read_text()))[wrong].replace('"made_ms":1', '"made_ms":2')
    bad = tmp_path / "bad.jsonl"
    bad.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(BadInput) as raised:
        take_bundle(bad, here.imported)
    assert "\n" not in str(raised.value)
    assert {path: path.read_bytes() for path in here.imported.iterdir()} == before


def test_a_bundle_of_a_newer_version_says_to_upgrade(tmp_path: Path) -> None:
    path = bundle_of(machine(tmp_path / "a", work(1)))
    path.write_text(path.read_text().replace('"codex_usage":1', '"codex_usage":2'))
    with pytest.raises(BadInput, match="newer codex-usage; upgrade"):
        take_bundle(path, tmp_path / "imported")
    with pytest.raises(BadInput, match=r"Cannot read .*No such file"):
        take_bundle(tmp_path / "nowhere", tmp_path / "imported")


@given(st.binary(max_size=300), st.integers(0, 2000))
@settings(max_examples=60)
def test_noise_in_a_bundle_is_told_in_one_sentence_or_does_no_harm(noise: bytes, at: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEX_USAGE_HOME", f"{folder}/own")
        path = Path(folder, "x.jsonl")
        header = Header(1, "bundle", "x", 5, 0, "0123456789abcdef")
        text = b'{"codex_usage":1,"kind":"bundle","source":"x","made_ms":5,"calls":0,"id":"0123456789abcdef"}\n'
        path.write_bytes(text[:at] + noise + text[at:])
        places = machine(Path(folder, "here"))
        try:
            assert take_bundle(path, places.imported)[1].id == header.id
        except BadInput:
            assert not list(places.imported.glob("~*"))
        refreshed(places)


def test_a_damaged_file_among_those_imported_costs_its_bad_lines_only(tmp_path: Path) -> None:
    here = imported(machine(tmp_path / "b"), bundle_of(machine(tmp_path / "a", work(1))))
    (file,) = here.imported.iterdir()
    file.write_bytes(file.read_bytes() + b"\xff{\n[]\n")
    refreshed(here)
    with open_index(here.index) as index:
        assert queries.quality(index).skipped == {"bad_json": 2}
    assert len(calls(here)) == 2
