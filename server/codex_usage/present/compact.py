"""Answers for a model: one line of minified JSON, rows as columns and rows, nothing said twice.

A model pays for every token, so ids are short, zeros and unknowns are left out of sums, long names are cut, and
times end at the minute. `detail="full"` gives every column.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from codex_usage.index.zones import zone_of

if TYPE_CHECKING:
    from codex_usage.answers import CallLine, Calls, Explanation, Session, Summary, Sums, Threads
    from codex_usage.answers.advice_results import Recommendations
    from codex_usage.answers.diagnostics_results import Diagnostics
    from codex_usage.answers.results import AllowanceWindow, BudgetState, Change, Coverage, Part, PeriodInfo
    from codex_usage.evidence.results import Evidence

MOST_BYTES = 16_000

#: What is shown of a row otherwise than its field says: column -> cell.
_Cells = dict[str, Callable[[Any], Any]]
_SUM_CELLS: _Cells = {"cost_usd": lambda s: _money(s.cost_usd), "estimated_usd": lambda s: _money(s.estimated_usd),
                      "credits": lambda s: _round(s.credits, 2)}  # fmt: skip
_SUM_COLUMNS = ("cost_usd", "calls", "turns", "threads", "total_tokens", "input_tokens", "cached_input_tokens",
                "cache_write_input_tokens", "output_tokens", "reasoning_output_tokens", "credits", "cost_confidence",
                "estimated_usd", "unpriced_calls", "compactions")  # fmt: skip
_MOST_PARTS = 40
_CONCISE = ("cost_usd", "calls", "input_tokens", "cached_input_tokens", "output_tokens")
_THREAD_CONCISE = ("cost_usd", "calls", "total_tokens")


def for_model(answer: BaseModel, detail: str = "concise") -> str:
    """An answer as the text of a tool result."""
    show: Callable[[Any, bool], dict[str, Any]] = _SHOWN.get(type(answer).__name__, _other)
    return json.dumps(show(answer, detail == "full"), separators=(",", ":"), ensure_ascii=False)


def fits(text: str) -> bool:
    """Is a result within MOST_BYTES? If not, the caller asks for fewer rows, so that rest and cursor stay right."""
    return len(text.encode("utf-8", "replace")) <= MOST_BYTES


def _row(row: Any, names: Sequence[str], cells: _Cells) -> list[Any]:
    return [cells[name](row) if name in cells else getattr(row, name) for name in names]


def _summary(answer: Summary, full: bool) -> dict[str, Any]:
    columns = _SUM_COLUMNS if full else _used(_CONCISE, [row.sums for row in answer.rows])
    shown: dict[str, Any] = {"period": _period(answer.period), "total": _total(answer.total)}
    shown["previous"] = _previous(answer.previous) if answer.previous else None
    if answer.rows:
        shown["columns"] = ["/".join(answer.by), *columns, "share"]
        shown["rows"] = [
            [_labels(answer.by, row.labels, full), *_row(row.sums, columns, _SUM_CELLS), _round(row.share, 3)]
            for row in answer.rows
        ]
    shown["rest"] = {"groups": answer.rest_groups, **_total(answer.rest, not full)} if answer.rest else None
    shown["budgets"] = dict(map(_budget, answer.budgets)) or None
    shown["allowance"] = {limit_name(one): _window(one, answer.period.zone) for one in answer.allowance} or None
    return _close(shown, answer)


def _budget(budget: BudgetState) -> tuple[str, str]:
    of = f" for {_clip(budget.project, False)}" if budget.project else ""
    least, over = "at least " if budget.at_least else "", ", OVER" if budget.over else ""
    spent = f"{least}{_money(budget.spent)} spent, {budget.percent:g}%{over}"
    return f"{budget.amount:g} {budget.unit} a {budget.per}{of}", spent


def limit_name(window: AllowanceWindow) -> str:
    """What a window is called: by its length, after its limit where that is not Codex's own."""
    return window.window if window.limit_id == "codex" else f"{window.limit_id} {window.window}"


def _window(window: AllowanceWindow, zone: str) -> dict[str, Any]:
    """A window's use, and when it runs out if that may be before its reset."""
    used, at = _round(window.used_percent, 1), _minute(window.resets_at, zone)
    if window.reset_passed:
        return {"reset_at": at, "used_percent_before": used}
    shown: dict[str, Any] = {"used_percent": used, "resets_at": at}
    found = window.outlook
    if found is not None and found.chance >= 0.05:
        between = [_minute(time, zone) or "not before the reset" for time in (found.earliest, found.latest)]
        shown |= {"chance_to_run_out": found.chance, "runs_out_between": between}
    return shown


def local(time: str, zone: str) -> datetime:
    """An ISO time of the data on the user's clock."""
    return datetime.fromisoformat(time).astimezone(zone_of(zone)[1])


def _minute(time: str | None, zone: str) -> str | None:
    return local(time, zone).isoformat(timespec="minutes") if time else None


def _labels(by: Sequence[str], labels: Sequence[str], full: bool) -> str:
    shown = (label[-8:] if word == "thread" and not full else label for word, label in zip(by, labels, strict=True))
    return " / ".join(_clip(label, full) or "" for label in shown)


def _threads(answer: Threads, full: bool) -> dict[str, Any]:
    sums = _SUM_COLUMNS if full else _THREAD_CONCISE
    names = ["thread", "name", "project", "models", "last_call"]
    names += ["role", "branch", "parent", "first_call"] if full else []
    cells: _Cells = {"thread": lambda t: t.thread_id if full else t.short_id,
                     "name": lambda t: _clip(t.name or ("" if t.role == "user" else t.role), full),
                     "project": lambda t: _clip(t.project, full), "models": lambda t: _models(t.models, full),
                     "last_call": lambda t: t.last_call[:16], "branch": lambda t: _clip(t.branch, full),
                     "parent": lambda t: t.parent_thread_id[-8:] if t.parent_thread_id else None,
                     "first_call": lambda t: t.first_call[:16]}  # fmt: skip
    shown = {
        "period": _period(answer.period), "total": _total(answer.total, not full), "order": answer.order,
        "columns": [*names, *sums, "share"],
        "rows": [
            [*_row(row, names, cells), *_row(row.sums, sums, _SUM_CELLS), _round(row.share, 3)] for row in answer.rows
        ],
    }  # fmt: skip
    if answer.rest_threads:
        shown["rest"] = {"threads": answer.rest_threads, "cost_usd": _money(answer.rest_cost_usd)}
    return _close(shown, answer)


def _models(names: Sequence[str], full: bool) -> str:
    most = len(names) if full else 2
    more = f" +{len(names) - most}" if len(names) > most else ""
    return ",".join(_clip(name, full) or "" for name in names[:most]) + more


_CALL_CELLS: _Cells = {"call": lambda c: c.call_id, "time": lambda c: c.timestamp[:19],
                       "thread": lambda c: c.thread_id[-8:], "model": lambda c: _clip(c.model, False),
                       "cost_usd": lambda c: _money(c.cost_usd, 4), "context_use": lambda c: _round(c.context_use, 2),
                       "note": lambda c: _note(c), "tier": lambda c: c.service_tier,
                       "credits": lambda c: _round(c.credits, 4), "project": lambda c: _clip(c.project, True),
                       "turn": lambda c: _clip(c.turn_id, True),
                       "origin": lambda c: f"{c.origin}:{c.origin_reason}"}  # fmt: skip
_CALL_COLUMNS = ("call", "time", "thread", "model", "effort", "cost_usd", "input_tokens", "cached_input_tokens",
                 "output_tokens", "context_use", "note", "tier", "cost_confidence", "credits", "project", "turn",
                 "cache_write_input_tokens", "reasoning_output_tokens", "duration_ms", "gap_ms", "origin")  # fmt: skip
_CALL_CONCISE = ("call", "time", "thread", "model", "cost_usd", "input_tokens", "cached_input_tokens", "output_tokens",
                 "note")  # fmt: skip


def _calls(answer: Calls, full: bool) -> dict[str, Any]:
    names = _CALL_COLUMNS if full else _CALL_CONCISE
    cells = _CALL_CELLS if full else {**_CALL_CELLS, "call": lambda c: c.call_id[:8]}
    shown = {"period": _period(answer.period), "total": _total(answer.total, not full), "order": answer.order,
             "columns": names, "rows": [_row(row, names, cells) for row in answer.rows]}  # fmt: skip
    if answer.rest_calls:
        shown["rest"] = {"calls": answer.rest_calls}
    return _close(shown, answer)


def _note(call: CallLine) -> str:
    notes = [call.role] if call.role != "user" else []
    notes += ["compaction"] if call.compaction else []
    notes += ["estimated"] if call.cost_confidence == "estimated" else []
    notes += [call.service_tier] if call.service_tier not in (None, "default", "standard", "auto") else []
    notes += ["recovered"] if call.recovered else []
    return ",".join(notes)


def _session(answer: Session, full: bool) -> dict[str, Any]:
    thread, most = answer.thread, _MOST_PARTS if full else 8
    caused = [child for child in answer.children if child.relation != "fork"]
    forks = [child.thread_id[-8:] for child in answer.children if child.relation == "fork"]
    children = [[one.thread_id[-8:], one.relation, one.calls, _money(one.cost_usd)] for one in caused[:most]]
    turns = [
        {"turn": turn.turn_id[-8:], "cost_usd": _money(turn.cost_usd), "calls": turn.calls}
        | ({"with_delegated_usd": _money(turn.with_delegated_usd)} if turn.delegated_usd else {})
        for turn in answer.turns[: None if full else 1]
    ]
    names = _CALL_COLUMNS if full else ("call", "time", "cost_usd", "input_tokens", "cached_input_tokens")
    shown = {"thread": thread.thread_id, "name": _clip(thread.name, full), "project": _clip(thread.project, full),
             "role": thread.role, "from": thread.first_call[:16], "to": thread.last_call[:16],
             "total": _total(thread.sums), "with_children_usd": _money(answer.with_children_usd) if caused else None,
             "models": {_clip(row.labels[0], full): _money(row.sums.cost_usd) for row in answer.models[:_MOST_PARTS]},
             "turns": answer.turn_outcomes, "turn_ms": {"median": answer.turn_ms_median, "p95": answer.turn_ms_p95},
             "children": len(caused) or None, "costliest_children": children or None, "forks": forks[:most] or None,
             "story": [signal.text for signal in answer.story[: None if full else 3]] or None,
             "costliest_turns": turns or None, "columns": names,
             "rows": [_row(row, names, _CALL_CELLS) for row in answer.costly_calls]}  # fmt: skip
    return _close(shown, answer)


def _explanation(answer: Explanation, full: bool) -> dict[str, Any]:
    """The headline and the drivers that matter, each with its reason and who is behind it; all ten when full."""
    most = 4 if answer.unusual else 2
    drivers = [one for at, one in enumerate(answer.drivers) if full or (at < most and abs(one.share) >= 0.03) or not at]
    dump = answer.model_dump(mode="json")
    shown: dict[str, Any] = {"headline": answer.headline, "metric": answer.metric}
    for name in ("period", "baseline"):
        shown[name] = {word: dump[name][word] for word in ("from", "to")}
    if answer.per_day:
        shown["baseline"]["note"] = "scaled to the period's length"
    shown["change"] = {word: value if word == "percent" else _places(value) for word, value in dump["change"].items()}
    shown["drivers"] = [
        {"driver": one.driver, "delta": _places(one.delta), "share": _round(one.share, 3), "because": one.because,
         "top": [_part(part, full) for part in _best(one.top, full)]} for one in drivers
    ]  # fmt: skip
    if len(drivers) < len(answer.drivers):
        shown["other_drivers"] = _places(sum(one.delta for one in answer.drivers) - sum(one.delta for one in drivers))
    shown["contributors"] = {kind: [_part(part, full, kind) for part in parts[: 5 if full else 2]]
                             for kind, parts in answer.contributors.items()}  # fmt: skip
    sure = dump["data_quality"]
    shown["data_quality"] = {"line": sure["line"], **({} if sure["complete"] else {"complete": False})}
    shown["data_quality"] |= {name: sure[name] for name in ("unpriced_calls", "estimated_calls") if sure[name]}
    shown["next"] = answer.next if full else answer.next[:1]
    return shown


def _advice(answer: Recommendations, full: bool) -> dict[str, Any]:
    """What to do, the most worthwhile first; with its evidence when full."""
    shown: dict[str, Any] = {"headline": answer.headline, "period": _period(answer.period)}
    shown["examined"] = f"{answer.examined_share or 0:.0%} of the cost"
    rows = []
    for row in answer.rows:
        identity = row.scope.id if full or row.scope.kind != "thread" else row.scope.id[-8:]
        label = row.scope.label if row.scope.label not in (row.scope.id, row.scope.id[-8:]) else ""
        saving = {"saving_usd": _money(row.saving.cost_usd), "confidence": row.confidence}
        about: dict[str, Any] = {"rule": row.rule, row.scope.kind: _clip(identity, full)}
        about |= {"name": _clip(label, full)} if label and row.scope.kind == "thread" else {}
        rows.append({**about, **saving, "why": row.counterfactual, "do": row.action})
        if row.counter_evidence:
            rows[-1]["but"] = row.counter_evidence
        if full:
            rows[-1] |= {"credits": row.saving.credits, "tokens": row.saving.tokens, **row.evidence.model_dump()}
    shown |= {"rows": rows, "rest": {"rows": answer.rest_rows} if answer.rest_rows else None}
    return _close(shown, answer, "; ".join([answer.data_quality, *answer.problems]))


#: Columns of diagnostics that say little more than others beside them.
_LESSER = frozenset({"output_bytes", "uncut_tokens", "calls", "failure_rate", "associated_cost_usd", "files_read"})


def _diagnostics(answer: Diagnostics, _: bool) -> dict[str, Any]:
    """The tables of a section without lesser columns and those that are empty."""
    shown: dict[str, Any] = {"section": answer.section, "period": _period(answer.period), "status": answer.status}
    shown["tables"] = []
    for table in answer.tables:
        used = [any(row[at] not in (None, 0, 0.0) for row in table.rows) for at in range(len(table.columns))]
        kept = [at for at, name in enumerate(table.columns) if used[at] and name not in _LESSER]
        rows = [[_clip(cell, False) if isinstance(cell := row[at], str) else cell for at in kept] for row in table.rows]
        told: dict[str, Any] = {"title": table.title, "columns": [table.columns[at] for at in kept], "rows": rows}
        told |= {"basis": {**table.basis.events, "since": (table.basis.since or "")[:10]}} if table.basis else {}
        shown["tables"].append(told | ({"rest": table.rest} if table.rest else {}))
    if answer.not_additive:
        shown["not_additive"] = [name for name in answer.not_additive if name not in _LESSER]
    return _close(shown, answer, " ".join(answer.notes))


def _best(parts: Sequence[Part], full: bool) -> Sequence[Part]:
    """Of a concise driver the first thread and the first call."""
    firsts = {part.kind: part for part in reversed(parts)}
    return parts if full else [firsts[kind] for kind in ("thread", "call") if kind in firsts]


def _part(part: Part, full: bool, among: str | None = None) -> dict[str, Any]:
    identity = part.id if full or part.kind != "thread" else part.id[-8:]
    shown: dict[str, Any] = {} if among else {"kind": part.kind}
    shown["id"] = _clip(identity, full)
    if part.label not in (part.id, part.id[-8:]):
        shown["label"] = _clip(part.label, full)
    return shown if part.delta is None else {**shown, "delta": _places(part.delta)}


def _places(value: float) -> float:
    return round(value, 2 if abs(value) >= 1 else 4)


# -- parts -------------------------------------------------------------------------------------------------


def _close(shown: dict[str, Any], answer: Any, quality: str | None = None) -> dict[str, Any]:
    """What is there of an answer, and what every one ends with: how far it reaches, what it rests on, where to go
    next."""
    coverage: Coverage = answer.coverage
    reach = None
    if coverage.busy:
        reach = "incomplete: another process is reading new logs; the newest calls may be missing"
    elif not coverage.complete:
        reach = (
            f"incomplete: older logs are still being read ({coverage.pending_files}, {coverage.pending_bytes >> 20}"
            f" MB); calls after {(coverage.since or '')[:16]} are all counted"
        )
    shown = {name: value for name, value in (shown | {"coverage": reach}).items() if value is not None}
    shown["as_of"] = coverage.newest_call[:16] if coverage.newest_call else None
    shown["quality"] = answer.data_quality if quality is None else quality
    following = {"cursor": getattr(answer, "cursor", None), "next": getattr(answer, "next", "")}
    return shown | {name: value for name, value in following.items() if value}


def _period(period: PeriodInfo) -> str:
    if period.first and period.last:
        span = period.first if period.first == period.last else f"{period.first}..{period.last}"
        return f"{span} {period.zone}"
    return period.label


_TOTAL = ("calls", "turns", "threads", "input_tokens", "cached_input_tokens", "output_tokens",
          "cache_write_input_tokens", "reasoning_output_tokens", "unpriced_calls")  # fmt: skip
_TOTAL_BRIEF = ("calls", "threads", "total_tokens", "unpriced_calls")


def _total(sums: Sums, brief: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {"cost_usd": _money(sums.cost_usd)}
    if sums.at_least:
        shown["cost_is"] = "at least"
    if sums.credits is not None:
        shown["credits"] = _round(sums.credits, 1 if sums.credits >= 1 else 4)
    for name in _TOTAL_BRIEF if brief else _TOTAL:
        if value := getattr(sums, name):
            shown[name] = value
    if sums.cache_ratio is not None:
        shown["cache_ratio"] = _round(sums.cache_ratio, 3)
    return shown


def _previous(change: Change) -> dict[str, Any]:
    shown = {"period": f"{change.period.first}..{change.period.last}", "cost_usd": _money(change.cost_usd),
             "cost_change_usd": _money(change.cost_delta_usd), "cost_change_percent": change.cost_percent,
             "tokens_change_percent": change.tokens_percent}  # fmt: skip
    return {key: value for key, value in shown.items() if value is not None}


def _used(names: Sequence[str], rows: list[Sums]) -> list[str]:
    return [name for name in names if any(_row(row, [name], _SUM_CELLS)[0] for row in rows)] or ["calls"]


def _money(value: float | None, places: int = 2) -> float | None:
    """Dollars to the cent; below one dollar to a hundredth of a cent, so that small things are not zero."""
    return None if value is None else round(value, places if abs(value) >= 1 else 4)


def _round(value: float | None, places: int) -> float | None:
    return None if value is None else round(value, places)


def _clip(text: str | None, full: bool) -> str | None:
    """A name, cut in the middle where it is too long to be told again and again."""
    most = 120 if full else 40
    if text is None or len(text) <= most:
        return text
    return f"{text[: most - 12]}…{text[-11:]}"


def _evidence(answer: Evidence, _: bool) -> dict[str, Any]:
    columns = ("line", "kind", "label", "tokens", "since_turn_s", "text")
    shown = {"call": answer.call_id, "thread": answer.thread_id, "model": answer.model, "log": answer.log,
             "tokens_by": answer.token_method, "duration_s": answer.duration_s, "columns": columns,
             "rows": [[getattr(entry, name) for name in columns] for entry in answer.entries],
             "omitted": answer.omitted, "redacted": answer.redactions, "tokens": answer.groups,
             "warnings": answer.warnings}  # fmt: skip
    return {name: value for name, value in shown.items() if value not in (None, [], {})}


def _other(answer: BaseModel, _: bool) -> dict[str, Any]:
    return answer.model_dump(exclude={"coverage", "privacy_mode"})


#: By name, as not every answer's module is loaded.
_SHOWN: dict[str, Callable[[Any, bool], dict[str, Any]]] = {
    "Summary": _summary, "Threads": _threads, "Calls": _calls, "Session": _session, "Explanation": _explanation,
    "Recommendations": _advice, "Diagnostics": _diagnostics, "Evidence": _evidence,
}  # fmt: skip
