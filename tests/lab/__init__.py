"""The test lab: a scripted Responses API, a driver for real Codex binaries, and a recorder of cases."""
