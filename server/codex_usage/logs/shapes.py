"""The parts of rollout and transcript lines that counting needs, as shapes (see docs/explanation/counting.md).

Everything not named here is skipped by the JSON decoder without being built. Every field may be missing.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=10**13)]
#: Any other whole number: what a database column can hold, so that an absurd one costs its line only.
Whole = Annotated[int, msgspec.Meta(ge=-(10**18), le=10**18)]
_RAW = msgspec.Raw()


def _shape(name: str, text: str = "", whole: str = "", counts: str = "", **others: Any) -> Any:
    """A struct of texts, whole numbers, counts of tokens, and fields of other types."""
    fields: list[tuple[str, Any, Any]] = []
    for names, kind, default in ((text, str | None, None), (whole, Whole | None, None), (counts, Count | None, 0)):
        fields += [(field, kind, default) for field in names.split()]
    fields += [(field, kind, _RAW if kind is msgspec.Raw else None) for field, kind in others.items()]
    return msgspec.defstruct(name, fields, gc=False)


Usage = _shape(
    "Usage", counts="input_tokens cached_input_tokens cache_write_input_tokens output_tokens reasoning_output_tokens"
)
Info = _shape("Info", "", "model_context_window", total_token_usage=Usage | None, last_token_usage=Usage | None)
TokenCount = _shape("TokenCount", info=Info | None, rate_limits=msgspec.Raw)
UsageRecord: Any = msgspec.defstruct(
    "UsageRecord",
    [("usage", Usage), *((name, str | None, None) for name in ("thread_id", "turn_id", "root_turn_id", "response_id"))],
    gc=False,
)
TurnContext = _shape("TurnContext", "turn_id model effort cwd")
TurnAttribution = _shape("TurnAttribution", "turn_trigger parent_turn_id root_turn_id")
#: task_started, task_complete and turn_aborted.
TurnEvent = _shape(
    "TurnEvent", "turn_id", "model_context_window duration_ms time_to_first_token_ms",
    turn_attribution=TurnAttribution | None, error=Any,
)  # fmt: skip
Settings = _shape("Settings", "service_tier")
SettingsApplied = _shape("SettingsApplied", "thread_id", thread_settings=Settings | None)
Git = _shape("Git", "branch repository_url")
SessionMeta = _shape(
    "SessionMeta", "id timestamp forked_from_id parent_thread_id cwd originator cli_version thread_source agent_role",
    source=Any, git=Git | None,
)  # fmt: skip
Window = _shape("Window", "", "window_minutes resets_at resets_in_seconds", used_percent=float | None)
Credits = _shape("Credits", balance=str | float | None)
#: With the flat shape of 0.40.
RateLimits = _shape(
    "RateLimits", "limit_id plan_type", "primary_window_minutes secondary_window_minutes", primary=Window | None,
    secondary=Window | None, credits=Credits | None, primary_used_percent=float | None,
    secondary_used_percent=float | None,
)  # fmt: skip
#: Any line of any version: what is left of it when only its kind is wanted.
Line = _shape("Line", "type timestamp record_type", payload=msgspec.Raw)
Kind = _shape("Kind", "type")

CacheCreation = _shape("CacheCreation", counts="ephemeral_1h_input_tokens")
ThinkingDetails = _shape("ThinkingDetails", counts="thinking_tokens")
ClaudeUsage = _shape(
    "ClaudeUsage", "service_tier speed",
    counts="input_tokens cache_creation_input_tokens cache_read_input_tokens output_tokens",
    cache_creation=CacheCreation | None, output_tokens_details=ThinkingDetails | None,
)  # fmt: skip
ClaudeMessage = _shape("ClaudeMessage", "id model", usage=ClaudeUsage | None)
ClaudeLine = _shape(
    "ClaudeLine", "type timestamp sessionId requestSessionId cwd gitBranch version entrypoint effort promptId",
    message=ClaudeMessage | None,
)  # fmt: skip
