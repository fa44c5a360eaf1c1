"""Which project a folder belongs to."""

from __future__ import annotations

import pytest

from codex_usage.homes.projects import hashed_remote, project_of


@pytest.mark.parametrize(
    "remote",
    [
        "git@github.com:acme/shop.git",
        "https://github.com/acme/shop",
        "https://user:token@GitHub.com/acme/shop.git/",
        "ssh://git@github.com:22/acme/shop.git",
    ],
)
def test_every_address_of_a_repository_is_the_same_project(remote: str) -> None:
    hashed = hashed_remote(remote)
    assert hashed == hashed_remote("https://github.com/acme/shop.git")
    assert project_of("/anywhere", hashed) == project_of("/elsewhere", hashed)
    assert project_of(None, hashed).label == "shop"
    assert "token" not in hashed


def test_without_a_remote_the_folder_is_the_project() -> None:
    assert project_of("/home/dev/shop", None) == ("dir:/home/dev/shop", "shop")
    assert project_of("file:///home/dev/shop", None).label == "shop"


def test_a_call_without_a_folder_has_no_project() -> None:
    assert project_of(None, None).key == "none"


@pytest.mark.parametrize("remote", ["http://[bad", "", "   ", ":", "\x00"])
def test_a_remote_that_is_none_is_no_fault(remote: str) -> None:
    assert project_of("/home/dev/shop", hashed_remote(remote)).label
