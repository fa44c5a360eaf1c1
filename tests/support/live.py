"""Servers and commands of ours, run in the test's own process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest
from click.testing import CliRunner

from codex_usage.cli.commands import cli
from codex_usage.homes import Places
from codex_usage.model import BadInput
from codex_usage.serve.guard import Local, refusal
from codex_usage.serve.otlp import Receiver

Served = TypeVar("Served", bound=Local)
SECONDS = 20


@contextmanager
def running(server: Served) -> Iterator[Served]:
    """A server until the end."""
    thread = threading.Thread(target=server.run, args=(server.listeners,))
    thread.start()
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join(SECONDS)
        assert not thread.is_alive()


def receiver(places: Places) -> Local:
    """What `codex-usage otlp` runs."""
    return Local(0, lambda own: Receiver(refusal(404, "Nothing else."), "", own, places))


def run(*words: str) -> str:
    """What a command says; its errors are raised."""
    done = CliRunner().invoke(cli, words, standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.output


def refused(*words: str) -> str:
    """The one sentence of a command that is refused."""
    with pytest.raises(BadInput) as caught:
        run(*words)
    assert str(caught.value).isprintable()
    return str(caught.value)
