"""A secret is found in every form in which a server may repeat it."""

from __future__ import annotations

import base64
import gc
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hevo_edge._text.printable import printable, printable_lines
from hevo_edge._text.redaction import _LONGEST_ESCAPE, _WORDS, hide, secret_spans

ESCAPES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON with a slash as PHP writes it": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON, every character": lambda text: "".join(f"\\u{unit:04X}" for unit in utf_16(text)),
    "percent": lambda text: quote(text, safe=""),
    "percent, every byte": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "a form": quote_plus,
    "HTML": html.escape,
    "HTML, decimal": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "HTML, hexadecimal": lambda text: "".join(f"&#x{ord(c):X};" for c in text),
    "repr": lambda text: repr(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "repr of Latin-1": lambda text: repr(text.encode("latin-1", "replace"))[2:-1],
}
BINARY: dict[str, Callable[[bytes], str]] = {
    "base64": lambda data: base64.b64encode(data).decode(),
    "base64 without padding": lambda data: base64.b64encode(data).decode().rstrip("="),
    "base64 for URLs": lambda data: base64.urlsafe_b64encode(data).decode(),
    "hex": bytes.hex,
    "HEX": lambda data: data.hex().upper(),
}


def utf_16(text: str) -> list[int]:
    data = text.encode("utf-16-be")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters=["\0"]), max_size=40)


def is_secret(text: str) -> bool:
    return len(set(text)) > 3 and any(c.isalnum() for c in text) and text not in _WORDS


SECRETS = st.text(st.characters(codec="utf-8"), min_size=6, max_size=60).filter(is_secret)
TOKENS = st.text("abcXYZ0189+/=-_.%&\\\"' ", min_size=6, max_size=60).filter(is_secret)


@given(
    secret=SECRETS | TOKENS,
    before=TEXTS,
    after=TEXTS,
    escapes=st.lists(st.sampled_from(sorted(ESCAPES)), max_size=3),
)
def test_a_secret_is_hidden_under_any_escapes(
    secret: str, before: str, after: str, escapes: list[str]
) -> None:
    # Bytes of what was escaped before would be a mixture of two encodings.
    assume(secret.isascii() or not any("bytes" in name or "Latin" in name for name in escapes[1:]))
    assume(all(ord(c) < 256 for c in secret) or "repr of Latin-1" not in escapes)
    held = hide([secret])
    form = secret
    for name in escapes:
        form = ESCAPES[name](form)
    assume(len(form) <= _LONGEST_ESCAPE * len(secret))
    shown = printable(f"{before} {form} {after}")
    assert form not in shown
    assert "***" in shown
    assert held.texts == {secret}


@given(
    secret=SECRETS | TOKENS,
    around=st.tuples(st.binary(max_size=9), st.binary(max_size=9)),
    encoding=st.sampled_from(sorted(BINARY)),
    escape=st.sampled_from(sorted(ESCAPES)),
)
def test_a_secret_is_hidden_in_binary_encodings_of_a_text_that_holds_it(
    secret: str, around: tuple[bytes, bytes], encoding: str, escape: str
) -> None:
    held = hide([secret])
    encode = BINARY[encoding]
    whole = ESCAPES[escape](encode(around[0] + secret.encode() + around[1]))
    shown = printable(f"got {whole} here")
    assert "***" in shown
    assert whole not in shown
    # What is left beside the stars are parts of what was around the secret.
    assert len(shown) <= len("got *** here") + len(whole) - len(secret)
    del held


@given(secret=TOKENS, limit=st.integers(1, 60), lead=st.integers(0, 60), shown_lines=st.booleans())
def test_no_part_of_a_secret_stays_where_a_text_is_cut(
    secret: str, limit: int, lead: int, shown_lines: bool
) -> None:
    held = hide([secret])
    text = "#" * lead + secret + "#" * 200
    show = printable_lines if shown_lines else printable
    shown = show(text, limit).partition("…")[0]
    assert set(shown) <= {"#", "*"}
    del held


@pytest.mark.parametrize("kept", [6, 8, 15])
@pytest.mark.parametrize("ellipsis", ["...", "…"])
def test_a_secret_that_somebody_else_has_cut_off(kept: int, ellipsis: str) -> None:
    held = hide(["s3cr3t/t0ken+of=length"])
    line = b"X-Echo: s3cr3t/t0ken+of=length"[: 8 + kept]
    assert printable(f"too long: {line!r}") == f"too long: {line!r}"
    assert printable(f"too long: {line.decode()}{ellipsis}") == f"too long: X-Echo: ***{ellipsis}"
    del held


def test_a_short_secret_is_a_word_of_its_own() -> None:
    held = hide(["pw1", "a"])
    assert printable("with pw1, not pw12, a word: 'pw1'") == "with ***, not pw12, a word: '***'"
    del held


def test_the_words_of_our_own_messages_are_no_secrets() -> None:
    held = hide(["key", "secret", "api_key"])
    assert printable("api_key and secret, key") == "api_key and secret, key"
    del held


def test_secrets_are_hidden_for_as_long_as_somebody_holds_them() -> None:
    text = "the passing-secret was sent"
    first, second = hide(["passing-secret"]), hide(["passing-secret"])
    assert first is second
    del first
    assert printable(text) == "the *** was sent"
    assert "passing" not in repr(second)
    del second
    gc.collect()
    assert printable(text) == text


def test_spans_that_touch_are_one() -> None:
    held = hide(["abcdefgh", "efghijkl"])
    assert secret_spans("xabcdefghijklx abcdefgh") == [(1, 13), (15, 23)]
    del held


@pytest.mark.parametrize("unit", ["%25", "\\u005c", "&amp;", "\\\\", "s3cr3t", "...", "%5c%26"])
def test_a_hostile_text_takes_no_time(unit: str) -> None:
    held = hide(["s3cr3t-of-some-length", "another/secret+of=length"])
    began = time.process_time()
    printable(unit * 200_000)
    assert time.process_time() - began < 2.0  # 0.1 s on an idle machine
    del held
