"""What tools did, read from the bodies of logs: known counts of real ones, and nothing but safe words."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_usage.logs.commands import FAMILIES, OPERATIONS, commands_of
from codex_usage.logs.tools import ToolDecoder, ToolUse
from tests.support.cases import CASES
from tests.support.rollouts import Rollout

WORKS = {"read", "search", "write", "test", "build", "other"}


def uses_of(path: Path, thread: str | None = None) -> list[ToolUse]:
    decoder = ToolDecoder(b"k" * 32, "/home/dev/demo", thread)
    decoder.read(str(path), 0, 1 << 40)
    assert decoder.skipped == 0
    return decoder.uses


def log_of(case: str) -> Path:
    return next((CASES / case).rglob("rollout-*.jsonl"))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cat a.py", ["cat  read a.py"]),
        (
            ["bash", "-lc", "cd x && python3.11 -m pytest -q 2>&1 | tail -5"],
            ["cd  other", "pytest  test", "tail  read"],
        ),
        ("FOO=1 sudo -u me timeout 5 git -C x status --short", ["git status read"]),
        ("rg foo src | head -n 20 > out.txt", ["rg  search", "head  write out.txt"]),
        ("cat > f.py <<'EOF'\ngit push\nEOF\nls", ["cat  write f.py", "ls  search"]),
        ("find . | xargs -0 -I{} sh -c 'grep foo {}'", ["find  search", "grep  search"]),
        ("if [ -f x ]; then make test; fi # git push\ngh pr view 3", ["test  other", "make  test", "gh pr other"]),
        (
            "x=$(git rev-parse HEAD); git grep y; git secret-word",
            ["git rev-parse read", "git grep search", "git other write"],
        ),
        ("sed -n '1,20p' a.py; sed -i s/a/b/ 'b c.py'", ["sed  read a.py", "sed  write b c.py"]),
        ("npm run test:unit; cargo build; uv run --with x ruff check", ["npm  test", "cargo  build", "ruff  build"]),
        ("./my-own-tool --password=x", ["other  other"]),
        ("time nohup /usr/bin/git log", ["git log read"]),
        ("echo 'never closed; git push", ["echo  other"]),
        (["apply_patch", "*** Begin Patch"], ["apply_patch  write"]),
        (5, []),
        ([], []),
        ("", []),
    ],
)
def test_commands_are_known_by_their_programs(command: object, expected: list[str]) -> None:
    assert [" ".join((*one[:3], *one.files)) for one in commands_of(command)] == expected


SHELL = st.text(alphabet="ab \n\t'\"\\$`;|&<>(){}#=-[]!*?~/0é\x00\ud800", max_size=60)
WORDS = st.sampled_from(
    ["git", "push", "sudo", "-c", "bash", "<<E", "xargs", "env", "A=1", "sed", "secret", ">", "timeout"]
)


@given(SHELL | st.lists(WORDS | SHELL, max_size=12).map(" ".join) | st.lists(WORDS | SHELL, max_size=8) | st.none())
def test_no_command_raises_or_gets_a_word_out(command: object) -> None:
    found = commands_of(command)
    assert len(found) <= 32
    for one in found:
        assert one.family in FAMILIES
        assert one.operation in OPERATIONS
        assert one.work in WORKS


@pytest.mark.parametrize("unit", ["<<a\n", "'", "\\", "(", '"\\', "a=<<b\n\n", "bash -c '", "sudo ", "$(", "a;", ">"])
def test_a_huge_command_takes_no_time(unit: str) -> None:
    assert len(commands_of(unit * (1_000_000 // len(unit)))) <= 32


@pytest.mark.parametrize("version", ["0.36.0", "0.58.0", "0.98.0", "0.130.0", "0.169.0"])
def test_the_tools_of_a_recorded_session_are_known_in_every_version(version: str) -> None:
    """The same script of tools: six commands, one of which fails with 1 and one with 3, two patches, two MCP calls."""
    uses = [use for use in uses_of(log_of(f"{version}-tools")) if use.name != "tool_search"]
    commands = [use for use in uses if use.kind == "shell"]
    families = Counter(part.family for use in commands for part in use.parts)
    assert families == Counter(cat=1, ls=1, git=2, pytest=1, other=1)
    assert [use.outcome for use in commands] == [0, 0, 0, 1, 3]
    assert [part.operation for part in commands[2].parts] == ["status", "log"]
    patches = [use.parts[0] for use in uses if use.kind == "patch"]
    assert [(part.work, part.added, part.removed) for part in patches] == [("write", 1, 1), ("write", 2, 0)]
    assert patches[0].file == commands[0].parts[0].file, "a file has one key, read or changed"
    assert (patches[0].file or "").startswith("py:")
    mcp = [use for use in uses if use.kind == "mcp"]
    assert [(use.server, use.name) for use in mcp] == [("tiny", "add"), ("tiny", "boom")]
    if version in ("0.130.0", "0.169.0"):
        assert [use.outcome for use in mcp] == [0, -1]
        assert [use.output_tokens for use in commands] == [3, 4, 2, 11, 0]
    assert all(use.output_bytes > 0 and use.duration_ms is not None for use in commands)


def test_tools_inside_a_script_stand_at_its_place() -> None:
    uses = uses_of(log_of("0.169.0-tools_code"))
    scripts = {use.position: use for use in uses if use.name == "exec"}
    inner = [use for use in uses if use.name != "exec"]
    assert [use.kind for use in inner] == ["shell"] * 4 + ["patch", "shell", "mcp", "mcp", "patch"]
    assert [use.outcome for use in inner] == [0, 0, 0, 1, 0, 3, 0, -1, 0]
    assert all(use.position in scripts and use.first > 0 for use in inner)
    places = [(use.position, use.first) for use in uses]
    assert len(set(places)) == len(places)


ODD_NAMES = ["mcp__bad server__x y", "mcp__ok__" + "z" * 65, "me@example.org", "Ünï__cödé", "apply_patch\n", "__", ""]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_that_is_no_identifier_is_other(tmp_path: Path, name: str) -> None:
    path = Rollout().turn().item("function_call", name=name, arguments="{", call_id="c").write(tmp_path)
    (use,) = uses_of(path)
    assert {use.name, use.server} <= {"other", "", "ok"}


HOSTILE = [
    {"arguments": 5},
    {"arguments": '{"cmd": {"a": 1}}'},
    {"arguments": '{"cmd": [1, null]}', "call_id": "c"},
    {"arguments": '{"cmd": "ls", "workdir": 7}'},
    {"arguments": "[" * 5000},
    {"arguments": '"' + "\\ud800" + '"'},
    {"arguments": '{"cmd": "\\ud800 > \\udfff"}'},
]


@pytest.mark.parametrize("fields", HOSTILE)
def test_hostile_arguments_cost_no_more_than_themselves(tmp_path: Path, fields: dict[str, object]) -> None:
    log = Rollout().turn().item("function_call", name="exec_command", **fields)
    log.item("function_call", name="exec_command", arguments='{"cmd": "git status"}', call_id="good")
    uses = uses_of(log.write(tmp_path))
    assert [part.operation for part in uses[-1].parts] == ["status"]


HEAD = b'{"timestamp":"2026-11-21T20:00:00.000Z","type":"response_item","payload":{"type":"function_call",'
BAD = [
    HEAD + b'"name":7}}',
    HEAD + b"[" * 3000,
    b'{"timestamp":"x","type":"event_msg","payload":{"type":"item_completed","item":'
    b'{"type":"FileChange","changes":5}}}',
]


@pytest.mark.parametrize("line", BAD)
def test_a_line_that_cannot_be_read_is_counted(tmp_path: Path, line: bytes) -> None:
    log = Rollout().turn().call(input=1, output=1, tool=True).raw(line).call(input=2, output=2, tool=True)
    decoder = ToolDecoder(b"k" * 32)
    decoder.read(str(log.write(tmp_path)), 0, 1 << 40)
    assert len(decoder.uses) == 2
    assert decoder.skipped == 1


@pytest.mark.parametrize("case", ["0.36.0-tools", "0.130.0-tools", "0.169.0-tools", "0.169.0-tools_code"])
def test_reading_in_steps_gives_the_same(tmp_path: Path, case: str) -> None:
    whole = log_of(case).read_bytes()
    path = tmp_path / log_of(case).name
    found: dict[tuple[int, int], bytes] = {}
    offset, state = 0, b""
    for size in [*range(0, len(whole), 1777), len(whole)]:
        path.write_bytes(whole[:size])
        decoder = ToolDecoder(b"k" * 32, "/home/dev/demo", None, state)
        offset = decoder.read(str(path), offset, 1 << 40)
        state = decoder.state
        found.update(((use.position, use.first), row(use)) for use in decoder.uses)
    assert found == {(use.position, use.first): row(use) for use in uses_of(path)}


def row(use: ToolUse) -> bytes:
    """A use without the ones inside, which have rows of their own."""
    return msgspec.json.encode(msgspec.structs.replace(use, inner=[]))
