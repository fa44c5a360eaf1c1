"""Secrets are taken out, ordinary text is left as it is, and no text makes it slow or fail."""

from __future__ import annotations

import base64
import random
import string
import sysconfig
import time
import uuid
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codex_usage.evidence.redaction import looks_random, redact, rules
from tests.support.cases import CASES

ALNUM = string.ascii_letters + string.digits
REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "redaction.md"
KEY = "\n".join("MIIEpAIBAAKCAQEA3Tz2mr7SZiAMfQyuvBjM9Oi" + str(n) * 20 for n in range(9)) + "\nq2+/Zg=="
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{KEY}\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ('{"password": "hunter2", "user": "ann"}', '{"password": "[redacted:password]", "user": "ann"}'),
        (r"{\"password\": \"pa\\\"ss w\", \"n\": 1}", r"{\"password\": \"[redacted:password]\", \"n\": 1}"),
        ("DB_PASSWORD=hunter\nPORT=1", "DB_PASSWORD=[redacted:password]\nPORT=1"),
        ("<dbPassword>hunter2</dbPassword>", "<dbPassword>[redacted:password]</dbPassword>"),
        ("tool --password hunter2 --dry", "tool --password [redacted:password] --dry"),
        ("Server=db;Password=correct;Port=1", "Server=db;Password=[redacted:password];Port=1"),
        ("curl -s -u ann:hunter2 https://x.org", "curl -s -u ann:[redacted:password] https://x.org"),
        ("postgres://ann:hunter2@db/x", "postgres://ann:[redacted:url-password]@db/x"),
        (r"redis:\/\/:hunter2@db", r"redis:\/\/:[redacted:url-password]@db"),
        ("Authorization: Basic YW5uOmh1bnRlcjI=", "Authorization: Basic [redacted:authorization]"),
        (r"-H \"x-api-key: 0123-4567-89\"", r"-H \"x-api-key: [redacted:authorization]\""),
        ("by Ann <ann.lee+x@mail.example.org>", "by Ann <[redacted:email]>"),
        (r"a line\nann@example.org", r"a line\n[redacted:email]"),
        ("AWS_SECRET=wJalrXUtnFEMIK7MDENGbPxRfiCYzK9sTmQ3", "AWS_SECRET=[redacted:password]"),
        ("heroku_key: 7c0a9e1f-5a3b-4e2d-9f6c-1b2a3c4d5e6f", "heroku_key: [redacted:secret]"),
        ("say \x1b[32msk-a1B2c3D4e5F6g7H8i9J0k1\x1b[0m", "say \x1b[32m[redacted:openai-key]\x1b[0m"),
        (PEM + " end", "[redacted:private-key] end"),
        ((PEM + " end").replace("\n", r"\n"), "[redacted:private-key] end"),
        (PEM.replace("\n", r"\\n")[:250], "[redacted:private-key]"),
        (PEM.replace("\n", "\n+")[:250] + "… cut", "[redacted:private-key]… cut"),
        (base64.b64encode(PEM.encode()).decode(), "[redacted:private-key]"),
    ],
)
def test_a_secret_is_replaced_and_what_stands_around_it_is_kept(text: str, redacted: str) -> None:
    assert redact(text)[0] == redacted


@pytest.mark.parametrize(
    "text",
    [
        "password: str = field()",
        "password = getpass.getpass(prompt)",
        'const password = await read("name")',
        "    token = self._tokens[index]",
        "input_tokens: 123456789012, cached_input_tokens: 123456789",
        "commit 3f2a9c1d4e5b6a7980f1e2d3c4b5a69788776655",
        "task-4f3a9c1d4e5b6a7980f1 of disk-9c1d4e5b6a7980f1e2d3",
        "git clone git@github.com:openai/codex.git",
        r"import pytest\n@pytest.mark.slow\ndef test(): ...",
        "npm i react@18.2.0 @types/node@22.1.0",
        'check(text.startswith("-----BEGIN PRIVATE KEY-----"))',
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
    ],
)
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert redact(text) == (text, {})


def checked(start: str, rnd: random.Random, length: int = 30) -> str:
    """A token as GitHub and npm make them: the last six characters are the CRC-32 of the others, in base 62."""
    body = "".join(rnd.choices(ALNUM, k=length))
    number, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        check = (string.digits + string.ascii_uppercase + string.ascii_lowercase)[digit] + check
    return start + body + check


@pytest.mark.parametrize("start", ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "npm_"])
@pytest.mark.parametrize(
    "around", ["{}", "x {} y", "t={}&u=1", r"{{\"a\":\"{}\"}}", r"one\n{}\ntwo", "https://{}@x.org"]
)
def test_tokens_with_valid_checksums_are_caught_wherever_they_stand(start: str, around: str) -> None:
    rnd = random.Random(start + around)
    for _ in range(30):
        token = checked(start, rnd)
        text, counts = redact(around.format(token))
        assert sum(counts.values()) == 1
        assert text in {around.format(f"[redacted:{name}]") for name in ("github-token", "npm-token")}


def test_at_most_one_line_in_a_hundred_of_ordinary_text_is_touched() -> None:
    rnd = random.Random(5)
    stdlib = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[::8]
    texts = {
        "sources": "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in stdlib),
        "logs": "\n".join(path.read_text(encoding="utf-8") for path in sorted(CASES.rglob("rollout-*.jsonl"))[::30]),
        "hashes": "\n".join(f"{rnd.randbytes(20).hex()} {rnd.randbytes(4).hex()} merge" for _ in range(3000)),
        "uuids": "\n".join(f'{{"id":"{uuid.UUID(bytes=rnd.randbytes(16))}"}}' for _ in range(3000)),
        "locks": "\n".join(
            f'"integrity": "sha512-{base64.b64encode(rnd.randbytes(64)).decode()}",' for _ in range(3000)
        ),
        "images": "\n".join(
            f"data:image/png;base64,{base64.b64encode(rnd.randbytes(900)).decode()}" for _ in range(300)
        ),
    }
    wrong = {}
    for name, text in texts.items():
        lines = text.splitlines()
        touched = [line for line in lines if set(redact(line)[1]) - {"email"}]  # authors' addresses are in the sources
        wrong[name] = len(touched) / len(lines)
    assert not {name: share for name, share in wrong.items() if share > 0.01}


LITERALS = sorted({literal for rule in rules() for literal in (*rule.starts, *rule.names)} | {
    "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "://", ":", "@", ".", "=", '"', r"\"", r"\n", "a.org",
    "curl -u ", "[redacted:", "]", "x" * 40, "a1B2c3D4e5F6g7H8", "7" * 9, " ", "Private-Lines: 1\n", "Q~", "hunter2!",
})  # fmt: skip


@settings(max_examples=150, derandomize=True)
@given(st.lists(st.sampled_from(LITERALS) | st.text(max_size=8), max_size=14).map("".join))
@example("\ud800\x00 password=\udfff1234567")
def test_what_was_redacted_once_stays_as_it_is(text: str) -> None:
    redacted, counts = redact(text)
    assert redact(redacted) == (redacted, {})
    assert (text == redacted) == (not counts)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("index", range(len(rules())))
def test_a_megabyte_of_what_a_rule_looks_for_takes_seconds_at_most(index: int) -> None:
    rule = rules()[index]
    own = [*rule.starts, *rule.names] or [
        "-----BEGIN PRIVATE KEY-----",
        "Private-Lines: 1\na1",
        "://a:",
        "a@a.",
        "curl ",
    ]
    literal = own[index % len(own)]
    began = time.process_time()
    redact(literal * (1_000_000 // len(literal)))
    assert time.process_time() - began < 8  # what grew with the square of the length took 40 s and more


def test_the_reference_lists_every_rule_with_what_it_catches() -> None:
    rows = {rule.name: f"| `{rule.name}` | {rule.catches} |" for rule in reversed(rules())}
    page = REFERENCE.read_text(encoding="utf-8").splitlines()
    assert [line for line in page if line.startswith("| `")] == [*reversed(rows.values())]
    assert all(rule.catches for rule in {rule.name: rule for rule in reversed(rules())}.values())


@given(st.integers(0, 2**160 - 1))
@settings(derandomize=True)
def test_words_and_numbers_do_not_look_random(number: int) -> None:
    assert not looks_random(str(number))
    assert not looks_random("getElementsByTagName-and_some.other/words")
