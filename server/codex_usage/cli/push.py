"""The command that sends usage to a collector: the second one that uses the network, and only where it is told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from codex_usage.cli.commands import command
from codex_usage.cli.options import Settings
from codex_usage.model import BadInput
from codex_usage.model.words import many

if TYPE_CHECKING:
    from collections.abc import Iterator


@command("Send usage to a collector.", "push --endpoint http://localhost:4318 --dry-run",
         click.option("--endpoint", metavar="URL", help="A collector that takes OTLP over HTTP (default:"
                      " $OTEL_EXPORTER_OTLP_ENDPOINT)."),
         click.option("--user", metavar="NAME", help="Who it is from; kept for the next time."),
         click.option("--machine", metavar="NAME", help="Which machine it is from; kept for the next time."),
         click.option("--since", metavar="DATE", help="Leave out the days before."),
         click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing."))  # fmt: skip
def push(
    settings: Settings, endpoint: str | None, user: str | None, machine: str | None, since: str | None, dry_run: bool
) -> None:
    """Send calls, turns and tool outcomes to your team's collector: numbers, models, ids and projects, nothing that was
    said, no folders. Only what is new or changed since the last time is sent. Project names are shown as
    --privacy-mode says (default: redacted)."""
    import time
    from datetime import datetime

    from codex_usage.answers import pushed
    from codex_usage.cli.collector import Kept, collector_of, hashed, read_kept, shown
    from codex_usage.cli.sources import hiding
    from codex_usage.homes.config import write_json
    from codex_usage.present import otlp

    collector = collector_of(endpoint, os.environ)
    settings.privacy_mode = settings.mode_or("redacted")
    hide = hiding(settings)
    with settings.asking() as context:
        first = context.period(None, since).start_ms if since else None
        file = settings.places().data / "push.json"
        everything = read_kept(file)
        kept = everything.setdefault(hashed(f"{collector.logs}\0{context.index.path}"), Kept())
        kept.user, kept.machine = user or kept.user, machine or kept.machine
        if not (kept.user and kept.machine):
            raise BadInput("Who is it from? Give --user NAME and --machine NAME; they are kept for the next time.")
        labels = {"codex_usage.user": kept.user, "codex_usage.machine": kept.machine,
                  "codex_usage.privacy_mode": settings.mode}  # fmt: skip
        marks = {part: hashed(f"{mark} {labels}") for part, mark in pushed.parts(context).items()}
        earliest = "" if first is None else str(datetime.fromtimestamp(first / 1000, context.zone).date())
        todo = [part for part, mark in marks.items() if kept.sent.get(part) != mark and part.split(":")[1] >= earliest]
        now = max(int(time.time() * 1000), kept.version + 1)

        def requests(part: str) -> Iterator[tuple[int, dict[str, Any]]]:
            make = otlp.RECORDS[part.split(":")[0]]
            return otlp.log_requests((make(row, now, hide) for row in pushed.rows_of(context, part)), labels)

        if dry_run:
            _show(settings, (each for part in todo for each in requests(part)), len(todo), shown(collector.logs))
            return
        sent = 0
        try:
            for part in todo:
                for count, request in requests(part):
                    collector.send(collector.logs, request)
                    sent += count
                kept.sent[part], kept.version = marks[part], now
            if todo and collector.metrics:
                since_ms, rows = pushed.totals(context)
                collector.send(collector.metrics, otlp.metrics_request(rows, since_ms, now, labels))
        finally:  # also after Ctrl-C: what was taken need not be sent again
            write_json(file, everything)
    where = shown(collector.logs)
    told = {"records": sent, "parts": len(todo), "unchanged_parts": len(marks) - len(todo), "endpoint": where}
    line = f"{many(sent, 'record')} of {many(len(todo), 'part')} sent to {where}" if todo else "nothing new to send"
    settings.tell(told, line)


def _show(settings: Settings, requests: Iterator[tuple[int, dict[str, Any]]], parts: int, where: str) -> None:
    """How many records would be sent, and the first of them."""
    import json

    count, sample = 0, None
    for number, request in requests:
        count += number
        sample = sample or request["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    line = f"{many(count, 'record')} of {many(parts, 'part')} would be sent to {where}"
    more = [json.dumps(sample, indent=2)] if sample else []
    settings.tell({"records": count, "parts": parts, "sample": sample}, line, *more)
