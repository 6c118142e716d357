"""What arguments mean: durations, moments, ids. What is wrong becomes a usage error."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhd]?)", re.ASCII)
_FORM = "a duration such as 90, 90s, 15m, 2h or 1d"


def duration(text: str) -> float:
    """Return a duration in seconds; 0 is allowed."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not {_FORM}")
    return float(match[1]) * _UNITS[match[2]]


def positive_duration(text: str) -> float:
    """Return a duration of more than 0 seconds."""
    seconds = duration(text)
    if not 0 < seconds < math.inf:
        raise ArgumentTypeError(f"{text!r} is not more than 0")
    return seconds


def poll_interval(text: str) -> float | str:
    """Return seconds between polls, or ``"auto"`` or ``"eager"``."""
    word = text.strip().lower()
    return word if word in {"auto", "eager"} else positive_duration(text)


def moment(text: str) -> datetime:
    """Return a moment: so long ago, or a date and time, in the machine's zone if it names none."""
    from datetime import datetime, timedelta, timezone  # noqa: PLC0415 -- not needed for --help

    if _DURATION.fullmatch(text.strip().lower()):
        try:
            return datetime.now(timezone.utc) - timedelta(seconds=duration(text))
        except OverflowError:
            raise ArgumentTypeError(f"{text!r} is too long ago") from None
    try:
        # Python 3.10 reads no Z.
        return datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text.strip())).astimezone()
    except (ValueError, OverflowError, OSError):
        raise ArgumentTypeError(
            f"{text!r} is neither {_FORM} nor a moment such as 2026-11-25T06:00Z"
        ) from None


def pipeline_id(text: str) -> int:
    """Return a Pipeline's id, the number in its address."""
    if not re.fullmatch(r"\s*[0-9]{1,18}\s*", text) or not int(text):
        raise ArgumentTypeError(f"{text!r} is not the id of a Pipeline, a number such as 123")
    return int(text)


def job_ref(text: str) -> str:
    """Return the ref of a Job."""
    if not re.fullmatch(r"[0-9]{1,18}:\S+", text):
        raise ArgumentTypeError(f"{text!r} is not the ref of a Job, such as 123:550e8400-e29b-...")
    return text


def job_ref_or_pipeline_id(text: str) -> str | int:
    """Return the ref of a Job, or a Pipeline's id."""
    try:
        return job_ref(text) if ":" in text else pipeline_id(text)
    except ArgumentTypeError:
        raise ArgumentTypeError(
            f"{text!r} is neither the id of a Pipeline, a number such as 123, nor the ref of a "
            "Job, such as 123:550e8400-e29b-..."
        ) from None


def count(text: str) -> int:
    """Return a number of at least 1."""
    if not re.fullmatch(r"[0-9]{1,9}", text) or not int(text):
        raise ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def profile_name(text: str) -> str:
    """Return the name of a profile, which is a part of variables' names."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", text):
        raise ArgumentTypeError(f"{text!r} is not a name of letters, digits, - and _")
    return text
