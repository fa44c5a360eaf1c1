"""What a terminal showed: the totals of real sessions of every version, panels of all shapes, and anything else."""

from __future__ import annotations

import json
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_usage.logs.appserver import LONGEST
from codex_usage.logs.records import Seen
from codex_usage.logs.terminal import read_terminal
from codex_usage.model import Tokens
from tests.support.rollouts import NOON, uuid7

STREAMS = Path(__file__).resolve().parents[1] / "cases" / "streams"
SCREENS = sorted(STREAMS.glob("*/screen*.txt"))
PLAIN = sorted(STREAMS.glob("*/exec*.txt"))
FIRST, SECOND = uuid7(NOON, 1), uuid7(NOON, 2)
LAST = "Token usage: total=7,285 input=7,034 (+ 3,993 cached) output=251 (reasoning 75)"
GONE_ON = "Token usage: total=11,970 input=11,568 (+ 6,486 cached) output=402 (reasoning 120)"
ONE = Tokens(11_027, 3_993, 0, 251, 75)
BOTH = Tokens(18_054, 6_486, 0, 402, 120)
PARTS = ("input", "cached", "output", "reasoning")


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def recorded(path: Path) -> list[Seen]:
    return list(read_terminal(BytesIO(path.read_bytes()), NOON))


def billed(path: Path) -> list[dict[str, Any]]:
    """What the provider billed while a terminal was recorded."""
    rows: list[dict[str, Any]] = json.loads((path.parent / "ledger.json").read_text(encoding="utf-8"))[path.name]
    return rows


def read(text: str, at_ms: int | None = NOON) -> list[Seen]:
    return list(read_terminal(BytesIO(text.encode()), at_ms))


def only(text: str) -> Seen:
    (seen,) = read(text)
    return seen


def ends(thread: str = FIRST, totals: str = LAST) -> str:
    return f"{totals}\nTo continue this session, run codex resume {thread}\n"


def box(*lines: str, version: str = "0.130.0") -> str:
    """A panel, or what a screen begins with."""
    rows = [f">_ OpenAI Codex (v{version})", "", *lines]
    return "\n".join([f"╭{'─' * 90}╮", *(f"│  {row:<87} │" for row in rows), f"╰{'─' * 90}╯", ""])


# -- as real Codex showed it --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SCREENS, ids=named)
def test_a_recorded_screen_tells_exactly_what_its_thread_was_billed(path: Path) -> None:
    """One call with the totals, over a resume too. The request for a title (0.169) is in no total, and cache writes
    are not shown."""
    (seen,) = recorded(path)
    (call,) = seen.calls
    turns = [row for row in billed(path) if row["route"] == "turn"]
    assert {part: getattr(call.tokens, part) for part in PARTS} == {
        part: sum(row[part] for row in turns) for part in PARTS
    }
    assert call.thread_id in ({row["thread"] for row in turns} if path.parent.name != "0.20.0" else {""})
    assert call.model in {turns[0]["model"], None}
    assert (call.model is None) == (named(path) == "0.169.0-screens")  # drawn in place, and no panel was asked for


@pytest.mark.parametrize("path", PLAIN, ids=named)
def test_plain_exec_gives_no_call_as_its_one_number_cannot_be_split(path: Path) -> None:
    seen = recorded(path)
    runs = Counter(line.rpartition(":")[2].strip() for line in path.read_text().splitlines() if "session id" in line)
    assert not any(one.calls for one in seen)
    assert sum((Counter(one.skipped) for one in seen), Counter()).keys() == {"unsplit_total"}
    if runs:
        assert {one.thread.id: one.skipped["unsplit_total"] for one in seen} == runs


#: Without 0.20, which counts single responses, and 0.169, where a fork is (see test_appserver).
EVENTS = [path for path in sorted(STREAMS.glob("*/exec.jsonl")) if path.parent.name not in ("0.20.0", "0.169.0")]


@pytest.mark.parametrize("path", EVENTS, ids=named)
def test_the_json_lines_of_exec_are_read_here_too(path: Path) -> None:
    calls = [call for seen in recorded(path) for call in seen.calls]
    assert {part: sum(getattr(call.tokens, part) for call in calls) for part in PARTS[:3]} == {
        part: sum(row[part] for row in billed(path)) for part in PARTS[:3]
    }


#: The first panels show no bars, and that of 0.169 is drawn in place.
PANELS = [path for path in SCREENS if path.stem == "screen" and path.parent.name not in ("0.20.0", "0.36.0", "0.169.0")]


@pytest.mark.parametrize("path", PANELS, ids=named)
def test_the_bars_of_a_recorded_panel_are_allowances(path: Path) -> None:
    (seen,) = recorded(path)
    assert [window.window_minutes for window in seen.windows] == [300, 10080]
    # the provider's headers said 14.5 and 41.5 percent; versions round them differently
    assert [abs(window.used_percent - said) for window, said in zip(seen.windows, (14.5, 41.5), strict=True)] == [
        0.5,
        0.5,
    ]


@pytest.mark.parametrize("path", [*SCREENS, *PLAIN], ids=named)
def test_nothing_said_on_a_recorded_terminal_is_kept(path: Path) -> None:
    kept = msgspec.json.encode(recorded(path))
    for words in (b"hello", b"again", b"first", b"cat a.py", b"print(1)", b"spawn", b"finished"):
        assert words not in kept


# -- shapes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        ("Token usage: total=9 input=7 output=2", Tokens(7, 0, 0, 2)),
        ("Token usage: total=9 input=7 (+ 1,000 cached) output=2", Tokens(1_007, 1_000, 0, 2)),
        ("Token usage: total=9,000 input=7,000 output=2,000 (reasoning 1,000)", Tokens(7_000, 0, 0, 2_000, 1_000)),
        (f"\x1b[2m{LAST}\x1b[0m", ONE),
        (f"\x1b[?2026l\x1b[1;1H\x1b[J\x1b]0;title\x07\x1b[?25h{LAST}\x1b[K\r", ONE),
        (
            "📊 Token Usage\n  • Input: 7,034 (+ 3993 cached)\n  • Output: 251\n  • Total: 7,285",
            ONE._replace(reasoning=0),
        ),
    ],
)
@pytest.mark.parametrize(
    "hint",
    [
        "To continue this session, run codex resume {}",
        "To continue this session, run:\n  \x1b[36mcodex resume {}\x1b[39m",
    ],
)
def test_whole_totals_are_read_with_or_without_the_threads_name(line: str, tokens: Tokens, hint: str) -> None:
    assert [call.tokens for call in only(f"{line}\n").calls] == [tokens]
    seen = only(f"{line}\n{hint.format(FIRST)}\n")
    assert [call.tokens for call in seen.calls] == [tokens]
    assert seen.thread.id == ("" if "•" in line else FIRST)  # a panel is no last word


@pytest.mark.parametrize(
    "line",
    [
        "Token usage: 7.29K total  (7.03K input + 251 output)",
        "Token usage: 945 total  (900 input + 45 output)",
        "Token usage: total=1.9M input=1.2M (+ 3.4M cached) output=700K",
        "Token usage: total=7 input=7 output=7",
    ],
)
def test_rounded_totals_are_not_counted_but_told(line: str) -> None:
    seen = only(box(f"Session: {FIRST}", line))
    assert (seen.thread.id, seen.calls, seen.skipped) == (FIRST, [], {"rounded": 1})


@pytest.mark.parametrize(
    "line", ["tokens used: 3,295", "[2026-11-22T07:28:58] tokens used: 3295", "tokens used\n7,285"]
)
def test_the_one_number_of_exec_is_not_counted_but_told(line: str) -> None:
    (seen,) = read(f"OpenAI Codex v0.98.0 (research preview)\n--------\nsession id: {FIRST}\n--------\n{line}\n")
    assert (seen.thread.id, seen.calls, seen.skipped) == (FIRST, [], {"unsplit_total": 1})


def test_whole_totals_make_the_rounded_ones_of_their_thread_needless() -> None:
    seen = only(box(f"Session: {FIRST}", "Token usage: 7.29K total  (7.03K input + 251 output)") + ends())
    assert ([call.tokens for call in seen.calls], seen.skipped) == ([ONE], {})


def test_a_panel_tells_model_effort_and_folder() -> None:
    told = ["Model: gpt-5.5 (reasoning high, summaries auto)", "Model provider: mock - http://127.0.0.1:1/v1",
            "Directory: /home/dev/demo", f"Session: {FIRST}"]  # fmt: skip
    (call,) = only(box(*told) + ends()).calls
    assert (call.model, call.effort, call.cwd, call.thread_id) == ("gpt-5.5", "high", "/home/dev/demo", FIRST)


def test_a_folder_under_home_is_written_out_and_a_shortened_one_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/dev")
    folders = [read(box(f"directory: {told}") + ends())[0].calls[0].cwd for told in ("~/demo", "~/…/demo", "a secret")]
    assert folders == ["/home/dev/demo", None, None]


@pytest.mark.parametrize("version", ["0.36.0", "0.77.0"])
def test_before_098_a_resumed_threads_counter_starts_afresh(version: str) -> None:
    assert only((box(version=version) + ends()) + box(version=version) + ends(totals=GONE_ON)).calls[
        0
    ].tokens == ONE.plus(BOTH)


@pytest.mark.parametrize("version", ["0.98.0", "0.169.0"])
def test_from_098_on_a_resumed_threads_counter_goes_on(version: str) -> None:
    seen = only(box(version=version) + ends() + box(version=version) + ends(totals=GONE_ON))
    assert seen.calls[0].tokens == BOTH


def test_totals_lower_than_before_are_added_and_the_same_again_are_not() -> None:
    assert only(ends(totals=GONE_ON) + ends()).calls[0].tokens == ONE.plus(BOTH)
    for version in ("0.77.0", "0.169.0"):
        assert only(box(version=version) + ends() + ends()).calls[0].tokens == ONE


def test_two_threads_of_one_terminal_are_two() -> None:
    seen = read(box(f"Session: {FIRST}") + ends() + box(f"Session: {SECOND}") + ends(SECOND, GONE_ON))
    assert {one.thread.id: one.calls[0].tokens for one in seen} == {FIRST: ONE, SECOND: BOTH}


def test_the_last_words_name_the_thread_more_surely_than_a_panel_before_them() -> None:
    assert only(box(f"Session: {SECOND}") + ends(FIRST)).thread.id == FIRST


def test_a_call_stands_where_its_totals_do_at_the_time_that_its_thread_tells() -> None:
    (call,) = only("some words\n" + ends()).calls
    assert (call.position, call.time_ms) == (len("some words\n"), NOON)
    old = "123e4567-e89b-42d3-a456-426614174000"
    assert read(ends(old), at_ms=NOON + 7)[0].calls[0].time_ms == NOON + 7
    assert read(ends(old), at_ms=None)[0].calls[0].time_ms == 0
    assert only(ends(uuid7(NOON + 1))).calls[0].time_ms == NOON  # a thread is no younger than what shows it


def test_bars_show_what_is_left_or_used_of_each_limit_and_the_last_ones_count() -> None:
    rows = [
        "5h limit:      [█████░░] 89% left (resets 12:26)",
        "Weekly limit:  [█████░░] 41% used (resets 07:26 on 5 May)",
        "GPT-5.3-Codex-Spark limit:",
        "5h limit:      [███████] 100% left (resets 16:16)",
        "Moon limit:    [█] 5% left",
    ]
    seen = only(box("5h limit: [█] 95% left (resets 12:26)") + box(f"Session: {FIRST}", *rows) + ends())
    assert {(w.limit_id, w.window_minutes, w.used_percent, w.resets_at, w.time_ms) for w in seen.windows} == {
        (None, 300, 11, None, NOON),
        (None, 10080, 41, None, NOON),
        ("GPT-5.3-Codex-Spark", 300, 0, None, NOON),
    }
    assert not any(one.windows for one in read(box(*rows), at_ms=None))


# -- what looks like Codex but is not -----------------------------------------------------------------------


def test_what_stands_further_down_is_no_headline_of_the_run() -> None:
    said = ["words"] * 30 + ["model: secret", "directory: /secret", f"session: {SECOND}", "5h limit: [█] 9% left", ""]
    seen = only(box("model: gpt-5.5") + "\n".join(said) + ends())
    assert (seen.calls[0].model, seen.calls[0].cwd, seen.thread.id, seen.windows) == ("gpt-5.5", None, FIRST, [])


@pytest.mark.parametrize(
    "text",
    [
        f"codex resume {FIRST}",
        "To continue this session, run codex resume my-name",
        "the Token usage: total=9 input=7 output=2 was shown",
        "• Total: 9",
        '{"json": "of the model"}',
        pytest.param("x" * 100_000, id="long"),
    ],
)
def test_other_words_tell_nothing(text: str) -> None:
    assert read(f"{text}\n") == []


def test_a_line_too_long_to_hold_costs_itself_only() -> None:
    lines = [b"x" * (LONGEST + 1), b"more of it\n", ends().encode()]
    kept = {seen.thread.id: seen for seen in read_terminal(lines)}
    assert [call.tokens for call in kept[FIRST].calls] == [ONE]
    assert kept[""].skipped == {"long_line": 1}


PIECES = st.sampled_from([
    LAST, GONE_ON, f"codex resume {FIRST}", f"session id: {SECOND}", ">_ OpenAI Codex (v0.36.0)", "tokens used", "\n",
    "OpenAI Codex v0.169.0", "model: gpt-5.5 high", "directory: ~/demo", "• Input: 7 (+ 3 cached)", "• Output: 2", "\r",
    "• Total: 9", "\x1b[2J", "\x1b[", "\x1b]0;", "Token usage: 1.2K total", "5h limit: [█] 9% left (resets 25:99)",
    "│ ", '{"type":"thread.started","thread_id":"t"}', '{"type":"turn.completed","usage":{"input_tokens":3}}',
    '{"msg":{"type":',
])  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=12), max_size=40))
def test_no_words_break_the_reading_of_a_terminal(pieces: list[str]) -> None:
    for seen in read("".join(pieces)):
        assert all(min(call.tokens) >= 0 and call.tokens.cached <= call.tokens.input for call in seen.calls)


@given(st.lists(st.binary(max_size=60)))
def test_no_bytes_break_the_reading_of_a_terminal(lines: list[bytes]) -> None:
    for seen in read_terminal(lines):
        assert isinstance(seen, Seen)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 10**9)), min_size=1, max_size=6))
def test_a_thread_resumed_any_number_of_times_counts_its_last_totals(rises: list[tuple[int, int, int]]) -> None:
    total, text = Tokens(), ""
    for fresh, cached, output in rises:
        total = total.plus(Tokens(fresh + cached, cached, 0, output))
        shown = total.input - total.cached
        totals = f"total={shown + total.output:,} input={shown:,} (+ {total.cached:,} cached) output={total.output:,}"
        text += box(f"Session: {FIRST}", version="0.169.0") + ends(totals=f"Token usage: {totals}")
    assert only(text).calls[0].tokens == total
