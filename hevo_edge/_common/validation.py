"""Checks of what callers pass in: each returns the value, or raises ConfigurationError.

A value is checked once, where it enters the package: at a public method, a function of
``hevo_edge.api``, or a ticket that is loaded.
"""

from __future__ import annotations

import math
import operator
import re
from datetime import datetime, timedelta
from numbers import Integral, Real
from typing import Any, TypeAlias

from hevo_edge._text.printable import is_encodable
from hevo_edge.enums import OpenEnumT
from hevo_edge.errors import ConfigurationError

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ID_LENGTH = 200
Duration: TypeAlias = "float | timedelta"
"""Seconds, as a number of any kind (NumPy's among them), or a timedelta (pandas' too)."""


def pipeline_id(value: Any) -> int:
    """Return a Pipeline id as a positive int; templates give it as a string of digits.

    Raises:
        ConfigurationError: for anything else.
    """
    is_text = isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,18}\s*", value)
    number: Any = int(value) if is_text else value
    if not _is_integer(number) or number <= 0:
        raise ConfigurationError(f"pipeline_id must be a positive integer, not {value!r}")
    return operator.index(number)


def identifier(value: Any, name: str) -> str:
    """Return the id of a Job or an object; it must be a single path segment.

    Raises:
        ConfigurationError: for an empty id, one of dots only, or one with a slash, a space or a
            control character.
    """
    if not isinstance(value, str) or not value or len(value) > _ID_LENGTH:
        raise ConfigurationError(f"{name} must be a non-empty string, not {value!r}")
    if not value.strip(".") or _CONTROL.search(value) or any(c in value for c in "/\\ "):
        raise ConfigurationError(
            f"{name} must not be dots only nor hold slashes, spaces or control characters: "
            f"{value!r}"
        )
    return value


def object_name(value: Any) -> str:
    """Return the id or the name of an object; a name may hold anything but control characters.

    Raises:
        ConfigurationError: for no text, dots only, which are no path segment, or a control
            character.
    """
    if not isinstance(value, str) or not value.strip() or len(value) > _ID_LENGTH:
        raise ConfigurationError(f"object_id must be an object's id or name, not {value!r}")
    if not value.strip(".") or _CONTROL.search(value):
        raise ConfigurationError(
            f"object_id must not be dots only nor hold control characters: {value!r}"
        )
    return value


def job_ref(value: Any) -> tuple[int, str]:
    """Split a ``Job.ref`` such as ``"123:550e8400-..."`` into Pipeline id and Job id.

    Raises:
        ConfigurationError: when it is not of that form.
    """
    if not isinstance(value, str) or ":" not in value:
        raise ConfigurationError(
            f"a job ref looks like '123:550e8400-e29b-...' (see Job.ref), not {value!r}"
        )
    pipeline, _, job = value.partition(":")
    return pipeline_id(pipeline), identifier(job, "job id in the ref")


def seconds(value: Any, name: str) -> float:
    """Return a positive, finite ``Duration`` in seconds as a float.

    Raises:
        ConfigurationError: for zero, negative, NaN, infinity, or what is not a number.
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if not is_number(number):
        raise ConfigurationError(f"{name} must be a number of seconds, not {value!r}")
    plain = to_float(number)
    if not 0 < plain < math.inf:
        raise ConfigurationError(f"{name} must be positive and finite, not {value!r} seconds")
    return plain


def optional_seconds(value: Any, name: str) -> float | None:
    """Return ``seconds(value, name)``, or None for None."""
    return None if value is None else seconds(value, name)


def timeout(value: Any, name: str) -> float | None:
    """Return a time-out in seconds as a float: 0 is one attempt without waiting, None no limit.

    Raises:
        ConfigurationError: for negative numbers, NaN, infinity, or what is not a number.
    """
    is_zero = (is_number(value) and value == 0) or value == timedelta(0)
    return 0.0 if is_zero else optional_seconds(value, name)


def parse_timestamp(value: Any, name: str) -> int | None:
    """Return an aware datetime as ms since 1970; None for None.

    Raises:
        ConfigurationError: for anything else, a datetime without a time zone among it.
    """
    if value is None:
        return None
    # pandas' NaT is a datetime, equal to nothing, and has no offset.
    if not isinstance(value, datetime) or not value == value or value.utcoffset() is None:  # noqa: PLR0124
        raise ConfigurationError(f"{name} must be a datetime with a time zone, not {value!r}")
    return round(value.timestamp() * 1000)


def count(value: Any, name: str, *, at_least: int = 1) -> int:
    """Return an integer that is not below ``at_least``.

    Raises:
        ConfigurationError: for anything else.
    """
    if not _is_integer(value) or value < at_least:
        raise ConfigurationError(f"{name} must be an integer >= {at_least}, not {value!r}")
    return operator.index(value)


def choice(kind: type[OpenEnumT], value: Any, name: str) -> OpenEnumT:
    """Return a member of a closed set of options, given as member or as its string.

    Raises:
        ConfigurationError: listing what is allowed.
    """
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(repr(member.value) for member in kind)
        raise ConfigurationError(f"{name} must be one of {allowed}, not {value!r}") from None


def one_of(value: Any, name: str, allowed: tuple[str, ...]) -> str:
    """Return a string of a closed set.

    Raises:
        ConfigurationError: listing what is allowed.
    """
    if value not in allowed:
        listed = ", ".join(map(repr, allowed))
        raise ConfigurationError(f"{name} must be one of {listed}, not {value!r}")
    return str(value)


def parse_word(value: Any, name: str) -> str:
    """Return a value of an open vocabulary, such as a job type, trimmed and in upper case.

    Raises:
        ConfigurationError: when it is not a string, or empty.
    """
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{name} must be a non-empty string, not {value!r}")
    if not is_encodable(value):
        raise ConfigurationError(f"{name} holds characters that cannot be sent: {value!r}")
    return str(value).strip().upper()


def callback(value: Any, name: str) -> None:
    """Check that something can be called, or is None.

    Raises:
        ConfigurationError: for anything else.
    """
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name} must be callable, not {value!r}")


def parse_bool(value: Any, name: str) -> bool:
    """Return True or False.

    Raises:
        ConfigurationError: for anything else; the string "no" of a template would count as true.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, not {value!r}")
    return value


def is_number(value: Any) -> bool:
    """Say whether a value is a real number of any kind; True and False are not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def to_float(number: Any) -> float:
    """Return a number as a float; infinity, with its sign, for an integer that no float holds."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
