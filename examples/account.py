"""Where the examples run: on your Hevo account if HEVO_API_KEY is set, else on the emulator."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator

SPEED = 20.0
"""The emulator's clock runs this much faster, so that a Job of minutes takes seconds."""


def is_real() -> bool:
    """Tell whether the examples talk to Hevo itself."""
    return bool(os.environ.get("HEVO_API_KEY"))


@asynccontextmanager
async def emulated_or_real(emulator: HevoEmulator) -> AsyncIterator[HevoClient]:
    """Yield a client of your account, or else of the emulator that was prepared."""
    if is_real():
        async with HevoClient.from_env() as hevo:
            print(f"Using your Hevo account at {hevo.base_url}.")
            yield hevo
        return
    async with (
        emulator,
        HevoClient(emulator.api_key, emulator.api_secret, base_url=emulator.base_url) as hevo,
    ):
        print(
            f"HEVO_API_KEY is not set: using an emulator at {hevo.base_url}, whose clock runs "
            f"{emulator.speed:.0f} times as fast."
        )
        yield hevo


def poll_interval() -> float:
    """Return the seconds between looks: Hevo's 15, less on the fast emulator."""
    return 15.0 if is_real() else 1.0
