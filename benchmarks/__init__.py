"""Benchmarks: generated Codex homes with exact ledgers, and a runner that times us beside others.

Not part of the wheel. `python -m benchmarks.homes` writes a home, `python -m benchmarks.run` measures.
"""
