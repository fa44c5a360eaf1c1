"""codex-usage: exact, private, explained usage of Codex (and Claude Code) from the logs on this machine."""

__version__ = "0.1.0"
