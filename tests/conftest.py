"""Settings for every test."""

from __future__ import annotations

from hypothesis import settings

# shared machines are slow now and then, and a run leaves nothing behind in the working tree
settings.register_profile("ours", deadline=None, database=None, print_blob=True)
settings.load_profile("ours")
