"""The dashboard as a service of the user's session: systemd on Linux, launchd on macOS; and where it can be opened.

A running server leaves its address, with its token, in a file of our own folder that only the user may read.
"""

from __future__ import annotations

import os
import plistlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

from codex_usage.cli.codex_config import ENV_VARS, read_text
from codex_usage.cli.install import Step
from codex_usage.homes.config import write_bytes
from codex_usage.model import BadInput

_LABEL = "codex-usage-dashboard"
#: What it prints is its address with the token, which is nothing for a journal.
_UNIT = """\
[Unit]
Description=The dashboard of codex-usage, for this machine only
[Service]
{env}ExecStart={command}
StandardOutput=null
Restart=on-failure
RestartSec=30
[Install]
WantedBy=default.target
"""


class Service(NamedTuple):
    """A service's file, what stands in it, and the commands that start and end it."""

    path: Path
    text: str
    start: list[str]
    end: list[str]


def service(server: Path, words: Sequence[str], env: Mapping[str, str], system: str = sys.platform) -> Service | None:
    """The service of an installation, with these global options and those of the variables that ours read; None on
    Windows, which has none for a user."""
    command = [str(server.with_name(server.name.replace("-mcp", ""))), *words, "serve-dashboard"]
    kept = {name: env[name] for name in ENV_VARS if env.get(name)}
    if system == "darwin":
        path, domain = Path("~/Library/LaunchAgents", f"{_LABEL}.plist").expanduser(), f"gui/{os.getuid()}"
        values = {"Label": _LABEL, "ProgramArguments": command, "EnvironmentVariables": kept, "RunAtLoad": True,
                  "KeepAlive": {"SuccessfulExit": False}, "ThrottleInterval": 30}  # fmt: skip
        return Service(path, plistlib.dumps(values).decode(), ["launchctl", "bootstrap", domain, str(path)],
                       ["launchctl", "bootout", f"{domain}/{_LABEL}"])  # fmt: skip
    path = Path(env.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "systemd" / "user" / f"{_LABEL}.service"
    told = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in kept.items())
    line = " ".join([_quoted(command[0]), *(_quoted(word).replace("$", "$$") for word in command[1:])])
    start, end = (["systemctl", "--user", what, "--now", _LABEL] for what in ("enable", "disable"))
    return None if system == "win32" else Service(path, _UNIT.format(env=told, command=line), start, end)


def install(wanted: Service | None, data: Path) -> list[Step]:
    """Write the service's file and start it, or say how; `data` is our own folder. Raises BadInput where there are no
    services."""
    if wanted is None:
        raise BadInput("Windows has no such service; let its Task Scheduler run codex-usage serve-dashboard.")
    before = read_text(wanted.path)
    if before is not None:
        _run(wanted.end)
    write_bytes(wanted.path, wanted.text.encode())
    steps = [Step(f"The service is in {wanted.path}.", before != wanted.text)]
    if not _run(wanted.start):
        return [*steps, Step(f"It could not be started from here; in your own session run {shlex.join(wanted.start)}.")]
    deadline = monotonic() + 15
    while not address(data) and monotonic() < deadline:
        sleep(0.1)
    return [*steps, Step("Started it; codex-usage serve-dashboard --address --open shows the page.", True)]


def uninstall(there: Service | None) -> list[Step]:
    """End the service and remove its file, if there is one."""
    if there is None or not there.path.exists():
        return []
    _run(there.end)
    there.path.unlink(missing_ok=True)
    return [Step(f"Ended the service and removed {there.path}.", True)]


@contextmanager
def told(data: Path, url: str) -> Iterator[None]:
    """Keep the address of a server in our own folder while it runs."""
    path = data / "dashboard.address"
    write_bytes(path, url.encode())
    try:
        yield
    finally:
        if read_text(path) == url:  # no other server has come since
            path.unlink(missing_ok=True)


def address(data: Path) -> str | None:
    """The address of the server that runs, with its token; None where none does. Raises BadInput."""
    url = read_text(data / "dashboard.address")
    port = re.search(r":(\d+)/", url or "")
    return url if port and listens(int(port[1])) else None


def listens(port: int) -> bool:
    """Does anything on this machine take connections there?"""
    with suppress(OSError, OverflowError), socket.create_connection(("127.0.0.1", port), 0.5):
        return True
    return False


def _quoted(word: str) -> str:
    """A word as systemd reads it, with its specifiers and quotes taken literally."""
    return '"' + word.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _run(command: list[str]) -> bool:
    found = shutil.which(command[0])
    return found is not None and subprocess.run(command, check=False, capture_output=True).returncode == 0
