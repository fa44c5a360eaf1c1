"""The repository that a folder is in, from its files alone, also hostile ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_usage.homes.projects import hashed_remote
from codex_usage.homes.repositories import Repository, repository_of

ORIGIN = '[core]\n\tbare = false\n[remote "origin"]\n\turl = git@github.com:acme/shop.git\n\tfetch = +refs/*:refs/*\n'
SHOP = hashed_remote("https://github.com/acme/shop")


def repository(folder: Path, config: str | bytes | None = ORIGIN) -> Path:
    """A folder with a .git as git makes it, as far as it is looked at."""
    (folder / ".git").mkdir(parents=True)
    if config is not None:
        (folder / ".git/config").write_bytes(config if isinstance(config, bytes) else config.encode())
    return folder


def worktree(main: Path, folder: Path) -> Path:
    """A worktree of a repository, as `git worktree add` makes it."""
    inside = main / ".git/worktrees" / folder.name
    inside.mkdir(parents=True)
    (inside / "commondir").write_text("../..\n")
    folder.mkdir(parents=True)
    (folder / ".git").write_text(f"gitdir: {inside}\n")
    return folder


def test_a_folder_belongs_to_the_nearest_repository_above_it(tmp_path: Path) -> None:
    shop = repository(tmp_path / "shop")
    inner = repository(shop / "vendor/lib", "[core]\n")
    (shop / "api/src").mkdir(parents=True)
    for folder in (str(shop), str(shop / "api/src"), f"file://{shop}", f"{shop}/api/../api/"):
        assert repository_of(folder) == Repository(str(shop), SHOP)
    assert repository_of(str(inner)) == Repository(str(inner), None)


def test_worktrees_and_submodules_are_followed_to_their_config(tmp_path: Path) -> None:
    shop = repository(tmp_path / "shop")
    assert repository_of(str(worktree(shop, tmp_path / "trees/one"))) == Repository(str(shop), SHOP)
    module = shop / ".git/modules/lib"
    module.mkdir(parents=True)
    (module / "config").write_text('[remote "origin"]\nurl = https://github.com/acme/lib\n')
    (shop / "lib").mkdir()
    (shop / "lib/.git").write_text("gitdir: ../.git/modules/lib\n")
    assert repository_of(str(shop / "lib")) == Repository(str(shop / "lib"), hashed_remote("x://github.com/acme/lib"))


@pytest.mark.parametrize(
    ("config", "remote"),
    [
        ('[REMOTE "origin"] URL = "https://github.com/acme/shop" # ours', SHOP),
        (
            '[remote "Origin"]\nurl = x://other/b\n[remote "origin"]\nurl = x://github.com/acme/shop\nurl = x://other/c',
            SHOP,
        ),
        ('[remote "origin"]\r\n\turl = ssh://git@github.com/acme/shop.git\r\n', SHOP),
        ('[remote "upstream"]\nurl = x://github.com/acme/shop\n[include]\npath = ../evil', None),
        ('[branch "main"]\nurl = x://a/b\n', None),
        ("url = x://a/b", None),
        (b'\xff\xfe\0[remote "origin"\0]\nurl=\xff\n', None),
        ("", None),
    ],
)
def test_the_origin_is_read_as_git_reads_it(tmp_path: Path, config: str | bytes, remote: str | None) -> None:
    assert repository_of(str(repository(tmp_path / "shop", config))) == Repository(str(tmp_path / "shop"), remote)


def test_a_huge_config_is_read_to_a_bound(tmp_path: Path) -> None:
    folder = repository(tmp_path / "shop", ORIGIN)
    with (folder / ".git/config").open("r+b") as file:
        file.truncate(1 << 40)
    assert repository_of(str(folder)) == Repository(str(folder), SHOP)


def test_what_is_no_plain_file_or_folder_is_passed_over(tmp_path: Path) -> None:
    """Pipes, links and loops: none is opened, and the repository above counts."""
    outer = repository(tmp_path / "outer")
    expected = Repository(str(outer), SHOP)
    inner = outer / "inner"
    inner.mkdir()
    other = repository(tmp_path / "other", '[remote "origin"]\nurl = x://evil/y\n')
    (inner / ".git").symlink_to(other / ".git")
    assert repository_of(str(inner)) == expected
    (inner / ".git").unlink()
    (inner / ".git").symlink_to(inner / ".git")
    assert repository_of(str(inner)) == expected
    (inner / ".git").unlink()
    os.mkfifo(inner / ".git")
    assert repository_of(str(inner)) == expected
    (inner / ".git").unlink()
    (inner / ".git").mkdir()
    os.mkfifo(inner / ".git/config")
    assert repository_of(str(inner)) == expected
    (inner / ".git/config").unlink()
    (inner / ".git/config").symlink_to(other / ".git/config")
    assert repository_of(str(inner)) == expected


@pytest.mark.parametrize("said", ["", "gitdir:", "gitdir: .", "gitdir: //server/share", "gitdir: \0", "x" * 999_999])
def test_a_git_file_that_leads_nowhere_is_no_repository(tmp_path: Path, said: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/.git").write_text(said)
    assert repository_of(str(tmp_path / "a")) is None


@pytest.mark.parametrize(
    "folder", ["", ".", "relative/folder", "//server/share", "\\\\server\\share", "C:\\work", "/a\0b"]
)
def test_only_a_full_path_of_this_machine_is_looked_at(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository(tmp_path / "here"))
    assert repository_of(folder) is None


def test_a_folder_that_is_gone_is_in_no_repository(tmp_path: Path) -> None:
    shop = repository(tmp_path / "shop")
    assert repository_of(str(shop / "gone")) is None
    loop = shop / "loop"
    loop.symlink_to(loop)
    assert repository_of(str(loop)) is None
