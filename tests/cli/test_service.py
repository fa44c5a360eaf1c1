"""The dashboard in the background: what systemd and launchd are given, and how its address is found."""

from __future__ import annotations

import os
import plistlib
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from codex_usage.cli import service
from codex_usage.model import BadInput
from tests.support.spending import Spent, home

COMMAND = str(Path(sys.executable).with_name("codex-usage"))
SERVER = Path("/opt/tools/bin/codex-usage-mcp")
posix = pytest.mark.skipif(os.name != "posix", reason="programs and signals as Unix has them")


class User:
    """A user's folders, with a `systemctl` that writes down what it is told and answers with `code`."""

    def __init__(self, root: Path, code: int) -> None:
        self.asked = root / "asked"
        self.data = root / "data"
        self.unit = root / "config" / "systemd" / "user" / "codex-usage-dashboard.service"
        places = home(root, [Spent()])
        control = root / "bin" / "systemctl"
        control.parent.mkdir()
        control.write_text(f'#!/bin/sh\necho "$@" >> {self.asked}\nexit {code}\n', encoding="utf-8")
        control.chmod(0o755)
        self.env = {
            "PATH": f"{control.parent}:{os.defpath}", "HOME": str(root), "XDG_CONFIG_HOME": str(root / "config"),
            "CODEX_HOME": str(places.codex[0]), "CODEX_USAGE_HOME": str(self.data),
        }  # fmt: skip

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([COMMAND, *words], env=self.env, capture_output=True, text=True, timeout=60, check=False)

    def told(self) -> list[str]:
        """What systemctl was told since the last look."""
        lines = self.asked.read_text(encoding="utf-8").splitlines() if self.asked.exists() else []
        self.asked.unlink(missing_ok=True)
        return lines


@pytest.fixture
def user(tmp_path: Path, request: pytest.FixtureRequest) -> User:
    """A user whose systemctl works, unless the test says otherwise."""
    return User(tmp_path, getattr(request, "param", 0))


START, END = "--user enable --now codex-usage-dashboard", "--user disable --now codex-usage-dashboard"


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="launchd is told otherwise")
def test_setup_writes_a_unit_and_uninstall_removes_it(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the homes of the shell that ran it; a second setup starts the service anew, the last look finds nothing."""
    server = subprocess.Popen([COMMAND, "serve-dashboard", "--port", "0"], env=user.env, stdout=subprocess.PIPE)
    try:  # stands for the service, which a real systemctl would have started
        assert server.stdout and server.stdout.readline()
        done = user.run("setup", "--service")
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=30)
    assert f"✓ The service is in {user.unit}" in done.stdout
    assert "✓ Started it" in done.stdout
    assert "✗ Service" not in done.stdout
    assert user.told() == [START]
    unit = user.unit.read_text(encoding="utf-8")
    assert f'Environment="CODEX_HOME={user.env["CODEX_HOME"]}"' in unit
    assert f'ExecStart="{COMMAND}" "serve-dashboard"\n' in unit
    assert "→ Run systemctl --user enable --now codex-usage-dashboard." in user.run("doctor").stdout
    assert user.run("setup", "--uninstall").returncode == 0
    assert user.told() == [END]
    assert not user.unit.exists()
    assert "Service" not in user.run("setup", "--uninstall").stdout
    assert user.told() == []


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="launchd is told otherwise")
@pytest.mark.parametrize("user", [1], indirect=True)
def test_where_nothing_can_be_started_the_command_is_printed(user: User) -> None:
    """In a container, or over ssh without a session, the unit is written all the same."""
    done = user.run("setup", "--service")
    assert "could not be started from here; in your own session run systemctl --user enable --now" in done.stdout
    assert user.unit.exists()


@posix
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
@pytest.mark.parametrize("folder", ["plain", "two words", "100%n", "$HOME", "a=b", "Ünïcode"])
def test_systemd_understands_the_unit_whatever_the_folder_is_called(tmp_path: Path, folder: str) -> None:
    """It looks the program up, so a name that was quoted wrongly would be missed."""
    program = tmp_path / folder / "codex-usage"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    words = ["--db", f"$x{folder}\\'\"%"]
    wanted = service.service(
        program.with_name("codex-usage-mcp"), words, {"CODEX_HOME": f"/{folder}", "TZ": 'a\n"b\\%$'}, "linux"
    )
    assert wanted
    line = next(line for line in wanted.text.splitlines() if line.startswith("ExecStart="))
    told = [word.replace("%%", "%") for word in shlex.split(line.removeprefix("ExecStart="))]
    assert [told[0], *(word.replace("$$", "$") for word in told[1:])] == [str(program), *words, "serve-dashboard"]
    unit = tmp_path / wanted.path.name
    unit.write_text(wanted.text, encoding="utf-8")
    env = {"PATH": os.defpath, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "LC_ALL": "C.UTF-8"}
    command = ["systemd-analyze", "--user", "verify", "--man=no", str(unit)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@posix
def test_launchd_is_given_the_same_program_and_variables(tmp_path: Path) -> None:
    """The list is read back by the parser of the format, and by Apple's own checker where there is one."""
    wanted = service.service(SERVER, ["--db", "a b"], {"CODEX_HOME": "/x & <y>", "SECRET": "s"}, "darwin")
    assert wanted
    told = plistlib.loads(wanted.text.encode())
    assert told["ProgramArguments"] == ["/opt/tools/bin/codex-usage", "--db", "a b", "serve-dashboard"]
    assert told["EnvironmentVariables"] == {"CODEX_HOME": "/x & <y>"}
    assert told["RunAtLoad"] is True
    assert wanted.start == ["launchctl", "bootstrap", f"gui/{os.getuid()}", str(wanted.path)]
    assert wanted.end[:2] == ["launchctl", "bootout"]
    if shutil.which("plutil"):
        (tmp_path / "x.plist").write_text(wanted.text, encoding="utf-8")
        assert subprocess.run(["plutil", "-lint", tmp_path / "x.plist"], check=False).returncode == 0


def test_windows_has_none_and_is_told_what_to_do(tmp_path: Path) -> None:
    """One sentence; to remove what is not there is no fault."""
    assert service.service(SERVER, [], {}, "win32") is None
    with pytest.raises(BadInput, match="Task Scheduler"):
        service.install(None, tmp_path)
    assert service.uninstall(None) == []


@posix
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_the_address_of_a_running_server_is_told_until_it_ends(user: User, sign: signal.Signals) -> None:
    """To this user only: the token in it opens the page."""
    command = [COMMAND, "serve-dashboard", "--port", "0"]
    with subprocess.Popen(command, env=user.env, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            url = re.search(r"http\S+", server.stdout.readline())
            assert url
            kept = user.data / "dashboard.address"
            assert stat.S_IMODE(kept.stat().st_mode) == 0o600
            assert user.run("serve-dashboard", "--address").stdout.strip() == url[0]
            server.send_signal(sign)
            assert server.wait(30) == 0
        finally:
            server.kill()
    assert not kept.exists()
    done = user.run("serve-dashboard", "--address")
    assert (done.returncode, "No dashboard is being served" in done.stderr) == (2, True)


def test_an_address_that_nobody_answers_is_not_told(tmp_path: Path) -> None:
    """A server that was killed left its file behind; so did one that wrote nonsense."""
    import socket

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/#token=t"
        with service.told(tmp_path, url):
            assert service.address(tmp_path) == url
            listener.close()
            assert service.address(tmp_path) is None
    for nonsense in ("", "x", "http://127.0.0.1:99999999/"):
        (tmp_path / "dashboard.address").write_text(nonsense, encoding="utf-8")
        assert service.address(tmp_path) is None


def test_a_server_that_ends_leaves_the_address_of_the_one_that_came_after(tmp_path: Path) -> None:
    """Two may run; the last one is told."""
    with service.told(tmp_path, "first"):
        (tmp_path / "dashboard.address").write_text("second", encoding="utf-8")
    assert (tmp_path / "dashboard.address").read_text(encoding="utf-8") == "second"
