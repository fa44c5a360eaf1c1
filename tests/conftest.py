"""Settings for every test."""

from __future__ import annotations

import os
import tempfile

from hypothesis import settings

# the developer's own prices, budgets and index have no part in any test
os.environ["CODEX_USAGE_HOME"] = tempfile.mkdtemp(prefix="codex-usage-tests-")

# shared machines are slow now and then, and a run leaves nothing behind in the working tree
settings.register_profile("ours", deadline=None, database=None, print_blob=True)
settings.load_profile("ours")
