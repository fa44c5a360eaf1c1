"""What tools did, and what that went with: outputs, commands, files, and where the usage is concentrated."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby

from codex_usage.answers.calls import call_id
from codex_usage.answers.context import Context, check_filters, iso, usd
from codex_usage.answers.diagnostics_results import Diagnostics, Table
from codex_usage.answers.periods import Period
from codex_usage.homes import Places
from codex_usage.index import Filters, Scope, queries
from codex_usage.index.facts import (
    FactRow,
    FactsState,
    fact_groups,
    facts_state,
    largest_outputs,
    refresh_facts,
    shell_runs,
)
from codex_usage.model import BadInput

#: A family that fails so often in a row within a turn is a retry loop.
RETRIES = 3
_SCOPE_ONLY = "concentration"
_NOT_ADDITIVE = ["calls", "associated_tokens", "associated_cost_usd"]
_COUNTS = ["uses", "runs", "failed", "failure_rate", "output_bytes", "output_tokens_estimated", "uncut_tokens"]
_READS, _CHANGES = ["reads", "repeats"], ["changes", "lines_added", "lines_removed"]
_Value = str | int | float | None
#: Column -> family -> value, of columns that only one table has.
_More = Mapping[str, Mapping[str, _Value]]
_NO_MORE: _More = {}


def diagnostics(
    context: Context,
    section: str,
    period: Period,
    filters: Filters | None = None,
    limit: int = 10,
    refresh: Places | None = None,
    seconds: float | None = 20.0,
) -> Diagnostics:
    """One of SECTIONS over a period. With `refresh`, logs that are new since the last scan are read first, for at most
    `seconds`. Raises BadInput for an unknown section or filter, IndexBusy."""
    if section not in SECTIONS:
        raise BadInput(f"Unknown section {section!r}; use {', '.join(SECTIONS)}.")
    filters = check_filters(context.index, filters or Filters())
    if refresh is not None:
        refresh_facts(context.index, refresh, seconds)
    with context.index.snapshot():
        state = facts_state(context.index)
        asked = _Asked(context, context.scope(period), filters, limit)
        known = state is not None or section == _SCOPE_ONLY
        tables = SECTIONS[section](asked) if known else []
        return Diagnostics(
            section=section,
            status="never computed" if state is None else "stale" if state.pending else "fresh",
            computed_at=iso(state.read_ms) if state else None,
            period=context.info(period),
            scope={word: value for word, value in asdict(filters).items() if value is not None},
            logs_scanned=state.scanned if state else 0,
            logs_pending=state.pending if state else 0,
            tables=tables,
            not_additive=sorted({word for table in tables for word in table.columns} & set(_NOT_ADDITIVE)),
            notes=_notes(state, asked, tables),
            coverage=context.coverage(),
            next="diagnostics with refresh" if state is None or state.pending else "usage_calls with order=cost",
        )


class _Asked:
    """A question's scope, and the few ways to look at it."""

    def __init__(self, context: Context, scope: Scope, filters: Filters, limit: int) -> None:
        self.context, self.index, self.limit = context, context.index, limit
        self.scope, self.filters = scope, filters
        self.inferred = 0

    def groups(self, by: Sequence[str], only: str = "") -> list[FactRow]:
        rows = fact_groups(self.index, by, self.scope, self.filters, only)
        self.inferred = max(self.inferred, sum(row.inferred for row in rows))
        return rows

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[_Value]], by: int) -> Table:
        """The top rows by one column; labels decide between equals."""
        ordered = sorted(rows, key=lambda row: (-float(row[by] or 0), [str(value) for value in row]))
        listed = [list(row) for row in ordered[: self.limit]]
        return Table(title=title, columns=list(columns), rows=listed, rest=len(ordered) - len(listed))

    def sums(self, title: str, by: Sequence[str], share: str, only: str = "", more: _More = _NO_MORE) -> Table:
        """Groups with all that is counted of them (and `more`), the greatest share of a column first."""
        rows = self.groups(by, only)
        total = sum(getattr(row, share) for row in rows)
        columns = [*_COUNTS, *more, *_NOT_ADDITIVE]
        found = [[*row.labels, *_told(row, columns, more), _ratio(getattr(row, share), total)] for row in rows]
        return self.table(title, [*by, *columns, "share"], found, len(by) + len(columns))

    def files(self, title: str, by: Sequence[str], columns: Sequence[str], only: str, least: int) -> Table:
        """Files that were named `least` times, the most often named first."""
        columns = [*columns, "calls", "associated_tokens"]
        found = [[*row.labels, *_told(row, columns)] for row in self.groups(by, only) if row.touches >= least]
        return self.table(title, [*by, *columns], found, len(by))


def _told(row: FactRow, columns: Sequence[str], more: _More = _NO_MORE) -> list[_Value]:
    """Some columns of a group; `more` has those of a family."""
    told: dict[str, _Value] = row._asdict() | {
        "failure_rate": _ratio(row.failed, row.known),
        "output_tokens_estimated": row.output_bytes // 4,
        "uncut_tokens": row.uncut_tokens or None,
        "reads": row.touches,
        "repeats": row.touches - 1,
        "changes": row.touches,
        "associated_cost_usd": usd(row.cost),
        **{word: values.get(row.labels[0]) for word, values in more.items()},
    }
    return [told[word] for word in columns]


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _tool_output(asked: _Asked) -> list[Table]:
    outputs = largest_outputs(asked.index, asked.scope, asked.filters, asked.limit)
    largest = [[call_id(row[0]), *row[1:5], row[4] // 4, row[5]] for row in outputs if row[4]]
    columns = ["call_id", "kind", "name", "family", "output_bytes", "output_tokens_estimated", "uncut_tokens"]
    output = asked.sums("output", ["kind", "name", "family"], "output_bytes")
    return [output, asked.table("largest outputs", columns, largest, 4)]


def _commands(asked: _Asked) -> list[Table]:
    times: dict[str, list[int]] = defaultdict(list)
    loops: Counter[str] = Counter()
    runs = shell_runs(asked.index, asked.scope, asked.filters)
    for (_, _, family, failed), group in groupby(runs, key=lambda run: (*run[:3], bool(run[3]))):
        alike = list(group)
        loops[family] += failed and len(alike) >= RETRIES
        times[family] += [run[4] for run in alike if run[4] is not None]
    # of n values in order those at (n-1)/2, rounded down, and at 95 % of n-1, rounded up
    more: _More = {
        "median_ms": {family: sorted(found)[(len(found) - 1) // 2] for family, found in times.items() if found},
        "p95_ms": {family: sorted(found)[-(-(len(found) - 1) * 95 // 100)] for family, found in times.items() if found},
        "retry_loops": loops,
    }
    return [asked.sums("commands", ["family"], "runs", "shell", more)]


def _productivity(asked: _Asked) -> list[Table]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    files: dict[tuple[str, str], set[str]] = defaultdict(set)
    for only in ("read", "search", "files changed"):
        for row in asked.groups(["thread", "file"], only):
            thread, file = row.labels
            for key in ("", thread):  # all of them, and each
                counts[key][only] += row.touches if file and only == "files changed" else row.runs
                counts[key]["lines"] += row.lines_added + row.lines_removed
                counts[key]["output"] += row.output_bytes if only == "read" else 0
                files[key, only].update([file] if file else [])
    columns = ["thread", "reads", "searches", "files_read", "files_changed", "changes", "lines_changed",
               "reads_per_file_changed", "reads_per_change", "read_tokens_per_line_changed"]  # fmt: skip
    rows: list[list[_Value]] = []
    for key, found in counts.items():
        reads, changes, lines = found["read"], found["files changed"], found["lines"]
        read, changed = len(files[key, "read"]), len(files[key, "files changed"])
        ratios = _ratio(reads, changed), _ratio(reads, changes), _ratio(found["output"] / 4, lines)
        rows.append([key or "all", reads, found["search"], read, changed, changes, lines, *ratios])
    return [asked.table("all", columns, rows[:1], 1), asked.table("threads", columns, rows[1:], 1)]


def _concentration(asked: _Asked) -> list[Table]:
    tables = []
    for word in ("thread", "day", "project"):
        groups = queries.groups(asked.index, (word,), asked.scope, asked.filters, asked.context.zone_name)
        costs = sorted((row.cost for row in groups), reverse=True)
        tokens = sorted((row.input + row.output for row in groups), reverse=True)
        rows: list[list[_Value]] = [
            [count, _ratio(sum(costs[:count]), sum(costs)), _ratio(sum(tokens[:count]), sum(tokens)), len(groups)]
            for count in (1, 5, 10)
        ]
        columns = ["top", "cost_share", "tokens_share", "of"]
        tables.append(Table(title=f"{word}s", columns=columns, rows=rows if groups else [], rest=0))
    return tables


def _overview(asked: _Asked) -> list[Table]:
    return [asked.sums("kinds of tools", ["kind"], "uses"), asked.sums("kinds of work", ["work"], "runs", "shell")]


SECTIONS: dict[str, Callable[[_Asked], list[Table]]] = {
    "overview": _overview,
    "tool-output": _tool_output,
    "commands": _commands,
    "git-interactions": lambda asked: [asked.sums("git and gh", ["family", "operation"], "runs", "git")],
    "file-reads": lambda asked: [asked.files("files read again", ["file", "thread"], _READS, "files read", 2)],
    "file-modifications": lambda asked: [asked.files("files changed", ["file"], _CHANGES, "files changed", 1)],
    "read-productivity": _productivity,
    "concentration": _concentration,
    "tools": lambda asked: [asked.sums("tools", ["kind", "name"], "uses")],
    "mcp": lambda asked: [asked.sums("MCP tools", ["server", "name"], "uses", "mcp")],
}


def _notes(state: FactsState | None, asked: _Asked, tables: list[Table]) -> list[str]:
    if state is None:
        return ["The logs' tools have not been scanned yet."]
    counted = {
        "logs are new or have grown since the scan.": state.pending,
        "lines about tools could not be read.": state.skipped,
        "tool uses belong to no call of their log (copies of another's) and are left out.": state.unlinked,
        "tool uses are linked to their call by inference.": asked.inferred,
    }
    notes = [f"{count} {text}" for text, count in counted.items() if count]
    if any("output_bytes" in table.columns for table in tables):
        notes.append("A command line's outcome, time and output are counted for its main command.")
    return notes
