"""Setup puts one skill and one table, takes away exactly those, and leaves every other byte alone."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest
import tomlkit
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tomlkit.exceptions import TOMLKitError

from codex_usage import __version__
from codex_usage.cli import install as setup
from codex_usage.cli.codex_config import ENV_VARS, read_config, with_server, without_server
from codex_usage.model import BadInput

SERVER = "/opt/tools/bin/codex-usage-mcp"


class Desk:
    """A user's folders, all under one: Codex's home, the skills, our own, a server, and a skill to copy."""

    def __init__(self, root: Path) -> None:
        self.home = root / "codex"
        self.skills = root / ".agents" / "skills"
        self.data = root / "data"
        self.source = root / "source"
        self.server = root / "bin" / "codex-usage-mcp"
        self.env = {"CODEX_HOME": str(self.home), "CODEX_USAGE_HOME": str(self.data)}
        for folder in (self.home, self.source / "agents", self.source / "skill" / "references", self.server.parent):
            folder.mkdir(parents=True)
        (self.source / "SKILL.md").write_text("---\nname: codex-usage\n---\n", encoding="utf-8")
        (self.source / "agents" / "openai.yaml").write_text("interface: {}\n", encoding="utf-8")
        (self.source / "skill" / "references" / "words.md").write_text("words\n", encoding="utf-8")
        (self.source / "pyproject.toml").write_text("not a part of the skill\n", encoding="utf-8")
        self.server.write_text("#!/bin/sh\n", encoding="utf-8")

    @property
    def config(self) -> Path:
        return self.home / "config.toml"

    @property
    def backup(self) -> Path:
        return self.home / setup.BACKUP

    @property
    def skill(self) -> Path:
        return self.skills / "codex-usage"

    def install(self, telemetry: bool = False) -> list[setup.Step]:
        return setup.install(
            self.home,
            skills_home=self.skills,
            server_command=self.server,
            source=self.source,
            env=self.env,
            telemetry=telemetry,
        )

    def uninstall(self) -> list[setup.Step]:
        return setup.uninstall(self.home, skills_home=self.skills, env=self.env)

    def entry(self) -> dict[str, object]:
        entry: dict[str, object] = read_config(self.home)["mcp_servers"]["codex-usage"]
        return entry


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Folders of a user who has not run setup yet."""
    return Desk(tmp_path)


# -- configurations that Codex reads, in all the ways people and tools lay them out -------------------------

ROOT = [
    'model = "gpt-5.5"',
    "  approval_policy='never'   # asked for",
    "# a comment",
    "",
    "\t ",
    'notify = [\n  "say",\n  # why\n  [1, 2],\n]',
    'text = """\n[mcp_servers.codex-usage]\ncommand = "codex-usage-mcp"\n"""',
    "not_a_number = nan",
    '"odd key" = 1979-05-27T07:32:00Z',
    "dotted.here.too = 1_000",
    "inline = { x = 1, y = { z = 'Ü' } }",
    "newer = {\n  a = 1,\n}",
]
SERVERS = [
    "",
    'mcp_servers = { other = { command = "x" } }',
    "mcp_servers = {other={command='x', args=[ 'a','b' ]}, }",
    "mcp_servers = {}",
    'mcp_servers.other.command = "x"',
]
TABLES = [
    "[mcp_servers]",
    '[mcp_servers.other]\ncommand = "x"\nargs = [\n  "--flag",\n]',
    '[mcp_servers.other.env]\nA="1"   ',
    "[ \"mcp_servers\" . 'third one' ]\ncommand='y'",
    '[mcp_servers.codex-usage-extra]\ncommand = "z"',
    '[otel]\nexporter="none"\n\n\n',
    '[projects."/a b"]\ntrust_level = "trusted"',
    '[[skills.config]]\npath="p"\nenabled=false',
    '[[skills.config]]\npath="q"',
    "[features] # none yet",
    "[a.b]\n# only a comment\n",
]
ENDS = ["", "\n", "\n\n", "   ", "\n# the end", "\n\t\n"]


def valid(text: str) -> bool:
    """True for TOML."""
    try:
        tomlkit.parse(text).unwrap()
    except (ValueError, TOMLKitError):
        return False
    return True


@st.composite
def configs(draw: st.DrawFn) -> str:
    """A config.toml without a codex-usage entry."""
    root = draw(st.lists(st.sampled_from(ROOT), unique=True, max_size=6))
    servers = draw(st.sampled_from(SERVERS))
    tables = draw(st.lists(st.sampled_from(TABLES), unique=True, max_size=5))
    text = "\n".join([*root, *([servers] if servers else []), *tables]) + draw(st.sampled_from(ENDS))
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    assume(valid(text))
    return draw(st.sampled_from(["", "\ufeff"])) + text


def others(text: str) -> str:
    """All that a configuration says but our entry."""
    values = tomlkit.parse(text.removeprefix("\ufeff")).unwrap()
    values.get("mcp_servers", {}).pop("codex-usage", None)
    if not values.get("mcp_servers", True):
        del values["mcp_servers"]
    return repr(values)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(configs())
def test_uninstall_after_install_gives_back_every_byte(text: str) -> None:
    """Whatever the layout, the file is again what it was, and in between nothing else had changed."""
    with tempfile.TemporaryDirectory() as root:
        desk = Desk(Path(root))
        desk.config.write_bytes(text.encode())
        desk.install()
        between = desk.config.read_bytes().decode()
        assert others(between) == others(text)
        assert desk.entry() == {"command": str(desk.server), "env_vars": list(ENV_VARS)}
        desk.uninstall()
        assert desk.config.read_bytes() == text.encode()
        assert os.listdir(desk.home) == ["config.toml"]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(configs())
def test_the_table_is_put_as_lines_of_its_own(text: str) -> None:
    """All earlier bytes stand in front of it, and later additions survive its removal. A last line that had no
    newline has one then: it was needed, and nobody can tell afterwards."""
    between = with_server(text, SERVER)
    assume("mcp_servers = {" not in text)
    assert between.startswith(text)
    later = '\n[projects."/later"]\ntrust_level = "trusted"\n'
    end = "" if text.endswith(("\n", "\ufeff")) or not text else "\r\n" if "\r\n" in text else "\n"
    assert without_server(between) == text + end
    assert without_server(between + later) == text + end + later


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(configs())
def test_a_second_install_changes_nothing(text: str) -> None:
    """What is there is found there."""
    once = with_server(text, SERVER)
    assert with_server(once, SERVER) == once
    assert without_server(text) == text


# -- telemetry ---------------------------------------------------------------------------------------------

SENT = {"otlp-http": {"endpoint": "http://127.0.0.1:8765/v1/logs", "protocol": "json"}}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(configs(), st.booleans())
def test_telemetry_is_put_and_taken_to_the_byte(text: str, at_once: bool) -> None:
    """With the server or after it; nothing else of the file changes, and a second time changes nothing."""
    assume("[otel]" not in text)
    with tempfile.TemporaryDirectory() as root:
        desk = Desk(Path(root))
        desk.config.write_bytes(text.encode())
        if not at_once:
            desk.install()
        assert any("telemetry" in step.what and step.changed for step in desk.install(telemetry=True))
        between = desk.config.read_bytes()
        values = read_config(desk.home)
        assert values.pop("otel") == {"exporter": SENT, "log_user_prompt": False}
        del values["mcp_servers"]["codex-usage"]
        assert repr({name: value for name, value in values.items() if value or name != "mcp_servers"}) == others(text)
        assert not any(step.changed for step in desk.install(telemetry=True))
        desk.install()
        assert desk.config.read_bytes() == between
        desk.uninstall()
        assert desk.config.read_bytes() == text.encode()
        assert os.listdir(desk.home) == ["config.toml"]


@pytest.mark.parametrize(
    "otel",
    [
        '[otel]\nexporter = "none"\n',
        '[otel]\nexporter = { otlp-http = { endpoint = "https://example.com", protocol = "json" } }\n',
        "[otel] # nothing yet\n",
        '[otel.exporter.otlp-grpc]\nendpoint = "https://example.com"\n',
        "otel = { log_user_prompt = true }\n",
        'otel.environment = "mine"\n',
    ],
)
def test_an_otel_table_of_the_users_own_is_never_touched(desk: Desk, otel: str) -> None:
    """Setup says so with the line to put, and writes nothing at all; without the option it goes on as ever."""
    desk.config.write_text(otel, encoding="utf-8")
    with pytest.raises(BadInput, match=r"is yours and stays.*exporter = "):
        desk.install(telemetry=True)
    assert desk.config.read_text(encoding="utf-8") == otel
    assert not desk.skill.exists()
    desk.install()
    desk.uninstall()
    assert desk.config.read_text(encoding="utf-8") == otel


def test_an_otel_table_that_sends_here_already_is_left_as_it_is(desk: Desk) -> None:
    """Written by hand, in the other protocol: it is no less right, and no less the user's."""
    text = '[otel]\nexporter = { otlp-http = { endpoint = "http://127.0.0.1:8765/v1/logs", protocol = "binary" } }\n'
    desk.config.write_text(text, encoding="utf-8")
    assert not any("telemetry" in step.what and step.changed for step in desk.install(telemetry=True))
    desk.uninstall()
    assert desk.config.read_text(encoding="utf-8") == text


def test_what_was_written_after_setup_outlives_the_removal_of_both(desk: Desk) -> None:
    """Tables of Codex and of the user, before and behind ours."""
    desk.config.write_text("a = 1\n", encoding="utf-8")
    desk.install(telemetry=True)
    with desk.config.open("a", encoding="utf-8") as file:
        file.write('\n[projects."/later"]\ntrust_level = "trusted"\n')
    desk.uninstall()
    assert desk.config.read_text(encoding="utf-8") == 'a = 1\n\n[projects."/later"]\ntrust_level = "trusted"\n'


def test_an_otel_table_that_was_added_to_is_refused_in_one_sentence(desk: Desk) -> None:
    """What the user wrote below our lines would fall into another table."""
    desk.install(telemetry=True)
    with desk.config.open("a", encoding="utf-8") as file:
        file.write('environment = "mine"\n')
    before = desk.config.read_bytes()
    with pytest.raises(BadInput, match=r"\[otel\] was added to; remove it yourself"):
        desk.uninstall()
    assert desk.config.read_bytes() == before


# -- an entry that is there already ------------------------------------------------------------------------

WRITTEN = [
    '[mcp_servers.codex-usage]\ncommand = "codex-usage-mcp"\ntool_timeout_sec = 90 # slow\nenabled = false\n',
    '[ mcp_servers . "codex-usage" ]\r\ntool_timeout_sec = 90\r\nenabled = false\r\n'
    "command = '/old/codex-usage-mcp'\r\n",
    'mcp_servers.codex-usage = {command="/old/codex-usage-mcp",tool_timeout_sec=90,enabled=false}\n',
    "[mcp_servers]\ncodex-usage.tool_timeout_sec = 90\ncodex-usage.command = 'codex-usage-mcp'\n"
    "codex-usage.enabled = false",
    "[mcp_servers.codex-usage]\ntool_timeout_sec = 90\nenabled = false\n",
    '[mcp_servers.codex-usage]\ncommand = "uvx"\nargs = [\n  "codex-usage-mcp",\n]\n'
    "tool_timeout_sec = 90\nenabled = false\n",
]


@pytest.mark.parametrize("written", WRITTEN)
def test_a_handwritten_entry_keeps_the_keys_the_user_set(written: str) -> None:
    """Only the command and the missing names are put; the lines around stay as they are."""
    before, after = "# mine\nmodel = 'm'\n", "\n# next\n[z]\na=1"
    text = before + written
    if "mcp_servers" not in written[:12] and written.endswith("\n"):
        text += after
    new = with_server(text, SERVER)
    entry = tomlkit.parse(new).unwrap()["mcp_servers"]["codex-usage"]
    assert entry.pop("command") == SERVER
    assert entry.pop("env_vars") == list(ENV_VARS)
    assert entry == {"tool_timeout_sec": 90, "enabled": False}
    assert new.startswith(before)
    assert new.endswith(after) == text.endswith(after)
    assert ("\r\n" in written) == (new.count("\r\n") >= written.count("\r\n") > 0)
    assert others(without_server(new)) == others(text)


def test_names_the_user_passes_to_the_server_are_kept() -> None:
    """Extra env_vars stay in front, ours follow, and none is named twice."""
    text = '[mcp_servers.codex-usage]\ncommand = "codex-usage-mcp"\nenv_vars = [\n  "MINE", # mine\n  "TZ",\n]\n'
    entry = tomlkit.parse(new := with_server(text, SERVER)).unwrap()["mcp_servers"]["codex-usage"]
    assert entry["env_vars"][:2] == ["MINE", "TZ"]
    assert sorted(entry["env_vars"]) == sorted({"MINE", *ENV_VARS})
    assert '"MINE", # mine' in new


@pytest.mark.parametrize(
    "entry",
    ['command = "someone-elses-server"', 'url = "https://example.com/mcp"', 'command = "uvx"\nargs = ["other"]'],
)
def test_another_program_of_this_name_is_refused_and_never_removed(desk: Desk, entry: str) -> None:
    """The name is taken: setup says so, uninstall leaves it."""
    text = f"[mcp_servers.codex-usage]\n{entry}\n"
    desk.config.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match="starts another program"):
        desk.install()
    assert not any(step.changed for step in desk.uninstall())
    assert desk.config.read_text(encoding="utf-8") == text
    assert not desk.skill.exists()


def test_uninstall_takes_a_handwritten_table_whole_with_its_subtables(desk: Desk) -> None:
    """What starts codex-usage-mcp goes, and the empty line before it; the lines around stay."""
    text = (
        "a = 1\n\n[mcp_servers.codex-usage]\ncommand = 'codex-usage-mcp'\n"
        "[mcp_servers.codex-usage.tools.diagnostics]\napproval_mode = 'prompt'\n\n# of b\n[b]\n"
    )
    desk.config.write_text(text, encoding="utf-8")
    desk.uninstall()
    assert desk.config.read_text(encoding="utf-8") == "a = 1\n\n# of b\n[b]\n"


# -- the file ----------------------------------------------------------------------------------------------


def test_a_syntax_error_is_named_by_its_line_and_nothing_is_written(desk: Desk) -> None:
    """The mend is in the message; neither the skill nor a copy of the file is left behind."""
    desk.config.write_text("model = 'm'\n[broken\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"config\.toml line 2 .* correct it"):
        desk.install()
    with pytest.raises(BadInput, match="line 2"):
        desk.uninstall()
    assert os.listdir(desk.home) == ["config.toml"]
    assert not desk.skill.exists()


@pytest.mark.parametrize("data", [b"a = '\xff'\n", b"mcp_servers = 3\n", b"[[mcp_servers]]\n", b"[a]\n[a]\n"])
def test_a_file_that_codex_cannot_read_either_is_refused(desk: Desk, data: bytes) -> None:
    """One sentence, and the bytes stay."""
    desk.config.write_bytes(data)
    with pytest.raises(BadInput, match="correct it"):
        desk.install()
    assert desk.config.read_bytes() == data


def test_without_a_file_one_is_made_for_the_user_alone_and_removed_again(tmp_path: Path) -> None:
    """Setup works before Codex has ever run."""
    desk = Desk(tmp_path)
    desk.home.rmdir()
    desk.install()
    if os.name == "posix":
        assert stat.S_IMODE(desk.config.stat().st_mode) == 0o600
    assert not desk.backup.exists()
    desk.uninstall()
    assert os.listdir(desk.home) == []


def test_an_empty_file_is_given_back_empty(desk: Desk) -> None:
    """An empty file is not the same as none."""
    desk.config.touch()
    desk.install()
    desk.uninstall()
    assert desk.config.read_bytes() == b""


@pytest.mark.skipif(os.name != "posix", reason="modes and links are those of POSIX")
def test_a_linked_file_is_changed_where_it_stands_and_keeps_its_mode(desk: Desk, tmp_path: Path) -> None:
    """Dotfiles kept elsewhere stay elsewhere."""
    real = tmp_path / "dotfiles" / "codex.toml"
    real.parent.mkdir()
    real.write_text("a = 1\n", encoding="utf-8")
    real.chmod(0o640)
    desk.config.symlink_to(real)
    desk.install()
    assert desk.config.is_symlink()
    assert "codex-usage-mcp" in real.read_text(encoding="utf-8")
    assert stat.S_IMODE(real.stat().st_mode) == stat.S_IMODE(desk.backup.stat().st_mode) == 0o640
    assert os.listdir(real.parent) == ["codex.toml"]
    desk.uninstall()
    assert desk.config.is_symlink()
    assert real.read_text(encoding="utf-8") == "a = 1\n"


def test_the_copy_is_the_file_as_it_was_before_the_first_change(desk: Desk) -> None:
    """A later setup from another place does not replace it; uninstall keeps it when the file has moved on."""
    desk.config.write_text("a = 1\n", encoding="utf-8")
    desk.install()
    desk.server = desk.server.with_name("codex-usage-mcp.exe")
    desk.server.touch()
    assert any("Updated" in step.what for step in desk.install())
    assert desk.backup.read_text(encoding="utf-8") == "a = 1\n"
    with desk.config.open("a", encoding="utf-8") as file:
        file.write("[later]\n")
    assert any("as it was before setup" in step.what for step in desk.uninstall())
    assert desk.config.read_text(encoding="utf-8") == "a = 1\n[later]\n"
    assert desk.backup.read_text(encoding="utf-8") == "a = 1\n"


def test_a_windows_path_survives_the_way_through_toml() -> None:
    """Backslashes are escaped."""
    command = "C:\\Users\\Ada\\venv\\Scripts\\codex-usage-mcp.exe"
    new = with_server("", command)
    assert tomlkit.parse(new).unwrap()["mcp_servers"]["codex-usage"]["command"] == command
    assert without_server(new) == ""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_that_may_not_be_written_is_told_in_one_sentence(desk: Desk) -> None:
    """No traceback, and no half-written file."""
    desk.home.chmod(0o500)
    with pytest.raises(BadInput, match="Cannot write"):
        desk.install()
    desk.home.chmod(0o700)
    assert os.listdir(desk.home) == []


# -- the skill ---------------------------------------------------------------------------------------------


def files(folder: Path) -> list[str]:
    """All files under a folder, by name."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_skill_is_copied_and_marked_with_the_version(desk: Desk) -> None:
    """Its three parts and nothing else of the folder it comes from; equal skills have equal hashes."""
    (desk.source / "skill" / "__pycache__").mkdir()
    (desk.source / "skill" / "__pycache__" / "x.pyc").touch()
    assert any(step.changed and str(desk.skill) in step.what for step in desk.install())
    assert files(desk.skill) == [".codex-usage", "SKILL.md", "agents/openai.yaml", "skill/references/words.md"]
    assert (desk.skill / setup.MARKER).read_text(encoding="utf-8").strip() == __version__
    assert setup.skill_hash(desk.skill) == setup.skill_hash(desk.source)
    assert os.listdir(desk.skills) == ["codex-usage"]


def test_a_second_setup_says_already_and_touches_nothing(desk: Desk) -> None:
    """Idempotent, down to the times of the files."""
    desk.install()
    before = [path.stat().st_mtime_ns for path in (desk.config, desk.skill, desk.skill / "SKILL.md")]
    steps = desk.install()
    assert [step.changed for step in steps] == [False, False]
    assert all("already" in step.what for step in steps)
    assert [path.stat().st_mtime_ns for path in (desk.config, desk.skill, desk.skill / "SKILL.md")] == before


def test_an_older_copy_of_ours_is_replaced_whole(desk: Desk) -> None:
    """Files that the new version no longer has are gone, and no work folder stays."""
    desk.install()
    (desk.skill / "skill" / "old.md").write_text("old", encoding="utf-8")
    assert any("Renewed" in step.what for step in desk.install())
    assert "skill/old.md" not in files(desk.skill)
    assert os.listdir(desk.skills) == ["codex-usage"]


def test_a_folder_of_someone_else_is_neither_overwritten_nor_removed(desk: Desk) -> None:
    """Nothing is written at all, config.toml included."""
    desk.skill.mkdir(parents=True)
    (desk.skill / "SKILL.md").write_text("theirs", encoding="utf-8")
    with pytest.raises(BadInput, match="move it away"):
        desk.install()
    desk.uninstall()
    assert files(desk.skill) == ["SKILL.md"]
    assert not desk.config.exists()


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_link_is_kept_when_it_leads_to_this_skill_and_refused_otherwise(desk: Desk, tmp_path: Path) -> None:
    """A developer's link to the checkout is an installed skill."""
    desk.skills.mkdir(parents=True)
    desk.skill.symlink_to(desk.source)
    assert not desk.install()[0].changed
    desk.uninstall()
    assert desk.skill.is_symlink()
    desk.skill.unlink()
    desk.skill.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="is a link"):
        desk.install()


def test_uninstall_leaves_the_users_own_files_and_says_where_the_index_is(desk: Desk) -> None:
    """Exactly what was put is taken."""
    desk.install()
    (desk.skill / "notes.md").write_text("mine", encoding="utf-8")
    desk.data.mkdir()
    steps = desk.uninstall()
    assert files(desk.skill) == ["notes.md"]
    assert str(desk.data) in steps[-1].what
    assert not steps[-1].changed
    assert not any(step.changed for step in desk.uninstall())


# -- where things are --------------------------------------------------------------------------------------


def test_the_skill_and_the_server_of_this_installation_are_found() -> None:
    """The skill has its file; the script stands beside this Python, or among its scripts."""
    assert (setup.skill_source() / "SKILL.md").is_file()
    assert setup.server_command().is_absolute()
    assert setup.server_command().stem == "codex-usage-mcp"


def test_a_script_beside_python_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual environment's python is a link out of it, and is not followed."""
    name = "codex-usage-mcp.exe" if os.name == "nt" else "codex-usage-mcp"
    (tmp_path / name).touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert setup.server_command() == tmp_path / name


def test_a_missing_server_is_told_before_anything_is_written(desk: Desk) -> None:
    """Codex would only say that the server did not start."""
    desk.server.unlink()
    with pytest.raises(BadInput, match="does not exist"):
        desk.install()
    assert os.listdir(desk.home) == []


def test_a_home_that_codex_would_not_use_is_mentioned(desk: Desk) -> None:
    """Codex reads ~/.codex unless CODEX_HOME names another."""
    desk.env = {}
    assert "CODEX_HOME=" in desk.install()[-1].what
