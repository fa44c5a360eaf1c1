"""The command that receives telemetry."""

from __future__ import annotations

import click

from codex_usage.cli.commands import command
from codex_usage.cli.options import PORT, Settings


@command("Receive Codex's telemetry.", "",
         click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535),
                      help="0 takes a free one."))  # fmt: skip
def otlp(settings: Settings, port: int) -> None:
    """Receive Codex's telemetry on this machine until Ctrl-C, as serve-dashboard does, without the page."""
    from codex_usage.serve.otlp import receive

    receive(port, settings.places(), lambda line: settings.tell({"told": line}, line))
