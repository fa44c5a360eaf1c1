"""What tools did, and what that went with: outputs, commands, files, and where the usage is concentrated."""

from collections.abc import Callable, Sequence
from dataclasses import asdict

from codex_usage.answers.calls import call_id
from codex_usage.answers.context import Context, check_filters, iso, usd
from codex_usage.answers.diagnostics_results import Diagnostics, Table
from codex_usage.answers.periods import Period
from codex_usage.answers.telemetry import telemetry
from codex_usage.homes import Places
from codex_usage.index import Filters, Scope, facts
from codex_usage.index.threadcalls import spread
from codex_usage.model import BadInput

_SCOPE_ONLY = "concentration"
_NOT_ADDITIVE = ["calls", "associated_tokens", "associated_cost_usd"]
_COUNTS = ["uses", "runs", "failed", "failure_rate", "output_bytes", "output_tokens_estimated", "uncut_tokens"]
_Value = str | int | float | None


def diagnostics(
    context: Context, section: str, period: Period, filters: Filters | None = None, limit: int = 10,
    refresh: Places | None = None, seconds: float | None = 20.0,
) -> Diagnostics:  # fmt: skip
    """One of SECTIONS over a period. With `refresh`, logs that are new since the last scan are read first, for at most
    `seconds`. Raises BadInput for an unknown section or filter, IndexBusy."""
    if section not in SECTIONS:
        raise BadInput(f"Unknown section {section!r}; use {', '.join(SECTIONS)}.")
    filters = check_filters(context.index, filters or Filters())
    if section == "telemetry":
        return telemetry(context, period, filters, limit)
    if refresh is not None:
        facts.refresh_facts(context.index, refresh, seconds)
    with context.index.snapshot():
        state = facts.facts_state(context.index)
        asked = _Asked(context, context.scope(period), filters, limit)
        known = state is not None or section == _SCOPE_ONLY
        tables = SECTIONS[section](asked) if known else []
        return Diagnostics(
            section=section, status="never computed" if state is None else "stale" if state.pending else "fresh",
            computed_at=iso(state.read_ms) if state else None, period=context.info(period),
            scope={word: value for word, value in asdict(filters).items() if value is not None},
            logs_scanned=state.scanned if state else 0, logs_pending=state.pending if state else 0, tables=tables,
            not_additive=sorted({word for table in tables for word in table.columns} & set(_NOT_ADDITIVE)),
            notes=_notes(state, asked, tables), coverage=context.coverage(),
            next="diagnostics with refresh" if state is None or state.pending else "usage_calls with order=cost",
        )  # fmt: skip


class _Asked:
    """A question's scope, and the few ways to look at it."""

    def __init__(self, context: Context, scope: Scope, filters: Filters, limit: int) -> None:
        self.context, self.index, self.limit = context, context.index, limit
        self.scope, self.filters = scope, filters
        self.inferred = 0

    def sums(self, title: str, by: tuple[str, ...], share: str, only: str = "", more: Sequence[str] = ()) -> Table:
        """Groups with all that is counted of them (and `more`), the greatest share of a column first."""
        rows = facts.fact_groups(self.index, by, self.scope, self.filters, only)
        self.inferred = max(self.inferred, sum(row.inferred for row in rows))
        total = sum(getattr(row, share) for row in rows)
        columns = [*_COUNTS, *more, *_NOT_ADDITIVE]
        found = [[*row.labels, *_told(row, columns), _ratio(getattr(row, share), total)] for row in rows]
        found.sort(key=lambda row: (-float(row[-1] or 0), *map(str, row)))  # labels decide between equals
        return self.listed(title, [*by, *columns, "share"], found, len(found))

    def listed(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[_Value]], total: int) -> Table:
        """The top of the rows, which are in order."""
        shown = [list(row) for row in rows[: self.limit]]
        return Table(title=title, columns=list(columns), rows=shown, rest=total - len(shown))

    def rows(
        self, title: str, columns: str, by: str, sums: str, only: str, tell: Callable[..., Sequence[_Value]]
    ) -> Table:
        """The top rows of what is summed up by file or thread, as `tell` tells their columns."""
        table = "fact_day_files" if "file" in by else "fact_day_threads"
        total, found = facts.fact_rows(self.index, table, by, sums, self.scope, self.filters, self.limit, only)
        return self.listed(title, columns.split(), [tell(*row) for row in found], total)


def _told(row: facts.FactRow, columns: Sequence[str]) -> list[_Value]:
    """Some columns of a group."""
    told: dict[str, _Value] = row._asdict() | {
        "failure_rate": _ratio(row.failed, row.known), "mean_ms": row.took_ms // row.timed if row.timed else None,
        "retry_loops": row.loops, "output_tokens_estimated": row.output_bytes // 4,
        "uncut_tokens": row.uncut_tokens or None, "associated_cost_usd": usd(row.cost),
    }  # fmt: skip
    return [told[word] for word in columns]


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _tool_output(asked: _Asked) -> list[Table]:
    outputs = facts.largest_outputs(asked.index, asked.scope, asked.filters, asked.limit)
    largest = [[call_id(row[0]), *row[1:5], row[4] // 4, row[5]] for row in outputs]
    columns = ["call_id", "kind", "name", "family", "output_bytes", "output_tokens_estimated", "uncut_tokens"]
    output = asked.sums("output", ("kind", "name", "family"), "output_bytes")
    return [output, asked.listed("largest outputs", columns, largest, len(largest))]


def _productivity(asked: _Asked) -> list[Table]:
    sums = "reads searches files_read files_changed changes lines read_bytes"
    columns = "reads searches files_read files_changed changes lines_changed"
    ratios = "reads_per_file_changed reads_per_change read_tokens_per_line_changed"

    def tell(thread: str, reads: int, *row: int) -> Sequence[_Value]:
        changed, changes, lines, read = row[2:]
        rates = _ratio(reads, changed), _ratio(reads, changes), _ratio(read / 4, lines)
        return [thread, reads, *row[:5], *rates]

    return [
        asked.rows(title, f"thread {columns} {ratios}", by, sums, "1", tell)
        for title, by in (("all", "every"), ("threads", "thread_id"))
    ]


def _concentration(asked: _Asked) -> list[Table]:
    tables = []
    for word in ("thread", "day", "project"):
        groups = spread(asked.index, word, asked.scope, asked.filters, asked.context.zone_name)
        costs, tokens = (sorted(each, reverse=True) for each in zip(*groups, strict=True)) if groups else ([], [])
        rows: list[list[_Value]] = [
            [count, _ratio(sum(costs[:count]), sum(costs)), _ratio(sum(tokens[:count]), sum(tokens)), len(groups)]
            for count in (1, 5, 10)
        ]
        columns = ["top", "cost_share", "tokens_share", "of"]
        tables.append(Table(title=f"{word}s", columns=columns, rows=rows if groups else [], rest=0))
    return tables


SECTIONS: dict[str, Callable[[_Asked], list[Table]]] = {
    "overview": lambda asked: [
        asked.sums("kinds of tools", ("kind",), "uses"), asked.sums("kinds of work", ("work",), "runs", "shell")
    ],
    "tool-output": _tool_output,
    "commands": lambda asked: [asked.sums("commands", ("family",), "runs", "shell", ("mean_ms", "retry_loops"))],
    "git-interactions": lambda asked: [asked.sums("git and gh", ("family", "operation"), "runs", "git")],
    "file-reads": lambda asked: [asked.rows(
        "files read again", "file thread reads repeats calls associated_tokens", "file, thread_id",
        "touches calls tokens", "work = 'read'",
        lambda file, thread, reads, *rest: [file, thread, reads, reads - 1, *rest])],
    "file-modifications": lambda asked: [asked.rows(
        "files changed", "file changes lines_added lines_removed calls associated_tokens", "file",
        "touches added removed calls tokens", "work = 'write'", lambda *row: row)],
    "read-productivity": _productivity,
    "concentration": _concentration, "tools": lambda asked: [asked.sums("tools", ("kind", "name"), "uses")],
    "mcp": lambda asked: [asked.sums("MCP tools", ("server", "name"), "uses", "mcp")],
    "telemetry": lambda _: [],  # has no facts
}  # fmt: skip


def _notes(state: facts.FactsState | None, asked: _Asked, tables: list[Table]) -> list[str]:
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
