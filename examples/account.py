"""Where the examples run: on your Hevo account if HEVO_ variables are set, else on an emulator."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from hevo_edge import HevoClient, RateLimit
from hevo_edge.emulator import HevoEmulator
from hevo_edge.observing import Observer

SPEED = 20.0
"""The emulator's clock runs this much faster, so that a Job of minutes takes seconds."""
_VARIABLES = ("HEVO_API_KEY", "HEVO_API_SECRET", "HEVO_REGION", "HEVO_BASE_URL")


def is_set() -> bool:
    """Return whether any setting of a real client is given; then all have to be."""
    return any(os.environ.get(name) for name in _VARIABLES)


@asynccontextmanager
async def emulated_or_real(
    emulator: HevoEmulator, observer: Observer | None = None
) -> AsyncGenerator[HevoClient, None]:
    """Yield a client of your account if it is set, else one of the emulator."""
    if is_set():
        async with HevoClient.from_env(observer=observer) as hevo:
            print(f"Using Hevo at {hevo.base_url}.")
            yield hevo
        return
    async with (
        emulator,
        HevoClient(
            emulator.api_key,
            emulator.api_secret,
            base_url=emulator.base_url,
            # Hevo's 100 calls a minute, by the emulator's clock.
            rate_limit=RateLimit(100, 60.0 / emulator.speed),
            observer=observer,
        ) as hevo,
    ):
        print(
            f"No HEVO_API_KEY is set, so this uses an emulator of Hevo at {hevo.base_url}, whose "
            f"clock runs {emulator.speed:.0f} times as fast."
        )
        yield hevo


def poll_interval() -> float:
    """Return the seconds between polls: 15 for Hevo, less for the fast emulator."""
    return 15.0 if is_set() else 1.0
