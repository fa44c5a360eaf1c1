"""Every view and every control of the page: what is clicked, chosen or typed changes what the page shows, and the URL
has it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visits import VIEWS, Home, cells, figures, go, number, params
from tests.support.rollouts import Rollout

#: Uses each control from the page's first state, which is drawn anew behind it; returns those that changed nothing.
#: What was chosen already, or can't be used now, and the tables that repeat a chart are left out.
SWEEP = """async ({within, idle}) => {
  const start = location.href, said = document.querySelector("#said");
  const all = () => [...document.querySelectorAll(within)];
  const shown = () => location.href + document.documentElement.dataset.theme + document.documentElement.lang +
    ['header', 'main', 'dialog', '#said'].map(one => document.querySelector(one).outerHTML).join('');
  const key = (one, name) => one.dispatchEvent(new KeyboardEvent('keydown', {key: name, bubbles: true}));
  const use = {
    'select-one': one => { one.value = [...one.options].findLast(o => o.value !== one.value).value;
      one.dispatchEvent(new Event('change')); },
    slider: one => { one.focus(); key(one, 'Home'); key(one, 'ArrowRight'); },
    grid: one => key(one, 'ArrowDown'),
    search: one => { one.value = 'gpt'; one.dispatchEvent(new Event('input')); },
  };
  const dead = [];
  let used = 0;
  for (let place = 0; place < all().length; place++) {
    const one = all()[place], name = one.outerHTML.slice(0, 160), before = shown();
    if (one.matches(idle) || !one.checkVisibility()) continue;
    (use[one.getAttribute('role') ?? one.type] ?? (one => one.click()))(one);
    for (let tries = 0; shown() === before && tries < 100; tries++) await new Promise(done => setTimeout(done, 10));
    if (shown() === before) dead.push(name);
    used++;
    document.querySelector('dialog').close();
    history.replaceState(null, '', start);
    dispatchEvent(new PopStateEvent('popstate'));
    said.textContent = '';
  }
  return [used, dead];
}"""
IDLE = ":is([aria-pressed=true], [aria-current], :disabled, .twin *)"


def first_call(home: Home) -> str:
    """The id of the costliest call."""
    found: str = home.ask("calls", "--period", "last_30_days", "--limit", "1")["rows"][0]["call_id"]
    return found


@pytest.mark.parametrize("view", VIEWS)
def test_every_control_changes_what_is_shown(page: Page, demo: Home, view: str) -> None:
    go(page, demo.url, view=view, period="last_7_days", record=first_call(demo) if view == "call" else "")
    places = ":is(header, main)" if view == "overview" else "main"
    within = f"{places} :is(button, select, summary, input, a[href^='?'], [role=slider], [role=grid])"
    used, dead = page.evaluate(SWEEP, {"within": within, "idle": IDLE})
    assert dead == []
    assert used > 3


def test_the_period_and_the_filters_narrow_every_view(page: Page, demo: Home) -> None:
    go(page, demo.url, view="calls", period="all")
    every = number(figures(page, ".tile")["Calls"])
    page.select_option("#period", "last_7_days")
    week = number(figures(page, ".tile")["Calls"])
    page.click("header summary")
    page.select_option("#by-model", "gpt-5.5")
    dear = number(figures(page, ".tile")["Calls"])
    assert every > week > dear > 0
    assert params(page) == {"view": "calls", "period": "last_7_days", "model": "gpt-5.5"}
    page.click("nav >> text=Overview")
    assert number(figures(page, ".kpi")["Calls"]) == dear
    page.click("header .chip >> text=gpt-5.5")
    assert number(figures(page, ".kpi")["Calls"]) == week


def test_a_custom_range_includes_both_its_days(page: Page, demo: Home) -> None:
    days = demo.ask("summary", "--period", "last_30_days", "--by", "day", "--limit", "99")["rows"]
    calls = {row["labels"][0]: row["sums"]["calls"] for row in days}
    first, last = sorted(calls)[3], sorted(calls)[9]
    go(page, demo.url, view="calls", period="last_30_days")
    page.select_option("#period", "own")
    page.fill("#from", first)
    page.fill("#to", last)
    assert params(page)["period"] == f"{first}..{last}"
    assert number(figures(page, ".tile")["Calls"]) == sum(n for day, n in calls.items() if first <= day <= last)


def test_a_span_dragged_over_the_bars_becomes_the_period(page: Page, demo: Home) -> None:
    go(page, demo.url, period="last_30_days")
    chart = page.locator("#over-time")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 90)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 90)
    page.mouse.up()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\.\.\d{4}-\d\d-\d\d", params(page)["period"])
    page.click("#zoom-out")
    assert "period" not in params(page)


def test_a_header_sorts_and_sorts_the_other_way(page: Page, demo: Home) -> None:
    go(page, demo.url, view="calls", period="last_30_days")
    for key, column in (("cost", 13), ("total", 7), ("cached", 8), ("output", 10)):
        for order in ("descending", "ascending"):
            page.click(f"#sort-{key}")
            assert page.get_attribute(f"th.c-{key}", "aria-sort") == order
            shown = [number(row[column]) for row in cells(page.locator("#calls")) if row[column] != "Unpriced"]
            assert shown == sorted(shown, reverse=order == "descending")


def test_the_table_shows_what_is_scrolled_to(page: Page, demo: Home) -> None:
    go(page, demo.url, view="calls", period="all", sort="time")
    count = int(page.get_attribute("#calls", "aria-rowcount") or 0)
    assert page.locator("#calls tbody tr").count() < 100 < count
    page.locator(".grid").evaluate("one => one.scrollTop = one.scrollHeight")
    expect(page.locator(f"#calls tr[aria-rowindex='{count}']")).to_be_visible()


def test_search_finds_a_thread_and_says_when_nothing_is_found(page: Page, demo: Home) -> None:
    go(page, demo.url, view="calls", period="all")
    page.fill("#search", "move the LEDGER")
    assert {row[1] for row in cells(page.locator("#calls"))} == {"Move the ledger to the new schema"}
    page.locator("#search").press("End")
    page.locator("#search").press_sequentially(" zzz")
    assert params(page)["q"] == "move the LEDGER zzz"
    expect(page.locator(".empty")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "search"


def test_threads_unfold_in_place_several_at_once(page: Page, demo: Home) -> None:
    go(page, demo.url, view="threads", period="last_30_days")
    for place in (0, 1):
        page.locator(".expand").nth(place).click()
    assert page.locator("tr.detail").count() == 2
    page.locator(".expand[aria-expanded=true]").first.click()
    assert page.locator("tr.detail").count() == 1


#: Pages enough for every thread of the demo, whichever cost the most by now.
ALL = "9"


def test_subagents_stand_under_the_thread_that_led_to_them(page: Page, demo: Home) -> None:
    go(page, demo.url, view="threads", period="all", page=ALL)
    parents = page.locator("tr.thread:has-text('below')")
    head = parents.first
    count = int((re.search(r"(\d+) below", head.inner_text()) or [0, "0"])[1])
    head.locator(".expand").click()
    assert page.locator("tr.thread.depth-1").count() == count > 0


def test_a_thread_is_shown_with_those_below_it(page: Page, demo: Home) -> None:
    go(page, demo.url, view="threads", period="all", page=ALL)
    parent = page.locator("tr.thread:has-text('below') .expand").first
    thread = str(parent.get_attribute("id")).removeprefix("thread-")
    parent.click()
    counted = [number(row[2]) for row in cells(page.locator("table.threads")) if len(row) == 8]
    below = page.locator("tr.thread.depth-1").count()
    go(page, demo.url, view="calls", period="all", thread=thread)
    whole = number(figures(page, ".tile")["Calls"])
    own = len(demo.ask("calls", "--period", "all", "--thread", thread, "--limit", "100")["rows"])
    assert whole > own > 0
    assert below > 0
    assert whole in [own + sum(counted[at : at + below]) for at in range(len(counted))]


def test_the_users_thresholds_decide_what_draws_attention(page: Page, demo: Home) -> None:
    file = demo.root / "strict.html"
    (demo.root / "data" / "thresholds.json").write_text('{"high_uncached_input_tokens": 7000, "high_cost_usd": 0.01}')
    try:
        demo.run("dashboard", "-o", str(file))
    finally:
        (demo.root / "data" / "thresholds.json").unlink()
    counts = []
    for url in (demo.url, file.as_uri()):
        go(page, url, view="calls", period="all", preset="cache", only="uncached", sort="-uncached")
        counts.append(number(figures(page, ".tile")["Calls"]))
    assert "7,000" in page.locator(".caption").inner_text()
    assert counts[1] > counts[0]


def test_one_is_said_otherwise_than_many(page: Page, tmp_path: Path) -> None:
    home = Home(tmp_path)
    Rollout(now=int(datetime.now(UTC).timestamp() * 1000)).turn().call(input=100, output=1).end().write(home.codex)
    home.write_page()
    said = {}
    for lang in ("en", "de", "ru"):
        page.add_init_script(f"localStorage.setItem('codex-usage lang', '{lang}')")
        said[lang] = go(page, home.url, period="all").locator(".kpis").inner_text()
    assert "1 turn\n" in said["en"]
    assert "1 Runde\n" in said["de"]
    assert "ходов: 1" in said["ru"]


def test_a_preset_sets_view_order_and_filter_and_says_so(page: Page, demo: Home) -> None:
    go(page, demo.url, view="insights", period="last_30_days")
    for place in range(page.locator(".presets button").count()):
        go(page, demo.url, view="insights", period="last_30_days")
        name = page.locator(".presets button").nth(place).locator("strong").inner_text()
        page.locator(".presets button").nth(place).click()
        assert params(page)["view"] in ("calls", "threads")
        assert "sort" in params(page)
        assert name in page.locator(".caption").inner_text()
        page.click("#leave")
        assert "preset" not in params(page)


def test_an_insight_leads_to_its_threads(page: Page, demo: Home) -> None:
    go(page, demo.url, view="insights", period="last_30_days")
    page.locator(".attention.saving button").first.click()
    assert params(page)["view"] == "threads"
    assert page.locator("tr.detail").count() > 0


def test_a_call_has_its_neighbours_and_its_facts(page: Page, demo: Home) -> None:
    told = demo.ask("calls", "--period", "last_30_days", "--limit", "1")["rows"][0]
    go(page, demo.url, view="call", record=told["call_id"])
    text = page.locator("main").inner_text()
    for fact in (told["call_id"], told["thread_id"], told["model"], f"{told['input_tokens']:,}"):
        assert fact in text
    way = "previous" if page.locator("#call-next").is_disabled() else "next"
    page.click(f"#call-{way}")
    assert params(page)["record"] != told["call_id"]
    page.click("#call-previous" if way == "next" else "#call-next")
    assert params(page)["record"] == told["call_id"]


def test_a_language_and_a_theme_stay_chosen(page: Page, demo: Home) -> None:
    go(page, demo.url)
    page.select_option("#lang", "ar")
    page.select_option("#theme", "dark")
    go(page, demo.url, view="threads")
    root = page.locator("html")
    assert [root.get_attribute(name) for name in ("lang", "dir", "data-theme")] == ["ar", "rtl", "dark"]


def test_copy_link_copies_the_investigation(page: Page, demo: Home) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    go(page, demo.url, view="threads", sort="-credits", period="this_month")
    page.click("#copy")
    expect(page.locator("#said")).not_to_be_empty()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
