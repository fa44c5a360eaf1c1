"""The interactive screen of Codex on a pseudo-terminal.

In: a lab. Out: `Screen`, which types keys and waits until the screen is quiet (a running turn animates it, so
quiet means idle). It answers the questions Codex asks a terminal at start; nothing is read off the screen.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from typing import Self

from tests.lab.codex import CodexLab, kill_group

ENTER, ESCAPE, INTERRUPT = "\r", "\x1b", "\x03"
QUESTIONS = {
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b]10;?": b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
    b"\x1b]11;?": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
    b"\x1b[c": b"\x1b[?62;c",
    b"\x1b[?u": b"\x1b[?0u",
}


class Screen:
    """A running `codex` with a terminal of 40 lines; use it as a context manager."""

    def __init__(self, lab: CodexLab, *arguments: str):
        lab.top += "\ndisable_paste_burst = true"
        lab.write_config()
        self._mock = lab.mock
        self._terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self._process = subprocess.Popen(
            [str(lab.binary), *arguments],
            cwd=lab.work,
            env=lab.variables(),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            text=True,
            start_new_session=True,
        )
        os.close(inner)

    def press(self, *keys: str, quiet: float = 0.8) -> None:
        """Type each of `keys` and wait for the screen to be quiet after it."""
        for key in keys:
            os.write(self._terminal, key.encode())
            self.settle(quiet)

    def settle(self, quiet: float = 0.8, seconds: float = 30.0) -> None:
        """Return when the screen has not changed for `quiet` seconds, or the process has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            readable, _, _ = select.select([self._terminal], [], [], quiet)
            if not readable:
                return self._mock.settle()
            try:
                self._reply(os.read(self._terminal, 65536))
            except OSError:  # how Linux tells that the other end is closed
                return None
        raise TimeoutError(f"the screen still changes after {seconds} s")

    def close(self) -> None:
        """Leave by two interrupts, or kill what does not leave."""
        with contextlib.suppress(OSError, TimeoutError):
            self.press(INTERRUPT, INTERRUPT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        kill_group(self._process)
        self._process.wait(5)
        os.close(self._terminal)
        self._mock.settle()

    def __enter__(self) -> Self:
        self.settle(1.5)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reply(self, written: bytes) -> None:
        for question, answer in QUESTIONS.items():
            if question in written:
                os.write(self._terminal, answer)
