"""Texts of a log that would run if they were taken for HTML or for a link: each is shown as text in every view."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.visits import VIEWS, Home, go, visitor
from tests.support.rollouts import Rollout, uuid7

ATTACKS = (
    "</script><script>window.ran=1</script>",
    "<img src=x onerror=window.ran=1>",
    '"><svg onload=window.ran=1>',
    "javascript:window.ran=1",
    "<!--<script>window.ran=1//-->",
    "'-window.ran=1-'${window.ran=1}{{7*7}}",
    "\u202egnp.live\u202c \u2028window.ran=1\u2029",
    "__proto__",
    "<style>*{display:none}</style><a href=javascript:window.ran=1>x</a>",
)

THREADS = [uuid7(1_795_291_000_000, nth + 1) for nth in range(len(ATTACKS))]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A thread for every attack: in its name, folder, branch, model, effort, tool, agent, project's alias and tag."""
    home = Home(tmp_path_factory.mktemp("hostile"))
    names, aliases = [], {}
    for nth, text in enumerate(ATTACKS):
        named = nth % 2 == 0
        folder = f"/home/dev/{nth}" + ("" if named else "/" + text.replace("/", "⁄"))
        spawn = {"thread_spawn": {"parent_thread_id": uuid7(1), "depth": 1, "agent_path": text, "agent_role": text}}
        log = Rollout(
            thread=THREADS[nth], cwd=folder, source=text if named else {"subagent": spawn},
            meta_fields={"git": {"branch": text}, "originator": text},
        )  # fmt: skip
        log.turn(model=text, effort=text)
        log.item("function_call", name=text, arguments=json.dumps({"cmd": text}), call_id="call_x")
        log.item("function_call_output", call_id="call_x", output=text)
        log.call(input=60_000, output=5000).call(input=90_000, output=5000).end().write(home.codex)
        names.append(json.dumps({"id": log.thread, "thread_name": text, "updated_at": "2026-11-21T20:00:00Z"}))
        aliases |= {folder: text} if named else {}
    (home.codex / "session_index.jsonl").write_text("\n".join(names) + "\n", encoding="utf-8")
    (home.root / "data").mkdir()
    (home.root / "data" / "projects.json").write_text(json.dumps({"aliases": aliases, "tags": {"*": ATTACKS}}))
    home.write_page()
    return home


def inert(page: Page) -> None:
    """Nothing ran, and nothing of the attacks became an element."""
    assert page.evaluate("window.ran") is None
    assert page.locator("main :is(script, img, style, iframe, object, [onload], [onerror])").count() == 0
    assert page.locator("[href^='javascript' i]").count() == 0
    assert page.locator("html > body > script").count() == 4
    expect(page.locator("main h1")).to_be_visible()


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_texts_are_only_texts_in_every_view(page: Page, home: Home, view: str) -> None:
    every = [row["call_id"] for row in home.ask("calls", "--period", "all", "--limit", "99")["rows"]]
    sections = "overview,tools,mcp,commands,tool-output,file-reads,git-interactions,concentration"
    for record in every[:: 5 if view == "call" else 99]:
        opened = sections if view == "diagnostics" else ",".join(THREADS)
        go(page, home.url, view=view, period="all", record=record, open=opened, slice="model", by="project")
        inert(page)
    if view in ("calls", "threads", "diagnostics"):
        text = page.evaluate("document.querySelector('main').textContent")
        assert [one for one in ATTACKS if one.replace("_", " ") not in text.replace("_", " ")] == []


def test_hostile_texts_are_only_texts_in_tooltips_filters_and_titles(page: Page, home: Home) -> None:
    go(page, home.url, period="all")
    for chart in page.locator("[role=slider]").all():
        chart.focus()
        chart.press("ArrowLeft")
        inert(page)
    for text in ATTACKS:
        go(page, home.url, view="calls", period="all", model=text, q=text, thread=text, sel=text)
        assert page.locator("header .chip").inner_text().startswith(f"Model: {text[:9]}")
        inert(page)


def test_hostile_texts_are_only_texts_in_a_live_page(browser: Browser, home: Home) -> None:
    calls = [row["call_id"] for row in home.ask("calls", "--period", "all", "--limit", "4")["rows"]]
    with home.serving() as url, visitor(browser) as (page, wrong):
        for view, more in (
            ("overview", {}),
            ("diagnostics", {"open": "tools,commands"}),
            ("call", {"record": calls[0]}),
        ):
            go(page, url, view=view, period="all", **more)
            if view == "call":
                page.locator("input[type=checkbox]").nth(1).check()
                page.click("#evidence")
                expect(page.locator(".entries li").first).to_be_visible()
            inert(page)
        assert wrong == []


@pytest.mark.parametrize("text", ATTACKS[:4])
def test_a_hostile_link_runs_nothing(page: Page, demo: Home, text: str) -> None:
    for view in (*VIEWS[2:], text):
        go(
            page,
            demo.url,
            **dict.fromkeys(("q", "period", "record", "sort", "project", "preset", "open"), text),
            view=view,
        )
        inert(page)


def test_hostile_words_stay_in_the_file_as_data(home: Home) -> None:
    text = Path(home.file).read_text(encoding="utf-8")
    assert "<script>window" not in text
    assert "<img src=x" not in text
