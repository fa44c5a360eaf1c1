"""Times as logs write them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_usage.logs.times import iso_ms, stamp_ms, uuid_ms
from tests.support.rollouts import NOON, stamp, uuid7

TIMES = st.integers(0, 4_000_000_000_000)


@given(TIMES)
def test_a_stamp_is_read_to_the_millisecond(ms: int) -> None:
    assert stamp_ms(bytearray(b"xx" + stamp(ms).encode()), 2) == ms
    assert iso_ms(stamp(ms)) == ms


@pytest.mark.parametrize(
    "text",
    ["2026-11-21T20:00:00Z", "2026-11-21T20:00:00.000000Z", "2026-11-21T22:00:00.000+02:00", "2026-11-21T20:00:00"],
)
def test_other_spellings_of_a_time_are_read_the_slow_way(text: str) -> None:
    assert iso_ms(text) == NOON
    with pytest.raises(ValueError, match=r"stamp|literal|data"):
        stamp_ms(bytearray(text.encode() + b" " * 24), 0)


@pytest.mark.parametrize("text", [None, "", "soon", "2026-13-45T00:00:00Z", "\x00" * 24, "9999999999"])
def test_what_is_no_time_is_none(text: str | None) -> None:
    assert iso_ms(text) is None


@given(st.binary(max_size=30))
def test_any_bytes_are_a_time_or_an_error(text: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(stamp_ms(bytearray(text), 0), int)


@given(TIMES, st.integers(0, 4095))
def test_a_uuid_of_version_7_tells_when_it_was_made(ms: int, number: int) -> None:
    assert uuid_ms(uuid7(ms, number)) == ms


@pytest.mark.parametrize("text", [None, "", "u1", "11111111-1111-4111-8111-111111111111", "x" * 36])
def test_any_other_id_tells_no_time(text: str | None) -> None:
    assert uuid_ms(text) is None
