"""The result of `diagnostics`, as every surface gets it."""

from typing import Annotated

from codex_usage.answers.results import Answer, Coverage, PeriodInfo, _Result
from codex_usage.model.privacy import By, Hint, Label, Text


class Basis(_Result):
    """The events of telemetry that a table rests on: how many of each, and when the first was received."""

    events: dict[Label, int]
    since: Label | None


class Table(_Result):
    """Rows under columns, the first of which are labels; `rest` rows are not listed. Of ratios, failure_rate and share
    are 0 to 1; bytes are as the model got them; tokens with `_estimated` are a quarter of the bytes. Times end in
    `_ms`."""

    title: Label
    columns: list[Label]
    rows: list[list[Annotated[str, By("columns")] | int | float | None]]
    rest: int
    basis: Basis | None = None


class Diagnostics(Answer):
    """What tools did in a period. `status`: fresh, stale (`logs_pending` logs are not scanned yet) or never computed.

    Columns in `not_additive` speak of whole calls: one that used two tools is in both rows, so they don't add up."""

    section: Label
    status: Label
    computed_at: Label | None
    period: PeriodInfo
    scope: dict[Label, Annotated[str, By()]]
    logs_scanned: int
    logs_pending: int
    tables: list[Table]
    not_additive: list[Label]
    notes: list[Text]
    coverage: Coverage
    next: Hint
