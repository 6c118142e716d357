"""The values in Hevo's replies: one reader of numbers, one of times, one comparison.

Absurd values read as None: what is too large for a calendar, a table or a float is no time and no
count. No reader raises, so that one odd value does not cost the page it is on.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

MAX_COUNT = 2**63 - 1
"""The largest number that is taken for a count."""
MAX_MS = 253_402_300_799_999
"""The last millisecond of the year 9999; what is later is no time, and what is longer no duration.
"""
_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{0,30})?([eE][+-]?\d{1,3})?", re.ASCII)
_ISO = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)"
    r"(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,30}))?)?"
    r" ?(?:Z|UTC|([+-]\d\d):?(\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _number(value: Any) -> int | float | None:
    """Read a number, or one that is written as a string; None for anything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(text := value.strip()):
        value = int(text) if text.lstrip("+-").isdigit() else float(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value


def count(value: Any) -> int | None:
    """Read a count; None when it is not whole, negative, or absurdly large."""
    number = _number(value)
    if number is None or not 0 <= number <= MAX_COUNT or number != int(number):
        return None
    return int(number)


def milliseconds(value: Any) -> float | None:
    """Read milliseconds with a fraction; None for NaN, infinity, and what ``count`` refuses."""
    number = _number(value)
    return float(number) if number is not None and 0 <= number <= MAX_MS else None


def whole_milliseconds(value: Any) -> int | None:
    """Read whole milliseconds; None as for ``milliseconds``."""
    exact = milliseconds(value)
    return None if exact is None else round(exact)


def epoch_milliseconds(value: Any) -> int | None:
    """Read milliseconds since 1970; an interim generation of the API sends ISO timestamps."""
    if isinstance(value, str) and (iso := _ISO.fullmatch(value.strip())):
        value = value if value.strip().isdigit() else _ms_of_iso(*iso.groups())
    return whole_milliseconds(value)


def _ms_of_iso(*parts: str | None) -> float | None:
    """Read the parts of an ISO timestamp as the same milliseconds on every interpreter."""
    *calendar, fraction, hours, minutes = parts
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in calendar)
        whole = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        return None
    east = -1 if (hours or "").startswith("-") else 1
    offset = timedelta(hours=int(hours or 0), minutes=east * int(minutes or 0))
    return (whole - EPOCH - offset).total_seconds() * 1000 + float(f"0.{fraction or 0}") * 1000


def same(one: Any, other: Any) -> bool:
    """Say whether two values are equal, with NaN equal to NaN."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (one != one and other != other)  # noqa: PLR0124
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
