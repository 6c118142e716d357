"""Virtual time that stands still while Redis, another process, is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hevo_edge._http.redis_link import RedisLink
from tests.conftest import PatientLoop

Bounded = Callable[[RedisLink, Any], Awaitable[Any]]


def patiently(bounded: Bounded) -> Bounded:
    """Return ``RedisLink._bounded`` so that the loop's time stands still meanwhile."""

    async def patient(self: RedisLink, use: Any) -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, PatientLoop)
        loop.asked += 1
        try:
            return await bounded(self, use)
        finally:
            loop.asked -= 1

    return patient
