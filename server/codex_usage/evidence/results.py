"""The evidence of one call as every surface gets it. Only `Entry.text` holds what was said, redacted."""

from codex_usage.answers.results import Answer, _Result
from codex_usage.model.privacy import Identity, Label, Name, Path, Text


class Entry(_Result):
    """One line of the log: its kind in the log's own word, a role, tool, model or status that it names, and its text,
    redacted and then cut; `chars` is the length before the cut. Seconds are None where the log tells no time."""

    line: int
    time: Label | None
    kind: Label
    label: Name | None
    text: Text | None
    truncated: bool
    chars: int
    tokens: int
    since_turn_s: float | None
    since_previous_s: float | None
    reported_s: float | None


class Evidence(Answer):
    """What stands in the log between the end of the previous call (or the turn's start) and the end of this one.
    `token_method` is bound (bytes: never fewer than tokens), o200k_base or estimate. `groups` are the tokens of all of
    it: encrypted, visible, turn_context, token_callbacks, rate_limits, other."""

    call_id: Identity
    thread_id: Identity
    turn_id: Identity | None
    model: Label | None
    log: Path
    format: Label
    mode: Label
    token_method: Label
    turn_started: Label | None
    call_ended: Label | None
    duration_s: float | None
    entries: list[Entry]
    omitted: dict[Label, int]
    redactions: dict[Label, int]
    groups: dict[Label, int]
    warnings: list[Text]
