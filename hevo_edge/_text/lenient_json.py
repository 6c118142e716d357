"""JSON as Python's own reader takes it, which is more than the strict one of pydantic.

One field of one old row must not make a whole list unreadable for good: a lone surrogate (half of
an emoji), a byte order mark, another encoding, a number of 5,000 digits, a tab in a string.
"""

from __future__ import annotations

import json
import re
from typing import Any

_SURROGATES = re.compile("[\ud800-\udfff]")
_MAX_DEPTH = 190
"""The strict reader takes 200; what lies deeper is left out."""


def decode(body: bytes) -> str:
    """Return a body as text: UTF-8, or what its first bytes say; what is neither is replaced."""
    encoding = json.detect_encoding(body)
    try:
        return body.decode(encoding, "surrogatepass")
    except UnicodeDecodeError:
        return body.decode(encoding, "replace")


def parse(text: str) -> Any:
    """Read JSON as leniently as Python does, and numbers of any length.

    Raises:
        ValueError: when it is no JSON, or nested deeper than Python reads.
    """
    try:
        return json.loads(text.removeprefix("\ufeff"), strict=False, parse_int=_number)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def strict_json(body: bytes) -> bytes:
    """Return as strict JSON what a lenient reader makes of a body.

    Lone surrogates become U+FFFD: they could be neither sent nor stored.

    Raises:
        ValueError: when Python does not read it either.
    """
    text = json.dumps(_pruned(parse(decode(body)), _MAX_DEPTH), ensure_ascii=False)
    return _SURROGATES.sub("\ufffd", text).encode()


def _number(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # more digits than Python makes an int of
        return float(digits)


def _pruned(value: Any, depth: int) -> Any:
    """Return a value without what is nested deeper."""
    if isinstance(value, dict):
        return {name: _pruned(inner, depth - 1) for name, inner in value.items()} if depth else None
    if isinstance(value, list):
        return [_pruned(inner, depth - 1) for inner in value] if depth else None
    return value
