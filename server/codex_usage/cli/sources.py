"""The commands that take in what other sources showed, and how a bundle for another machine is written."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from codex_usage.cli.commands import command
from codex_usage.cli.options import Settings
from codex_usage.model import BadInput
from codex_usage.model.words import many

#: More than the longest line that a reader takes: what is longer comes to it in pieces.
_PIECE = 8 << 20


def _label(usual: str) -> Callable[..., Any]:
    return click.option("--label", metavar="NAME", help=f"What the source is called (default: {usual}).")


def _ingests(name: str, kind: str, reader: str, example: str, short: str, told: str) -> None:
    """Add the command that counts what a stream showed."""

    def run(settings: Settings, log: str, label: str | None) -> None:
        from codex_usage.ledger import keep

        module, _, function = reader.rpartition(".")
        read = getattr(import_module(f"codex_usage.logs.{module}"), function)
        try:
            with nullcontext(sys.stdin.buffer) if log == "-" else Path(log).open("rb") as stream:
                at_ms = int(1000 * (time.time() if log == "-" else os.fstat(stream.fileno()).st_mtime))
                seen = list(read(iter(partial(stream.readline, _PIECE), b""), at_ms))
        except OSError as error:
            raise BadInput(f"Cannot read {log} ({error.strerror}); name a file, or - for standard input.") from error
        some = [one for one in seen if one.calls or (one.thread.id and (one.turns or one.windows))]
        source, folder, calls = label or kind, settings.places().imported, sum(len(one.calls) for one in some)
        skipped = sum((Counter(one.skipped) for one in seen), Counter[str]())
        files = [keep(folder, kind, source, one, at_ms) for one in some]
        _tell(settings, source, files, len(some), calls, skipped=skipped)

    log = click.option("--log", required=True, metavar="FILE", help="What was saved of it; - reads standard input.")
    once = "The same again, or a longer version of it, counts once."
    command(short, f"{name} --log {example}", log, _label(kind), name=name, help=f"{told} {once}")(run)


_ingests("ingest-cli", "terminal", "terminal.read_terminal", "codex-exec.txt", "Count what a terminal showed.",
         "Count what codex or codex exec showed, for threads without a log: their totals, or with exec --json their"
         " turns.")  # fmt: skip
_ingests("ingest-app-server", "app-server", "appserver.read_app_server", "stream.jsonl",
         "Count what an app-server said.",
         "Count the lines between codex app-server and its client, for threads without a log.")  # fmt: skip


@command("Count another machine's bundle.", "import --bundle laptop.jsonl",
         click.option("--bundle", required=True, metavar="FILE", help="What `export --bundle` wrote there."),
         _label("its own"), name="import")  # fmt: skip
def import_bundle(settings: Settings, bundle: str, label: str | None) -> None:
    """Count another machine's bundle beside the logs here, each call once. A newer one of the same machine takes the
    place of the one before. A bundle with a mistake changes nothing."""
    from codex_usage.index.bundles import take_bundle
    from codex_usage.logs.records import vias

    file, header, new = take_bundle(Path(bundle), settings.places().imported, label)
    if not new:
        settings.note("nothing new: this bundle, or a later one from there, was taken in before")
    _tell(settings, header.source, [file], len(vias(str(file))), header.calls, new=new)


def _tell(settings: Settings, source: str, files: Sequence[Path], threads: int, calls: int, **more: Any) -> None:
    from codex_usage.index.bundles import counted

    count = 0
    if files:
        with settings.open() as (places, index):
            settings.refresh(index, places, None, None)
            count = counted(index, files)
    source = hiding(settings)("names", source)
    lines = [f"{source}: {many(threads, 'thread')}, {many(calls, 'call')}, of which {count:,} count from here"]
    lines += [f"  left out: {kind.replace('_', ' ')} {number:,}" for kind, number in more.get("skipped", {}).items()]
    told = {"source": source, "threads": threads, "calls": calls, "counted_calls": count, **more}
    settings.tell(told, *lines)


def hiding(settings: Settings) -> Callable[[str, str], str]:
    """Of a kind (paths, projects, names or ids) and a text, what the privacy mode shows of it."""
    from codex_usage.index.bundles import plain

    if settings.mode == "normal":
        return plain
    from pydantic import create_model

    from codex_usage.model import privacy

    kinds = {"paths": privacy.Path, "projects": privacy.Project, "names": privacy.Name, "ids": privacy.Identity}
    text: Any = create_model("Text", **{name: (kind, "") for name, kind in kinds.items()})  # type: ignore[call-overload]
    return cache(lambda kind, said: getattr(settings.private(text(**{kind: said})), kind))


def export_bundle(settings: Settings, path: str, label: str | None, asked: dict[str, Any]) -> None:
    """`export --bundle`: everything that the logs here show, for `import --bundle` on another machine."""
    import platform

    from codex_usage.index.bundles import write_bundle

    if any(value is not None for value in asked.values()):
        raise BadInput("A bundle holds every call, so that another machine can count them once; leave out the filters.")
    with settings.asking() as context:
        name = label or platform.node().split(".")[0] or "machine"
        header = write_bundle(context.index, settings.places(), Path(path), name, hiding(settings))
    told = {"path": path, "source": header.source, "calls": header.calls}
    settings.tell(told, f"{many(header.calls, 'call')} of {header.source} written to {path}")
