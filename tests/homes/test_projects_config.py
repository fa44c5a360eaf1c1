"""What projects.json may say, and what a wrong one costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codex_usage.homes.project_config import ProjectConfig, load_projects, template_projects
from codex_usage.homes.projects import hashed_remote, project_of

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.text("~/*?[]:.a \\\0", max_size=9), below, max_size=4)
    ),
    max_leaves=12,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usage home."""
    monkeypatch.setenv("CODEX_USAGE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/dev")
    return tmp_path


def load(value: Any, folder: Path) -> ProjectConfig:
    """What a projects.json with this value says."""
    (folder / "projects.json").write_text(value if isinstance(value, str) else json.dumps(value))
    return load_projects()


def shown(own: ProjectConfig, folder: str | None, remote: str | None = None) -> str:
    """The label of a folder with a logged remote."""
    return own.renamed(project_of(folder, hashed_remote(remote)), folder).label


@pytest.mark.parametrize(
    ("alias", "fits", "other"),
    [
        ("shop-old", "/src/shop-old", "/src/shop-older"),
        ("Shop-*", "/src/shop-old", "/src/my-shop-old"),
        ("~/src/shop", "/home/dev/src/shop/api", "/home/dev/src/shop2"),
        ("~/src/*/api", "/home/dev/src/shop/api", "/home/dev/src/a/b/api"),
        ("~/src/**/api", "/home/dev/src/a/b/api", "/home/dev/src/a/b/ap"),
        ("**/node_modules", "/x/node_modules/y", "/x/node_module"),
        ("/src/a?/**", "/src/ab", "/src/a"),
        ("/**/a/**/b/c", "/x/a/b/y/b/c/z", "/x/b/c"),
        ("/", "/src", "src"),
        ("C:\\work\\shop", "c:\\Work\\shop\\api", "D:\\work\\shop"),
    ],
)
def test_an_alias_names_a_project_or_its_folder(folder: Path, alias: str, fits: str, other: str) -> None:
    own = load({"aliases": {alias: "mine"}}, folder)
    assert own.problems == []
    assert shown(own, fits) == "mine"
    assert shown(own, other) != "mine"


@pytest.mark.parametrize(
    "alias", ["git@github.com:acme/shop.git", "https://github.com/acme/shop", "github.com/acme/shop"]
)
def test_an_alias_names_a_remote_in_any_of_its_forms(folder: Path, alias: str) -> None:
    own = load({"aliases": {alias: "mine"}}, folder)
    assert shown(own, "/anywhere", "ssh://git@github.com/acme/shop.git") == "mine"
    assert shown(own, "/anywhere/shop", "ssh://git@github.com/other/shop.git") == "shop"


def test_the_first_alias_that_fits_counts_and_labels_may_be_shared(folder: Path) -> None:
    own = load({"aliases": {"/src/a/x": "first", "/src/a": "second", "b": "second"}}, folder)
    assert [shown(own, path) for path in ("/src/a/x", "/src/a/y", "/src/b")] == ["first", "second", "second"]
    assert own.renamed(project_of("/src/a", None), "/src/a") == own.renamed(project_of("/q/b", None), "/q/b")


@pytest.mark.parametrize("path", ["~/scratch", "~/scratch/", "~/scratch/**"])
def test_an_ignored_folder_stands_for_all_below_it(folder: Path, path: str) -> None:
    own = load({"ignored_paths": [path]}, folder)
    names = ("/home/dev/scratch", "/home/dev/scratch/a/b", "file:///home/dev/scratch", "/home/dev/scratchy", None)
    assert [own.ignores(name) for name in names] == [True, True, True, False, False]


def test_no_glob_takes_long_over_a_long_folder(folder: Path) -> None:
    stars = "/".join(["**", "a"] * 30)
    own = load({"ignored_paths": [f"/{stars}/b", f"/{'*a' * 30}b"], "aliases": {"*a" * 30 + "b": "c"}}, folder)
    assert not own.ignores("/a" * 5000)
    assert not own.ignores("/" + "a" * 5000)
    assert shown(own, "/" + "a" * 5000) != "c"


def test_tags_gather_from_every_entry_that_fits(folder: Path) -> None:
    own = load({"tags": {"acme-*": ["client-a", "paid"], "acme-shop": "paid", "x": ["y"]}}, folder)
    assert (own.tags_of("Acme-Shop"), own.tags_of("shop")) == (["client-a", "paid"], [])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"aliases": {"a": 1}}, "aliases.a must be text"),
        ({"alias": {}}, "did you mean 'aliases'?"),
        ({"ignored_paths": ["scratch"]}, "must be a folder that begins with / or ~"),
        ({"ignored_paths": [7]}, "ignored_paths[0] must be text"),
        ({"tags": {"/src/a": ["b"]}}, 'tags["/src/a"] must be the name of a project'),
        ({"ignored_paths": ["git@host:a/b"]}, "must be a folder"),
        ({"aliases": {"git://": "b"}}, "must be a name, a folder or a git remote"),
        ("{", "line 1"),
        ("[]", "must be an object"),
    ],
)
def test_a_wrong_entry_costs_one_line_and_nothing_else(folder: Path, value: Any, problem: str) -> None:
    if isinstance(value, dict):
        value.setdefault("aliases", {})["good"] = "kept"
    own = load(value, folder)
    assert len(own.problems) == 1
    assert own.problems[0].startswith("projects.json")
    assert problem in own.problems[0]
    assert shown(own, "/src/good") == ("kept" if isinstance(value, dict) else "good")


@given(
    st.fixed_dictionaries({}, optional={"aliases": ANYTHING, "ignored_paths": ANYTHING, "tags": ANYTHING}),
    st.none() | st.text("~/*.a\\\0[", max_size=20),
)
@example({"ignored_paths": ["~\0"]}, "~\0")
def test_no_projects_json_is_a_reason_to_fail(tmp_path_factory: pytest.TempPathFactory, value: Any, cwd: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "projects.json").write_text(json.dumps(value))
    own = load_projects({"CODEX_USAGE_HOME": str(folder)})
    project = own.renamed(project_of(cwd, None), cwd)
    assert project.label
    assert own.ignores(cwd) in (True, False)
    assert all(isinstance(tag, str) for tag in own.tags_of(project.label))


def test_the_template_changes_nothing(folder: Path) -> None:
    own = load(template_projects(), folder)
    assert own == ProjectConfig([], [], [], [])
