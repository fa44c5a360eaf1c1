"""Writes the lines of one rollout byte for byte as the imitated Codex version lays them out.

In: a shape, an open file, a place in time and running totals. Out: the file's lines, and counts of the bytes
written by kind. What happens in a session is decided in ``sessions``; this module only knows how it looks.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from .bodies import Bodies
from .shapes import Shape

WINDOW = 258_400
STAMP = slice(14, 38)
"""Where a line's timestamp stands."""


class Tokens(NamedTuple):
    """One usage vector, named and nested as the provider does."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    def plus(self, other: Tokens) -> Tokens:
        return Tokens(*(a + b for a, b in zip(self, other, strict=True)))


NOTHING = Tokens()


def stamp(ms: int) -> str:
    """ISO 8601 with milliseconds, UTC."""
    seconds, rest = divmod(ms, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}Z"


def uuid7(rng: random.Random, ms: int) -> str:
    """A version 7 UUID of that moment."""
    low = rng.getrandbits(74)
    return f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7{low & 0xFFF:03x}-{0x8000 | (low >> 12) & 0x3FFF:04x}-{low >> 26:012x}"


@dataclass(slots=True)
class Identity:
    """Who the thread is and whose child it is."""

    thread: str
    session: str
    cwd: str
    parent: str | None = None
    root_turn: str | None = None
    forked_from: str | None = None
    forked_ordinal: int = 0
    forked_offset: int = 0


@dataclass(slots=True)
class Rollout:
    """One open session log."""

    shape: Shape
    out: BinaryIO
    rng: random.Random
    bodies: Bodies
    who: Identity
    now: int
    model: str
    effort: str | None
    total: Tokens = NOTHING
    last: Tokens = NOTHING
    ordinal: int = 0
    size: int = 0
    turn: str = ""
    sequence: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    # -- plumbing --------------------------------------------------------------------------------------------

    def raw(self, kind: str, line: bytes) -> None:
        """Write finished bytes."""
        self.out.write(line)
        self.size += len(line)
        self.kinds[kind] += len(line)

    def line(self, kind: str, typ: str, payload: str, tail: str = "") -> None:
        """Write one line of ``typ``; ``tail`` follows the payload."""
        if self.shape.ordinals:
            head = f'{{"timestamp":"{stamp(self.now)}","ordinal":{self.ordinal},"type":"{typ}","payload":'
            self.ordinal += 1
        else:
            head = f'{{"timestamp":"{stamp(self.now)}","type":"{typ}","payload":'
        self.raw(kind, f"{head}{payload}{tail}}}\n".encode())

    def item(self, kind: str, payload: str, item_id: str = "") -> None:
        """A response item: ``payload`` starts with its type and has no closing brace."""
        if not self.shape.ids:
            self.line(kind, "response_item", f"{{{payload}}}")
            return
        first, rest = payload.split(",", 1)
        with_id = f'{first},"id":"{item_id}",{rest}' if item_id else payload
        passthrough = f'"internal_chat_message_metadata_passthrough":{{"turn_id":"{self.turn}"}}'
        tail = ""
        if self.shape.ordinals:
            self.sequence += 1
            tail = f',"metadata":{{"history_sequence":{self.sequence},"client_authored":false}}'
        self.line(kind, "response_item", f"{{{with_id},{passthrough}}}", tail)

    def event(self, kind: str, payload: str) -> None:
        self.line(kind, "event_msg", payload)

    def completed(self, kind: str, item: str) -> None:
        """A paginated version's ``item_completed``."""
        self.event(
            kind,
            f'{{"type":"item_completed","thread_id":"{self.who.thread}","turn_id":"{self.turn}","item":{{{item}}},'
            f'"started_at_ms":{self.now - 40},"completed_at_ms":{self.now}}}',
        )

    # -- a thread and its turns ------------------------------------------------------------------------------

    def session_meta(self) -> None:
        who, shape = self.who, self.shape
        fields: list[str] = []
        if shape.ids:
            fields.append(f'"session_id":"{who.session}"')
        fields.append(f'"id":"{who.thread}"')
        if who.forked_from:
            fields.append(f'"forked_from_id":"{who.forked_from}"')
            if who.forked_ordinal:
                fields.append(f'"forked_from_ordinal_exclusive":{who.forked_ordinal}')
        if who.parent and shape.ids:
            fields.append(f'"parent_thread_id":"{who.parent}"')
        fields += [f'"timestamp":"{stamp(self.now - 20)}"', f'"cwd":"{who.cwd}"']
        source = '"cli"'
        if who.parent:
            source = (
                f'{{"subagent":{{"thread_spawn":{{"parent_thread_id":"{who.parent}","depth":1,'
                f'"agent_path":"/root/task","agent_nickname":"Hypatia","agent_role":null}}}}}}'
            )
        fields += ['"originator":"codex-tui"', f'"cli_version":"{shape.version}"', f'"source":{source}']
        if shape.ids:
            fields.append(f'"thread_source":"{"subagent" if who.parent else "user"}"')
        fields.append('"model_provider":"openai"')
        if shape.usage_first:
            fields.append('"instructions":null')
        else:
            fields.append(f'"base_instructions":{{"text":"{self.bodies.text(14_000)}"}}')
        if shape.ids:
            fields.append(f'"history_mode":"{"paginated" if shape.ordinals else "legacy"}"')
        if who.forked_offset:
            fields.append(
                f'"history_base":{{"thread_id":"{who.forked_from}","end_ordinal_exclusive":{who.forked_ordinal},'
                f'"end_byte_offset":{who.forked_offset}}}'
            )
        fields.append(
            f'"git":{{"commit_hash":"{self.rng.getrandbits(160):040x}","branch":"main",'
            f'"repository_url":"https://github.com/example/{who.cwd.rsplit("/", 1)[-1]}.git"}}'
        )
        self.line("session_meta", "session_meta", "{" + ",".join(fields) + "}")

    def opening(self) -> None:
        """What a fresh context starts with: instructions and the environment."""
        size = 3_000 if self.shape.usage_first else 15_000
        self.message("developer", "input_text", self.bodies.text(size), f"msg_{uuid7(self.rng, self.now)}")
        environment = rf"<environment_context>\n  <cwd>{self.who.cwd}</cwd>\n</environment_context>"
        self.message("user", "input_text", environment, f"msg_{uuid7(self.rng, self.now)}")
        if self.shape.ids:
            state = f'{{"full":true,"state":{{"host_skills":{{"body":"{self.bodies.text(12_000)}"}}}}}}'
            self.line("world_state", "world_state", state)

    def task_started(self, turn: str) -> None:
        self.turn = turn
        if not self.shape.turn_ids:
            return
        attribution = root = ""
        if self.shape.ordinals:
            top = self.who.root_turn or turn
            parent = f'"{self.who.root_turn}"' if self.who.root_turn else "null"
            attribution = (
                f'"turn_attribution":{{"turn_id":"{turn}","turn_trigger":"user","parent_turn_id":{parent},'
                f'"initiating_agent_path":null,"root_turn_id":"{top}"}},'
            )
            root = f'"root_turn_id":"{top}",'
        self.event(
            "turn",
            f'{{"type":"task_started",{attribution}"turn_id":"{turn}",{root}"started_at":{self.now // 1000},'
            f'"model_context_window":{WINDOW},"collaboration_mode_kind":"default"}}',
        )

    def task_complete(self, started: int, message: str) -> None:
        if not self.shape.turn_ids:
            return
        root = f'"root_turn_id":"{self.who.root_turn or self.turn}",' if self.shape.ordinals else ""
        self.event(
            "turn",
            f'{{"type":"task_complete",{root}"turn_id":"{self.turn}","last_agent_message":"{message}",'
            f'"completed_at":{self.now // 1000},"duration_ms":{self.now - started},'
            f'"time_to_first_token_ms":900}}',
        )

    def turn_context(self) -> None:
        shape = self.shape
        effort = f'"effort":"{self.effort}",' if self.effort else ""
        turn = f'"turn_id":"{self.turn}",' if shape.turn_ids else ""
        if shape.ordinals:
            turn += f'"root_turn_id":"{self.who.root_turn or self.turn}","disabled_plugin_ids":[],'
        settings = f'{{"model":"{self.model}","reasoning_effort":null,"developer_instructions":null}}'
        extra = "" if shape.usage_first else f'"collaboration_mode":{{"mode":"default","settings":{settings}}},'
        if shape.context_per_call and not shape.usage_first:
            effort += f'"user_instructions":"{self.bodies.text(900)}",'
        self.line(
            "turn_context",
            "turn_context",
            f'{{{turn}"cwd":"{self.who.cwd}","approval_policy":"never","sandbox_policy":'
            f'{{"type":"danger-full-access"}},"model":"{self.model}",{extra}{effort}"summary":"auto"}}',
        )

    def settings_applied(self) -> None:
        settings = f'{{"model":"{self.model}","reasoning_effort":null,"developer_instructions":null}}'
        self.event(
            "turn",
            f'{{"type":"thread_settings_applied","thread_id":"{self.who.thread}","thread_settings":{{"model":'
            f'"{self.model}","model_provider_id":"openai","service_tier":"default","approval_policy":"never",'
            f'"cwd":"{self.who.cwd}","collaboration_mode":{{"mode":"default","settings":{settings}}}}}}}',
        )

    # -- messages and tools ----------------------------------------------------------------------------------

    def message(self, role: str, part: str, text: str, item_id: str) -> None:
        self.item(
            "message", f'"type":"message","role":"{role}","content":[{{"type":"{part}","text":"{text}"}}]', item_id
        )

    def user_message(self, text: str) -> None:
        self.message("user", "input_text", text, f"msg_{uuid7(self.rng, self.now)}")
        if self.shape.ordinals:
            content = f'[{{"type":"text","text":"{text}","text_elements":[]}}]'
            self.completed("message", f'"type":"UserMessage","id":"{uuid7(self.rng, self.now)}","content":{content}')
        else:
            self.event("message", f'{{"type":"user_message","message":"{text}","images":[]}}')

    def agent_message(self, text: str) -> None:
        item_id = f"msg_{self.rng.getrandbits(96):024x}"
        if self.shape.ordinals:
            content = f'[{{"type":"Text","text":"{text}"}}]'
            self.completed("message", f'"type":"AgentMessage","id":"{item_id}","content":{content}')
        else:
            self.event("message", f'{{"type":"agent_message","message":"{text}"}}')
        self.message("assistant", "output_text", text, item_id)

    def reasoning(self, size: float) -> None:
        summary, blob = self.bodies.text(200), self.bodies.blob(size)
        item_id = f"rs_{self.rng.getrandbits(96):024x}"
        if self.shape.ordinals:
            self.completed(
                "reasoning", f'"type":"Reasoning","id":"{item_id}","summary_text":["{summary}"],"raw_content":[]'
            )
        else:
            self.event("reasoning", f'{{"type":"agent_reasoning","text":"{summary}"}}')
        self.item(
            "reasoning",
            f'"type":"reasoning","summary":[{{"type":"summary_text","text":"{summary}"}}],"content":null,'
            f'"encrypted_content":"{blob}"',
            item_id,
        )

    def tool_call(self, call_id: str) -> None:
        command = self.bodies.text(90).replace('\\"', "'").replace("\\n", " ").replace("\\t", " ")
        command = command.replace("\\", "")
        if self.code_mode:
            script = rf"const r = await tools.exec_command({{cmd: '{command}'}});\ntext(JSON.stringify(r));\n"
            self.item(
                "function_call",
                f'"type":"custom_tool_call","status":"completed","call_id":"{call_id}","name":"exec",'
                f'"input":"{script}"',
                f"ctc_{call_id}",
            )
            return
        name = "shell" if self.shape.usage_first else "exec_command"
        arguments = rf"{{\"cmd\": \"{command}\"}}"
        if self.shape.usage_first:
            arguments = rf"{{\"command\": [\"bash\", \"-lc\", \"{command}\"]}}"
        self.item(
            "function_call",
            f'"type":"function_call","name":"{name}","arguments":"{arguments}","call_id":"{call_id}"',
            f"fc_{call_id}",
        )

    @property
    def code_mode(self) -> bool:
        """Newer models call every tool through one JavaScript tool."""
        return self.shape.ids and self.model.startswith(("gpt-5.6", "gpt-6"))

    def tool_output(self, call_id: str, body: str) -> None:
        if self.shape.ordinals:
            self.completed(
                "output",
                f'"type":"CommandExecution","id":"{call_id}","process_id":"4711","command":["/bin/bash","-lc","make"],'
                f'"cwd":"file://{self.who.cwd}","parsed_cmd":[{{"type":"unknown","cmd":"make"}}],'
                f'"status":"completed","aggregated_output":"{body}","exit_code":0,'
                f'"duration":{{"secs":0,"nanos":6960}}',
            )
        kind, output = "function_call_output", f'"{body}"'
        if self.code_mode:
            kind = "custom_tool_call_output"
            done = r'{"type":"input_text","text":"Script completed\n"}'
            output = f'[{done},{{"type":"input_text","text":"{body}"}}]'
        elif self.shape.usage_first:
            quoted = body.replace("\\", "\\\\").replace('"', r"\"")
            output = rf'"{{\"output\":\"{quoted}\",\"metadata\":{{\"exit_code\":0,\"duration_seconds\":0.1}}}}"'
        else:
            output = rf'"Chunk ID: 16a289\nWall time: 0.0512 seconds\nProcess exited with code 0\nOutput:\n{body}"'
        self.item(
            "output", f'"type":"{kind}","call_id":"{call_id}","output":{output}', f"fco_{uuid7(self.rng, self.now)}"
        )

    # -- usage -----------------------------------------------------------------------------------------------

    def usage(self, tokens: Tokens, total: int | None = None) -> str:
        write = f'"cache_write_input_tokens":{tokens.cache_write},' if self.shape.ids else ""
        return (
            f'{{"input_tokens":{tokens.input},"cached_input_tokens":{tokens.cached},{write}'
            f'"output_tokens":{tokens.output},"reasoning_output_tokens":{tokens.reasoning},'
            f'"total_tokens":{tokens.input + tokens.output if total is None else total}}}'
        )

    def token_count(self, last: Tokens | None = None, estimate: int | None = None, bare: bool = False) -> None:
        """A ``token_count``: the running total, ``last`` (default: the last call's), rate limits.

        ``bare`` writes ``info: null``; ``estimate`` is the context size that follows a compaction.
        """
        seconds = self.now // 1000
        info = "null"
        if not bare:
            reasoning = '"last_usage_includes_reasoning":true,' if self.shape.ordinals else ""
            info = (
                f'{{"total_token_usage":{self.usage(self.total)},'
                f'"last_token_usage":{self.usage(self.last if last is None else last, estimate)},'
                f'{reasoning}"model_context_window":{WINDOW}}}'
            )
        names = '"limit_id":"codex","limit_name":"codex",' if self.shape.limit_ids else ""
        five, week = 5 * 3600, 7 * 86400
        self.event(
            "token_count",
            f'{{"type":"token_count","info":{info},"rate_limits":{{{names}"primary":{{"used_percent":'
            f'{seconds % five * 60 / five:.1f},"window_minutes":300,'
            f'"resets_at":{seconds // five * five + five}}},"secondary":{{"used_percent":'
            f'{seconds % week * 80 / week:.1f},"window_minutes":10080,'
            f'"resets_at":{seconds // week * week + week}}},"credits":{{"has_credits":true,"unlimited":false,'
            f'"balance":"12.5"}},"plan_type":"pro"}}}}',
        )

    def usage_record(self, response: str, turn_total: Tokens, kind: str = "token_usage_record") -> str:
        """A ``token_usage_record`` of the last call; also returns its payload."""
        payload = (
            f'{{"thread_id":"{self.who.thread}","turn_id":"{self.turn}","session_id":"{self.who.session}",'
            f'"root_turn_id":"{self.who.root_turn or self.turn}","response_id":"{response}",'
            f'"usage":{self.usage(self.last)},"turn_token_usage":{self.usage(turn_total)},'
            f'"thread_token_usage":{self.usage(self.total)}}}'
        )
        self.line(kind, "token_usage_record", payload)
        return payload

    def compacted(self, size: float, record: str) -> None:
        """The line that replaces the history by ``size`` bytes; ``record``: the copy newer versions keep."""
        summary = self.bodies.text(1_500)
        history: list[str] = []
        left = size
        while left > 0:
            part = min(left, self.bodies.around(6_000) + 400)
            left -= part
            history.append(
                '{"type":"message","role":"user","content":[{"type":"input_text","text":"'
                + self.bodies.exact_text(part)
                + '"}]}'
            )
        replacement = "" if self.shape.usage_first else f',"replacement_history":[{",".join(history)}]'
        copy = f',"latest_token_usage_record":{record}' if self.shape.ordinals else ""
        self.line("compacted", "compacted", f'{{"message":"{summary}"{replacement}{copy}}}')
