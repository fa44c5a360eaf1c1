"""Answers one tool call: arguments in, text out. Imports the rest of the product, so it is loaded at the first call."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from codex_usage import answers
from codex_usage.answers import Context
from codex_usage.answers.diagnostics import diagnostics
from codex_usage.homes import Places, find_places
from codex_usage.index import Filters, Index, Refreshed, open_index, patience, refresh
from codex_usage.index.facts import refresh_facts
from codex_usage.model import BadInput, IndexBusy, NoHome
from codex_usage.present import MOST_BYTES, Answer, fits, for_model
from codex_usage.serve.tools import TOOLS

_LOCK_SECONDS = 2.0
_SCAN_SECONDS = 15.0

_completing = threading.Lock()


def answer(name: str, arguments: Mapping[str, Any], current: str | None, env: Mapping[str, str] | None = None) -> str:
    """The text of a tool's result. Raises UsageError."""
    places = find_places(env=env)
    asked = _Arguments(name, arguments, current, places)
    if not places.found:
        looked = ", ".join(str(home) for home in places.homes)
        raise NoHome(f"No Codex or Claude Code home found (looked in {looked}); set CODEX_HOME for this server.")
    with open_index(places.index) as index:
        refreshed = _refresh(index, places, _since(answers.make_context(index), name, asked))
        context = answers.make_context(index, refreshed=refreshed)
        text = _RUN[name](context, asked)
    if refreshed.pending_files:
        _complete_in_background(places)
    return text


def _refresh(index: Index, places: Places, since_ms: int | None) -> Refreshed:
    try:
        return refresh(index, places, since_ms=since_ms, seconds=patience(since_ms), wait=_LOCK_SECONDS)
    except IndexBusy:  # another server or command is reading the logs: answer with what is there
        return Refreshed(busy=True)


def _complete_in_background(places: Places) -> None:
    """Read the older logs while the client goes on; one thread at a time in this process."""

    def work() -> None:
        with _completing, open_index(places.index) as index:
            try:
                refresh(index, places)
            except IndexBusy:
                return

    if not _completing.locked():
        threading.Thread(target=work, name="codex-usage-index", daemon=True).start()


class _Arguments:
    """A tool's arguments, checked one by one."""

    def __init__(self, name: str, arguments: Mapping[str, Any], current: str | None, places: Places) -> None:
        known = next(tool.properties for tool in TOOLS if tool.name == name)
        for word in arguments:
            if word not in known:
                raise BadInput(f"{name} has no argument {word!r}; it takes {', '.join(known)}.")
        self._values = arguments
        self._current = current
        self.places = places

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise BadInput(f"{name} must be a text, not {value!r}.")
        return value

    def number(self, name: str, default: int, most: int) -> int:
        value = self._values.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise BadInput(f"{name} must be a whole number from 0 on, not {value!r}.")
        return min(value, most)

    def thread(self) -> str | None:
        thread = self.text("thread")
        if thread != "current":
            return thread
        if self._current is None:
            raise BadInput("This client does not tell which thread is asking; give a thread id from usage_threads.")
        return self._current

    def filters(self) -> Filters:
        return Filters(
            model=self.text("model"),
            project=self.text("project"),
            effort=self.text("effort"),
            provider=self.text("provider"),
            thread=self.thread(),
        )

    def detail(self) -> str:
        detail = self.text("detail") or "concise"
        if detail not in ("concise", "full"):
            raise BadInput("detail must be concise or full.")
        return detail


def _period(context: Context, asked: _Arguments) -> answers.Period:
    return context.period(asked.text("period") or ("all" if asked.text("thread") else "last_7_days"))


def _since(context: Context, name: str, asked: _Arguments) -> int | None:
    """The time from which logs must be read before an answer. An explanation looks at two months, or at its windows
    and the weeks before them."""
    if name == "usage_recommendations":
        return context.period(asked.text("period") or "last_30_days").start_ms
    if name != "usage_explain":
        return _period(context, asked).start_ms
    texts = [text for word in ("period", "baseline") if (text := asked.text(word))] or ["last_30_days"]
    starts = [context.period(text).start_ms for text in texts]
    return None if None in starts else min(start for start in starts if start is not None) - 45 * 86_400_000


def _summary(context: Context, asked: _Arguments) -> str:
    by = [word for word in (asked.text("by") or "model", asked.text("then_by")) if word]
    period, filters = _period(context, asked), asked.filters()
    return _within(asked, lambda limit: answers.summary(context, period, by=by, filters=filters, limit=limit))


def _threads(context: Context, asked: _Arguments) -> str:
    if (thread := asked.thread()) is not None:
        return for_model(answers.session(context, thread), asked.detail())
    return _page(context, asked, answers.threads)


def _calls(context: Context, asked: _Arguments) -> str:
    return _page(context, asked, answers.calls)


def _page(context: Context, asked: _Arguments, ask: Callable[..., answers.Threads | answers.Calls]) -> str:
    """A page of rows, from the cursor on."""
    period, filters, order = _period(context, asked), asked.filters(), asked.text("order") or "cost"
    offset = asked.number("cursor", 0, 10**9)
    return _within(asked, lambda limit: ask(context, period, order=order, filters=filters, limit=limit, offset=offset))


def _within(asked: _Arguments, ask: Callable[[int], Answer], default: int = 8) -> str:
    """As many rows as were asked for and fit into a result."""
    limit = max(1, asked.number("limit", default, 100))
    while True:
        text = for_model(ask(limit), asked.detail())
        if fits(text) or limit == 1:
            return text
        limit = max(1, min(limit - 1, limit * MOST_BYTES // len(text.encode("utf-8", "replace"))))


def _explain(context: Context, asked: _Arguments) -> str:
    period, baseline = (
        None if (text := asked.text(name)) is None else context.period(text) for name in ("period", "baseline")
    )
    metric = asked.text("metric") or "cost_usd"
    return for_model(answers.explain(context, period, baseline, metric=metric, filters=asked.filters()), asked.detail())


def _recommendations(context: Context, asked: _Arguments) -> str:
    period = context.period(asked.text("period") or "last_30_days")
    return _within(asked, lambda limit: answers.recommendations(context, period, asked.filters(), limit), 3)


def _diagnostics(context: Context, asked: _Arguments) -> str:
    period, filters = _period(context, asked), asked.filters()
    refresh_facts(context.index, asked.places, _SCAN_SECONDS)
    section = asked.text("section") or "overview"
    return _within(asked, lambda limit: diagnostics(context, section, period, filters, limit))


_RUN = {
    "diagnostics": _diagnostics,
    "usage_summary": _summary,
    "usage_explain": _explain,
    "usage_recommendations": _recommendations,
    "usage_threads": _threads,
    "usage_calls": _calls,
}
