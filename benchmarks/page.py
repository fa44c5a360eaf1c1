"""The dashboard in a real browser, and its live server under a long history.

In: a ``Subject`` and the number of rounds. Out: ``Row``s. Painted: from the end of the file to the frame that shows
its first screen; refiltered: from a choice in the header to the frame that shows its result. The empty page is that
of a home without calls, measured alternately.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .measure import Failed, Spread
from .rows import Row, megabytes, seconds, times
from .subject import Subject

VIEWS = ("overview", "insights", "calls", "threads", "diagnostics")
PAINTED, REFILTERED = 0.3, 0.06
#: Milliseconds when the page had drawn itself and a frame was shown.
WATCH = """new MutationObserver((_, watch) => {
  if (!document.documentElement?.dataset.ready) return;
  watch.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now(); }));
}).observe(document, {attributes: true, childList: true, subtree: true});"""
PAINT = "() => (window.painted - performance.getEntriesByType('navigation')[0].domInteractive) / 1000"
#: Seconds of each choice of a period until a frame has shown what it selects.
REFILTER = """async periods => {
  const spent = [];
  for (const period of periods) {
    await new Promise(done => setTimeout(done, 50));
    const began = performance.now(), list = document.getElementById('period');
    list.value = period;
    list.dispatchEvent(new Event('change'));
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    spent.push((performance.now() - began) / 1000);
  }
  return spent;
}"""
#: What each request of an endpoint asks for: other pages, other spans; nothing where there is but one answer.
PAGES, SPANS, ONE = "cursor={page}&limit={limit}", "period=2026-01-01..{day}", ""
ENDPOINTS = {
    "board": ONE, "usage": PAGES, "calls": PAGES, "threads": SPANS, "summary": SPANS, "explain": SPANS,
    "recommendations": SPANS, "pricing-coverage": SPANS, "allowance": ONE, "status": ONE,
}  # fmt: skip
MOST = 0.1


@contextmanager
def chromium() -> Iterator[Any]:
    """The system's browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise Failed("playwright is needed to measure the page (pip install playwright)") from error
    path = shutil.which("chromium")
    if path is None:
        raise Failed("chromium is needed to measure the page (make chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def drawn(it: Subject, rounds: int) -> Iterator[Row]:
    """The page as a file with every call in it, beside an empty one."""
    calls, folder = it.facts["totals"]["calls"], it.data.parent
    full, empty, nothing = folder / "full.html", folder / "empty.html", folder / "no-calls"
    nothing.mkdir(exist_ok=True)
    written = it.command("dashboard", "--limit", "0", "-o", str(full))
    yield Row(
        f"page of {calls:,} calls: index and file", "–", f"{written.wall:.1f} s, {megabytes(full.stat().st_size)}"
    )
    apart = ("--codex-home", str(nothing), "--db", str(folder / "none.sqlite"))
    it.command("dashboard", "-o", str(empty), *apart)
    size = empty.stat().st_size
    yield Row("page without data", "≤ 300 KB", f"{size / 1000:.0f} KB", "", size <= 300_000)
    with chromium() as browser:
        for view in VIEWS:
            paints: dict[Path, list[float]] = {full: [], empty: []}
            changes: dict[Path, list[float]] = {full: [], empty: []}
            for _ in range(rounds + 1):
                for file in (full, empty):
                    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="UTC")
                    page = context.new_page()
                    page.add_init_script(WATCH)
                    page.goto(f"{file.as_uri()}?view={view}&period=last_7_days")
                    page.wait_for_function("() => window.painted")
                    paints[file].append(page.evaluate(PAINT))
                    changes[file] += page.evaluate(REFILTER, ["last_30_days", "all", "this_month", "last_7_days"])[1:]
                    context.close()
            for what, found, most in (("painted", paints, PAINTED), ("refiltered", changes, REFILTERED)):
                ours, none = (Spread(tuple(found[file][len(found[file]) // (rounds + 1) :])) for file in (full, empty))
                shown, budget = f"{seconds(ours)}; empty {seconds(none)}", f"≤ {most * 1000:.0f} ms"
                yield Row(f"… {view} {what}", budget, shown, times(ours.ratio(none)), ours.median <= most)


def served(it: Subject, rounds: int) -> Iterator[Row]:
    """The live server's endpoints; the first request of each warms up. Where there is but one answer it is kept."""
    calls = it.facts["totals"]["calls"]
    it.command("refresh")  # what is measured is to answer, not to read a million calls beside it
    argv = [*it.argv, "serve-dashboard", "--port", "0"]
    env = it.env() | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE) as server:
        try:
            line = server.stdout.readline() if server.stdout else b""
            found = re.search(rb"(http://\S+/)#token=(\S+)", line)
            if found is None:
                raise Failed(f"serve-dashboard printed no URL: {line!r}")
            base, token = (part.decode() for part in found.groups())
            for name, values in ENDPOINTS.items():
                spent = []
                for nth in range(4 * rounds + 1):
                    limit = 10_000 if name == "usage" else 200  # the pages of the page, and of a list
                    day = dt.date(2026, 8, 1) + dt.timedelta(days=nth)
                    url = f"{base}api/{name}?{values.format(page=nth * limit, limit=limit, day=day)}"
                    request = urllib.request.Request(url, headers={"X-Codex-Usage-Token": token})
                    began = time.perf_counter()
                    with urllib.request.urlopen(request, timeout=60) as answer:
                        json.loads(answer.read())
                    spent.append(time.perf_counter() - began)
                spread = Spread(tuple(spent[1:]))
                p95, shown = spread.quantile(0.95), f"{seconds(spread)}"
                yield Row(
                    f"`/api/{name}` at {calls:,} calls, p95",
                    "≤ 100 ms",
                    f"{p95 * 1000:.0f} ms; {shown}",
                    "",
                    p95 <= MOST,
                )
        finally:
            server.terminate()
            server.wait(30)
