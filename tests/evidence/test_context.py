"""The context of one call: bounds, what is shown and hidden, and logs that moved, changed or are hostile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_usage.answers.calls import call_id
from codex_usage.evidence.context import call_context
from codex_usage.evidence.results import Evidence
from codex_usage.homes import Places
from codex_usage.index import Index, open_index, refresh
from codex_usage.logs import entries as reading
from codex_usage.model import BadInput
from tests.support.index import places_of
from tests.support.rollouts import Rollout
from tests.support.transcripts import Transcript

SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


class _Home:
    """A home with one log, indexed; calls by their place in time."""

    def __init__(self, folder: Path, log: Rollout | Transcript) -> None:
        self.home = folder / "home"
        self.path = log.write(self.home)
        claude = isinstance(log, Transcript)
        self.places: Places = places_of(
            *(() if claude else (self.home,)), claude=(self.home,) if claude else (), data=folder
        )
        self.index: Index = open_index(self.places.index)
        self.refresh()

    def refresh(self) -> None:
        refresh(self.index, self.places)

    def call(self, place: int, **options: Any) -> Evidence:
        uids = self.index.sql.execute("SELECT uid FROM calls ORDER BY file_id, position").fetchall()
        return call_context(self.index, self.places, call_id(uids[place][0]), **options)


def _said(told: Evidence) -> list[str | None]:
    return [entry.text for entry in told.entries if entry.text]


def _talk(version: str = "0.169.0", **options: Any) -> Rollout:
    """A turn of two calls, the first of which uses a tool, and a turn of one."""
    log = Rollout(version=version, **options).turn(model="gpt-5.5", effort="high")
    log.call(input=100, output=10, tool=True).call(input=200, output=20).end(duration_ms=1500)
    return log.wait(5000).turn().call(input=300, output=30).end()


@pytest.mark.parametrize("version", ["0.36.0", "0.50.0", "0.98.0", "0.130.0", "0.147.0", "0.150.0", "0.169.0"])
def test_a_call_shows_what_was_said_before_it_and_what_it_answered(version: str, tmp_path: Path) -> None:
    home = _Home(tmp_path, _talk(version))
    first, second, third = (home.call(place, tool_output=True) for place in range(3))
    assert _said(first) == ["do it"]
    assert [entry.label for entry in first.entries if entry.kind == "function_call"] == ["exec_command"]
    assert _said(second) == ["ok", "done"]
    assert _said(third) == ["do it", "done"]


def test_a_call_tells_its_place_time_and_settings(tmp_path: Path) -> None:
    home = _Home(tmp_path, _talk())
    told = home.call(1)
    assert (told.model, told.mode, told.token_method, told.format) == ("gpt-5.5", "quick", "bound", "codex.jsonl")
    assert told.log == str(home.path)
    settings = next(entry for entry in told.entries if entry.kind == "turn_context")
    assert settings.label == "gpt-5.5"
    rows = home.path.read_bytes().splitlines()
    for entry in told.entries:
        line = json.loads(rows[entry.line - 1])
        assert entry.kind in (line["type"], line["payload"].get("type"))
        assert entry.time == line["timestamp"]
    output = next(entry for entry in told.entries if entry.kind == "function_call_output")
    answer = next(entry for entry in told.entries if entry.kind == "message")
    assert answer.since_turn_s is not None
    assert output.since_turn_s == 1.1  # the call took a second, its tool a tenth
    assert answer.since_turn_s > output.since_turn_s


def test_a_duration_that_the_log_reports_is_told(tmp_path: Path) -> None:
    log = Rollout().turn().call(input=1, output=1, tool=True)
    log.event("exec_command_end", command=["ls"], aggregated_output="x", duration={"secs": 2, "nanos": 500_000_000})
    log.item("function_call_output", call_id="call_9", output="Wall time: 0.75 seconds\nOutput:\nx")
    told = _Home(tmp_path, log.call(input=2, output=2)).call(1)
    reported = {entry.kind: entry.reported_s for entry in told.entries if entry.reported_s}
    assert reported == {"exec_command_end": 2.5, "function_call_output": 0.75}


def test_tool_output_and_compaction_history_are_shown_on_request_only(tmp_path: Path) -> None:
    log = _talk().turn().call(input=1, output=1, tool=True).summary(input=2, output=2).call(input=3, output=3)
    home = _Home(tmp_path, log)
    for place, reason, words in ((1, "tool_output", "ok"), (5, "compaction_history", "what happened so far")):
        hidden = home.call(place)
        assert words not in _said(hidden)
        assert hidden.omitted[reason] == 1
        shown = home.call(place, **{reason: True})
        assert words in _said(shown)
        assert reason not in shown.omitted


def test_secrets_are_redacted_before_the_text_is_cut(tmp_path: Path) -> None:
    log = Rollout().turn().item("message", role="user", content=[{"type": "input_text", "text": f"use {SECRET} now"}])
    home = _Home(tmp_path, log.call(input=1, output=1))
    assert sum(home.call(0).redactions.values()) == 1
    for room in range(0, 120, 3):
        told = home.call(0, most_chars=room)
        assert SECRET[4:10] not in told.model_dump_json()
        assert sum(len(text or "") for text in _said(told)) <= room


@settings(max_examples=20)
@given(lengths=st.lists(st.integers(1, 400), min_size=1, max_size=12), most=st.integers(0, 1500))
def test_texts_keep_to_the_limit_and_short_ones_stay_whole(
    lengths: list[int], most: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = Rollout(now=1_790_000_000_000).turn()
    for length in lengths:
        log.item("message", role="user", content=[{"type": "input_text", "text": "w " * (length // 2) + "w"}])
    told = _Home(tmp_path_factory.mktemp("caps"), log.call(input=1, output=1)).call(0, most_chars=most)
    shown = [len(entry.text or "") for entry in told.entries]
    cut = [entry for entry in told.entries if entry.truncated]
    assert sum(shown) <= most
    assert told.omitted.get("character_cap", 0) == len(cut)
    assert all(
        entry.chars <= min((len(one.text or "") for one in cut), default=most)
        for entry in told.entries
        if not entry.truncated
    )


def test_the_last_entries_are_kept_and_the_others_counted(tmp_path: Path) -> None:
    log = Rollout().turn()
    for number in range(300):
        log.item("message", role="user", content=[{"type": "input_text", "text": f"word {number}"}])
    home = _Home(tmp_path, log.call(input=1, output=1))
    whole, few = home.call(0, most_entries=10_000), home.call(0, most_entries=3)
    assert len(whole.entries) == 200
    assert [entry.line for entry in few.entries] == [entry.line for entry in whole.entries][-3:]
    assert few.omitted["entry_cap"] == whole.omitted["entry_cap"] + 197
    assert few.groups == whole.groups, "what is not shown is counted all the same"


def test_full_counts_tokens_of_whole_lines_by_group(tmp_path: Path) -> None:
    log = Rollout().turn(model="gpt-5.5")
    log.item("reasoning", summary=[{"type": "summary_text", "text": "look"}], encrypted_content="QUJD" * 300)
    home = _Home(tmp_path, log.call(input=100, output=10, tool=True))
    quick, full = home.call(0), home.call(0, mode="full")
    assert full.token_method == "o200k_base"
    assert set(full.groups) == {"encrypted", "visible", "turn_context", "token_callbacks", "other"}
    for told in (quick, full):
        assert sum(told.groups.values()) == sum(entry.tokens for entry in told.entries)
    assert all(0 < full.groups[name] <= quick.groups[name] for name in quick.groups)
    assert "QUJDQUJD" not in full.model_dump_json()


def test_a_claude_transcript_shows_the_call_that_was_asked_for(tmp_path: Path) -> None:
    log = Transcript().prompt().answer("msg_1", blocks=2, input=10, output=5).tool_result()
    home = _Home(tmp_path, log.answer("msg_2", input=20, output=6).prompt().answer("msg_3", input=30, output=7))
    told = [home.call(place, tool_output=True) for place in range(3)]
    assert [_said(one) for one in told] == [["do it", "words", "words"], ["ok", "words"], ["do it", "words"]]
    assert told[0].format == "claude.jsonl"
    assert home.call(1).omitted == {"tool_output": 1}


def test_evidence_of_what_a_fork_inherited_is_in_its_parents_log(tmp_path: Path) -> None:
    parent = _talk("0.130.0")
    fork = parent.fork().wait(10_000).turn().call(input=7, output=7)
    home = _Home(tmp_path, parent)
    fork.write(home.home)
    home.refresh()
    logs = [home.call(place).log for place in range(4)]
    assert logs.count(str(parent.path(home.home))) == 3
    assert _said(next(one for one in map(home.call, range(4)) if one.log == str(fork.path(home.home)))) == [
        "do it",
        "done",
    ]


@pytest.mark.parametrize("version", ["0.58.0", "0.98.0"])
def test_a_fork_without_turn_ids_shows_nothing_of_what_it_copied(version: str, tmp_path: Path) -> None:
    parent = _talk(version)
    fork = parent.fork().wait(10_000).turn().call(input=7, output=7)
    home = _Home(tmp_path, parent)
    fork.write(home.home)
    home.refresh()
    own = next(one for one in map(home.call, range(4)) if one.log == str(fork.path(home.home)))
    assert _said(own) == ["do it", "done"]


def test_a_log_that_was_archived_or_compressed_is_found_again(tmp_path: Path) -> None:
    home = _Home(tmp_path, _talk())
    before = home.call(1)
    archived = home.home / "archived_sessions" / home.path.name
    archived.parent.mkdir()
    home.path.rename(archived)
    home.refresh()
    assert home.call(1).log == str(archived)
    packed = archived.with_name(f"{archived.name}.zst")
    packed.write_bytes(zstandard.ZstdCompressor().compress(archived.read_bytes()))
    archived.unlink()
    home.refresh()
    told = home.call(1)
    assert (told.log, told.format) == (str(packed), "codex.jsonl.zst")
    assert told.entries == before.entries


def test_a_log_that_is_gone_or_rewritten_is_told_with_its_mend(tmp_path: Path) -> None:
    home = _Home(tmp_path, _talk())
    home.path.write_bytes(b"{}\n" * 400)
    with pytest.raises(BadInput, match="has changed since"):
        home.call(1)
    home.path.write_bytes(b"")
    with pytest.raises(BadInput, match="has changed since"):
        home.call(1)
    home.path.unlink()
    with pytest.raises(BadInput, match=r"No such file.*restore it"):
        home.call(1)


def test_a_damaged_container_is_told_without_a_leak(tmp_path: Path) -> None:
    home = _Home(tmp_path, _talk())
    packed = zstandard.ZstdCompressor().compress(home.path.read_bytes())
    cut = home.path.with_name(f"{home.path.name}.zst")
    cut.write_bytes(packed)
    home.path.unlink()
    home.refresh()
    cut.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(BadInput, match="Cannot read"):
        home.call(2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "is no call's id"),
        ("../../etc", "is no call's id"),
        ("", "is no call's id"),
        ("0000000", "No call"),
    ],
)
def test_an_id_that_fits_no_call_is_refused(text: str, words: str, tmp_path: Path) -> None:
    home = _Home(tmp_path, _talk())
    with pytest.raises(BadInput, match=words):
        call_context(home.index, home.places, text)


def test_only_the_calls_part_of_a_long_log_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Rollout().turn()
    for number in range(500):
        log.call(input=number + 1, output=1, tool=True)
    home = _Home(tmp_path, log.turn().call(input=7, output=7))
    decoded: list[bytes] = []
    decode = reading._DECODE
    monkeypatch.setattr(reading, "_DECODE", lambda line: decoded.append(line) or decode(line))
    for place, most in ((0, 12), (250, 30), (500, 12)):
        decoded.clear()
        assert home.call(place).entries
        assert len(decoded) <= most


def test_an_unknown_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="use quick or full"):
        _Home(tmp_path, _talk()).call(0, mode="slow")


@pytest.mark.parametrize(
    ("config", "warned"),
    [
        ('[otel]\nexporter = "otlp-http"\n', True),
        ('[otel]\nexporter = { otlp-http = { endpoint = "http://127.0.0.1:1" } }\n', True),
        ('\ufeff[otel]\ntrace_exporter = "otlp-grpc"\n', True),
        ('[otel]\nexporter = "none"\n', False),
        ('[otel]\nmetrics_exporter = "otlp-http"\n', False),
        ("otel = 1\n", False),
        ("not toml", False),
        ("", False),
    ],
)
def test_it_warns_when_codex_exports_what_tools_give_out(config: str, warned: bool, tmp_path: Path) -> None:
    home = _Home(tmp_path, _talk())
    (home.home / "config.toml").write_text(config, encoding="utf-8")
    assert bool(home.call(0).warnings) is warned


_KEYS = ["type", "payload", "item", "message", "content", "text", "role", "name", "output", "duration", "secs", "nanos"]
_KEYS += [
    "timestamp",
    "info",
    "usage",
    "encrypted_content",
    "rate_limits",
    "duration_ms",
    "aggregated_output",
    "summary",
]
_KINDS = [
    "message",
    "function_call_output",
    "reasoning",
    "token_count",
    "compacted",
    "assistant",
    "user",
    "item_completed",
]
HOSTILE = {
    "bad UTF-8": b'{"timestamp":"2026-11-21T12:00:00.000Z","type":"event_msg","payload":{"type":"\xff\xfe'
    + SECRET.encode(),
    "NUL": b"\x00" * 200 + SECRET.encode(),
    "deep": b'{"type":"response_item","payload":' + b"[" * 100_000,
    "cut": b'{"type":"response_item","payload":{"type":"message","role":"user","content":"' + SECRET.encode(),
    "huge integer": b'{"type":"response_item","payload":{"type":"message","content":' + b"9" * 5000 + b"}}",
    "a list": b"[1, 2]",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_line_costs_its_own_entry(name: str, tmp_path: Path) -> None:
    told = _Home(tmp_path, Rollout().turn().raw(HOSTILE[name]).call(input=1, output=1)).call(0)
    assert [entry.text for entry in told.entries if entry.kind == "unreadable"] == [None]
    assert told.omitted["unreadable"] == 1
    assert _said(told) == ["do it", "done"]
    assert SECRET not in told.model_dump_json()


def test_a_line_too_long_to_hold_costs_its_own_entry(tmp_path: Path) -> None:
    log = Rollout().turn().item("message", role="user", content=[{"type": "input_text", "text": "x" * (20 << 20)}])
    log.item("message", role="user", content=[{"type": "input_text", "text": "y" * (1 << 20)}])
    told = _Home(tmp_path, log.call(input=1, output=1)).call(0)
    assert told.omitted == {"unreadable": 1, "too_long": 1}
    assert _said(told) == ["do it", "done"]
    assert sum(entry.tokens > 20 << 20 for entry in told.entries) == 1


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "from_the_future", "words": "unknown words", "content": "unknown words"},
        {"type": "../etc", "content": "unknown words"},
        {"type": ["message"], "content": "unknown words"},
        {"type": "item_completed", "item": {"type": "FutureItem", "content": "unknown words"}},
        {"content": "unknown words"},
    ],
)
def test_a_line_of_an_unknown_kind_shows_its_size_and_no_words(payload: dict[str, Any], tmp_path: Path) -> None:
    told = _Home(tmp_path, Rollout().turn().line("event_msg", payload).call(input=1, output=1)).call(0)
    assert "unknown words" not in told.model_dump_json()
    assert _said(told) == ["do it", "done"]
    assert any(
        entry.kind in ("from_the_future", "../etc", "unknown", "FutureItem", "event_msg") and entry.tokens
        for entry in told.entries
    )


def test_words_of_the_log_become_labels_only_when_they_are_identifiers(tmp_path: Path) -> None:
    log = Rollout().turn()
    for name in ("mcp__tiny__add", "words that were said", SECRET):
        log.item("function_call", name=name, arguments="{}", call_id="c")
    told = _Home(tmp_path, log.call(input=1, output=1)).call(0)
    assert [entry.label for entry in told.entries if entry.kind == "function_call"][:2] == ["mcp__tiny__add", None]
    assert SECRET not in told.model_dump_json()


def test_control_characters_do_not_hide_a_secret(tmp_path: Path) -> None:
    text = f"\x1b[31m{SECRET[:12]}\x00{SECRET[12:]}\x1b[0m"
    log = Rollout().turn().item("message", role="user", content=[{"type": "input_text", "text": text}])
    told = _Home(tmp_path, log.call(input=1, output=1)).call(0)
    assert SECRET[4:12] not in told.model_dump_json()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda part: (
        st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=5), part, max_size=4)
    ),
    max_leaves=12,
)


@given(row=st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=6), kind=st.sampled_from(_KINDS), body=_JSON)
def test_any_json_is_an_entry(
    row: dict[str, Any], kind: str, body: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "log.jsonl"
    typed = body | {"type": kind} if isinstance(body, dict) else body
    lines = [row | {"payload": typed, "type": "response_item"}, row | {"message": body, "type": kind}, row, body]
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    told = list(reading.entries(str(path), 0, 1 << 40, 1, len))
    assert [entry.line for entry in told] == [1, 2, 3, 4]
    assert all(isinstance(entry.label, str | None) and isinstance(entry.text, str) for entry in told)
