"""The command that begins projects.json; it reads no logs."""

from __future__ import annotations

import click

from codex_usage.cli.commands import cli, pass_settings
from codex_usage.cli.money import _begin
from codex_usage.cli.options import Settings, global_options


@cli.command("init-projects", short_help="Write a projects.json to begin with.")
@click.option("--force", is_flag=True, help="Begin anew; the old file is kept as projects.json.bak.")
@global_options
@pass_settings
def init_projects(settings: Settings, force: bool) -> None:
    """Write a projects.json to begin with, for other names of projects, folders to ignore, and tags."""
    from codex_usage.homes.config import config_path
    from codex_usage.homes.project_config import template_projects

    said = "is ready for your projects; its comment says how."
    _begin(settings, config_path("projects.json"), template_projects(), said, force)
