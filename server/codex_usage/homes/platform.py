"""What differs between Linux, macOS, Windows and WSL. Nothing else in the package asks which system it runs on."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

#: What to open a file with, so that a pipe in its place makes nobody wait; Windows has none in folders.
NO_WAIT = getattr(os, "O_NONBLOCK", 0)


def is_posix() -> bool:
    """Linux and macOS: owners and rights of files, process groups, a system time zone."""
    return os.name == "posix"


def program(name: str) -> str:
    """The file name of a program."""
    return name if is_posix() else f"{name}.exe"


def replaced(before: int, now: int) -> bool:
    """Is it another file, by its inode? On Windows that may differ from look to look, so it tells nothing."""
    return is_posix() and before != now


def open_to_others(folder: Path) -> bool:
    """May others read or write a folder? Windows keeps the user's folders apart by itself."""
    return is_posix() and folder.exists() and bool(folder.stat().st_mode & 0o077)


def owners_but_us(*paths: Path) -> bool:
    """Is one of the files that exist owned by another user than this one and root?"""
    return is_posix() and bool({one.stat().st_uid for one in paths if one.exists()} - {os.geteuid(), 0})


def read_ahead(descriptor: int, offset: int) -> None:
    """Tell the system that a file will be read soon, where it can be told (not on macOS and Windows)."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, 0, os.POSIX_FADV_WILLNEED)


def detached() -> dict[str, Any]:
    """Arguments of Popen for a process that outlives this one and its terminal."""
    return {"start_new_session": True} if is_posix() else {"creationflags": 8}  # DETACHED_PROCESS


def kill_with_children(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started `detached`, on Linux and macOS with all that it started. Raises OSError."""
    if is_posix():
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def die_at_interrupt() -> None:
    """Let Ctrl-C end the process at once, whatever its threads wait for."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wake_colours() -> None:
    """Make an older Windows console take colours."""
    if not is_posix():
        os.system("")  # noqa: S605, S607


def open_in_browser(url: str) -> bool:
    """Open an address in the user's browser; False when there is none."""
    import webbrowser

    return webbrowser.open(url)


def windows_homes(name: str, root: Path = Path("/")) -> Iterator[Path]:
    """Inside WSL, the folders of a name in the homes of the Windows users of this machine."""
    with suppress(OSError):
        if "microsoft" in (root / "proc/sys/kernel/osrelease").read_text(encoding="utf-8").lower():
            yield from sorted(path for path in root.glob(f"mnt/?/Users/*/{name}") if path.is_dir())
