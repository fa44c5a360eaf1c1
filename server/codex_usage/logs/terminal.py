"""Reads what Codex shows people: a saved or piped terminal of `codex` and `codex exec`, of every version from 0.20.

A terminal shows a thread's totals, never its responses: at its end (`Token usage:`) and, before 0.40, in `/status`, in
whole numbers. Later `/status` panels round theirs and leave the cached tokens out, and `tokens used` of `codex exec`
joins fresh input and output in one number: neither can be split into what tokens cost, so neither is counted, and
a thread of which nothing else is shown is told as skipped (`rounded`, `unsplit_total`). A screen that is redrawn in
place cannot be read back; its last lines can. Lines of JSON are those of `codex exec --json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from codex_usage.logs.appserver import LATEST_MS, State, Stream, feed
from codex_usage.logs.records import Seen
from codex_usage.logs.times import uuid_ms
from codex_usage.model import Call, RateWindow, Tokens

#: Colours go without a trace; whatever else moves the cursor ends what is read as one line.
_ESCAPE = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-?]*[ -/]*([@-~])|\x1b.?|[\x00-\x08\x0e-\x1f]")
_JSON = re.compile(rb'\s*\{.{0,400}?(?:"type":"(?:thread|turn)[.]|"msg":\{"type")', re.DOTALL)
_ID, _COUNT = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", r"(\d{1,3}(?:,\d{3}){1,3}|\d{1,12})"
_LINE = re.compile("|".join((
    r"(?P<headline>(?:\[\S+\] )?(?P<box>>_ )?OpenAI Codex \(?v(?P<major>\d{1,4})\.(?P<minor>\d{1,4})\b.*|📂.*)",
    rf"(?P<named>(?:(?:• )?(?:session|thread)(?: id)?:|(?P<resume>(?:to continue this session, run:? )?codex resume))"
    rf"\s+(?P<id>{_ID}))",
    r"(?P<setting>(?:model|• name):\s+(?P<model>[\w.:/-]{1,80})(?:\s+\(?(?:reasoning )?(?P<effort>minimal|low|medium|"
    r"x?high|max|ultra)\b)?.*|(?:directory|workdir|• path):\s+(?P<cwd>(?:[~/]|[a-z]:)[^…]{0,999}))",
    r"(?P<totals>token usage:.*|• total: .*|(?P<exec>(?:\[\S+\] )?tokens used(?:: \S+)?))",
    r"(?P<limit>(?P<window>.{1,60}) limit:(?:\s+\[.*\] (?P<percent>\d{1,3})% (?P<way>left|used)\b.*)?)",
)), re.IGNORECASE)  # fmt: skip
#: The last line of a run, or the last three of `/status` before 0.40, as one.
_CACHED = rf"{_COUNT}(?: \(\+ {_COUNT} cached\))?"
_TOTALS = re.compile(
    rf"Token usage: total={_COUNT} input={_CACHED} output={_COUNT}(?: \(reasoning {_COUNT}\))?$"
    rf"|• Input: {_CACHED} • Output: {_COUNT} • Total: {_COUNT}$"
)
_MINUTES = {"5h": 300, "daily": 1440, "weekly": 10080, "monthly": 43200, "annual": 525600}


class _Terminal(Stream):
    """Takes in the lines of one terminal. A run is one process, as far as its lines tell it apart."""

    def __init__(self, at_ms: int | None) -> None:
        super().__init__(at_ms)
        #: By thread: the totals of counters that have ended, and those of the latest.
        self.totals, self.allowances = dict[State, tuple[Tokens, Tokens]](), dict[tuple[str | None, int], RateWindow]()
        self.version, self.position, self.head, self.recent, self.limit = (9, 0), 0, 0, "", ""
        self._begin()

    def _begin(self) -> None:
        self.name: str | None = None
        self.shown: tuple[Tokens, int] | None = None
        self.told, self.over, self.vague = dict[str, str](), False, ""

    def take(self, line: bytes, position: int) -> None:
        """Take in one line, at a byte offset; what is no line of Codex's own is passed over."""
        if _JSON.match(line):
            super().take(line, position)
        text = _ESCAPE.sub(lambda found: "\n" if (found[1] or "m") != "m" else "", line.decode("utf-8", "replace"))
        for part in filter(None, (each.strip(" \t\u200a│┃") for each in re.split("[\r\n]", text))):
            self.head, self.position, self.recent = self.head - 1, position, f"{self.recent[-200:]} {part[:200]}"
            if match := _LINE.fullmatch(part):
                getattr(self, f"_{match.lastgroup}")(match)

    def seen(self) -> Iterator[Seen]:
        """What was shown of every thread."""
        self._settle()
        self.current.seen.windows.extend(self.allowances.values())
        return super().seen()

    def _settle(self) -> None:
        """A run is over. Totals go on after those before them; before 0.98 a resumed thread's start afresh."""
        if self.shown:
            state, (shown, position) = self.thread(self.name), self.shown
            before, now = self.totals.get(state, (Tokens(), Tokens()))
            afresh = self.version < (0, 98) and shown != now
            before = before.plus(now) if afresh or min(shown.minus(now)[:4]) < 0 else before
            self.totals[state], thread = (before, shown), state.seen.thread.id
            at_ms = min(uuid_ms(thread) or self.at_ms, self.at_ms or LATEST_MS)
            model, effort, cwd = map(self.told.get, ("model", "effort", "cwd"))
            call = Call(0, position, at_ms, thread, None, False, model, effort, None, cwd, 0, before.plus(shown))
            state.seen.calls = [call]
        elif self.vague:
            self.thread(self.name).skip(self.vague)
        self._begin()

    def _headline(self, match: re.Match[str]) -> None:
        """`codex exec` begins, or the screen does, or a panel of it. The lines after it tell of the run, but later ones
        may be the model's own."""
        if match["major"] and (self.over or not match["box"]):
            self._settle()
        self.version = (int(match["major"]), int(match["minor"])) if match["major"] else self.version
        self.head, self.limit = 24, ""

    def _named(self, match: re.Match[str]) -> None:
        """Which thread this is: a headline's lines tell, and surely the words after the last ones."""
        if (self.over and match["resume"]) or (self.head > 0 and not match["resume"]):
            self.name = match["id"].lower()
        if self.over:
            self._settle()

    def _setting(self, match: re.Match[str]) -> None:
        model, cwd = (match["model"] or "").lower(), match["cwd"] or ""
        told = {"model": model, "effort": match["effort"], "cwd": re.sub("^~(?=/)", lambda _: str(Path.home()), cwd)}
        self.told |= {name: value for name, value in told.items() if value and self.head > 0}

    def _totals(self, match: re.Match[str]) -> None:
        """Totals in whole numbers; `fresh` is input that was not cached. They stand for those before them."""
        found = _TOTALS.search(self.recent)
        told = [int((text or "0").replace(",", "")) for text in found.groups()] if found else [1] * 9
        fresh, cached, output = told[1] + told[5], told[2] + told[6], told[3] + told[7]
        if told[0] + told[8] == fresh + output:
            self.shown = Tokens(fresh + cached, cached, 0, output, told[4]), self.position
            self.over = bool(told[0])
        elif self.head > 0 or match["exec"] or "total=" in match[0]:
            self.vague = "unsplit_total" if match["exec"] else "rounded"

    def _limit(self, match: re.Match[str]) -> None:
        """An allowance, under the name of its model if it is not the main one; the last one shown counts. When it
        resets is told without a zone or a year, and so left out."""
        minutes = _MINUTES.get(match["window"].lower())
        self.limit = self.limit if match["percent"] else match["window"]
        if match["percent"] and self.head > 0 and minutes and self.at_ms:
            used = float(match["percent"]) if match["way"].lower() == "used" else 100.0 - float(match["percent"])
            told = self.limit or None, minutes, used, None
            self.allowances[told[:2]] = RateWindow(self.position, self.at_ms, *told)


def read_terminal(lines: Iterable[bytes], at_ms: int | None = None) -> Iterator[Seen]:
    """What a terminal's lines say of each thread: its totals as one call, at the time its id tells, else `at_ms`
    (Unix milliseconds). Allowances are as of `at_ms`; without it there are none. Call ids (uid) are left 0, and
    a thread whose id is not shown has an empty one."""
    return feed(lines, _Terminal(at_ms))
