"""What the page draws from: sums by day and every setting, and single calls as columns."""

from __future__ import annotations

from typing import Any

from codex_usage.index.database import Index

#: Columns of a call, in the order of `call_columns`' rows: name -> expression.
CALL_COLUMNS = {
    "uid": "c.uid", "time": "c.time_ms", "thread": "c.thread_id", "turn": "c.turn_key", "model": "c.model_id",
    "effort": "c.effort_id", "tier": "c.tier_id", "project": "c.project_id", "cwd": "c.cwd_id", "origin": "c.origin",
    "rate": "c.rate_id", "input": "c.input", "cached": "c.cached", "cache_write": "c.cache_write",
    "output": "c.output", "reasoning": "c.reasoning", "window": "c.context_window", "duration": "c.duration_ms",
    "gap": "c.gap_ms", "flags": "c.compaction + 2 * c.recovered", "cost": "c.cost", "credits": "c.credits",
}  # fmt: skip


def cube(index: Index) -> list[tuple[Any, ...]]:
    """Rows of (day, provider, then model, effort, tier, project, origin and rate by id, then the sums), by day."""
    return index.sql.execute(
        "SELECT day, provider, model_id, effort_id, tier_id, project_id, origin, rate_id, calls, turns, input, cached,"
        " cache_write, output, reasoning, cost, credits, compactions FROM days ORDER BY day"
    ).fetchall()


def names(index: Index) -> dict[int, str]:
    """Texts of models, efforts, tiers and folders by id."""
    return dict(index.sql.execute("SELECT id, text FROM names"))


def projects(index: Index) -> dict[int, tuple[str, str | None]]:
    """Label and tags (comma-separated) of projects by id."""
    return {key: (label, tags) for key, label, tags in index.sql.execute("SELECT id, label, tags FROM projects")}


def threads_by_day(index: Index) -> list[tuple[int, int]]:
    """(day, number of threads with calls)."""
    return index.sql.execute("SELECT day, count(DISTINCT thread_id) FROM thread_days GROUP BY day").fetchall()


def turns_since(index: Index, start_ms: int) -> list[tuple[int, int, int, int, str | None, str | None]]:
    """Turns from a moment on by quarters of an hour: (start, turns, completed ones, failed ones, their durations, their
    times to the first token), milliseconds; the last two as texts with commas, as single rows take twice the time."""
    return index.sql.execute(
        "SELECT min(started_ms), count(*), sum(outcome IS 'completed'), count(nullif(outcome, 'completed')),"
        " group_concat(duration_ms), group_concat(first_token_ms) FROM turns WHERE started_ms >= ?"
        " GROUP BY started_ms / 900000",
        (start_ms,),
    ).fetchall()


def call_columns(index: Index, limit: int, offset: int) -> list[tuple[Any, ...]]:
    """CALL_COLUMNS of some calls, newest first."""
    return index.sql.execute(
        f"SELECT {', '.join(CALL_COLUMNS.values())} FROM calls c ORDER BY time_ms DESC, uid DESC LIMIT ? OFFSET ?",
        (limit, offset),
    ).fetchall()


def thread_heads(index: Index, keys: list[int]) -> dict[int, tuple[Any, ...]]:
    """(id, name, project, provider, role, parent's key, agent, branch, folder, source, archived) by thread key."""
    rows = index.sql.execute(
        "SELECT t.id, t.uuid, t.name, t.project_id, t.provider, t.role, (SELECT id FROM threads WHERE uuid = t.parent),"
        " t.agent, t.branch, t.cwd, t.source,"
        " coalesce((SELECT min(archived) FROM files WHERE thread = t.uuid), 0) FROM threads t"
        f" WHERE t.id IN ({', '.join(map(str, keys))})"
    )
    return {row[0]: tuple(row[1:]) for row in rows}
