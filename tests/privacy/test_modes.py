"""Every answer about every recorded home in every mode: what is hidden stands nowhere in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from pydantic import BaseModel

from codex_usage.answers import (
    GROUP_WORDS,
    allowance,
    calls,
    make_context,
    pricing_coverage,
    session,
    status,
    summary,
    threads,
)
from codex_usage.answers.board import board_of, usage
from codex_usage.answers.call import call
from codex_usage.answers.calls import call_id
from codex_usage.answers.diagnostics import SECTIONS, diagnostics
from codex_usage.answers.explain import explain
from codex_usage.answers.inspect import inspect_log
from codex_usage.answers.recommend import recommendations
from codex_usage.answers.results import Answer
from codex_usage.homes import Places
from codex_usage.index import Filters, Index, open_index, refresh
from codex_usage.index.facts import refresh_facts
from codex_usage.present.privacy import apply
from tests.support.cases import case_folders
from tests.support.index import places_of

SECRET, OTHER = b"s" * 32, b"o" * 32
#: The recorded folder, project and branch are common words, so that a sentence could hold them by chance.
RENAMED = {b"demo": b"zebracorp-web", b'"branch":"main"': b'"branch":"feature/payroll-zebra"'}
IDS = ("id", "session_id", "parent_thread_id", "forked_from_id", "thread_id", "turn_id", "root_turn_id")
WORDS = ("cwd", "branch", "repository_url", "commit_hash", "agent_nickname", "agent_path")


def copied(case: Path, folder: Path) -> Places:
    """A case's home under telling names, with a name for each of its threads."""
    for path in sorted((case / "codex_home").rglob("*.jsonl*")):
        text = path.read_bytes()
        if path.suffix == ".zst":
            text = zstandard.ZstdDecompressor().stream_reader(text).read()
        for old, new in RENAMED.items():
            text = text.replace(old, new)
        target = folder / "home" / path.relative_to(case / "codex_home")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_name(target.name.removesuffix(".zst")).write_bytes(text)
    named = [{"id": one, "thread_name": f"Fix invoices of Zebra {one[-4:]}"} for one in ids(folder / "home")]
    (folder / "home" / "session_index.jsonl").write_text("\n".join(map(json.dumps, named)), encoding="utf-8")
    return places_of(folder / "home", data=folder)


def headers(home: Path) -> Iterator[Any]:
    """The lines that say what a thread or turn is, decoded by themselves."""
    for path in home.rglob("rollout-*.jsonl"):
        for line in path.read_bytes().splitlines():
            if b'"session_meta"' in line or b'"turn_context"' in line or b'"task_started"' in line:
                yield json.loads(line)["payload"]


def found(value: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """The texts under some keys, however deep."""
    if isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, str) and key in keys:
                yield each
            yield from found(each, keys)


def ids(home: Path) -> list[str]:
    return sorted({one for payload in headers(home) for one in found(payload, IDS) if len(one) > 8})


def true_words(home: Path, index: Index) -> set[str]:
    """What strict mode may not show: from the logs by an independent reading, and ids of calls from the index."""
    own = ids(home) + [call_id(row[0]) for row in index.sql.execute("SELECT uid FROM calls")]
    words = {word for payload in headers(home) for word in found(payload, WORDS) if len(word) > 3}
    parts = {"zebracorp-web", "feature/payroll-zebra", "zebracorp", "Zebra", "invoices", str(home)}
    return parts | words | {form for one in own for form in (one, one[-8:])}


def asked(index: Index, places: Places) -> Iterator[BaseModel]:
    """Every kind of answer."""
    context = make_context(index)
    period = context.period("all")
    for word in GROUP_WORDS:
        yield summary(context, period, by=[word])
    yield summary(context, period, by=["project", "thread"])
    yield threads(context, period, limit=50)
    listed = calls(context, period, limit=50)
    yield listed
    yield explain(context)
    yield explain(context, context.period("2026-11-21..2026-11-22"), context.period("2026-11-01..2026-11-10"))
    yield recommendations(context, period)
    yield status(context)
    yield allowance(context)
    yield pricing_coverage(context, period)
    yield board_of(context)
    yield usage(context)
    yield from (diagnostics(context, section, period) for section in SECTIONS)
    for (uuid,) in index.sql.execute(
        "SELECT DISTINCT uuid FROM threads t JOIN calls c ON c.thread_id = t.id"
    ).fetchall():
        yield session(context, uuid)
        yield allowance(context, filters=Filters(thread=uuid))
        yield diagnostics(context, "tools", period, Filters(thread=uuid))
    for row in listed.rows[:2]:
        yield call(context, row.call_id)
        yield allowance(context, call=row.call_id)
    for path in sorted(places.codex[0].rglob("rollout-*.jsonl")):
        yield inspect_log(path)


def told(answer: BaseModel) -> str:
    """All that an answer says, in the form that says most."""
    return answer.model_dump_json()


def shown(words: set[str], text: str) -> list[str]:
    """Which of some words stand in a text by themselves."""
    return sorted(word for word in words if word in text and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text))


@pytest.fixture(params=case_folders(), ids=lambda case: case.name)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Places, Index]]:
    """A recorded home, indexed with its tools."""
    places = copied(request.param, tmp_path)
    with open_index(places.index) as index:
        refresh(index, places)
        refresh_facts(index, places)
        yield places, index


def test_no_mode_shows_more_than_it_promises(home: tuple[Places, Index]) -> None:
    places, index = home
    words = true_words(places.codex[0], index)
    plain = ""
    for answer in asked(index, places):
        name = type(answer).__name__
        strict, redacted = apply(answer, "strict", SECRET), apply(answer, "redacted", SECRET)
        assert (shown(words, told(strict)), name) == ([], name)
        paths = {word for word in words if "/home/" in word or "zebracorp" in word or word == str(places.codex[0])}
        assert (shown(paths, told(redacted)), name) == ([], name)
        assert apply(answer, "strict", SECRET) == strict
        assert apply(answer, "normal", SECRET) is answer
        modes = [getattr(each, "privacy_mode", mode) for each, mode in ((strict, "strict"), (redacted, "redacted"))]
        assert modes == ["strict", "redacted"]
        plain += told(answer)
    assert "zebracorp-web" in plain, "the answers hold what the modes hide"


def test_every_kind_of_answer_is_asked_above(tmp_path: Path) -> None:
    places = copied(next(case for case in case_folders() if case.name.endswith("-subagents")), tmp_path)
    with open_index(places.index) as index:
        refresh(index, places)
        refresh_facts(index, places)
        given = {type(answer).__name__ for answer in asked(index, places)}
    ours = [kind for kind in Answer.__subclasses__() if kind.__module__.startswith("codex_usage.answers.")]
    assert {kind.__name__ for kind in ours} == given


def test_a_thread_has_the_same_hash_in_every_answer_and_another_one_elsewhere(tmp_path: Path) -> None:
    places = copied(next(case for case in case_folders() if case.name.endswith("-subagents")), tmp_path)
    with open_index(places.index) as index:
        refresh(index, places)
        context = make_context(index)
        plain = threads(context, context.period("all"))
        listed = apply(plain, "strict", SECRET)
        hashes = [row.thread_id for row in listed.rows]
        assert len(set(hashes)) == len(plain.rows) > 1
        assert [row.short_id for row in listed.rows] == [one[-8:] for one in hashes]
        lines = apply(calls(context, context.period("all"), limit=99), "strict", SECRET).rows
        assert {row.thread_id for row in lines} <= set(hashes)
        by = apply(summary(context, context.period("all"), by=["thread"]), "strict", SECRET)
        assert {row.labels[0] for row in by.rows} <= set(hashes)
        assert not {row.thread_id for row in apply(plain, "strict", OTHER).rows} & set(hashes)
