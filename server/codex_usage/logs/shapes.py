"""The parts of rollout and transcript lines that counting needs, as typed shapes (see docs/explanation/counting.md).

Everything not named here is skipped by the JSON decoder without being built.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=10**13)]
#: Any other whole number: what a database column can hold, so that an absurd one costs its line only.
Whole = Annotated[int, msgspec.Meta(ge=-(10**18), le=10**18)]


class Usage(msgspec.Struct, gc=False):
    input_tokens: Count | None = 0
    cached_input_tokens: Count | None = 0
    cache_write_input_tokens: Count | None = 0
    output_tokens: Count | None = 0
    reasoning_output_tokens: Count | None = 0


class Info(msgspec.Struct, gc=False):
    total_token_usage: Usage | None = None
    last_token_usage: Usage | None = None
    model_context_window: Whole | None = None


class TokenCount(msgspec.Struct, gc=False):
    info: Info | None = None
    rate_limits: msgspec.Raw = msgspec.Raw()


class UsageRecord(msgspec.Struct, gc=False):
    usage: Usage
    thread_id: str | None = None
    turn_id: str | None = None
    root_turn_id: str | None = None
    response_id: str | None = None


class TurnContext(msgspec.Struct, gc=False):
    turn_id: str | None = None
    model: str | None = None
    effort: str | None = None
    cwd: str | None = None


class TurnAttribution(msgspec.Struct, gc=False):
    turn_trigger: str | None = None
    parent_turn_id: str | None = None
    root_turn_id: str | None = None


class TurnEvent(msgspec.Struct, gc=False):
    """task_started, task_complete and turn_aborted."""

    turn_id: str | None = None
    turn_attribution: TurnAttribution | None = None
    model_context_window: Whole | None = None
    duration_ms: Whole | None = None
    time_to_first_token_ms: Whole | None = None
    error: Any = None


class Settings(msgspec.Struct, gc=False):
    service_tier: str | None = None


class SettingsApplied(msgspec.Struct, gc=False):
    thread_id: str | None = None
    thread_settings: Settings = msgspec.field(default_factory=Settings)


class Git(msgspec.Struct, gc=False):
    branch: str | None = None
    repository_url: str | None = None


class SessionMeta(msgspec.Struct, gc=False):
    id: str | None = None
    timestamp: str | None = None
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    cwd: str | None = None
    originator: str | None = None
    cli_version: str | None = None
    source: Any = None
    thread_source: str | None = None
    agent_role: str | None = None
    git: Git | None = None


class Window(msgspec.Struct, gc=False):
    used_percent: float | None = None
    window_minutes: Whole | None = None
    resets_at: Whole | None = None
    resets_in_seconds: Whole | None = None


class Credits(msgspec.Struct, gc=False):
    balance: str | float | None = None


class RateLimits(msgspec.Struct, gc=False):
    limit_id: str | None = None
    primary: Window | None = None
    secondary: Window | None = None
    credits: Credits | None = None
    plan_type: str | None = None
    # the flat shape of 0.40
    primary_used_percent: float | None = None
    secondary_used_percent: float | None = None
    primary_window_minutes: Whole | None = None
    secondary_window_minutes: Whole | None = None


class Line(msgspec.Struct, gc=False):
    """Any line of any version: what is left of it when only its kind is wanted."""

    type: str | None = None
    timestamp: str | None = None
    payload: msgspec.Raw = msgspec.Raw()
    record_type: str | None = None


class Kind(msgspec.Struct, gc=False):
    type: str | None = None


class CacheCreation(msgspec.Struct, gc=False):
    ephemeral_1h_input_tokens: Count | None = 0


class ThinkingDetails(msgspec.Struct, gc=False):
    thinking_tokens: Count | None = 0


class ClaudeUsage(msgspec.Struct, gc=False):
    input_tokens: Count | None = 0
    cache_creation_input_tokens: Count | None = 0
    cache_read_input_tokens: Count | None = 0
    output_tokens: Count | None = 0
    service_tier: str | None = None
    speed: str | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: ThinkingDetails | None = None


class ClaudeMessage(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: ClaudeUsage | None = None


class ClaudeLine(msgspec.Struct, gc=False):
    type: str | None = None
    timestamp: str | None = None
    sessionId: str | None = None  # noqa: N815 - the log's own spelling
    requestSessionId: str | None = None  # noqa: N815
    cwd: str | None = None
    gitBranch: str | None = None  # noqa: N815
    version: str | None = None
    entrypoint: str | None = None
    effort: str | None = None
    promptId: str | None = None  # noqa: N815
    message: ClaudeMessage | None = None
