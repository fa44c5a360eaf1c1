"""Reads a rollout a second time for what its tools did: safe words and numbers out, never what anyone said.

Of a body only words of fixed lists, identifiers of MCP tools, numbers and keyed hashes of paths get any further. Lines
of other kinds are stepped over. Versions differ in what they log of a tool (ROLLOUTS.md §6); all are taken in.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec

from codex_usage.logs.commands import Command, commands_of, table
from codex_usage.logs.reader import Block, BrokenLog, LongLine, read_blocks
from codex_usage.logs.rollout import BAD
from codex_usage.logs.shapes import Kind, Line, Whole
from codex_usage.logs.times import iso_ms, stamp_ms

#: Codex's own tools by kind; the name of any other is "other".
_KINDS = table("""
  shell: shell shell_command exec_command write_stdin local_shell container.exec unified_exec read_file list_dir
  patch: apply_patch
  search: web_search tool_search grep_files
  plan: update_plan create_goal update_goal get_goal
  image: view_image image_generation
  other: exec wait js_repl spawn_agent wait_agent send_input send_message close_agent resume_agent list_agents
  other: interrupt_agent followup_task request_user_input request_permissions read_mcp_resource list_mcp_resources
  other: list_mcp_resource_templates
""")
#: What lines of a kind tell: a tool's call, its output or its end, or the begin of a turn.
_HANDLERS = table("""
  _called: function_call custom_tool_call local_shell_call web_search_call tool_search_call image_generation_call
  _answered: function_call_output custom_tool_call_output tool_search_output
  _ended: mcp_tool_call_end patch_apply_end exec_command_end item_completed
  _turned: task_started turn_started user_message turn_aborted
""")
#: Items that a code-mode script's tools leave, and the names of those tools.
_ITEMS = {
    "CommandExecution": "exec_command", "FileChange": "apply_patch", "SubAgentActivity": "spawn_agent",
    "McpToolCall": "",
}  # fmt: skip
_EXTENSIONS = table("""
  code: py pyi ipynb js jsx ts tsx mjs cjs vue svelte rs go c h cc cpp hpp cs java kt scala swift rb php pl lua r jl ex
  code: exs erl hs ml clj dart sh bash zsh ps1 sql html css scss less proto graphql tf nix gradle cmake mk diff patch
  other: xml svg json jsonl toml yaml yml ini cfg conf env lock md rst txt tex csv tsv log png jpg gif pdf
""")
#: The kind of a line in the usual layout, or that it is of no interest.
_HEAD = re.compile(
    rb'\{"timestamp":"[^"]{24}",(?:"ordinal":\d{1,18},)?"type":"'
    rb'(?:(?:response_item|event_msg)","payload":\{"type":"(\w+)"|(?!response_item"|event_msg")\w+")'
)
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_EXIT = re.compile(rb'(?:[Ee]xit code: |exited with code |exit_code\\*":\s?)(-?\d{1,9})')
_WALL = re.compile(rb'(?:Wall time:? |duration_seconds\\*":\s?)(\d{1,9}(?:\.\d{1,9})?)')
_TOKENS = re.compile(rb'(?:Original token count: |original_token_count\\*":\s?)(\d{1,12})')
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: ", re.M)
_MOST = 256
_FAILED = -1


class Part(msgspec.Struct, array_like=True, gc=False):
    """One command of a tool use, or one file of it: its labels, how often it ran, lines added and removed."""

    family: str = ""
    operation: str = ""
    work: str = "other"
    file: str | None = None
    runs: int = 1
    added: int = 0
    removed: int = 0


class ToolUse(msgspec.Struct, array_like=True, gc=False):
    """One use of a tool. `position` is the byte offset of its line; one inside a code-mode script has its script's,
    and `first` tells them apart. The first part is the main command. `outcome`: 0 succeeded, above 0 the exit code, -1
    failed, None unknown. Output as the model got it, in bytes; in tokens, uncut, where the log tells."""

    position: int
    time_ms: int
    turn: int
    kind: str
    name: str
    server: str
    parts: list[Part]
    first: int = 0
    outcome: int | None = None
    duration_ms: int | None = None
    output_bytes: int = 0
    output_tokens: int | None = None
    inner: list[ToolUse] = []


def _fields(kind: Any, default: object, names: str) -> list[tuple[str, Any, object]]:
    return [(name, kind, default) for name in names.split()]


#: What any line may tell of a tool; an item_completed tells it in its `item`.
_Told: Any = msgspec.defstruct(
    "_Told",
    [
        *_fields(str | None, None, "type id call_id thread_id name namespace input cwd status server tool"),
        *_fields(Any, None, "arguments action command duration"),
        *_fields(dict[str, Any] | None, None, "invocation changes"),
        *_fields(msgspec.Raw, msgspec.Raw(), "output tools item result aggregated_output"),
        ("exit_code", Whole | None, None),
        ("success", bool | None, None),
    ],
    gc=False,
)


class _State(msgspec.Struct, array_like=True, gc=False):
    turn: int = 0
    pending: dict[str, ToolUse] = {}


_TOLD, _ANY, _KIND = msgspec.json.Decoder(_Told), msgspec.json.Decoder(Line), msgspec.json.Decoder(Kind)
_LINE: Any = msgspec.json.Decoder(msgspec.defstruct("_Line", [("payload", _Told)]))


class ToolDecoder:
    """Reads one rollout from an offset on. `uses` are the tool uses that are new or know more than before; `state` is
    what the next reading needs. `secret` keys the hashes; relative paths are below `cwd`; `thread` is the log's own."""

    def __init__(self, secret: bytes, cwd: str | None = None, thread: str | None = None, state: bytes = b"") -> None:
        self._secret, self._cwd, self._thread = secret, cwd or "/", thread
        self._key = lru_cache(_MOST)(self._hash)
        self._state = msgspec.msgpack.decode(state, type=_State) if state else _State()
        self.uses = [one for use in self._state.pending.values() for one in (use, *use.inner)]
        self.skipped = 0
        self.whole = True

    @property
    def state(self) -> bytes:
        """What must survive until the log is read on: open tool uses, as safe as finished ones."""
        return msgspec.msgpack.encode(self._state)

    def read(self, path: str, offset: int, most: int) -> int:
        """Take in whole lines from `offset` on, about `most` bytes of them; the offset of the next. `whole` tells
        whether the log's end was reached. Raises OSError."""
        end = offset
        try:
            for piece in read_blocks(path, offset):
                if end - offset >= most and not path.endswith(".zst"):
                    self.whole = False
                    break
                if isinstance(piece, Block):
                    self._block(piece)
                    end = piece.base + piece.end
                elif isinstance(piece, LongLine):
                    self.skipped += any(mark in piece.head[:300] for mark in (b"_call", b"item_completed"))
                    end = piece.end
        except BrokenLog:
            self.skipped += 1  # what came before the damage counts
        return end

    def _block(self, block: Block) -> None:
        (buffer, end, base), at = block, 0
        while at < end:
            stop = buffer.find(10, at, end)
            match = _HEAD.match(buffer, at, stop)
            handler = "odd" if match is None else _HANDLERS.get((match[1] or b"").decode())
            if handler is not None:
                self._line(handler, buffer[at:stop], base + at)
            at = stop + 1

    def _line(self, handler: str | None, line: bytearray, position: int) -> None:
        """Take in a line; an odd one, in no usual layout, is parsed whole to know its kind."""
        odd = handler == "odd"
        try:
            if odd:
                line = line.strip(b" \t\r\xef\xbb\xbf")
                handler = _HANDLERS.get(_KIND.decode(_ANY.decode(line).payload).type or "")
                odd = False
            if handler == "_turned":
                self._state.turn += 1
            elif handler is not None:
                getattr(self, handler)(_LINE.decode(line).payload, line, position)
        except BAD:
            self.skipped += not odd  # the first reading counts the odd ones

    # -- the handlers of lines --------------------------------------------------------------------------

    def _called(self, call: Any, line: bytearray, position: int) -> None:
        name = call.name or (call.type or "").removesuffix("_call")
        kind, name, server = _tool(name, call.namespace or "")
        use = ToolUse(position, _time(line), self._state.turn, kind, name, server, [])
        if kind in ("shell", "patch", "image"):
            told = call.arguments if call.action is None else call.action
            try:
                told = msgspec.json.decode(told) if isinstance(told, str) else told
            except BAD:
                told = None
            told = told if isinstance(told, dict) else {}
            base = told.get("workdir") or told.get("working_directory")
            self._fill(use, told.get("cmd") or told.get("command") or call.input or told.get("input"), base)
            if isinstance(path := told.get("file_path") or told.get("path"), str) and name == "read_file":
                use.parts = [Part(work="read", file=self._file(path, base))]
        use.parts = use.parts or [Part()]
        self.uses.append(use)
        if call.call_id:
            pending = self._state.pending
            pending[self._key(call.call_id)] = use
            if len(pending) > _MOST:
                del pending[next(iter(pending))]

    def _answered(self, answer: Any, *_: object) -> None:
        key = self._key(answer.call_id or "")
        if (use := self._state.pending.get(key)) is None:
            return
        raw = bytes(answer.output or answer.tools)
        head, label, _rest = raw[:1200].partition(b"Output:")
        if not label:  # the oldest versions put the facts at the end of a JSON text; most others tell none
            head = raw[-200:].rpartition(b"metadata")[2] if raw[:2] == b'"{' else raw[:60]
        if found := _EXIT.search(head):
            use.outcome = _code(int(found[1]))
        elif b"Script failed" in head or b"aborted by user" in raw[:80] or b"rejected by user" in raw[:80]:
            use.outcome = _FAILED
        elif b"Script completed" in head:
            use.outcome = 0
        if found := _WALL.search(head):
            use.duration_ms = use.duration_ms or int(float(found[1]) * 1000)
        if found := _TOKENS.search(raw[:1200] if raw[:1] == b"[" else head):
            use.output_tokens = int(found[1])
        if use.kind != "image":  # every escape is a byte more than it stands for; a backslash itself isn't counted
            use.output_bytes += _shared(use, max(0, len(raw) - 2 - raw.count(b"\\")))
        if b" running with " not in head:
            del self._state.pending[key]

    def _ended(self, told: Any, line: bytearray, position: int) -> None:
        done = _TOLD.decode(told.item) if told.item else told
        if told.item and (done.type not in _ITEMS or told.thread_id not in (None, self._thread or told.thread_id)):
            return  # a review's parent shows its items too
        own = done.call_id or done.id or ""
        use = self._state.pending.get(self._key(own))
        if use is None:
            if not own.startswith("exec-"):
                return  # it was over already
            use = self._inside(done, _time(line), position)
        duration = done.duration if isinstance(done.duration, dict) else {}
        seconds, nanos = duration.get("secs"), duration.get("nanos")
        if isinstance(seconds, int) and isinstance(nanos, int) and 0 <= seconds < 10**9:
            use.duration_ms = seconds * 1000 + max(0, min(nanos, 10**9)) // 1_000_000
        if done.exit_code is not None:
            use.outcome = _code(done.exit_code)
        elif done.success is not None or done.status in ("completed", "failed", "declined"):
            use.outcome = 0 if done.success or done.status == "completed" else _FAILED
        elif done.invocation is not None:
            result = bytes(done.result)
            use.outcome = _FAILED if result[:5] == b'{"Err' or b'"isError":true' in result[-40:] else 0

    def _inside(self, done: Any, time_ms: int, position: int) -> ToolUse:
        """A tool that a code-mode script used. The log links the two by their order only."""
        name = _ITEMS.get(done.type, "spawn_agent")
        kind, name, server = (_KINDS[name], name, "") if name else ("mcp", _safe(done.tool), _safe(done.server))
        use = ToolUse(position, time_ms, self._state.turn, kind, name, server, [])
        self._fill(use, done.command, (done.cwd or "").removeprefix("file://"))
        for path, change in islice((done.changes or {}).items(), _MOST):
            change = change if isinstance(change, dict) else {}
            added, removed = _lines(str(change.get("unified_diff") or ""))
            if content := str(change.get("content") or "").count("\n"):
                added, removed = (0, content) if change.get("type") == "delete" else (content, 0)
            use.parts.append(Part("", "", "write", self._file(path), 1, added, removed))
        use.parts = use.parts or [Part()]
        scripts = [use for use in self._state.pending.values() if use.name == "exec"]
        if scripts:
            script = next((use for use in scripts if not use.inner), scripts[-1])
            use.position, use.time_ms, use.turn = script.position, script.time_ms, script.turn
            before = script.inner[-1] if script.inner else script
            use.first = before.first + len(before.parts)
            use.output_bytes = max(0, len(bytes(done.aggregated_output)) - 2)  # until the script's own output comes
            script.inner.append(use)
        self.uses.append(use)
        return use

    # -- what a use is made of --------------------------------------------------------------------------

    def _fill(self, use: ToolUse, command: object, base: object) -> None:
        """The parts of a shell or patch tool's command."""
        texts = command if isinstance(command, list) else [command]
        patch = next((text for text in texts if isinstance(text, str) and "*** Begin Patch" in text), None)
        if patch is not None:
            use.kind = "patch"
            for chunk in _PATCHED.split(patch, _MOST)[1:]:
                path, _, body = chunk.partition("\n")
                use.parts.append(Part("", "", "write", self._file(path.strip(), base), 1, *_lines(body)))
        elif use.kind == "shell":
            use.parts = self._commands(commands_of(command), base)

    def _commands(self, commands: list[Command], base: object) -> list[Part]:
        """One part for each distinct command and file, the main command first."""
        main = next((one for one in commands if not one.trivial), None)
        rows: dict[tuple[str, str, str, str | None], Part] = {}
        for one in sorted(commands, key=lambda one: one is not main):
            for at, file in enumerate([self._file(path, base) for path in one.files] or [None]):
                part = rows.setdefault((*one[:3], file), Part(*one[:3], file, 0))
                part.runs += at == 0
        return list(rows.values())

    def _file(self, path: str, base: object = None) -> str | None:
        """A file's key: its kind by its ending, and a hash that only this installation can make."""
        if not path or any(char in path for char in "*?$\n"):
            return None
        start = posixpath.join(self._cwd, base if isinstance(base, str) else "")
        path = posixpath.normpath(posixpath.join(start, path).replace("\\", "/"))
        ending = path.rpartition("/")[2].rpartition(".")[2].lower()
        return f"{ending if ending in _EXTENSIONS else 'other'}:{self._key(path, 4)}"

    def _hash(self, text: str, size: int = 8) -> str:
        data = text.encode("utf-8", "replace")
        return hashlib.blake2b(data, key=self._secret, digest_size=size).hexdigest()


def _tool(name: str, namespace: str) -> tuple[str, str, str]:
    """(kind, name, server) of a function's name in any version's spelling."""
    if name in _KINDS:
        return _KINDS[name], name, ""
    full = f"{namespace.removesuffix('__')}__{name}" if namespace.startswith("mcp__") else name
    server, dashes, tool = full.removeprefix("mcp__").partition("__")
    return ("mcp", _safe(tool), _safe(server)) if dashes else ("other", "other", "")


def _safe(name: str | None) -> str:
    return name if name and _IDENTIFIER.fullmatch(name) else "other"


def _code(number: int) -> int:
    return number if 0 <= number < 1 << 32 else _FAILED


def _lines(diff: str) -> tuple[int, int]:
    return f"\n{diff}".count("\n+"), f"\n{diff}".count("\n-")


def _shared(use: ToolUse, size: int) -> int:
    """A script's own part of its output; the tools inside have got theirs, cut down as the whole was cut."""
    total = sum(one.output_bytes for one in use.inner)
    for one in use.inner if total > size else ():
        one.output_bytes = one.output_bytes * size // total
    return max(0, size - total)


def _time(line: bytearray) -> int:
    try:
        return stamp_ms(line, 14)
    except ValueError:
        return iso_ms(_ANY.decode(line).timestamp) or 0
