"""The page as a file: it fetches nothing, runs nothing of others, says what is missing, prints, and is small."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.visits import VIEWS, Home, go, visitor
from tests.support.rollouts import Rollout


def test_the_file_asks_for_nothing(page: Page, demo: Home) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for view in VIEWS:
        go(page, demo.url, view=view)
        page.select_option("#lang", "de")
    assert {url.partition("?")[0] for url in asked if not url.startswith("data:image/svg+xml")} == {demo.url}


def test_what_is_put_into_the_page_does_not_run(browser: Browser, demo: Home) -> None:
    with visitor(browser) as (page, wrong):
        go(page, demo.url)
        refused = page.evaluate("""async () => {
          const refused = [];
          document.addEventListener('securitypolicyviolation', event => refused.push(event.effectiveDirective));
          const script = document.createElement('script');
          script.textContent = 'window.ran = 1';
          document.body.append(script);
          document.querySelector('main').insertAdjacentHTML('beforeend',
            '<p id=styled style="position:fixed">x</p><img src="https://example.com/x.png" onerror="window.ran = 2">');
          await fetch('https://example.com/').catch(() => {});
          for (let tries = 0; refused.length < 5 && tries < 200; tries++)
            await new Promise(done => setTimeout(done, 10));
          return refused;
        }""")
        assert page.evaluate("window.ran") is None
        assert page.evaluate("getComputedStyle(document.querySelector('#styled')).position") == "static"
        assert set(refused) == {"script-src-elem", "style-src-attr", "img-src", "script-src-attr", "connect-src"}
        assert wrong


def test_the_file_without_data_is_small(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.codex.mkdir()
    home.write_page()
    assert home.file.stat().st_size <= 300_000


@pytest.mark.parametrize("view", VIEWS)
def test_an_empty_home_gives_a_page_that_teaches(page: Page, tmp_path: Path, view: str) -> None:
    home = Home(tmp_path)
    (home.codex / "sessions").mkdir(parents=True)
    home.write_page()
    go(page, home.url, view=view)
    assert page.locator(".empty .what").inner_text()
    assert page.locator(".empty .sub").inner_text()


def test_what_only_a_server_can_do_is_said(page: Page, demo: Home) -> None:
    call = demo.ask("calls", "--period", "last_30_days", "--limit", "1")["rows"][0]["call_id"]
    go(page, demo.url, view="call", record=call)
    expect(page.locator("main")).to_contain_text("serve-dashboard")


def test_the_file_says_what_its_list_leaves_out(page: Page, demo: Home, tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.codex.symlink_to(demo.codex)
    home.write_page("--limit", "100")
    count = home.ask("summary", "--period", "all")["total"]["calls"]
    go(page, home.url, view="calls", period="all")
    assert f"{count - 100:,}" in page.locator("main").inner_text()
    go(page, home.url, period="all")
    assert f"{count:,}" in page.locator(".kpis").inner_text()


@pytest.mark.parametrize("view", VIEWS)
def test_a_narrow_screen_needs_no_scrolling_sideways(browser: Browser, demo: Home, view: str) -> None:
    call = demo.ask("calls", "--period", "last_30_days", "--limit", "1")["rows"][0]["call_id"]
    with visitor(browser, viewport={"width": 360, "height": 740}) as (page, wrong):
        for lang in ("en", "ar"):
            go(page, demo.url, view=view, period="last_30_days", record=call, open="overview,tools")
            page.select_option("#lang", lang)
            wide = page.evaluate("document.scrollingElement.scrollWidth")
            assert wide <= 360, (lang, wide)
        assert wrong == []


def test_a_page_of_made_up_data_says_so(page: Page, demo: Home) -> None:
    expect(go(page, demo.url).locator("footer")).not_to_contain_text("Made-up data")
    index = demo.root / "data" / "demo" / "index.sqlite"
    demo.run("dashboard", "-o", str(demo.root / "made-up.html"), "--db", str(index))
    expect(go(page, (demo.root / "made-up.html").as_uri()).locator("footer")).to_contain_text("Made-up data")


def test_paper_has_no_controls(page: Page, demo: Home) -> None:
    go(page, demo.url, period="last_30_days")
    page.emulate_media(media="print")
    for control in ("nav", "#tools", "#filters", "#top"):
        expect(page.locator(control)).to_be_hidden()
    expect(page.locator("h1")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") in (
        "rgb(255, 255, 255)",
        "rgba(0, 0, 0, 0)",
    )


def test_a_strict_page_holds_no_names_paths_or_ids(page: Page, tmp_path: Path) -> None:
    home = Home(tmp_path)
    log = Rollout(cwd="/home/zelda/zebra-project", meta_fields={"git": {"branch": "zebra-branch"}})
    log.turn().call(input=100, output=1).end().write(home.codex)
    (home.codex / "session_index.jsonl").write_text(f'{{"id":"{log.thread}","thread_name":"Zebra name"}}\n')
    home.write_page()
    secrets = ("zebra", "zelda", log.thread, log.thread[-8:], str(tmp_path))
    plain = home.file.read_text(encoding="utf-8").lower()
    assert [one for one in secrets[:4] if one not in plain] == []
    home.write_page("--privacy-mode", "strict")
    assert [one for one in secrets if one in home.file.read_text(encoding="utf-8").lower()] == []
    go(page, home.url, view="calls", period="all")
    assert page.locator("#calls tbody a").count() == 1
    expect(page.locator("footer")).to_contain_text("strict")
