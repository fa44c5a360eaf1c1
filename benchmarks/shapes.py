"""What differs between the Codex versions a generated home imitates.

In: nothing. Out: ``SHAPES``, oldest first; each says how much of the history it wrote, and how.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """One version's way of writing a rollout."""

    version: str
    share_of_history: float
    models: tuple[str, ...]
    ordinals: bool = False
    """Paginated: every line numbered, items as ``item_completed``, one ``token_usage_record`` a response."""
    turn_ids: bool = True
    context_per_call: bool = False
    """A ``turn_context`` before every model call, not once a turn."""
    twice: bool = False
    """Each usage line is preceded by a repetition of the former one (new rate limits, old numbers)."""
    usage_first: bool = False
    """The usage line stands before the response's items."""
    usage_last: bool = False
    """The usage line stands after the tool outputs."""
    ids: bool = False
    """Items carry ids and their turn."""
    copies_on_fork: bool = False
    limit_ids: bool = True


SHAPES: tuple[Shape, ...] = (
    Shape(
        "0.58.0",
        0.12,
        ("gpt-5-codex", "gpt-5.1-codex"),
        turn_ids=False,
        context_per_call=True,
        twice=True,
        usage_first=True,
        limit_ids=False,
    ),
    Shape(
        "0.98.0",
        0.20,
        ("gpt-5.2-codex", "gpt-5.2"),
        turn_ids=False,
        context_per_call=True,
        twice=True,
        copies_on_fork=True,
        limit_ids=False,
    ),
    Shape("0.130.0", 0.25, ("gpt-5.5", "gpt-5.4"), twice=True, copies_on_fork=True),
    Shape("0.147.0", 0.21, ("gpt-5.5", "gpt-5.6-sol"), usage_last=True, ids=True, copies_on_fork=True),
    Shape("0.169.0", 0.22, ("gpt-6-sol", "gpt-6.1-terra", "gpt-5.5"), ordinals=True, usage_last=True, ids=True),
)


def shape_at(fraction: float) -> Shape:
    """The version in use when ``fraction`` (0 to 1) of the history had passed."""
    passed = 0.0
    for shape in SHAPES:
        passed += shape.share_of_history
        if fraction < passed:
            return shape
    return SHAPES[-1]
