"""What people paste of their allowance, and the file that keeps it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_usage.model import BadInput
from codex_usage.money.reading import (
    Reading,
    load_allowance,
    parse_allowance,
    save_allowance,
    template_allowance,
    weekly_reset,
    weeks,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 6, 3, 15, 0, tzinfo=BERLIN)  # a Wednesday

PANEL = """
╭───────────────────────────────────────────────────────────────────╮
│  >_ OpenAI Codex (v0.98.0)                                         │
│                                                                    │
│  Model:            gpt-5.3-codex (reasoning high, summaries auto)  │
│  Directory:        ~/secret/5h 12% 10:00                           │
│  Account:          me@example.org (Pro)                            │
│  Session:          019c0000-1111-7222-8333-444455556666            │
│                                                                    │
│  Context window:   82% left (12.1K used / 272K)                    │
│  5h limit:         [████████████████░░░░] 82% left (resets 22:14)  │
│  Weekly limit:     [███████████████████░] 97% left                 │
│                    (resets 09:00 on 3 Aug)                         │
│  GPT-5.3-Codex-Spark limit:                                        │
│  5h limit:         [████████████████████] 100% left (resets 22:30) │
│  Weekly limit:     [██████████░░░░░░░░░░] 51.5% left (resets 09:10 on 4 Aug) │
╰───────────────────────────────────────────────────────────────────╯
"""


def ms(text: str, zone: ZoneInfo = BERLIN) -> int:
    """A local time in Unix ms."""
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def read(text: str, now: datetime = NOW) -> list[tuple[str | None, int, float, int | None]]:
    """What a pasted text says, as plain tuples."""
    return [tuple(reading) for reading in parse_allowance(text, now, BERLIN)]


def test_the_usage_menu_on_one_line() -> None:
    assert read("5h 79% 6:50 PM Weekly 33% Jun 7") == [
        (None, 300, 79, ms("2026-06-03T18:50")),
        (None, 10080, 33, ms("2026-06-07")),
    ]


def test_a_status_panel_gives_its_limits_and_nothing_else() -> None:
    assert read(PANEL) == [
        (None, 300, 82, ms("2026-06-03T22:14")),
        (None, 10080, 97, ms("2026-08-03T09:00")),
        ("gpt-5.3-codex-spark", 300, 100, ms("2026-06-03T22:30")),
        ("gpt-5.3-codex-spark", 10080, 51.5, ms("2026-08-04T09:10")),
    ]


@pytest.mark.parametrize(
    ("text", "minutes", "remaining", "resets"),
    [
        ("5h limit [###.....] 12% used (resets 14:30)", 300, 88, "2026-06-04T14:30"),
        ("5h 82% left · 22:14", 300, 82, "2026-06-03T22:14"),
        ("wk 97% left · 0803 09:00", 10080, 97, "2026-08-03T09:00"),
        ("Weekly limit: 40% remaining, resets Thu 09:15", 10080, 40, "2026-06-04T09:15"),
        ("weekly 40% wed 14:00", 10080, 40, "2026-06-10T14:00"),
        ("weekly 40% Monday", 10080, 40, "2026-06-08"),
        ("5h: 3% left, resets in 2h 5m", 300, 3, "2026-06-03T17:05"),
        ("Weekly: 3% left (3d4h)", 10080, 3, "2026-06-06T19:00"),
        ("weekly 60% resets in 3 days, 2 hours", 10080, 60, "2026-06-06T17:00"),
        ("5 hour usage limit 60% 6 p.m.", 300, 60, "2026-06-03T18:00"),
        ("5h limit 60% 12:05 am", 300, 60, "2026-06-04T00:05"),
        ("weekly 7 % 2026-06-09T10:00", 10080, 7, "2026-06-09T10:00"),
        ("weekly 7 % 2026-06-09T10:00:00+02:00", 10080, 7, "2026-06-09T10:00"),
        ("weekly 7 % 2026-06-09 10:00", 10080, 7, "2026-06-09T10:00"),
        ("weekly 7 % 2026-06-09", 10080, 7, "2026-06-09"),
        ("weekly 7% on 7 June at 10:00", 10080, 7, "2026-06-07T10:00"),
        ("weekly 7% Jan 2", 10080, 7, "2027-01-02"),
        ("weekly 7% June 7, 2027", 10080, 7, "2027-06-07"),
        ("weekly 7% Jun 3", 10080, 7, "2026-06-04"),  # today: its end
        ("weekly 7% tomorrow 8:00", 10080, 7, "2026-06-04T08:00"),
        ("90-minute 10%", 90, 10, None),
        ("Monthly 10% Feb 31", 43200, 10, None),
        ("daily limit used: 25%", 1440, 75, None),
        ("7d 25% left (75% used)", 10080, 25, None),
    ],
)
def test_shapes(text: str, minutes: int, remaining: float, resets: str | None) -> None:
    assert read(text) == [(None, minutes, remaining, ms(resets) if resets else None)]


def test_a_model_names_its_limit_and_other_words_do_not() -> None:
    assert [row[0] for row in read("Spark weekly 97%")] == ["spark"]
    assert [row[0] for row in read("my secret weekly 97%")] == [None]


def test_a_window_told_twice_counts_as_told_last() -> None:
    assert [row[2] for row in read("5h 79%\n5h 78%")] == [78]


def test_a_reset_keeps_its_clock_time_across_a_clock_change() -> None:
    now = datetime(2026, 10, 24, 12, 0, tzinfo=BERLIN)
    assert read("5h 5% 9:00", now)[0][3] == ms("2026-10-25T09:00") == round(now.timestamp() * 1000) + 22 * 3_600_000


@pytest.mark.parametrize("text", ["", "hello", "Context window: 82% left", "5h", "in 2h 5m weekly", "5h 900%", "0h 5%"])
def test_where_nothing_is_found_the_error_says_what_to_paste(text: str) -> None:
    with pytest.raises(BadInput, match=r"No allowance found in that text; paste"):
        read(text)


def test_a_text_is_never_repeated_in_an_error() -> None:
    with pytest.raises(BadInput) as error:
        read("my secret")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "part", ["5h ", "[", "1d ", "in 5h", "%", "\n", "a: ", "jun ", "5" * 9, "[[]", "gpt-", " \n", "1:"]
)
def test_hostile_texts_are_read_quickly(part: str) -> None:
    began = perf_counter()
    with pytest.raises(BadInput):
        read((part * 65_536)[:65_536])
    with pytest.raises(BadInput, match="64 KiB"):
        read(part * 65_537)
    assert perf_counter() - began < 3


PARTS = [
    "5h",
    "weekly",
    "79%",
    "6:50 pm",
    "25:99",
    "jun 7",
    "31 feb",
    "thu",
    "in 2h",
    "3d4h",
    "0000 1:00",
    "used",
    "\n",
    "]",
]


@given(st.text(max_size=200) | st.lists(st.sampled_from(PARTS) | st.text(max_size=5)).map(" ".join))
def test_any_text_gives_readings_or_bad_input(text: str) -> None:
    try:
        readings = parse_allowance(text, NOW, BERLIN)
    except BadInput:
        return
    assert readings
    assert all(0 <= reading.remaining <= 100 and reading.minutes > 0 for reading in readings)


@pytest.mark.parametrize(
    ("text", "reset"),
    [
        ("Thu 09:15", (3, 9, 15)),
        ("thursday 9:15 am", (3, 9, 15)),
        (" Sun, 12am", (6, 0, 0)),
        ("tues 23:59", (1, 23, 59)),
    ],
)
def test_weekly_resets(text: str, reset: tuple[int, int, int]) -> None:
    assert weekly_reset(text) == reset


@pytest.mark.parametrize(
    "text", ["", "Thu", "th 09:15", "Thu 24:00", "Thu 13 pm", "09:15", "Thursdayy 9:00", "Thu 9:15" * 99]
)
def test_a_wrong_weekly_reset_says_how_to_write_it(text: str) -> None:
    with pytest.raises(BadInput, match='"Thu 09:15"'):
        weekly_reset(text)


def test_weeks_are_complete_and_keep_their_local_time() -> None:
    now = datetime(2026, 10, 29, 9, 14, tzinfo=BERLIN)  # a Thursday, a minute before the reset
    assert weeks(3, 9, 15, BERLIN, now, 2) == [
        (ms("2026-10-15T09:15"), ms("2026-10-22T09:15")),
        (ms("2026-10-08T09:15"), ms("2026-10-15T09:15")),
    ]
    start, end = weeks(3, 9, 15, BERLIN, now + timedelta(minutes=1), 1)[0]
    assert (end - start) / 3_600_000 == 7 * 24 + 1  # the clocks went back


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a usage home of its own."""
    return {"CODEX_USAGE_HOME": str(tmp_path / "usage")}


def put(home: dict[str, str], text: str | bytes) -> None:
    """Write an allowance.json."""
    path = Path(home["CODEX_USAGE_HOME"]) / "allowance.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_what_is_saved_is_loaded_again(home: dict[str, str]) -> None:
    put(home, '{"weekly_reset": "Thu 09:15"}')
    readings = [Reading("codex", 300, 79.5, ms("2026-06-03T18:50")), Reading("spark", 90, 3, None)]
    path = save_allowance(readings, NOW, home)
    assert load_allowance(home) == ([(each, round(NOW.timestamp() * 1000)) for each in readings], "Thu 09:15", [])
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["allowance.json"]


def test_a_limit_without_a_name_is_the_accounts_own(home: dict[str, str]) -> None:
    save_allowance([Reading(None, 300, 79, None)], NOW, home)
    assert load_allowance(home)[0][0][0].limit == "codex"


def test_no_file_and_the_template_say_nothing(home: dict[str, str]) -> None:
    assert load_allowance(home) == ([], None, [])
    put(home, template_allowance())
    assert load_allowance(home) == ([], None, [])


def test_a_wrong_entry_costs_one_line_and_the_rest_holds(home: dict[str, str]) -> None:
    good = {"limit": "codex", "window": "weekly", "remaining_percent": 33.5, "resets_at": "2026-06-07T00:00:00Z"}
    wrong = [{**good, "window": "soon"}, {**good, "remaining_percent": 101}, {**good, "resets_at": "later"}, 7]
    value = {"observed_at": "2026-06-03T13:00:00Z", "windows": [*wrong, good], "weekly_reset": "now", "windws": 1}
    put(home, json.dumps(value, indent=1))
    readings, reset, problems = load_allowance(home)
    assert readings == [(Reading("codex", 10080, 33.5, ms("2026-06-07T02:00")), ms("2026-06-03T15:00"))]
    assert reset is None
    assert len(problems) == 6
    assert all(problem.startswith("allowance.json: ") for problem in problems)
    assert any("windows[1].remaining_percent must be a number from 0 to 100" in problem for problem in problems)


@pytest.mark.parametrize(
    "text",
    [b"", b"null", b"7", b"[]", b"{", b"\xff", b'{"windows": 3}', b'{"windows": [{}]}', b'{"weekly_reset": 3}',
     b'{"observed_at": "2026-06-03T13:00:00", "windows": []}', b"[" * 100_000,
     b'{"observed_at": "2026-06-03T13:00:00Z", "windows": [{"window": 1e400}]}'],
)  # fmt: skip
def test_a_bad_file_is_a_problem_and_never_an_error(home: dict[str, str], text: bytes) -> None:
    put(home, text)
    readings, reset, problems = load_allowance(home)
    assert (readings, reset, len(problems)) == ([], None, 1)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda each: st.lists(each)))
def test_any_value_of_an_entry_is_read_without_an_error(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    home = {"CODEX_USAGE_HOME": str(tmp_path_factory.getbasetemp() / "any")}
    entry = {"limit": value, "window": value, "remaining_percent": value, "resets_at": value}
    put(home, json.dumps({"observed_at": datetime.now(UTC).isoformat(), "windows": [entry, value]}))
    assert load_allowance(home)[2]
