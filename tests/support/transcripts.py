"""Claude Code transcripts written row by row, in the shape of the recorded 2.1.330 ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.support.rollouts import NOON, compact, stamp


@dataclass
class Transcript:
    """One session's transcript, or with `agent` one of its subagents'."""

    session: str = "11111111-1111-4111-8111-111111111111"
    agent: str | None = None
    now: int = NOON
    model: str = "claude-opus-5-5"
    lines: list[bytes] = field(default_factory=list)
    prompts: int = 0

    def row(self, kind: str, **fields: Any) -> Self:
        """Any row of the session."""
        base = {"type": kind, "timestamp": stamp(self.now), "sessionId": self.session, "cwd": "/home/dev/demo"}
        base |= {"isSidechain": self.agent is not None, "version": "2.1.330", "gitBranch": "main"}
        self.lines.append(compact(base | fields))
        return self

    def prompt(self) -> Self:
        """The user's words."""
        self.prompts += 1
        text = {"role": "user", "content": "do it"}
        return self.row("user", message=text, promptId=f"prompt-{self.prompts}", entrypoint="sdk-cli")

    def tool_result(self) -> Self:
        """A tool's answer, which is a user row too."""
        content = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}]
        return self.row("user", message={"role": "user", "content": content})

    def answer(
        self,
        message: str,
        *,
        took: int = 1000,
        blocks: int = 1,
        billed_in: str | None = None,
        speed: str = "standard",
        **numbers: int,
    ) -> Self:
        """One response, a row for each content block; all but the last hold the first output count."""
        self.now += took
        one_hour = numbers.get("cache_write_1h", 0)
        usage = {"input_tokens": numbers.get("input", 0), "output_tokens": numbers.get("output", 0)}
        usage["cache_read_input_tokens"] = numbers.get("cached", 0)
        usage["cache_creation_input_tokens"] = numbers.get("cache_write", 0)
        body: dict[str, Any] = usage | {"service_tier": "standard", "speed": speed}
        body["cache_creation"] = {"ephemeral_1h_input_tokens": one_hour}
        for block in range(blocks):
            shown = body if block == blocks - 1 else body | {"output_tokens": 1}
            fields = {"requestSessionId": billed_in} if billed_in else {}
            content = [{"type": "text", "text": "words"}]
            self.row(
                "assistant", message={"id": message, "model": self.model, "content": content, "usage": shown}, **fields
            )
        return self

    @property
    def bytes(self) -> bytes:
        """The whole file."""
        return b"".join(line + b"\n" for line in self.lines)

    def write(self, home: Path) -> Path:
        """Write the file into a Claude home."""
        folder = home / "projects" / "-home-dev-demo"
        path = folder / f"{self.session}.jsonl"
        if self.agent:
            path = folder / self.session / "subagents" / f"agent-{self.agent}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.bytes)
        return path
