"""Sums by thread and day, and by day alone, so that a question never scans calls; by thread and day also the most
that a single call has, so that the top calls are found without sorting all."""

from __future__ import annotations

import sqlite3

_SUMS = """count(*), sum(turn_first), sum(input), sum(cached), sum(cache_write), sum(output), sum(reasoning),
  coalesce(sum(cost), 0), coalesce(sum(credits), 0), sum(long_cost), sum(tier_cost), sum(compaction),
  min(time_ms), max(time_ms), max(cost), max(input + output),
  max(input), max(input - cached), max(output), max(duration_ms)"""
_KEYS = (
    "thread_id, day, project_id, coalesce(model_id, 0), coalesce(effort_id, 0), coalesce(tier_id, 0), origin, rate_id"
)
_AGAIN = """sum(calls), sum(turns), sum(input), sum(cached), sum(cache_write), sum(output), sum(reasoning),
  sum(cost), sum(credits), sum(long_cost), sum(tier_cost), sum(compactions), min(first_ms), max(last_ms)"""
_DAY_KEYS = "day, provider, d.project_id, model_id, effort_id, tier_id, origin, rate_id"
_EIGHT = "1, 2, 3, 4, 5, 6, 7, 8"


def rebuild(sql: sqlite3.Connection) -> None:
    """Sum everything anew."""
    sql.execute("DELETE FROM thread_days")
    sql.execute("DELETE FROM days")
    sql.execute(f"INSERT INTO thread_days SELECT {_KEYS}, {_SUMS} FROM calls GROUP BY {_EIGHT}")
    sql.execute(
        f"INSERT INTO days SELECT {_DAY_KEYS}, {_AGAIN} FROM thread_days d JOIN threads t ON t.id = d.thread_id"
        f" GROUP BY {_EIGHT}"
    )


def renew(sql: sqlite3.Connection, touched: set[tuple[int, int]]) -> None:
    """Sum again the (thread, day) pairs whose calls changed, and the days they fall on."""
    if not touched:
        return
    sql.execute(
        "CREATE TEMP TABLE IF NOT EXISTS touched (thread_id INTEGER, day INTEGER, PRIMARY KEY (thread_id, day))"
    )
    sql.execute("DELETE FROM temp.touched")
    sql.executemany("INSERT INTO temp.touched VALUES (?, ?)", touched)
    sql.execute("DELETE FROM thread_days WHERE (thread_id, day) IN (SELECT thread_id, day FROM temp.touched)")
    keys = _KEYS.replace("thread_id, day", "c.thread_id, c.day")
    sql.execute(
        f"INSERT INTO thread_days SELECT {keys}, {_SUMS} FROM temp.touched x CROSS JOIN calls c"
        f" ON c.thread_id = x.thread_id AND c.day = x.day GROUP BY {_EIGHT}"
    )
    days = [(day,) for day in {day for _, day in touched}]
    sql.executemany("DELETE FROM days WHERE day = ?", days)
    sql.executemany(
        f"INSERT INTO days SELECT {_DAY_KEYS}, {_AGAIN} FROM thread_days d CROSS JOIN threads t"
        f" ON t.id = d.thread_id WHERE d.day = ? GROUP BY {_EIGHT}",
        days,
    )
