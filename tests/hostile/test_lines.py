"""A hostile line costs that line: it is counted as skipped, and everything around it is counted exactly."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_usage.index import open_index
from codex_usage.index.queries import quality
from tests.support.index import calls_in, clean_build, places_of, refreshed, snapshot_of
from tests.support.rollouts import NOON, Rollout, compact, stamp, uuid7

ROOT = Path(__file__).resolve().parents[2]
STAMPED = b'{"timestamp":"2026-11-21T20:00:00.000Z",'
VERSIONS = ["0.36.0", "0.58.0", "0.98.0", "0.130.0", "0.147.0", "0.169.0"]


def event(info: bytes) -> bytes:
    """A token_count line with any bytes as its info."""
    return (
        b'{"timestamp":"'
        + stamp(NOON).encode()
        + b'","type":"event_msg","payload":{"type":"token_count",'
        + b'"info":'
        + info
        + b',"rate_limits":null}}'
    )


def usage(numbers: bytes) -> bytes:
    """Such an info with these bytes as its input tokens."""
    return (
        b'{"total_token_usage":{"input_tokens":' + numbers + b'},"last_token_usage":{"input_tokens":' + numbers + b"}}"
    )


BAD_LINES = {
    "cut": (b'{"timestamp":"2026-11-21T20:00:00.000Z","type":"event_msg","payl', "bad_json"),
    "no json": (b"hello, this is no json at all", "bad_json"),
    "nul bytes": (b"\x00" * 300, "bad_json"),
    "bad utf-8": (
        event(b"null").replace(b"token_count", b"task_started").replace(b'"info":null', b'"turn_id":"\xff"'),
        "bad_json",
    ),
    "lone surrogate": (event(usage(b"5")).replace(b'"info"', b'"\\ud800"').replace(b"null", b'"\\udc00"'), "bad_json"),
    "deep array": (event(b"[" * 100_000), None),
    "deep object": (event(b'{"a":' * 100_000), None),
    "deep and whole": (event(b"[" * 100_000 + b"]" * 100_000), None),
    "bare deep array": (b"[" * 100_000, None),
    "huge integer": (event(usage(b"9" * 400)), "impossible_value"),
    "big integer": (event(usage(b"18446744073709551616")), "impossible_value"),
    "negative": (event(usage(b"-5")), "impossible_value"),
    "fraction": (event(usage(b"1.5")), "impossible_value"),
    "exponent": (event(usage(b"1e300")), "impossible_value"),
    "text": (event(usage(b'"many"')), "impossible_value"),
    "list": (event(usage(b"[1]")), "impossible_value"),
    "window": (
        event(usage(b"5").replace(b"}}", b'},"model_context_window":99999999999999999999}', 1)),
        "impossible_value",
    ),
    "unknown type": (
        b'{"timestamp":"2026-11-21T20:00:00.000Z","type":"no_such_thing","payload":{"a":1}}',
        "unknown_line",
    ),
    "a number": (b"42", None),
    "not an object": (b'"text"', None),
}


@pytest.mark.parametrize("version", ["0.58.0", "0.169.0"])
@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_costs_that_line(tmp_path: Path, name: str, version: str) -> None:
    line, kind = BAD_LINES[name]
    log = Rollout(version).turn().call(input=100, output=7).raw(line).call(input=200, output=9)
    log.write(tmp_path / "home")
    places = places_of(tmp_path / "home")
    assert refreshed(places).problems == []
    with open_index(places.index) as index:
        assert calls_in(index) == [(100, 0, 7), (200, 0, 9)]
        skipped = quality(index).skipped
    assert sum(skipped.values()) == 1
    assert kind is None or skipped == {kind: 1}


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: b"\n\n" + content.replace(b"\n", b"\n\n"),
        lambda content: content.rstrip(b"\n"),
        lambda content: b"\n".join(json.dumps(json.loads(line)).encode() for line in content.splitlines()) + b"\n",
        lambda content: b"\n".join(b"  " + line + b"  " for line in content.splitlines()) + b"\n",
        lambda content: b"\n".join(
            json.dumps(dict(reversed(json.loads(line).items()))).encode() for line in content.splitlines()
        ),
    ],
    ids=["crlf", "bom", "empty lines", "no last newline", "spaces", "indented", "reversed keys"],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_an_unusual_layout_costs_nothing(tmp_path: Path, version: str, change: Any) -> None:
    log = Rollout(version).turn().call(input=100, output=7, tool=True).call(input=200, output=9).end()
    path = log.write(tmp_path / "home")
    places = places_of(tmp_path / "home")
    usual = clean_build(places)
    path.write_bytes(change(path.read_bytes()))
    refreshed(places)
    ours = snapshot_of(places)
    without_position = [[row[:2] + row[3:] for row in picture["calls"]] for picture in (ours, usual)]
    assert without_position[0] == without_position[1]
    assert ours["turns"] == usual["turns"]
    assert ours["files"][0][-2] is None, "nothing was skipped"


WEIRD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-5, 5),
    st.text(max_size=5),
    st.sampled_from([2**63, -(2**63) - 1, 10**30, 1e300, 1.0]),
    st.sampled_from(["\x00", "z" * 5000, "2026-13-45", "0001-01-01T00:00:00+23:59", uuid7(0)]),
    st.just([]),
    st.just({}),
    st.just([[1]]),
    st.just({"type": {"type": 1}}),
)


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(spot for key, child in inner for spot in spots(child, (*path, key)))]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with another one at a path."""
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = put(value[path[0]], path[1:], new)
    return value


@given(data=st.data(), version=st.sampled_from(VERSIONS))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_value_anywhere_costs_at_most_its_log(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, version: str
) -> None:
    """Values of real lines replaced by others: nothing breaks, and another log is counted exactly."""
    home = tmp_path_factory.mktemp("hostile") / "home"
    Rollout("0.130.0", now=NOON + 9_000_000).turn().call(input=777, output=7).write(home)
    log = Rollout(version).turn().call(input=100, output=7, tool=True).summary(input=50, output=5)
    log.event("thread_settings_applied", thread_settings={"service_tier": "flex"}).call(input=200, output=9)
    log.end(duration_ms=5, error=None).event("entered_review_mode").event("exited_review_mode")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(log.lines) - 1))
        row = json.loads(log.lines[at])
        log.lines[at] = compact(put(row, data.draw(st.sampled_from(spots(row))), data.draw(WEIRD)))
    log.write(home)
    places = places_of(home)
    assert refreshed(places).problems == []
    with open_index(places.index) as index:
        assert (777, 0, 7) in calls_in(index)
    assert snapshot_of(places) == clean_build(places)


@given(data=st.data(), version=st.sampled_from(VERSIONS))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_bytes_anywhere_cost_at_most_their_log(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, version: str
) -> None:
    home = tmp_path_factory.mktemp("hostile") / "home"
    Rollout("0.130.0", now=NOON + 9_000_000).turn().call(input=777, output=7).write(home)
    path = Rollout(version).turn().call(input=100, output=7, tool=True).call(input=200, output=9).end().write(home)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        gone = data.draw(st.integers(0, 30))
        content[at : at + gone] = data.draw(
            st.binary(max_size=20) | st.sampled_from([b"\n", b"\x00", b'"', b"{", b"}"])
        )
    path.write_bytes(content)
    places = places_of(home)
    assert refreshed(places).problems == []
    with open_index(places.index) as index:
        assert (777, 0, 7) in calls_in(index)


@pytest.mark.parametrize("version", ["0.98.0", "0.169.0"])
def test_an_unreadable_line_loses_at_most_the_call_it_told_of(tmp_path: Path, version: str) -> None:
    """Each line of a log in turn."""
    log = Rollout(version).turn()
    for number in range(1, 5):
        log.call(input=100 * number, output=7, tool=True)
    places = places_of(tmp_path / "home")
    for at in range(len(log.lines)):
        other = log.copy()
        other.lines[at] = b"{nonsense"
        other.write(tmp_path / "home")
        refreshed(places)
        with open_index(places.index) as index:
            found = [row[0] for row in calls_in(index)]
        assert sum(found) <= 1000, "nothing is counted twice"
        assert len({100, 200, 300, 400} & set(found)) >= 3


PROBE = """
import resource, sys
from pathlib import Path
from tests.support.index import places_of, refreshed
refreshed(places_of(Path(sys.argv[1])))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_memory(home: Path) -> int:
    """The most memory that indexing a home took, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", PROBE, str(home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=100,
        check=True,
    )
    return int(run.stdout)


@pytest.mark.parametrize(
    ("head", "end", "skipped"),
    [
        (STAMPED + b'"type":"response_item","payload":{"type":"message","text":"', b'"}}\n', {}),
        (STAMPED + b'"type":"event_msg","payload":{"type":"token_count","info":"', b'"}}\n', {"long_line": 1}),
        (b"", b"\n", {"long_line": 1}),
        (b"", b"", {}),
    ],
    ids=["body", "usage", "nothing", "unfinished"],
)
def test_a_line_of_half_a_gigabyte_costs_no_memory(
    tmp_path: Path, head: bytes, end: bytes, skipped: dict[str, int]
) -> None:
    small, home = tmp_path / "small" / "home", tmp_path / "home"
    log = Rollout().turn().call(input=100, output=7)
    log.write(small)
    path = log.write(home)
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(head)
        file.seek(500 << 20, os.SEEK_CUR)  # a hole: the line is long without being written
        file.write(end or b"x")
        if end:
            file.write(log.copy().call(input=200, output=9).bytes.removeprefix(log.bytes))
    assert peak_memory(home) < 3 * peak_memory(small)
    places = places_of(home)
    with open_index(places.index) as index:
        assert calls_in(index) == [(100, 0, 7)] + [(200, 0, 9)] * bool(end)
        assert quality(index).skipped == skipped
    assert refreshed(places).read_bytes == 0, "the long line is not read again"


def test_a_long_line_at_the_end_is_taken_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    log = Rollout().turn().call(input=100, output=7)
    path = log.write(home)
    with path.open("ab") as file:
        file.write(b"x" * (17 << 20) + b"\n")
    places = places_of(home)
    refreshed(places)
    with path.open("ab") as file:
        file.write(log.copy().call(input=200, output=9).bytes.removeprefix(log.bytes))
    refreshed(places)
    assert snapshot_of(places) == clean_build(places)


def test_lines_that_end_at_the_edge_of_a_block_are_read(tmp_path: Path) -> None:
    """The looks past a short line's end stay inside the buffer, wherever the line falls."""
    short = STAMPED + b'"ordinal":12,"type":"response_item","payload":{"type":"message"}}'
    log = Rollout().turn().call(input=100, output=7)
    places = places_of(tmp_path / "home")
    for spare in range(48, 80, 4):
        filler = (1 << 20) - spare - len(log.bytes) - len(short) - 2
        path = log.path(tmp_path / "home")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(log.bytes + b" " * filler + b"\n" + short + b"\n")
        refreshed(places)
        with open_index(places.index) as index:
            assert calls_in(index) == [(100, 0, 7)]
