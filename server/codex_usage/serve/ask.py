"""Answers one tool call: arguments in, text out. Imports the rest of the product, so it is loaded at the first call."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from codex_usage.answers import Context, make_context
from codex_usage.answers.questions import Asked, ask, since
from codex_usage.evidence.context import call_context
from codex_usage.homes import Places, find_places
from codex_usage.index import Index, Refreshed, open_index, patience, refresh
from codex_usage.model import BadInput, IndexBusy, NoHome, UsageError
from codex_usage.model.questions import QUESTIONS
from codex_usage.present.compact import MOST_BYTES, fits, for_model
from codex_usage.present.privacy import shield, trouble
from codex_usage.serve.tools import TOOLS

_LOCK_SECONDS = 2.0
_SCAN_SECONDS = 15.0
#: Rows that a model gets without asking for a number of them, and at most.
_ROWS = {"recommendations": 3, "diagnostics": 10}
_MOST_ROWS = 100
#: What opens the log lines of a call to a model; the second is an older tool's spelling.
ALLOW_CONTEXT = ("CODEX_USAGE_ALLOW_RAW_CONTEXT", "CODEX_USAGE_TRACKER_ALLOW_RAW_CONTEXT")
Private = Callable[[Any], Any]
_completing = threading.Lock()


def answer(name: str, arguments: Mapping[str, Any], current: str | None, env: Mapping[str, str] | None = None) -> str:
    """The text of a tool's result. Raises UsageError."""
    env = os.environ if env is None else env
    places = find_places(env=env)
    private = shield(env.get("CODEX_USAGE_PRIVACY_MODE") or "normal", places.data)
    try:
        return _text(name, arguments, current, env, places, private)
    except UsageError as error:
        raise type(error)(trouble(error, private)) from error


def _text(
    name: str, arguments: Mapping[str, Any], current: str | None, env: Mapping[str, str], places: Places,
    private: Private,
) -> str:  # fmt: skip
    tool = next(tool for tool in TOOLS if tool.name == name)
    for word in arguments:
        if word not in tool.properties:
            raise BadInput(f"{name} has no argument {word!r}; it takes {', '.join(tool.properties)}.")
    values = dict(arguments)
    detail = values.pop("detail", None) or "concise"
    if detail not in ("concise", "full"):
        raise BadInput("detail must be concise or full.")
    question = tool.question
    if name == "usage_threads" and values.get("thread"):
        question, values = "session", {"thread": values["thread"]}
    if question in _OTHERS:
        with reading(Asked("board", {}, places)) as context:
            return for_model(private(_OTHERS[question](context, places, values, private, env)), detail)
    if "limit" in QUESTIONS[question].takes and values.get("limit") in (None, ""):
        values["limit"] = _ROWS.get(question, 8)
    asked = Asked(question, values, places, current, _SCAN_SECONDS, _MOST_ROWS)
    with reading(asked) as context:
        while True:
            text = for_model(private(ask(context, asked)), detail)
            limit = asked.limit()
            if fits(text) or limit <= 1 or "limit" not in values:
                return text
            fewer = max(1, min(limit - 1, limit * MOST_BYTES // len(text.encode("utf-8", "replace"))))
            asked = replace(asked, values={**values, "limit": fewer})


def _evidence(
    context: Context, places: Places, values: dict[str, Any], _: Private, env: Mapping[str, str]
) -> BaseModel:
    if not {"1", "true"} & {env.get(name, "").lower() for name in ALLOW_CONTEXT}:
        raise BadInput(f"Log lines are shown only where the user set {ALLOW_CONTEXT[0]}=1 for this server.")
    mode, tools = values.get("mode") or "quick", values.get("tool_output") is True
    call = str(values.get("call") or "")
    return call_context(
        context.index, places, call, mode=str(mode), tool_output=tools, most_entries=40, most_chars=8000
    )


def _page(context: Context, places: Places, _: dict[str, Any], private: Private, env: Mapping[str, str]) -> BaseModel:
    from codex_usage.present.page import language, write_page  # Jinja2 takes its time, and few ask for it

    lang = language(None, env)
    return write_page(context, places.data / "dashboard.html", private=private, lang=lang)


_OTHERS = {"context": _evidence, "dashboard": _page}


@contextmanager
def reading(
    asked: Asked, zone: str | None = None, week: str | None = None, seen: Refreshed | None = None
) -> Iterator[Context]:
    """What answers a question, after a bounded refresh, if there is no `seen` one; older logs are read while the client
    goes on. `zone` and the day that a `week` begins on are the settings' where they are None. Raises NoHome."""
    places = asked.places or find_places()
    if not places.found:
        looked = ", ".join(str(home) for home in places.homes)
        raise NoHome(f"No Codex or Claude Code home found (looked in {looked}); set CODEX_HOME for this server.")
    with open_index(places.index) as index:
        refreshed = seen or _refresh(index, places, since(make_context(index, zone, week=week), asked))
        yield make_context(index, zone, refreshed=refreshed, week=week)
    if refreshed.pending_files:
        _complete_in_background(places)


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
