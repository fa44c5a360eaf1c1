"""Questions by name, with arguments as texts, numbers and flags: the one door to answers for every surface. What few
questions need is loaded when it is asked for."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from codex_usage.answers.allowance import allowance
from codex_usage.answers.calls import calls
from codex_usage.answers.context import Context
from codex_usage.answers.periods import Period
from codex_usage.answers.status import status
from codex_usage.answers.summary import pricing_coverage, summary
from codex_usage.answers.threads import session, threads
from codex_usage.homes import Places
from codex_usage.index import Filters
from codex_usage.model import BadInput
from codex_usage.model.questions import FILTERS, QUESTIONS, SPAN

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Asked:
    """A question's arguments, checked one by one; each method raises BadInput. `current` is the thread that asks,
    `seconds` bounds a scan of the logs of `places`, `most` the rows."""

    name: str
    values: Mapping[str, Any]
    places: Places | None = None
    current: str | None = None
    seconds: float | None = None
    most: int = 10**6

    def __post_init__(self) -> None:
        known = QUESTIONS[self.name].takes
        for word in self.values:
            if word not in known:
                raise BadInput(f"{self.name} has no argument {word!r}; it takes {', '.join(known)}.")

    def _given(self, name: str) -> Any:
        value = self.values.get(name)
        return None if value == "" else value

    def text(self, name: str) -> str | None:
        """A text, None when it isn't given or empty."""
        value = self._given(name)
        if not isinstance(value, str | None):
            raise BadInput(f"{name} must be a text, not {value!r}.")
        return value

    def number(self, name: str, default: int) -> int:
        """A whole number from 0 on."""
        value = default if (given := self._given(name)) is None else given
        if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise BadInput(f"{name} must be a whole number from 0 on, not {value!r}.")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Yes or no."""
        value = default if (given := self._given(name)) is None else given
        if isinstance(value, str) and value.lower() in ("true", "1", "false", "0"):
            return value.lower() in ("true", "1")
        if not isinstance(value, bool):
            raise BadInput(f"{name} must be true or false, not {value!r}.")
        return value

    def thread(self) -> str | None:
        """The thread that is asked about; `current` is the one that asks."""
        thread = self.text("thread")
        if thread != "current":
            return thread
        if self.current is None:
            raise BadInput("This client does not tell which thread is asking; give a thread id from usage_threads.")
        return self.current

    def filters(self) -> Filters:
        """Which calls to count."""
        values = {word: self.thread() if word == "thread" else self.text(word) for word in FILTERS}
        return Filters(**values | ({"provider": None} if values["provider"] == "combined" else {}))

    def limit(self) -> int:
        """How many rows to show."""
        return min(self.number("limit", QUESTIONS[self.name].limit), self.most)

    def span(self, context: Context) -> Period | None:
        """The period that is named, None when none is."""
        words = [self.text(word) for word in SPAN]
        return context.period(*words) if any(words) else None

    def period(self, context: Context) -> Period:
        """The period that is named, else the question's own; all time for a thread."""
        usual = "all" if self.text("thread") else QUESTIONS[self.name].period
        return self.span(context) or context.period(usual)

    def rows(self) -> dict[str, Any]:
        """What a page of rows is asked with."""
        limit, offset = max(1, self.limit()), self.number("cursor", 0)
        return {"order": self.text("order") or "cost", "filters": self.filters(), "limit": limit, "offset": offset}


def ask(context: Context, asked: Asked) -> BaseModel:
    """The answer. Raises BadInput."""
    return _ANSWERS[asked.name](context, asked)


def since(context: Context, asked: Asked) -> int | None:
    """The time (milliseconds) from which logs must have been read for an answer; None for all of them."""
    starts = [asked.period(context).start_ms]
    if baseline := asked.text("baseline"):
        starts.append(context.period(baseline).start_ms)
    known = [start for start in starts if start is not None]
    return min(known) - QUESTIONS[asked.name].days * _DAY_MS if len(known) == len(starts) else None


def _summary(context: Context, asked: Asked) -> BaseModel:
    text = asked.values.get("by")
    by = [word.strip() for word in ("model" if text is None else str(text)).split(",") if word.strip()]
    flags: dict[str, Any] = {"compare": asked.flag("compare", True), "ytd": asked.flag("ytd", False)}
    flags |= {"order": asked.text("order"), "limit": asked.limit()}
    return summary(context, asked.period(context), by=by, filters=asked.filters(), **flags)


def _explain(context: Context, asked: Asked) -> BaseModel:
    from codex_usage.answers.explain import explain

    text, metric = asked.text("baseline"), asked.text("metric") or "cost_usd"
    baseline = context.period(text) if text else None
    return explain(context, asked.span(context), baseline, metric=metric, filters=asked.filters())


def _recommendations(context: Context, asked: Asked) -> BaseModel:
    from codex_usage.answers.recommend import recommendations

    return recommendations(context, asked.period(context), asked.filters(), max(1, asked.limit()))


def _call(context: Context, asked: Asked) -> BaseModel:
    from codex_usage.answers.call import call

    return call(context, asked.text("call") or "")


def _board(context: Context, asked: Asked) -> BaseModel:
    from codex_usage.answers.board import board_of, usage

    return board_of(context) if asked.name == "board" else usage(context, asked.limit(), asked.number("cursor", 0))


def _session(context: Context, asked: Asked) -> BaseModel:
    thread = asked.thread()
    if thread is None:
        raise BadInput("session needs a thread: an id, its last 8 characters, or a name.")
    return session(context, thread)


def _diagnostics(context: Context, asked: Asked) -> BaseModel:
    from codex_usage.answers.diagnostics import diagnostics

    scan = asked.places if asked.flag("scan", True) else None
    section = asked.text("section") or "overview"
    period, filters = asked.period(context), asked.filters()
    return diagnostics(context, section, period, filters, max(1, asked.limit()), scan, asked.seconds)


_ANSWERS: dict[str, Callable[[Context, Asked], BaseModel]] = {
    "summary": _summary, "report": _summary, "explain": _explain, "session": _session, "diagnostics": _diagnostics,
    "recommendations": _recommendations, "call": _call, "board": _board, "usage": _board,
    "threads": lambda context, asked: threads(context, asked.period(context), **asked.rows()),
    "calls": lambda context, asked: calls(context, asked.period(context), **asked.rows()),
    "status": lambda context, _: status(context),
    "allowance": lambda context, asked: allowance(
        context, asked.period(context), asked.filters(), min(asked.number("weeks", 4), 520), asked.text("call")),
    "pricing-coverage": lambda context, asked: pricing_coverage(context, asked.period(context), asked.filters()),
}  # fmt: skip
