"""What differs between systems, on each of them as far as it can be simulated here."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import webbrowser
from pathlib import Path
from typing import Any

import pytest

from codex_usage.homes import find_places
from codex_usage.homes import platform as system
from codex_usage.homes.places import labelled

PACKAGE = Path(system.__file__).parents[1]


@pytest.fixture(params=["posix", "nt"])
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The system that Python says it runs on."""
    monkeypatch.setattr(system, "is_posix", lambda: request.param == "posix")
    return str(request.param)


def test_no_other_module_asks_which_system_it_runs_on() -> None:
    """A service is about systems by its nature, and names of programs in logs are what is read, not what we are."""
    asks = re.compile(
        r"os\.name|sys\.platform|\bfcntl\b|\bmsvcrt\b|posix_fadvise|import signal|\bkillpg\b|get(?:e)?uid\(|os\.fork"
        r"|O_NONBLOCK|start_new_session|creationflags|import webbrowser|/proc/"
    )
    found = {
        str(path.relative_to(PACKAGE)): hits
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "platform.py" and (hits := asks.findall(path.read_text("utf-8")))
    }
    assert found.keys() <= {"cli/service.py"}


def test_programs_are_called_as_the_system_calls_them(name: str) -> None:
    assert system.program("codex-usage-mcp") == {"posix": "codex-usage-mcp", "nt": "codex-usage-mcp.exe"}[name]


def test_an_inode_tells_nothing_on_windows(name: str) -> None:
    assert system.replaced(1, 2) is (name == "posix")
    assert not system.replaced(1, 1)


def test_rights_and_owners_are_asked_only_where_there_are_any(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    assert system.open_to_others(tmp_path) is (name == "posix")
    tmp_path.chmod(0o700)
    assert not system.open_to_others(tmp_path)
    assert not system.open_to_others(tmp_path / "missing")
    assert not system.owners_but_us(tmp_path, tmp_path / "missing")
    if name == "posix":
        monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 4711)
        assert system.owners_but_us(tmp_path) is (tmp_path.stat().st_uid != 0)
    else:
        monkeypatch.delattr(os, "geteuid")
        assert not system.owners_but_us(tmp_path)


def test_reading_ahead_is_asked_for_only_where_it_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda *words: asked.append(words), raising=False)
    monkeypatch.setattr(os, "POSIX_FADV_WILLNEED", 3, raising=False)
    system.read_ahead(7, 99)
    assert asked == [(7, 99, 0, 3)]
    monkeypatch.delattr(os, "posix_fadvise")
    system.read_ahead(7, 99)
    assert len(asked) == 1


@pytest.mark.skipif(os.name != "posix", reason="a process group")
def test_a_process_is_ended_with_what_it_started() -> None:
    child = "import subprocess, sys; subprocess.Popen(['sleep', '60']); print('up', flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", child], stdin=pipe, stdout=pipe, **system.detached()) as process:
        assert process.stdout and process.stdout.readline() == b"up\n"
        system.kill_with_children(process)
        assert process.wait(10) == -signal.SIGKILL
        assert process.stdout.read() == b"", "the pipe is closed: the sleeping child is gone, too"


def test_on_windows_a_process_is_detached_and_ended_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "is_posix", lambda: False)
    assert system.detached() == {"creationflags": 0x8}
    ended = []

    class Process:
        def kill(self) -> None:
            ended.append(self)

    process: Any = Process()
    system.kill_with_children(process)
    assert ended == [process]


def test_a_console_is_woken_on_windows_only(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[str] = []
    monkeypatch.setattr(os, "system", commands.append)
    system.wake_colours()
    assert commands == {"posix": [], "nt": [""]}[name]


def test_an_interrupt_ends_the_process_and_a_page_opens_in_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[Any] = []
    monkeypatch.setattr(signal, "signal", lambda *words: set_to.append(words))
    system.die_at_interrupt()
    assert set_to == [(signal.SIGINT, signal.SIG_DFL)]
    monkeypatch.setattr(webbrowser, "open", lambda url: url == "http://127.0.0.1:1/")
    assert system.open_in_browser("http://127.0.0.1:1/")
    assert not system.open_in_browser("file:///elsewhere")


# -- WSL ---------------------------------------------------------------------------------------------------


def machine(root: Path, release: str, *folders: str) -> Path:
    """A root with a kernel's release and some folders."""
    (root / "proc/sys/kernel").mkdir(parents=True)
    (root / "proc/sys/kernel/osrelease").write_text(release)
    for folder in folders:
        (root / folder).mkdir(parents=True)
    return root


WINDOWS = ("mnt/c/Users/Zoe/.codex", "mnt/c/Users/Zoe/.claude", "mnt/d/Users/Yan/.codex", "mnt/c/Users/Public")


def test_inside_wsl_the_homes_of_windows_users_are_found_too(tmp_path: Path) -> None:
    root = machine(tmp_path, "5.15.167.4-microsoft-standard-WSL2\n", *WINDOWS)
    places = find_places(env={}, root=root)
    assert places.codex[1:] == (root / "mnt/c/Users/Zoe/.codex", root / "mnt/d/Users/Yan/.codex")
    assert root / "mnt/c/Users/Zoe/.claude" in places.claude
    assert [places.label(home) for home in places.codex] == ["codex", "windows", "windows"]


def test_homes_that_were_named_are_all_that_is_read_inside_wsl(tmp_path: Path) -> None:
    root = machine(tmp_path, "6.6.0-MICROSOFT", *WINDOWS)
    assert find_places(["/a"], env={}, root=root).codex == (Path("/a"),)
    assert find_places(env={"CODEX_HOME": "/b"}, root=root).codex == (Path("/b"),)


def test_elsewhere_a_folder_with_such_a_name_is_not_looked_at(tmp_path: Path) -> None:
    assert len(find_places(env={}, root=machine(tmp_path, "6.8.0-generic", *WINDOWS)).codex) == 1
    assert len(find_places(env={}, root=tmp_path / "nothing").codex) == 1


# -- labels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("work=~/.codex-work", ("work", "~/.codex-work")),
        ("my laptop=/logs", ("my laptop", "/logs")),
        ("a=b=c", ("a", "b=c")),
        ("~/.codex", ("", "~/.codex")),
        ("/data/a=b", ("", "/data/a=b")),
        ("~/x=y", ("", "~/x=y")),
        ("./x=y", ("", "./x=y")),
        (r"C:\x=y", ("", r"C:\x=y")),
        (r"win=\\wsl.localhost\Ubuntu\home\zoe\.codex", ("win", r"\\wsl.localhost\Ubuntu\home\zoe\.codex")),
        ("work=", ("", "work=")),
        ("=x", ("", "=x")),
    ],
)
def test_a_label_stands_before_a_home(said: str, meant: tuple[str, str]) -> None:
    assert labelled(said) == meant


def test_a_folder_whose_name_looks_like_a_label_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work=x").mkdir()
    monkeypatch.chdir(tmp_path)
    assert labelled("work=x") == ("", "work=x")


def test_labels_are_those_of_flags_and_lists_and_leave_the_index_where_it_was(tmp_path: Path) -> None:
    env = {"CODEX_HOME": os.pathsep.join(["work=/w/.codex", "/p/.codex"]), "CODEX_USAGE_HOME": str(tmp_path)}
    places = find_places(env=env)
    assert [places.label(home) for home in places.codex] == ["work", "codex"]
    assert find_places(["w=/w/.codex", "/p/.codex"], env=env).index == places.index
    assert places.imported == places.index.with_name(places.index.name + ".imported")
