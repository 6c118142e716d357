"""The numbers of a RateLimit, and what each priority may use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hevo_edge import errors
from hevo_edge._http.ratelimit import Priority, RateLimit


@pytest.mark.parametrize(
    "wrong",
    [
        {"calls": 0},
        {"calls": 1.5},
        {"calls": True},
        {"period": 0},
        {"period": float("nan")},
        {"margin": -1},
    ],
)
def test_numbers_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.ConfigurationError, match="RateLimit"):
        RateLimit(**wrong)


def test_ceilings_reserve_slots_for_what_is_urgent() -> None:
    limit = RateLimit(100, 60.0)
    ceilings = [limit.ceiling(priority) for priority in Priority]
    assert ceilings == [100, 98, 95, 90, 90]
    for calls in (2, 5, 9, 30):
        few = RateLimit(calls, 60.0)
        assert few.ceiling(Priority.CANCEL) == calls
        assert all(few.ceiling(other) < calls for other in Priority if other is not Priority.CANCEL)
    assert all(RateLimit(1, 1.0).ceiling(priority) == 1 for priority in Priority)
    assert RateLimit(5, 60.0, margin=0).margin == 0


@pytest.mark.parametrize("wrong", ["", 1, None, b"x", 0.5])
def test_what_is_neither_flag_nor_path_is_refused(wrong: object) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"RateLimit\.shared"):
        RateLimit(shared=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address",
    [
        "redis.internal:6379",
        "redis.internal:6379/0",
        "127.0.0.1:6379",
        "localhost",
        "localhost:6379",
        "redis:localhost",
        "redis//localhost",
        "unix:/tmp/x.sock",
        "REDISS:/x",
        "user:geheim@redis.internal:6379",
        "True",
        "true",
        "1",
        "off",
    ],
)
def test_an_address_without_its_scheme_is_no_path(address: str) -> None:
    with pytest.raises(errors.ConfigurationError, match="begins with redis://") as caught:
        RateLimit(shared=address)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "path", ["calls", "hevo.calls", "./redis:6379", "/run/redis:1", "redis.calls", "a/true", "2"]
)
def test_a_path_stays_one(path: str) -> None:
    assert RateLimit(shared=path).shared == path
    assert RateLimit(shared=Path("redis:6379")).shared == Path("redis:6379")
