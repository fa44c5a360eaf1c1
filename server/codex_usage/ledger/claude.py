"""The counting rule for Claude Code transcripts: one message id, one call, its highest output.

A response is written once per content block; a forked session copies its parent's rows under its own session
id, with `requestSessionId` naming the thread that was billed (2.1.330). Deduplicating by message id counted
exactly the billed requests of the recorded ledger.
"""

from __future__ import annotations

from typing import Any

import msgspec

from codex_usage.ledger.rows import Rows, response_uid
from codex_usage.logs import TranscriptDecoder, iso_ms
from codex_usage.model import Call, Counted, LogFile, Thread, Tokens


class _State(msgspec.Struct, array_like=True):
    has_header: bool = False
    prompt_id: str | None = None
    turn_key: str | None = None
    input_ms: int | None = None
    last_ms: int | None = None
    last_call: Call | None = None


def count_transcript(file: LogFile, offset: int, state: bytes) -> Counted:
    """Read `file` from `offset` and count what is new; a message that goes on is given again under its uid."""
    ledger = _Ledger(file, state, _State)
    return ledger.read(TranscriptDecoder(ledger), offset)


class _Ledger(Rows[_State]):
    @property
    def agent(self) -> str | None:
        """A subagent's log: its name."""
        name = self.file.name
        return name.removesuffix(".jsonl") if name.startswith("agent-") else None

    def prompt(self, line: Any) -> None:
        """A user row: the next new prompt id is a new turn."""
        self._header(line)
        self.state.input_ms = iso_ms(line.timestamp) or self.state.input_ms
        self.state.prompt_id = line.promptId or self.state.prompt_id

    def message(self, position: int, line: Any) -> None:
        """One content block of a response, with the usage of the whole."""
        message = line.message
        if message is None or message.usage is None or message.id is None or message.model == "<synthetic>":
            return
        self._header(line)
        state = self.state
        uid = response_uid(message.id)
        numbers, one_hour = _tokens(message.usage)
        known = state.last_call if state.last_call and state.last_call.uid == uid else None
        if known is not None:
            if numbers.output >= known.tokens.output:
                self._put(msgspec.structs.replace(known, tokens=numbers, cache_write_1h=one_hour))
            return
        if numbers.is_zero:
            return
        copied = line.requestSessionId not in (None, line.sessionId)
        time_ms = iso_ms(line.timestamp) or state.last_ms or 0
        key = line.promptId or state.prompt_id
        started = state.input_ms if state.input_ms is not None and state.input_ms <= time_ms else None
        first = key is not None and key != state.turn_key
        state.turn_key = key
        thread_id = self._thread_id(line)
        tier = "fast" if message.usage.speed == "fast" else message.usage.service_tier
        self._put(
            Call(
                uid, position, time_ms, (line.requestSessionId or thread_id) if copied else thread_id, key,
                first and not copied, message.model, line.effort, tier, line.cwd,
                6 if self.agent else (2 if first else 4), numbers,
                cache_write_1h=one_hour,
                duration_ms=None if started is None else time_ms - started,
                gap_ms=None if started is None or state.last_ms is None else max(0, started - state.last_ms),
                recovered=copied,
            )
        )  # fmt: skip
        if copied:
            self.out.depends_on.add(line.requestSessionId or "")
        state.last_ms = time_ms

    def _put(self, call: Call) -> None:
        self.state.last_call = call
        known = self.calls.get(call.uid)
        if known is None or call.tokens.output >= known.tokens.output:
            self.calls[call.uid] = call

    def _thread_id(self, line: Any) -> str:
        """A session's own id; a subagent is a thread of its own under the session."""
        return self.agent or line.sessionId or self.file.thread_id or self.file.name

    def _header(self, line: Any) -> None:
        if self.state.has_header:
            return
        self.state.has_header = True
        role = "subagent" if self.agent else "user"
        self.out.thread = Thread(
            self._thread_id(line), "claude", created_ms=iso_ms(line.timestamp), role=role,
            source=role if self.agent else line.entrypoint, originator="claude_code", version=line.version,
            cwd=line.cwd, branch=line.gitBranch, parent_id=line.sessionId if self.agent else None,
        )  # fmt: skip


def _tokens(usage: Any) -> tuple[Tokens, int]:
    """Claude counts uncached, cached and written input apart; here input is their sum, as Codex logs it."""
    written = usage.cache_creation_input_tokens or 0
    cached = usage.cache_read_input_tokens or 0
    thinking = usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else 0
    numbers = Tokens(
        (usage.input_tokens or 0) + cached + written, cached, written, usage.output_tokens or 0, thinking or 0
    )
    return numbers, (usage.cache_creation.ephemeral_1h_input_tokens or 0) if usage.cache_creation else 0
