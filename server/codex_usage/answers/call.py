"""One call with its neighbours in the thread, and what became of its cache."""

import re

from codex_usage.answers.calls import call_id, call_rows
from codex_usage.answers.context import Context
from codex_usage.answers.diagnosis import cache_lifetime, diagnose
from codex_usage.answers.results import Answer, CallLine, _Result
from codex_usage.index import CallRow, Index, queries
from codex_usage.index.threadcalls import neighbours
from codex_usage.model import BadInput
from codex_usage.model.privacy import Identity, Label, Text


class CacheDiagnosis(_Result):
    """What became of a call's cache, why, and how many tokens that the call before had sent too were not cached."""

    label: Label
    because: Text
    lost_tokens: int


class OneCall(Answer):
    """A call, the ids of those before and after it in its thread (None at the ends), and the call before as a whole."""

    call: CallLine
    before: CallLine | None
    previous: Identity | None
    next_call: Identity | None
    diagnosis: CacheDiagnosis
    zone: Label


def find_call(index: Index, text: str) -> CallRow:
    """A call by its id or the beginning of it. Raises BadInput."""
    if not re.fullmatch(r"[0-9a-f]{6,16}", text):
        raise BadInput(f"{text[:40]!r} is no call's id; take one from codex-usage calls.")
    low, high = (min(int(text.ljust(16, digit), 16), (1 << 63) - 1) for digit in "0f")
    rows = queries.calls_between(index, low, high)
    if len(rows) != 1:
        raise BadInput(f"{'No' if not rows else 'More than one'} call {text} is in the index; give its whole id.")
    return rows[0]


def call(context: Context, text: str) -> OneCall:
    """One call by its id. Raises BadInput."""
    index = context.index
    with index.snapshot():
        row = find_call(index, text)
        before, this, after = neighbours(index, row.uid)
        found = diagnose([one for one in (before, this) if one], cache_lifetime(index))[-1]
        lines = call_rows(context, [row, *(queries.calls_between(index, before.uid, before.uid) if before else [])])
        return OneCall(
            call=lines[0], before=lines[1] if before else None, previous=before and call_id(before.uid),
            next_call=after and call_id(after.uid), zone=context.zone_name,
            diagnosis=CacheDiagnosis(label=found.label, because=found.reason, lost_tokens=found.lost_tokens),
        )  # fmt: skip
