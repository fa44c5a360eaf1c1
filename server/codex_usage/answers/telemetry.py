"""What telemetry told: who decided, how requests went, how long they took. It adds no call to any count."""

from datetime import datetime

from codex_usage.answers.calls import call_id
from codex_usage.answers.context import Context, iso
from codex_usage.answers.diagnostics_results import Basis, Diagnostics, Table
from codex_usage.answers.periods import Period
from codex_usage.index import Filters
from codex_usage.index.telemetry import LATEST, Told, heard, telemetry_path

_NONE = (
    "No telemetry was received; `codex-usage setup --telemetry` has Codex send it, and `codex-usage serve-dashboard`"
    " (or `codex-usage otlp`) receives it."
)


def telemetry(context: Context, period: Period, filters: Filters, limit: int) -> Diagnostics:
    """The section `telemetry` of diagnostics. Raises BadInput for a filter that telemetry can't answer, IndexBusy."""

    def day(time_ms: int) -> str:
        return str(datetime.fromtimestamp(time_ms / 1000, context.zone).date())

    path, notes, following = context.index.path, [_NONE], "codex-usage setup --telemetry"
    found = heard(telemetry_path(path), path, context.scope(period), filters, day)
    if found:
        known = f"{found.matched:,} of the newest {min(found.responses, LATEST):,} responses"
        notes = [f"{known} were found among the calls of the index.", f"The events take {found.bytes / 1e6:,.1f} MB."]
        following = "usage_calls with order=duration"
    return Diagnostics(
        section="telemetry", status="fresh" if found else "never computed",
        computed_at=iso(found.newest_ms) if found else None, period=context.info(period),
        scope={word: value for word, value in vars(filters).items() if value is not None}, logs_scanned=0,
        logs_pending=0, tables=[_table(one, found.events, limit) for one in found.tables if one[2]] if found else [],
        not_additive=[], notes=notes, coverage=context.coverage(), next=following,
    )  # fmt: skip


def _table(told: Told, counts: dict[str, tuple[int, int]], limit: int) -> Table:
    title, columns, found, names = told
    events = {name: counts[name] for name in names if name in counts}
    since = iso(min(first for _, first in events.values()))
    rows = [
        [call_id(cell) if word == "call_id" else cell or "(unknown)" if word in _KNOWN else cell
         for word, cell in zip(columns, row, strict=True)] for row in found[:limit]
    ]  # fmt: skip
    basis = Basis(events={name: count for name, (count, _) in events.items()}, since=since)
    return Table(title=title, columns=columns, rows=rows, rest=len(found) - len(rows), basis=basis)


_KNOWN = ("model", "effort", "terminal", "user")
