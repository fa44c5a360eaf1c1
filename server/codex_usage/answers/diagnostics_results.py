"""The result of `diagnostics`, as every surface gets it."""

from __future__ import annotations

from codex_usage.answers.results import Coverage, PeriodInfo, _Result


class Table(_Result):
    """Rows under columns, the first of which are labels; `rest` rows are not listed. Of ratios, failure_rate and share
    are 0 to 1; bytes are as the model got them; tokens with `_estimated` are a quarter of the bytes. Times end in
    `_ms`."""

    title: str
    columns: list[str]
    rows: list[list[str | int | float | None]]
    rest: int


class Diagnostics(_Result):
    """What tools did in a period. `status`: fresh, stale (`logs_pending` logs are not scanned yet) or never computed.

    Columns in `not_additive` speak of whole calls: one that used two tools is in both rows, so they don't add up."""

    section: str
    status: str
    computed_at: str | None
    period: PeriodInfo
    scope: dict[str, str]
    logs_scanned: int
    logs_pending: int
    tables: list[Table]
    not_additive: list[str]
    notes: list[str]
    coverage: Coverage
    next: str
