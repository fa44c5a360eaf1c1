"""Where things are: Codex and Claude homes and their logs, our own folder, and which project a folder belongs to."""

from codex_usage.homes.discovery import Listing, list_logs, thread_names
from codex_usage.homes.places import Places, find_places, usage_home
from codex_usage.homes.projects import Project, project_of

__all__ = ["Listing", "Places", "Project", "find_places", "list_logs", "project_of", "thread_names", "usage_home"]
