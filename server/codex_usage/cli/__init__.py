"""The `codex-usage` command: arguments in, exit codes out. The only room that imports click."""
